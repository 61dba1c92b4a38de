"""Options of `memtrace run` about its own files."""
import os
import stat

import pytest
import support


def test_summary_goes_to_a_file(traced_once):
    file = traced_once.directory / "summary.txt"
    result = traced_once.script("held = bytes(5000000)\n", options=["-q", "--summary", file])
    first, second = file.read_text().splitlines()
    assert first.startswith("memtrace: ") and "peak RSS" in first and "live: peak" in first
    assert str(result.trace) in second and not result.message.strip()


def test_a_summary_that_cannot_be_written(traced_once):
    """It is found out before the program starts."""
    started = traced_once.directory / "started"
    result = traced_once.script("open(%r, 'w')\n" % str(started), status=None,
                                options=["--summary", traced_once.directory / "no" / "summary"])
    assert result.status == 125 and "name a file that can be written" in result.message
    assert not started.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files to any group")
def test_a_group_may_read_it(traced_once):
    trace = traced_once.script("pass\n", options=["--group", "12345"]).trace
    status = trace.stat()
    assert status.st_gid == 12345 and stat.S_IMODE(status.st_mode) == 0o640


def test_nobody_else_may(traced_once):
    status = traced_once.script("pass\n").trace.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600


def test_no_such_group(traced_once):
    result = traced_once.script("pass\n", status=None, options=["--group", "no-such-group"])
    assert result.status == 125 and "there is no group no-such-group" in result.message
