/*
 * The getter of the current thread's state is one load, which the hooks do themselves: a call of
 * it would cost as much as the rest of the walk.  Its code is compared byte by byte with
 * what GCC and Clang make of `return _PyRuntime.gilstate.tstate_current` (until 3.11) and
 * `return _Py_tss_tstate` (later), as part of a program and of a shared library.  Code that looks
 * otherwise, on another processor too, is called.  Programs built to be profiled keep a frame
 * pointer.
 */
#include "pycurrent.h"

#include <stddef.h>

#include "elfsym.h"
#include "peek.h"

static const uintptr_t no_state;
const struct pycurrent pycurrent_unknown = {0, (uintptr_t)&no_state};

#ifdef __x86_64__

#define MODULES_MAX 4096u /* objects with thread-local variables: far more than there are */

struct tls_index { /* what __tls_get_addr takes: TLS ABI for x86-64, dynamic models */
    unsigned long module, offset;
};

#define BYTES_MAX 20

/* Bytes to be there, with a hole of four bytes for a signed number at `hole`, and perhaps others.
 */
struct pattern {
    uint8_t bytes[BYTES_MAX];
    uint8_t size, hole, second, third; /* 0: none */
};

/* What is around them, but for the landing pad before it and the return behind it. */
static const struct wrapping {
    struct pattern before, after;
} wrappings[] = {
    {{{0}, 0, 0, 0, 0}, {{0}, 0, 0, 0, 0}},
    /* push %rbp; mov %rsp,%rbp ... pop %rbp */
    {{{0x55, 0x48, 0x89, 0xe5}, 4, 0, 0, 0}, {{0x5d}, 1, 0, 0, 0}},
    /* sub $8,%rsp ... add $8,%rsp */
    {{{0x48, 0x83, 0xec, 0x08}, 4, 0, 0, 0}, {{0x48, 0x83, 0xc4, 0x08}, 4, 0, 0, 0}},
    /* push %rax ... pop %rcx */
    {{{0x50}, 1, 0, 0, 0}, {{0x59}, 1, 0, 0, 0}},
};

static const struct pattern landing_pad = {{0xf3, 0x0f, 0x1e, 0xfa}, 4, 0, 0, 0}; /* endbr64 */
static const struct pattern return_ = {{0xc3}, 1, 0, 0, 0};

static const struct pattern global = {/* mov n(%rip),%rax */
    {0x48, 0x8b, 0x05}, 7, 3, 0, 0};
static const struct pattern of_pointer = {/* mov n(%rip),%rax; mov m(%rax),%rax */
    {0x48, 0x8b, 0x05, 0, 0, 0, 0, 0x48, 0x8b, 0x80}, 14, 3, 10, 0};
static const struct pattern local_exec = {/* mov %fs:n,%rax */
    {0x64, 0x48, 0x8b, 0x04, 0x25}, 9, 5, 0, 0};
static const struct pattern initial_exec = {/* mov n(%rip),%rax; mov %fs:(%rax),%rax */
    {0x48, 0x8b, 0x05, 0, 0, 0, 0, 0x64, 0x48, 0x8b, 0x00}, 11, 3, 0, 0};
static const struct pattern general_dynamic = {/* lea n(%rip),%rdi; call m; mov (%rax),%rax */
    {0x66, 0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0x66, 0x66, 0x48, 0xe8, 0, 0, 0, 0, 0x48, 0x8b, 0x00}, 19,
    4, 12, 0};
static const struct pattern local_dynamic = {/* lea n(%rip),%rdi; call m; mov k(%rax),%rax */
    {0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x48, 0x8b, 0x80}, 19, 3, 8, 15};

static bool is_hole(const struct pattern *pattern, uint32_t i)
{
    return (pattern->hole && i - pattern->hole < 4u) ||
           (pattern->second && i - pattern->second < 4u) ||
           (pattern->third && i - pattern->third < 4u);
}

static bool matches(uintptr_t code, const struct pattern *pattern)
{
    for (uint32_t i = 0; i < pattern->size; i++) {
        if (!is_hole(pattern, i) && peek8(code + i) != pattern->bytes[i]) {
            return false;
        }
    }
    return true;
}

static uintptr_t number_at(uintptr_t code, uint32_t hole)
{
    return (uintptr_t)(intptr_t)(int32_t)peek32(code + hole);
}

/* What an operand relative to the next instruction stands for. */
static uintptr_t relative(uintptr_t code, const struct pattern *pattern)
{
    return code + pattern->hole + 4 + number_at(code, pattern->hole);
}

/* Of an object that is there from the start: the call allocates nothing. */
static struct pycurrent thread_local_at(const struct tls_index *index, uintptr_t more)
{
    void *(*get)(struct tls_index *) = (void *(*)(struct tls_index *))elfsym_find("__tls_get_addr");
    if (!get || index->module == 0 || index->module >= MODULES_MAX) {
        return pycurrent_unknown;
    }
    struct tls_index copy = *index;
    uintptr_t address = (uintptr_t)get(&copy) + more;
    return (struct pycurrent){UINTPTR_MAX, address - (uintptr_t)__builtin_thread_pointer()};
}

/* The code of the getter without what is around it; 0 if that is nothing that is known, or this
   pattern is not all that is in it. */
static uintptr_t within(uintptr_t getter, const struct pattern *pattern)
{
    uintptr_t start = getter + (matches(getter, &landing_pad) ? landing_pad.size : 0);
    for (size_t i = 0; i < sizeof(wrappings) / sizeof(wrappings[0]); i++) {
        const struct pattern *before = &wrappings[i].before, *after = &wrappings[i].after;
        uintptr_t code = start + before->size, end = code + pattern->size;
        if (matches(start, before) && matches(code, pattern) && matches(end, after) &&
            matches(end + after->size, &return_)) {
            return code;
        }
    }
    return 0;
}

struct pycurrent pycurrent_find(const void *getter)
{
    uintptr_t at = (uintptr_t)getter, code;
    if ((code = within(at, &global))) {
        return (struct pycurrent){0, relative(code, &global)};
    }
    if ((code = within(at, &of_pointer))) {
        return (struct pycurrent){
            0, peek64(relative(code, &of_pointer)) + number_at(code, of_pointer.second)};
    }
    if ((code = within(at, &local_exec))) {
        return (struct pycurrent){UINTPTR_MAX, number_at(code, local_exec.hole)};
    }
    if ((code = within(at, &initial_exec))) {
        return (struct pycurrent){UINTPTR_MAX, peek64(relative(code, &initial_exec))};
    }
    if ((code = within(at, &general_dynamic))) {
        return thread_local_at((const struct tls_index *)relative(code, &general_dynamic), 0);
    }
    if ((code = within(at, &local_dynamic))) {
        return thread_local_at((const struct tls_index *)relative(code, &local_dynamic),
            number_at(code, local_dynamic.third));
    }
    return pycurrent_unknown;
}

#else

struct pycurrent pycurrent_find(const void *getter)
{
    (void)getter;
    return pycurrent_unknown;
}

#endif
