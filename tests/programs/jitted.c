/*
 * Functions that are made while it runs, which call what they are given: one that ends right after
 * the call, as trampolines do, one that keeps a frame pointer, and one that tells nothing.  Each is
 * called from under three C functions, and allocates through three of layers.c; then calls back.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CALLED __attribute__((noinline))
#define NOPS 0x90, 0x90, 0x90, 0x90, 0x90, 0x90

typedef int (*function)(int);
typedef int (*code)(int, function);

static const uint8_t codes[3][32] = {
    /* sub $24,%rsp; call *%rsi; add $24,%rsp; ret */
    {0x48, 0x83, 0xec, 24, 0xff, 0xd6, 0x48, 0x83, 0xc4, 24, 0xc3},
    /* push %rbp; mov %rsp,%rbp; sub $32,%rsp; nops; call *%rsi; nops; leave; ret */
    {0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 32, NOPS, 0xff, 0xd6, NOPS, 0xc9, 0xc3},
    /* push %rbp; xor %ebp,%ebp; sub $32,%rsp; call *%rsi; nops; add $32,%rsp; pop %rbp; ret */
    {0x55, 0x31, 0xed, 0x48, 0x83, 0xec, 32, 0xff, 0xd6, NOPS, 0x48, 0x83, 0xc4, 32, 0x5d, 0xc3},
};
static volatile int steps; /* no call is the last thing that a function does */

CALLED static int jitted_inner(code made, int argument, function callback)
{
    int answer = made(argument, callback);
    steps++;
    return answer;
}

CALLED static int jitted_outer(code made, int argument, function callback)
{
    int answer = jitted_inner(made, argument, callback);
    steps++;
    return answer;
}

static uint8_t *make(int kind)
{
    uint8_t *made =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(made, codes[kind], sizeof(codes[kind]));
    return made;
}

int call_made(int kind, int argument, function callback)
{
    uint8_t *made = make(kind);
    int answer = jitted_outer((code)made, argument, callback);
    munmap(made, 4096);
    return answer;
}

/* The same, which stays and has a name, as compilers tell perf: a line of this process's map. */
int call_named(int kind, int argument, function callback, const char *name)
{
    char path[64];
    uint8_t *made = make(kind);
    snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
    FILE *map = fopen(path, "a");
    fprintf(map, "%lx %zx %s\n", (unsigned long)made, sizeof(codes[kind]), name);
    fclose(map);
    return jitted_outer((code)made, argument, callback);
}
