"""CPython's own tests have the same result under memtrace as without.

One interpreter by default; all with MEMTRACE_TEST_FULL=1, none with --quick.
"""
import re

import pytest
import support

TESTS = ["test_json", "test_dict", "test_gc"]


def with_tests():
    found = [i for i in support.known_interpreters() if support.execute(
        [i.path, "-c", "import test.test_json, test.libregrtest"]).status == 0]
    return found if support.FULL else found[:1]


def result_of(output):
    """{test: outcome} of the summary, whatever the times."""
    text = output.decode(errors="replace")
    return (re.findall(r"Result: (\w+)|Tests result: (\w+)", text)[-1:],
            sorted(re.findall(r"^(?:test_\w+) (?:failed|crashed|skipped).*$", text, re.M)))


@pytest.mark.skipif(support.QUICK, reason="slow")
@pytest.mark.parametrize("name", TESTS)
def test_own_tests(tmp_path, name):
    interpreters = with_tests()
    if not interpreters:
        pytest.skip("no interpreter with its test package here")
    for python in interpreters:
        traced = support.Traced(tmp_path, python)
        words = [python.path, "-m", "test", "-v" if name == "test_gc" else "-q", name]
        bare = support.execute(words, cwd=str(tmp_path), timeout=300)
        result = traced.run(*words, options=["-q"], status=None, timeout=600)
        assert result.status == bare.status, (python, result)
        assert result_of(result.out) == result_of(bare.out)
        traced.assert_sound(result.trace)
