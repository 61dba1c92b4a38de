/*
 * What looks like an interpreter of a version that nobody knows yet; a program, or
 * with -DLIBRARY a library that is one.
 */
#include <stdlib.h>

extern const unsigned long Py_Version;
const unsigned long Py_Version = 0x036300f0; /* 3.99.0 */
void *PyImport_Inittab[2], *PyCode_Type;

void PyMem_SetAllocator(int domain, void *allocator);
void Py_Initialize(void);
int PyRun_SimpleString(const char *text);
void Py_Finalize(void);

void PyMem_SetAllocator(int domain, void *allocator)
{
    abort();
}

static void *volatile kept;

void Py_Initialize(void)
{
    kept = malloc(54321);
}

int PyRun_SimpleString(const char *text)
{
    return 0;
}

void Py_Finalize(void)
{
}

#ifndef LIBRARY
int main(void)
{
    Py_Initialize();
    return 0;
}
#endif
