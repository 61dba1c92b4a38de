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


def parts(name):
    found = [(python, part) for python in support.known_interpreters()
             for part in cpython_suite.chosen(cpython_suite.tests_of(python), [name])]
    return found if support.FULL else [pair for pair in found if pair[0] == found[0][0]]


@pytest.mark.skipif(support.QUICK, reason="slow")
@pytest.mark.parametrize("name", cpython_suite.QUICK)
def test_own_tests(name):
    if not parts(name):
        pytest.skip("no interpreter here has these tests")
    for python, part in parts(name):
        compared = suites.Compared(cpython_suite.part(python, part), lazy=True)
        assert not compared.differences, (python.name, compared.traced.output[-3000:])
