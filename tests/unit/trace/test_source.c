/* Lines of source files in the encodings that people have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "trace/source.h"

static char path[] = "/tmp/memtrace-test-XXXXXX";

static struct source *open_text(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    struct source *source = source_open(path);
    assert_non_null(source);
    return source;
}

static void is_line(const char *text, size_t text_size, uint32_t number, const char *expected)
{
    struct source *source = open_text(text, text_size);
    size_t size = 0;
    const char *line = source_line(source, number, &size);
    assert_non_null(line);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(line, expected, size);
    source_close(source);
}

#define IS_LINE(text, number, expected) is_line((text), sizeof(text) - 1, (number), (expected))

static void takes_utf8_as_it_is(void **state)
{
    IS_LINE("a = 1\n\tb = '\xed\x95\x9c'  \r\nc", 2, "b = '\xed\x95\x9c'");
    IS_LINE("a = 1\n\tb = 2\nc", 3, "c");
    IS_LINE("\n\n", 2, "");
    IS_LINE("# coding: utf-8\nx = '\xff'\n", 2, "x = '\xff'");
    IS_LINE("\xef\xbb\xbfx = '\xc3\xa9'\n", 1, "x = '\xc3\xa9'");
    IS_LINE("\xef\xbb\xbf# coding: latin-1\nx = '\xc3\xa9'\n", 2, "x = '\xc3\xa9'");
    IS_LINE("# coding: utf-8-sig\nx = '\xc3\xa9'\n", 2, "x = '\xc3\xa9'");
    IS_LINE("# vim: set fileencoding=utf_8 :\nx = '\xc3\xa9'\n", 2, "x = '\xc3\xa9'");
}

static void decodes_what_is_declared(void **state)
{
    IS_LINE("# -*- coding: euc-kr -*-\ns = '\xc7\xd1'\n", 2, "s = '\xed\x95\x9c'");
    IS_LINE("# coding=euc_kr\n\ns = '\xc7\xd1'\n", 3, "s = '\xed\x95\x9c'");
    IS_LINE("#!/usr/bin/python3\n# coding: cp949\ns = '\xc7\xd1'\n", 3, "s = '\xed\x95\x9c'");
    IS_LINE("# coding: latin-1\ns = '\xe9\xc3\xa9'\n", 2, "s = '\xc3\xa9\xc3\x83\xc2\xa9'");
    IS_LINE("# coding: Latin_1\ns = '\xe9'\n", 2, "s = '\xc3\xa9'");
    IS_LINE("\f# encoding: iso-8859-15\ns = '\xa4'\n", 2, "s = '\xe2\x82\xac'");
    IS_LINE("# coding: shift_jis\ns = '\x82\xa0'\n", 2, "s = '\xe3\x81\x82'");
    IS_LINE("# coding: latin-1 '\xe9'\n", 1, "# coding: latin-1 '\xc3\xa9'");
}

static void looks_at_two_lines_of_comments_only(void **state)
{
    IS_LINE("x = 1\n# coding: latin-1\ns = '\xe9'\n", 3, "s = '\xe9'");
    IS_LINE("#\n#\n# coding: latin-1\ns = '\xe9'\n", 4, "s = '\xe9'");
    IS_LINE("s = 'coding: latin-1 \xe9'\n", 1, "s = 'coding: latin-1 \xe9'");
    IS_LINE("# coding latin-1\ns = '\xe9'\n", 2, "s = '\xe9'");
}

static void escapes_what_it_cannot_decode(void **state)
{
    IS_LINE("# coding: euc-kr\ns = '\xff\xc7\xd1'\n", 2, "s = '\\xff\xed\x95\x9c'");
    IS_LINE("# coding: euc-kr\ns = '\xc7\n", 2, "s = '\\xc7");
    IS_LINE("# coding: no-such-thing\ns = '\xc7\xd1'\n", 2, "s = '\\xc7\\xd1'");
    IS_LINE("# coding: ascii\ns = '\xc7'\n", 2, "s = '\\xc7'");
}

static void counts_lines_as_the_interpreter(void **state)
{
    IS_LINE("a\rb\r\nc\n\rd", 2, "b");
    IS_LINE("a\rb\r\nc\n\rd", 3, "c");
    IS_LINE("a\rb\r\nc\n\rd", 5, "d");
    IS_LINE("a\fb\n\v c", 2, "\v c");
    IS_LINE("a\r", 1, "a");
}

static void cuts_between_characters(void **state)
{
    char text[1000] = "# coding: latin-1\n", utf8[1000];
    size_t size;
    memset(text + 18, '\xe9', 900);
    struct source *source = open_text(text, 918);
    assert_non_null(source_line(source, 2, &size));
    assert_true(size <= SOURCE_LINE_MAX && size > SOURCE_LINE_MAX - 6 && size % 2 == 0);
    source_close(source);
    for (int i = 0; i < 300; i++)
        memcpy(utf8 + 1 + 3 * i, "\xed\x95\x9c", 3);
    utf8[0] = 'x';
    source = open_text(utf8, 901);
    assert_non_null(source_line(source, 1, &size));
    assert_int_equal(size, 238);
    source_close(source);
}

static void knows_what_is_not_there(void **state)
{
    size_t size;
    struct source *source = open_text("", 0);
    assert_null(source_line(source, 1, &size));
    assert_null(source_line(source, 0, &size));
    source_close(source);
    source = open_text("a\n", 2);
    assert_null(source_line(source, 2, &size));
    source_close(source);
    assert_null(source_open("/nonexistent"));
    assert_null(source_open("/tmp"));
    assert_null(source_open("/dev/zero"));
    source = open_text("\xef\xbb\xbf", 3);
    assert_non_null(source_line(source, 1, &size));
    assert_int_equal(size, 0);
    source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_utf8_as_it_is),
        cmocka_unit_test(decodes_what_is_declared),
        cmocka_unit_test(looks_at_two_lines_of_comments_only),
        cmocka_unit_test(escapes_what_it_cannot_decode),
        cmocka_unit_test(counts_lines_as_the_interpreter),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(knows_what_is_not_there),
    };
    close(mkstemp(path));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
