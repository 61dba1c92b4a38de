"""CPython's own tests have the same result under memtrace as without.

One interpreter by default; all with MEMTRACE_TEST_FULL=1, none with --quick.  The script
tests/cpython_suite.py runs more of them.
"""
import sys

import pytest
import support

sys.path.insert(0, str(support.ROOT / "tests"))
import cpython_suite  # noqa: E402
import suites  # noqa: E402


def with_tests():
    found = (i for i in support.known_interpreters() if cpython_suite.tests_of(i))
    return list(found) if support.FULL else [i for i in [next(found, None)] if i]


@pytest.mark.skipif(support.QUICK, reason="slow")
@pytest.mark.parametrize("name", cpython_suite.QUICK)
def test_own_tests(name):
    interpreters = with_tests()
    if not interpreters:
        pytest.skip("no interpreter with its test package here")
    for python in interpreters:
        if name in cpython_suite.tests_of(python):
            compared = suites.Compared(cpython_suite.part(python, name), lazy=True)
            assert not compared.differences, (python.name, compared.traced.output[-3000:])
