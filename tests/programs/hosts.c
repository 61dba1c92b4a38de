/*
 * A program with an interpreter in it, which Python calls back: main, serve and answer are below
 * the Python frames, outer, middle and inner of layers.c above them.
 */
#include <Python.h>

#define CALLED __attribute__((noinline))

static volatile int steps; /* no call is the last thing that a function does */

CALLED static int answer(const char *text)
{
    int failed = PyRun_SimpleString(text);
    steps++;
    return failed;
}

CALLED static int serve(const char *text)
{
    int failed = answer(text);
    steps++;
    return failed;
}

int main(int argc, char **argv)
{
    Py_Initialize();
    int failed = serve(argv[argc - 1]);
    Py_Finalize();
    return failed;
}
