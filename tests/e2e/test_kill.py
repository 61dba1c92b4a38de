"""SIGKILL at random moments: tests/kill.py, fifty times."""
import os
import sys

import support


def test_kills():
    result = support.execute(
        [sys.executable, support.ROOT / "tests" / "kill.py", "--times", "50"],
        env=support.clean_environment(MEMTRACE=str(support.MEMTRACE), PATH=os.environ["PATH"]))
    assert result.status == 0, result
    assert result.out == b"50 kills, 0 violations\n"
