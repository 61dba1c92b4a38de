/* What is a moment, and what only looks like one; names of modules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "trace/modules.h"
#include "trace/moment.h"

static struct moment parsed(const char *text)
{
    struct moment moment;
    assert_true(moment_parse(&moment, text));
    return moment;
}

static void reads_names(void **state)
{
    assert_int_equal(parsed("start").kind, MOMENT_START);
    assert_int_equal(parsed("peak").kind, MOMENT_PEAK);
    assert_int_equal(parsed("end").kind, MOMENT_END);
    assert_int_equal(parsed("now").kind, MOMENT_NOW);
    assert_int_equal(parsed("mark:a").kind, MOMENT_MARK);
    assert_string_equal(parsed("mark:12.5").name, "mark:12.5");
}

static void reads_seconds(void **state)
{
    struct moment moment = parsed("12.5");
    assert_int_equal(moment.kind, MOMENT_SECONDS);
    assert_true(moment.seconds == 12.5 && !moment.from_end);
    moment = parsed("-30");
    assert_true(moment.seconds == 30 && moment.from_end);
    assert_true(parsed("-0").from_end);
    assert_true(parsed("0").seconds == 0);
    assert_true(parsed(".5").seconds == 0.5);
    assert_true(parsed("5.").seconds == 5);
}

static void reads_times_of_day(void **state)
{
    struct moment moment = parsed("14:03:20");
    assert_int_equal(moment.kind, MOMENT_CLOCK);
    assert_true(moment.of_day && moment.seconds == 14 * 3600 + 3 * 60 + 20);
    assert_true(parsed("14:03").seconds == 14 * 3600 + 3 * 60);
    assert_true(parsed("9:03:20.25").seconds == 9 * 3600 + 3 * 60 + 20.25);
    assert_true(parsed("00:00:00").seconds == 0);
}

static void reads_dates(void **state)
{
    assert_true(parsed("2023-11-14T22:13:20Z").seconds == 1700000000);
    assert_true(parsed("2023-11-14 22:13:20.5Z").seconds == 1700000000.5);
    assert_true(parsed("2023-11-15T00:13:20+02:00").seconds == 1700000000);
    assert_true(parsed("2023-11-14T21:43:20-00:30").seconds == 1700000000);
    assert_false(parsed("2023-11-14T22:13:20Z").of_day);
    setenv("TZ", "XYZ-3", 1); /* three hours east */
    tzset();
    assert_true(parsed("2023-11-15T01:13:20.25").seconds == 1700000000.25);
    setenv("TZ", "UTC", 1);
    tzset();
}

static void refuses_the_rest(void **state)
{
    static const char *const wrong[] = {"", "noon", "START", "mark", "mark:", "-", ".", "-.", "1e3",
        "nan", "inf", "0x10", "1.2.3", "--5", "+5", " 5", "5 ", "5s", "99999999999", "24:00",
        "14:60", "14:03:61", "14:", ":14", "14:03:20x", "14:03.5", "2023-11-14", "2023-11-14T",
        "2023-11-14T22", "2023-11-14T22:13Q", "2023-11-14T22:13+", "2023-11-14T22:13+5",
        "2023-1-4T22:13", "end ", "peak#2"};
    struct moment moment;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (moment_parse(&moment, wrong[i]))
            fail_msg("'%s' was taken for a moment", wrong[i]);
}

/* File names, and their modules and packages. */
static void names_modules(void **state)
{
    static const char *const cases[][3] = {
        {"/usr/lib/python3.11/json/__init__.py", "json", "json"},
        {"/usr/lib/python3.11/json/decoder.py", "json.decoder", "json"},
        {"/v/lib/python3.11/site-packages/numpy/core/numeric.py", "numpy.core.numeric", "numpy"},
        {"/v/lib/python3.11/site-packages/six.py", "six", "six"},
        {"/v/lib/python3.8/site-packages/foo-1.0-py3.8.egg/foo/bar.py", "foo.bar", "foo"},
        {"<frozen importlib._bootstrap>", "importlib._bootstrap", "importlib"},
        {"<frozen >", "", ""},
        {"<string>", "<string>", "<string>"},
        {"<a.b>", "<a.b>", "<a.b>"},
        {"/srv/shop/app.py", "app", "app"},
        {"/srv/shop/shop/pages/__init__.py", "shop.pages", "shop"},
        {"/srv/bin/tool.py", "tool", "tool"},
        {"/srv/bin/parts/a.py", "parts.a", "parts"},
        {"/srv/shop/src/stock/x.py", "stock.x", "stock"},
        {"/other/place/y.py", "y", "y"},
        {"/other/place/__init__.py", "place", "place"},
        {"/__init__.py", "__init__", "__init__"},
        {"relative.py", "relative", "relative"},
        {"a.pyc", "a", "a"},
        {".py", ".py", ".py"},
        {"/", "", ""},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    struct trace_string strings[CASES + 3] = {{"", 0}};
    struct trace_process processes[2] = {{0}, {.python = CASES + 1, .command = CASES + 2}};
    struct trace trace = {.strings = strings,
        .n_strings = CASES + 3,
        .processes = processes,
        .n_processes = 2,
        .meta = "{\"cwd\": \"/srv/shop\"}"};
    strings[CASES + 1] = (struct trace_string){"3.11.2", 6};
    strings[CASES + 2] = (struct trace_string){"python3\0-O\0/srv/bin/tool.py", 27};
    for (size_t i = 0; i < CASES; i++)
        strings[i + 1] = (struct trace_string){cases[i][0], strlen(cases[i][0])};
    struct modules *modules = modules_new(&trace);
    for (uint32_t i = 0; i < CASES; i++) {
        const struct module *module = modules_of_file(modules, i + 1);
        assert_string_equal(module->module_name, cases[i][1]);
        assert_string_equal(module->package_name, cases[i][2]);
    }
    assert_int_equal(modules_of_file(modules, 1)->package, modules_of_file(modules, 2)->package);
    assert_int_not_equal(modules_of_file(modules, 1)->module, modules_of_file(modules, 2)->module);
    assert_string_equal(modules_of_file(modules, 0)->module_name, "<unknown>");
    modules_free(modules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_names),
        cmocka_unit_test(reads_seconds),
        cmocka_unit_test(reads_times_of_day),
        cmocka_unit_test(reads_dates),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(names_modules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
