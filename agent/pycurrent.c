/*
 * The getter of the current thread's state is one load, which the hooks do themselves: a call of
 * it would cost as much as the rest of the walk.  Its code is compared byte by byte with
 * what GCC and Clang make of `return _PyRuntime.gilstate.tstate_current` (until 3.11) and
 * `return _Py_tss_tstate` (later), as part of a program and of a shared library.  Code that looks
 * otherwise, on another processor too, is called.
 */
#include "pycurrent.h"

#include <string.h>

#include "elfsym.h"
#include "peek.h"

static const uintptr_t no_state;
const struct pycurrent pycurrent_unknown = {0, (uintptr_t)&no_state};

#ifdef __x86_64__

struct tls_index { /* what __tls_get_addr takes: TLS ABI for x86-64, general dynamic model */
    unsigned long module, offset;
};

/* A pattern: bytes to be there, with a hole of four bytes for a signed number at `hole`. */
struct pattern {
    uint8_t bytes[32];
    uint8_t size, hole, second; /* second: another hole, or 0 */
};

static const struct pattern global = {/* mov n(%rip),%rax; ret */
    {0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3}, 8, 3, 0};
static const struct pattern of_pointer = {/* mov n(%rip),%rax; mov m(%rax),%rax; ret */
    {0x48, 0x8b, 0x05, 0, 0, 0, 0, 0x48, 0x8b, 0x80, 0, 0, 0, 0, 0xc3}, 15, 3, 10};
static const struct pattern local_exec = {/* mov %fs:n,%rax; ret */
    {0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0xc3}, 10, 5, 0};
static const struct pattern initial_exec = {/* mov n(%rip),%rax; mov %fs:(%rax),%rax; ret */
    {0x48, 0x8b, 0x05, 0, 0, 0, 0, 0x64, 0x48, 0x8b, 0x00, 0xc3}, 12, 3, 0};
static const struct pattern general_dynamic = {
    /* sub $8,%rsp; lea n(%rip),%rdi; call m; mov (%rax),%rax; add $8,%rsp; ret */
    {0x48, 0x83, 0xec, 0x08, 0x66, 0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0x66, 0x66, 0x48, 0xe8, 0, 0, 0, 0,
        0x48, 0x8b, 0x00, 0x48, 0x83, 0xc4, 0x08, 0xc3},
    28, 8, 16};

static bool is_hole(const struct pattern *pattern, uint32_t i)
{
    return i - pattern->hole < 4u || (pattern->second && i - pattern->second < 4u);
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
static struct pycurrent thread_local_at(uintptr_t index)
{
    void *(*get)(struct tls_index *) = (void *(*)(struct tls_index *))elfsym_find("__tls_get_addr");
    if (!get) {
        return pycurrent_unknown;
    }
    uintptr_t address = (uintptr_t)get((struct tls_index *)index);
    return (struct pycurrent){UINTPTR_MAX, address - (uintptr_t)__builtin_thread_pointer()};
}

static uintptr_t after_landing_pad(uintptr_t code)
{
    static const uint8_t endbr64[4] = {0xf3, 0x0f, 0x1e, 0xfa};
    return memcmp((const void *)code, endbr64, sizeof(endbr64)) ? code : code + sizeof(endbr64);
}

struct pycurrent pycurrent_find(const void *getter)
{
    uintptr_t code = after_landing_pad((uintptr_t)getter);
    if (matches(code, &global)) {
        return (struct pycurrent){0, relative(code, &global)};
    }
    if (matches(code, &of_pointer)) {
        return (struct pycurrent){
            0, peek64(relative(code, &of_pointer)) + number_at(code, of_pointer.second)};
    }
    if (matches(code, &local_exec)) {
        return (struct pycurrent){UINTPTR_MAX, number_at(code, local_exec.hole)};
    }
    if (matches(code, &initial_exec)) {
        return (struct pycurrent){UINTPTR_MAX, peek64(relative(code, &initial_exec))};
    }
    if (matches(code, &general_dynamic)) {
        return thread_local_at(relative(code, &general_dynamic));
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
