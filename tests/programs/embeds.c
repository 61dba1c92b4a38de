/*
 * A program with an interpreter in it, which it initializes three times, each time with another
 * interpreter beside it; both say something to memtrace.
 */
#include <Python.h>

static const char text[] = "import memtrace, sys\n"
                           "memtrace.mark('main')\n"
                           "print(memtrace.is_tracing(), profile.__name__, flush=True)\n"
                           "assert str(sys.meta_path).count(\"<module '_memtrace'>\") == 1\n";

int main(void)
{
    int failed = 0;
    for (int i = 0; i < 3; i++) {
        Py_Initialize();
        PyThreadState *first = PyThreadState_Get();
        failed |= PyRun_SimpleString(text);
        PyThreadState *second = Py_NewInterpreter();
        failed |= PyRun_SimpleString("import memtrace; memtrace.mark('sub')");
        Py_EndInterpreter(second);
        PyThreadState_Swap(first);
        Py_Finalize();
    }
    return failed != 0;
}
