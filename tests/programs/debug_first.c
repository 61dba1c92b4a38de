/*
 * A program with an interpreter in it that sets up debug hooks before it initializes it, so that
 * they lie on whatever was there.  Runs the text it is given, twice.
 */
#include <Python.h>

int main(int argc, char **argv)
{
    int failed = argc != 2;
    PyMem_SetupDebugHooks();
    for (int i = 0; i < 2 && !failed; i++) {
        Py_Initialize();
        failed = PyRun_SimpleString(argv[1]);
        Py_Finalize();
    }
    return failed != 0;
}
