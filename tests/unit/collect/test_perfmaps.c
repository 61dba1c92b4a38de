/*
 * Names of code made at run time, of maps that are good, odd, another's or old.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "collect/perfmaps.h"

#define PID 4242
#define PATIENCE 10000

static char directory[] = "/tmp/perfmaps.XXXXXX";
static char path[64];

static int make_directory(void **state)
{
    return !mkdtemp(directory) ||
           snprintf(path, sizeof(path), "%s/perf-%d.map", directory, PID) < 0;
}

static int remove_directory(void **state)
{
    return rmdir(directory);
}

static void write_map(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What a return to `address` is called: "name+offset", or "" */
static const char *look_up(uint64_t address, time_t since)
{
    static char text[8192];
    struct perfmap_name names[3] = {{.address = 1}, {.address = address}, {.address = UINT64_MAX}};
    perfmaps_find(directory, PID, since, PATIENCE, names, 3);
    text[0] = 0;
    if (names[1].function) {
        snprintf(
            text, sizeof(text), "%s+%llu", names[1].function, (unsigned long long)names[1].offset);
    }
    for (int i = 0; i < 3; i++) {
        free(names[i].function);
    }
    return text;
}

static void assert_name(const char *map, uint64_t address, const char *expected)
{
    write_map(map);
    assert_string_equal(look_up(address, 0), expected);
    assert_int_equal(unlink(path), 0);
}

static void test_functions(void **state)
{
    const char *map = "7f0010 20 first(int, char)\n0x7f0030 10 second\n7f0050 8 third";
    assert_name(map, 0x7f0011, "first(int, char)+1");
    assert_name(map, 0x7f0030, "first(int, char)+32"); /* behind its last instruction, a call */
    assert_name(map, 0x7f0031, "second+1");
    assert_name(map, 0x7f0010, "");
    assert_name(map, 0x7f0041, "");
    assert_name(map, 0x7f0058, "third+8");
}

static void test_one_place_of_several(void **state)
{
    assert_name("100 10 one\n200 10 else\n100 10 one\n", 0x105, "one+5");
    assert_name("100 10 one\n100 10 other\n", 0x105, "");
    assert_name("100 10 one\n100 10 other\n100 10 one\n", 0x105, "");
    assert_name("100 10 one\n108 10 other\n", 0x105, "one+5");
}

static void test_what_is_no_line(void **state)
{
    static const char *const odd[] = {"", "\n", "100\n", "100 \n", "100 10\n", "100 10 \n",
        "-100 10 x\n", "100 -1 x\n", "g 10 x\n", "100 0 x\n", " 100 10 x\n", "100\t10\tx\n",
        "101 ffffffffffffffff \n", "ffffffffffffffff ffffffffffffffff x\n"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        char map[256];
        assert_name(odd[i], 0x105, "");
        snprintf(map, sizeof(map), "%s100 10 good\n", odd[i]);
        if (strchr(odd[i], '\n')) {
            assert_name(map, 0x105, "good+5");
        }
    }
}

static void test_long_names_are_cut(void **state)
{
    char map[10000], expected[10000];
    memset(map, 'x', sizeof(map));
    memcpy(map, "100 10 ", 7);
    strcpy(map + 9000, "\n200 10 next\n");
    assert_name(map, 0x205, "next+5");
    write_map(map);
    snprintf(expected, sizeof(expected), "%s", look_up(0x105, 0));
    assert_int_equal(unlink(path), 0);
    assert_in_range(strlen(expected), 1000, 4000);
    assert_int_equal(expected[0], 'x');
}

static void test_only_a_file_of_this_run(void **state)
{
    char other[80];
    write_map("100 10 name\n");
    assert_string_equal(look_up(0x105, time(NULL) - 60), "name+5");
    assert_string_equal(look_up(0x105, time(NULL) + 60), "");
    snprintf(other, sizeof(other), "%s/other", directory);
    assert_int_equal(link(path, other), 0);
    assert_string_equal(look_up(0x105, 0), "");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_string_equal(look_up(0x105, 0), "");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_string_equal(look_up(0x105, 0), "");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(other, path), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 1, 1), 0);
        assert_string_equal(look_up(0x105, 0), "");
    }
    assert_int_equal(unlink(path), 0);
    assert_string_equal(look_up(0x105, 0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_one_place_of_several),
        cmocka_unit_test(test_what_is_no_line),
        cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_only_a_file_of_this_run),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
