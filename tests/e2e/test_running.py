"""Reports of a trace that is being written, and of one that was cut off; marks and intervals of
real programs; source lines in the encodings that people have."""
import os
import signal
import subprocess

import pytest
import support

# Waits to be told so, on stdin, before each step; tells what it did on stdout.
STEPS = """
import sys
keep = []
def step(size):
    keep.append(bytearray(size))
    print(size, flush=True)
for line in sys.stdin:
    step(int(line))
"""


class Running:
    """A program under `memtrace run` that allocates when it is told to."""

    def __init__(self, traced):
        self.traced = traced
        self.script = traced.directory / "steps.py"
        self.script.write_text(STEPS)
        command, self.trace = traced.command(self.script)
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=support.clean_environment(), cwd=str(traced.directory))

    def step(self, size):
        self.process.stdin.write(b"%d\n" % size)
        self.process.stdin.flush()
        assert int(self.process.stdout.readline()) == size

    def report(self, command, *options):
        return support.execute([self.traced.memtrace, command, *options, self.trace],
                               cwd=str(self.traced.directory))

    def kept(self, *options):
        """Bytes that the script's own line holds, 0 if it is not there (yet)."""
        if not os.path.exists(self.trace):
            return 0
        done = self.report("top", "--format", "json", "--limit", "0", *options)
        if done.status:
            return 0
        rows = support.json.loads(done.out)["rows"]
        return sum(row["size"] for row in rows
                   if row.get("filename") == str(self.script) and row["function"] == "step")

    def end(self):
        self.process.communicate(timeout=support.TIMEOUT)


@pytest.fixture
def running(traced_once):
    running = Running(traced_once)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate()


def test_reports_of_a_trace_that_is_being_written(running):
    running.step(3000000)
    support.wait_for(lambda: running.kept() >= 3000000, "the first step in a report")
    top = running.report("top")
    assert b"running, " in top.out and b"at now (" in top.out, top
    assert b"ends early" not in top.err, top
    info = running.report("info")
    assert b"still being written\nrunning: " in info.out, info
    assert running.traced.report("info", running.trace)["running"] is True
    support.wait_for(lambda: running.report("plot", "--format", "csv").out.count(b"\n") > 1,
                     "the first samples")
    assert running.kept("--at", "start") == 0
    running.step(5000000)
    support.wait_for(lambda: running.kept() >= 8000000, "the second step")
    running.end()
    sealed = running.report("top")
    assert b"running" not in sealed.out and b"at end" in sealed.out, sealed
    assert b" sealed" in running.report("info").out
    assert "running" not in running.traced.report("info", running.trace)
    assert running.kept() >= 8000000


def test_an_interval_of_a_real_program(running):
    running.step(3000000)
    support.wait_for(lambda: running.kept() >= 3000000, "the first step")
    first = running.traced.report("top", running.trace)["at"]["seconds"]
    running.step(5000000)
    running.end()
    after = running.kept("--from", "%.6f" % first)
    assert 5000000 <= after < 5001000, after
    before = running.kept("--at", "%.6f" % first)
    assert 3000000 <= before < 3001000, before
    assert running.kept("--from", "start") == running.kept()


def test_a_trace_whose_collector_was_killed(running):
    running.step(3000000)
    support.wait_for(lambda: running.kept() >= 3000000, "the first step")
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    top = running.report("top")
    assert top.status == 0 and b"not complete: ends at " in top.out, top
    assert b"ends early" in top.err and b"running" not in top.out, top
    info = running.report("info")
    assert b"not sealed" in info.out and b"running" not in info.out, info
    # Its source is still here, though the trace has none.
    assert b"keep.append(bytearray(size))" in top.out, top


@pytest.mark.parametrize("encoding, declared", [
    ("euc-kr", "euc-kr"), ("latin-1", "latin-1"), ("utf-8-sig", None), ("utf-8", "utf-8"),
    ("iso-8859-15", "iso-8859-15"), ("shift_jis", "shift_jis")])
def test_source_lines_in_any_encoding(traced_once, encoding, declared):
    word = {"euc-kr": "\ud55c\uae00", "shift_jis": "\u3042"}.get(encoding, "\xe9\xdf")
    text = ("# -*- coding: %s -*-\n" % declared if declared else "\n") + \
        "keep = ['%s'] * 200000\n" % word
    script = traced_once.directory / "encoded.py"
    script.write_bytes(text.encode(encoding))
    trace = traced_once.run(script).trace
    script.unlink()
    expected = "keep = ['%s'] * 200000" % word
    top = support.execute([traced_once.memtrace, "top", trace])
    assert expected in top.out.decode(), top
    ascii_top = support.execute([traced_once.memtrace, "top", trace],
                                env=support.clean_environment(LANG="C", LC_ALL="C"))
    assert expected.encode("ascii", "backslashreplace") in ascii_top.out, ascii_top


def test_running_traces_are_listed_and_kept(running):
    """list says so; rm leaves them alone unless it is forced to."""
    running.step(1000)
    support.wait_for(running.kept, "a boundary")
    directory = os.path.dirname(str(running.trace))

    def state():
        done = support.execute([running.traced.memtrace, "list", "--format", "json", directory])
        return {os.path.basename(trace["trace"]): trace["state"]
                for trace in support.json.loads(done.out)["traces"]}[os.path.basename(str(running.trace))]

    assert state() == "running"
    done = running.report("rm")
    assert done.status == 1 and b"still being written; --force" in done.err
    assert os.path.exists(running.trace)
    running.end()
    assert state() == "sealed"
    done = running.report("rm", "--older-than", "1h")
    assert done.status == 0 and os.path.exists(running.trace)
    done = running.report("rm")
    assert done.status == 0 and not os.path.exists(running.trace)


def test_running_traces_can_be_removed(running):
    running.step(1000)
    support.wait_for(running.kept, "a boundary")
    assert running.report("rm", "--force").status == 0
    assert not os.path.exists(running.trace)
    running.end()
