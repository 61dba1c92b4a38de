"""An event costs no more instructions than it did: counted, so it repeats on any machine."""
import pathlib
import shutil
import sys

import pytest
import support

BUILD = pathlib.Path(support.MEMTRACE).resolve().parent


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind counts them")
@pytest.mark.skipif(not (BUILD / "tests/bench/bench_tape").exists(), reason="no build directory")
def test_no_more_than_recorded():
    result = support.execute(
        [sys.executable, support.ROOT / "tests/bench/instructions.py", "--check", "--build", BUILD,
         "--python", "/usr/bin/python3"], timeout=900, cwd=str(support.ROOT))
    print(result.out.decode())
    assert result.status == 0, result
    assert b"not recorded" not in result.out or b"Python 3.11" not in result.out
