"""Options of `memtrace run` about its own files."""
import os
import re
import signal
import stat
import subprocess

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


def numbered(result, count):
    return [result.trace.with_suffix(".%d.mtrace" % n) for n in range(1, count + 1)]


def changes(traced, *traces):
    """What `diff` has of the line that holds more in each run."""
    return [row["size_diff"] for row in traced.report("diff", traces[-1], *traces[:-1])["rows"]
            if row.get("lineno") == 6 and row["filename"].endswith(".py")]


UNEVEN = """
import pathlib
runs = pathlib.Path("runs")
count = len(runs.read_text()) if runs.exists() else 0
runs.write_text("x" * (count + 1))
held = bytes(4_000_000 + count * 1_000_000)
print("run", count)
"""


def test_repeated_runs(traced_once):
    """Their means are those of their traces, and `diff` takes them as noise."""
    file = traced_once.directory / "summary.txt"
    result = traced_once.script(UNEVEN, options=["--repeat", "3", "--summary", file])
    assert result.out == b"run 0\nrun 1\nrun 2\n"
    traces = numbered(result, 3)
    assert [path.name for path in traces] == sorted(p.name for p in traced_once.directory.glob("*.mtrace"))
    assert result.message == file.read_text() and len(result.message.splitlines()) == 8
    mean, following = result.message.splitlines()[-2:]
    ends = [traced_once.report("top", path)["total"]["size"] / 2**20 for path in traces]
    average = sum(ends) / 3
    deviation = (sum((end - average) ** 2 for end in ends) / 2) ** 0.5
    said = re.search(r"^memtrace: 3 runs of .* at end ([0-9.]+) MiB \u00b1([0-9.]+)$", mean)
    assert float(said[1]) == pytest.approx(average, abs=0.06) and deviation > 0.9
    assert float(said[2]) == pytest.approx(deviation, abs=0.06)
    assert following.split()[-4:] == [*map(str, traces), "CHANGED.mtrace"]
    assert changes(traced_once, traces[0], traces[2], traces[1]) == [], "between the old ones"
    assert changes(traced_once, traces[0], traces[1], traces[2]) == [], "no further than they are"
    assert changes(traced_once, traces[0], traces[2]) == [2_000_000]


def test_one_run_is_not_repeated(traced_once):
    result = traced_once.script("pass\n", options=["--repeat", "1"])
    assert result.trace.exists() and "runs of" not in result.message


def test_a_run_that_fails_is_the_last(traced_once):
    result = traced_once.script("import sys; sys.exit(7)\n", options=["--repeat", "3"], status=7)
    assert "run 1 of 3 failed" in result.message
    assert [path.exists() for path in numbered(result, 3)] == [True, False, False]


def test_a_run_that_is_killed_is_the_last(traced_once):
    result = traced_once.script("import os, signal; os.kill(os.getpid(), signal.SIGUSR2)\n",
                                options=["--repeat", "2", "-q"], status=-signal.SIGUSR2)
    assert [path.exists() for path in numbered(result, 2)] == [True, False]


def test_a_signal_ends_the_repetition(traced_once):
    """The program is told, ends as it likes, and is not run again."""
    script = traced_once.directory / "waits.py"
    script.write_text("import signal, sys\n"
                      "signal.signal(signal.SIGTERM, lambda *rest: sys.exit(0))\n"
                      "print('ready', flush=True)\n"
                      "while True: signal.pause()\n")
    command, trace = traced_once.command(script, options=["--repeat", "3"])
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=support.clean_environment()) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=support.TIMEOUT)
    assert process.returncode == 0 and out == b"" and b"peak RSS" in err
    assert len(list(traced_once.directory.glob("*.mtrace"))) == 1


def test_how_often(traced_once):
    for text in ("0", "61", "often", "3x"):
        result = traced_once.script("pass\n", options=["--repeat", text], status=125)
        assert "is not a number of runs" in result.message


def test_options_and_place_from_the_environment(traced_once):
    place = traced_once.directory / "traces"
    place.mkdir()
    env = support.clean_environment(MEMTRACE_DIR=str(place), MEMTRACE_OPTIONS=" -q  --interval 20 ")
    command = [support.MEMTRACE, "run", "--interval", "30", "--python", traced_once.python.path, "-c", "pass"]
    result = support.execute(command, env=env, cwd=str(traced_once.directory))
    assert result.status == 0 and result.message == "", result
    (trace,) = place.iterdir()
    for arguments in (["info"], ["list", "--format", "csv"]):
        result = support.execute([support.MEMTRACE, *arguments], env=env, cwd=str(traced_once.directory))
        assert result.status == 0 and trace.name in result.message + result.out.decode()
    assert not list(traced_once.directory.glob("*.mtrace"))


@pytest.mark.parametrize("options, why", [
    ("-m json", "MEMTRACE_OPTIONS: '-m' is not an option"), ("app.py", "MEMTRACE_OPTIONS: 'app.py' is not"),
    ("--nothing", "unrecognized option")])
def test_wrong_options_in_the_environment(traced_once, options, why):
    result = traced_once.script("pass\n", status=125,
                                env=support.clean_environment(MEMTRACE_OPTIONS=options))
    assert why in result.message
