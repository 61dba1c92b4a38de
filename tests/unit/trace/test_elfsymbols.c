/*
 * Symbols of all addresses in one pass, as libdwfl finds them one by one: at the edges
 * and in the middle of symbols, between them and outside, in libraries with and
 * without debugging information, aliases, weak and local ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/elfsymbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WANTED 900

static const char *const libraries[] = {
    "/proc/self/exe",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
    "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/usr/lib/x86_64-linux-gnu/libdw.so.1",
    "/usr/bin/python3.11",
};

static Dwfl_Module *open_library(Dwfl *dwfl, const char *path)
{
    dwfl_report_begin(dwfl);
    Dwfl_Module *module = dwfl_report_offline(dwfl, path, path, -1);
    GElf_Addr bias;
    dwfl_report_end(dwfl, NULL, NULL);
    return module && dwfl_module_getelf(module, &bias) ? module : NULL;
}

static int by_address(const void *one, const void *other)
{
    const struct elfsymbol *a = one, *b = other;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Addresses in and around symbols, each once. */
static size_t choose(Dwfl_Module *module, struct elfsymbol *wanted)
{
    int all = dwfl_module_getsymtab(module);
    size_t n = 0, once = 0;
    for (size_t i = 0; n + 5 < WANTED && i < 10 * WANTED && all > 1; i++) {
        GElf_Sym symbol;
        GElf_Addr value;
        dwfl_module_getsym_info(module, 1 + rand() % (all - 1), &symbol, &value, NULL, NULL, NULL);
        GElf_Addr places[] = {value, value + symbol.st_size / 2, value + symbol.st_size - 1,
            value + symbol.st_size, value - 1};
        for (size_t j = 0; j < 5 && value; j++) {
            wanted[n++] = (struct elfsymbol){.at = places[j]};
        }
    }
    qsort(wanted, n, sizeof(*wanted), by_address);
    for (size_t i = 0; i < n; i++) {
        if (!i || wanted[i].at != wanted[once - 1].at) {
            wanted[once++] = wanted[i];
        }
    }
    return once;
}

static bool spans(const struct elfsymbol *found)
{
    return found->at - found->value < found->size;
}

/* Is it what libdwfl finds?  That also finds labels, which have no size: any other is better. */
static void check(Dwfl_Module *module, const struct elfsymbol *found)
{
    GElf_Sym symbol;
    GElf_Off offset;
    const char *name = dwfl_module_addrinfo(module, found->at, &offset, &symbol, NULL, NULL, NULL);
    if (!name) {
        assert_null(found->name);
    } else if (symbol.st_size) {
        assert_non_null(found->name);
        assert_string_equal(found->name, name);
        assert_int_equal(found->at - found->value, offset);
    }
    assert_true(!found->name || spans(found));
}

static size_t compare(Dwfl_Module *module)
{
    struct elfsymbol wanted[WANTED];
    size_t n = choose(module, wanted), found = 0;
    elfsymbols_find(module, wanted, n);
    for (size_t i = 0; i < n; i++) {
        check(module, &wanted[i]);
        assert_ptr_equal(elfsymbols_at(wanted, n, wanted[i].at), &wanted[i]);
        found += wanted[i].name != NULL;
    }
    assert_null(elfsymbols_at(wanted, n, wanted[n - 1].at + 1));
    return found;
}

static void test_as_libdwfl(void **state)
{
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .section_address = dwfl_offline_section_address};
    Dwfl *dwfl = dwfl_begin(&callbacks);
    for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++) {
        Dwfl_Module *module =
            access(libraries[i], R_OK) == 0 ? open_library(dwfl, libraries[i]) : NULL;
        if (module) {
            size_t found = compare(module);
            printf("%s: %zu addresses have a name\n", libraries[i], found);
            assert_true(found > 30);
        }
    }
    dwfl_end(dwfl);
}

static void test_none(void **state)
{
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .section_address = dwfl_offline_section_address};
    Dwfl *dwfl = dwfl_begin(&callbacks);
    Dwfl_Module *module = open_library(dwfl, "/proc/self/exe");
    elfsymbols_find(module, NULL, 0);
    assert_null(elfsymbols_at(NULL, 0, 1000));
    dwfl_end(dwfl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_libdwfl),
        cmocka_unit_test(test_none),
    };
    unsetenv("DEBUGINFOD_URLS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
