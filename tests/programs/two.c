/*
 * A program that loads two interpreters, each with what belongs to it, and runs a text in both.
 *
 *     two LIBRARY HOME LIBRARY HOME
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *load(const char *path, const char *home, const char *text)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return NULL;
    void (*start)(int) = (void (*)(int))dlsym(library, "Py_InitializeEx");
    int (*run)(const char *) = (int (*)(const char *))dlsym(library, "PyRun_SimpleString");
    setenv("PYTHONHOME", home, 1);
    start(0);
    return run(text) == 0 ? library : NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    void *first = load(argv[1], argv[2], "held = [bytes(1000) for n in range(97)]\n"
                                         "import sys; print(sys.version_info[:3], flush=True)");
    void *second = load(argv[3], argv[4], "held = bytes(300000)\n"
                                          "import sys; print(sys.version_info[:3], flush=True)");
    if (!first || !second)
        return 1;
    void (*end)(void) = (void (*)(void))dlsym(first, "Py_Finalize");
    end();
    return 0;
}
