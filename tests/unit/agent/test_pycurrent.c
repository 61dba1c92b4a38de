/*
 * What the getter of the current thread's state loads, read from the code that compilers make of
 * it, as found in interpreters; and never from code that is a little different.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "elfsym.h"
#include "pycurrent.h"

/* Code at the start; what it refers to by its distance from itself behind it. */
static _Alignas(16) struct {
    uint8_t code[64];
    uint64_t words[8];
} memory;

#define WORD(i) (offsetof(__typeof__(memory), words) + 8 * (i))

static struct tls_index {
    unsigned long module, offset;
} asked;
static uint64_t variables[4];

static void *get_address(struct tls_index *index)
{
    asked = *index;
    return (char *)variables + index->offset;
}

void *elfsym_find(const char *name)
{
    return strcmp(name, "__tls_get_addr") == 0 ? (void *)get_address : NULL;
}

/* 0x100 stands for four bytes: the distance from behind them to a word. */
#define TO_WORD 0x100
#define SPARE 0x101 /* the second, a call's: any four bytes */

static struct pycurrent find(const uint16_t *code, size_t n, uint32_t word)
{
    uint8_t *out = memory.code;
    memset(memory.code, 0xcc, sizeof(memory.code));
    for (size_t i = 0; i < n; i++) {
        if (code[i] < 0x100) {
            *out++ = (uint8_t)code[i];
        } else {
            int32_t distance = (int32_t)(WORD(word) - (size_t)(out + 4 - memory.code));
            distance = code[i] == SPARE ? 0x12345678 : distance;
            memcpy(out, &distance, 4);
            out += 4;
        }
    }
    return pycurrent_find(memory.code);
}

#define FIND(code) find(code, sizeof(code) / sizeof((code)[0]), 3)

static void assert_unknown(struct pycurrent found)
{
    assert_int_equal(found.base_mask, pycurrent_unknown.base_mask);
    assert_int_equal(found.offset, pycurrent_unknown.offset);
    assert_int_equal(pycurrent_load(&found), 0);
}

static void assert_is(struct pycurrent found, const void *place)
{
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer() & found.base_mask;
    assert_int_equal(thread + found.offset, (uintptr_t)place);
}

#define FRAMED(...) 0x55, 0x48, 0x89, 0xe5, __VA_ARGS__, 0x5d, 0xc3
#define GLOBAL 0x48, 0x8b, 0x05, TO_WORD
#define OF_POINTER 0x48, 0x8b, 0x05, TO_WORD, 0x48, 0x8b, 0x80, 0x18, 0, 0, 0
#define LOCAL_EXEC 0x64, 0x48, 0x8b, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff
#define INITIAL_EXEC 0x48, 0x8b, 0x05, TO_WORD, 0x64, 0x48, 0x8b, 0x00
#define GENERAL 0x66, 0x48, 0x8d, 0x3d, TO_WORD, 0x66, 0x66, 0x48, 0xe8, SPARE, 0x48, 0x8b, 0x00
#define LOCAL 0x48, 0x8d, 0x3d, TO_WORD, 0xe8, SPARE, 0x48, 0x8b, 0x80, 0x10, 0, 0, 0

static void finds_a_global_variable(void **state)
{
    static const uint16_t plain[] = {GLOBAL, 0xc3}, pad[] = {0xf3, 0x0f, 0x1e, 0xfa, GLOBAL, 0xc3},
                          framed[] = {FRAMED(GLOBAL)},
                          both[] = {0xf3, 0x0f, 0x1e, 0xfa, FRAMED(GLOBAL)};
    assert_is(FIND(plain), &memory.words[3]);
    assert_is(FIND(pad), &memory.words[3]);
    assert_is(FIND(framed), &memory.words[3]);
    assert_is(FIND(both), &memory.words[3]);
}

static void finds_a_field_behind_a_pointer(void **state)
{
    static const uint16_t plain[] = {OF_POINTER, 0xc3}, framed[] = {FRAMED(OF_POINTER)};
    memory.words[3] = (uintptr_t)variables - 0x10;
    assert_is(FIND(plain), &variables[1]);
    assert_is(FIND(framed), &variables[1]);
}

static void finds_a_threads_own_variable(void **state)
{
    static const uint16_t exec[] = {LOCAL_EXEC, 0xc3}, framed[] = {FRAMED(LOCAL_EXEC)},
                          initial[] = {INITIAL_EXEC, 0xc3},
                          framed_initial[] = {FRAMED(INITIAL_EXEC)};
    const char *thread = __builtin_thread_pointer();
    memory.words[3] = (uint64_t)-24;
    assert_is(FIND(exec), thread - 8);
    assert_is(FIND(framed), thread - 8);
    assert_is(FIND(initial), thread - 24);
    assert_is(FIND(framed_initial), thread - 24);
}

static void finds_one_of_a_shared_library(void **state)
{
    static const uint16_t gcc[] = {0x48, 0x83, 0xec, 0x08, GENERAL, 0x48, 0x83, 0xc4, 0x08, 0xc3},
                          clang[] = {0x50, GENERAL, 0x59, 0xc3}, framed[] = {FRAMED(GENERAL)},
                          local[] = {FRAMED(LOCAL)}, local_clang[] = {0x50, LOCAL, 0x59, 0xc3};
    memory.words[3] = 7;
    memory.words[4] = 8;
    assert_is(FIND(gcc), &variables[1]);
    assert_true(asked.module == 7 && asked.offset == 8);
    assert_is(FIND(clang), &variables[1]);
    assert_is(FIND(framed), &variables[1]);
    memory.words[4] = 0;
    assert_is(FIND(local), &variables[2]);
    assert_is(FIND(local_clang), &variables[2]);
    memory.words[3] = (uintptr_t)&memory; /* no module, so not what it looks like */
    assert_unknown(FIND(local));
}

static void knows_nothing_else(void **state)
{
    static const uint16_t no_return[] = {GLOBAL, 0x90},
                          open[] = {0x55, 0x48, 0x89, 0xe5, GLOBAL, 0xc3},
                          closed[] = {GLOBAL, 0x5d, 0xc3}, mixed[] = {0x50, LOCAL, 0x5d, 0xc3},
                          other_register[] = {0x48, 0x8b, 0x0d, TO_WORD, 0xc3},
                          longer[] = {GLOBAL, 0x48, 0x85, 0xc0, 0xc3}, nothing[] = {0xc3};
    memory.words[3] = 7;
    assert_unknown(FIND(no_return));
    assert_unknown(FIND(open));
    assert_unknown(FIND(closed));
    assert_unknown(FIND(mixed));
    assert_unknown(FIND(other_register));
    assert_unknown(FIND(longer));
    assert_unknown(FIND(nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_global_variable),
        cmocka_unit_test(finds_a_field_behind_a_pointer),
        cmocka_unit_test(finds_a_threads_own_variable),
        cmocka_unit_test(finds_one_of_a_shared_library),
        cmocka_unit_test(knows_nothing_else),
    };
    return cmocka_run_group_tests_name("pycurrent", tests, NULL, NULL);
}
