/* Patterns match as Python's fnmatch.fnmatchcase does, with a trailing .pyc taken for .py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trace/callers.h"
#include "trace/pattern.h"

static void matches_as_fnmatch(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "/a/b", true},
        {"?", "", false},
        {"a*c", "a/b/c", true},
        {"a*c", "a/b/cd", false},
        {"*a*b*", "xxaxxbxx", true},
        {"*ab", "aab", true},
        {"**b", "aab", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"?", "\xc3\xa9", true},
        {"?", "\xff", true},
        {"??", "\xff\xfe", true},
        {"\xc3\xa9", "\xc3\xa9", true},
        {"[\xc3\xa9]x", "\xc3\xa9x", true},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[a-c]x", "bx", true},
        {"[a-c]", "-", false},
        {"[!a-c]", "d", true},
        {"[!a-c]", "b", false},
        {"[^a]", "^", true},
        {"[^a]", "b", false},
        {"[]]", "]", true},
        {"[!]]", "]", false},
        {"[!]]", "x", true},
        {"[a-]", "-", true},
        {"[", "[", true},
        {"[abc", "[abc", true},
        {"[!", "[!", true},
        {"[]", "[]", true},
        {"\\*", "\\abc", true},
        {"\\*", "*", false},
        {"A.py", "a.py", false},
        {"*.py", "a.pyc", true},
        {"*.pyc", "a.py", true},
        {"a.pyc", "a.pyc", true},
        {"*.pyo", "a.py", false},
        {"<frozen *>", "<frozen importlib._bootstrap>", true},
        {"[*]", "*", true},
        {"[*]", "a", false},
        {"[?]", "?", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (pattern_match(cases[i].pattern, cases[i].name) != cases[i].match)
            fail_msg("%s on %s", cases[i].pattern, cases[i].name);
    }
}

static void takes_long_names_in_time(void **state)
{
    char name[4001];
    for (int i = 0; i < 4000; i++)
        name[i] = 'a';
    name[4000] = '\0';
    assert_false(pattern_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

static void finds_the_library_part(void **state)
{
    static const char *const cases[][2] = {
        {"/usr/lib/python3.11/json/decoder.py", "json/decoder.py"},
        {"/usr/lib64/python3.9/ast.py", "ast.py"},
        {"/opt/lib/python3.13t/ast.py", "ast.py"},
        {"/usr/lib/python311.zip/ast.py", "ast.py"},
        {"/v/lib/python3.12/site-packages/flask/app.py", "flask/app.py"},
        {"/usr/lib/python3/dist-packages/yaml/loader.py", "yaml/loader.py"},
        {"/srv/python3.11/app.py", "/srv/python3.11/app.py"},
        {"/srv/lib/python3/app.py", "/srv/lib/python3/app.py"},
        {"/srv/mylib/python3.11/app.py", "/srv/mylib/python3.11/app.py"},
        {"app.py", "app.py"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(callers_library_part(cases[i][0]), cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_fnmatch),
        cmocka_unit_test(takes_long_names_in_time),
        cmocka_unit_test(finds_the_library_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
