"""Little room: limits on files, full or missing shared memory.  The program never notices."""
import os
import subprocess

import pytest
import support

PROGRAM = """
import signal, sys
held = [bytes(1000) for _ in range(3000)]  # kept
churn = sum(len(str(n)) for n in range(200000))
print(churn, signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN)
sys.exit(4)
"""
OUTPUT = b"1088890 True\n"  # Python itself ignores SIGPIPE


def in_a_shell(traced, setup, options=""):
    """Runs the program below a shell that has set something up."""
    path = traced.directory / "script1.py"
    path.write_text(PROGRAM)
    traced.count = 0
    command, trace = traced.command(path, options=options.split())
    line = setup + ' && exec "$@"'
    result = support.execute(["sh", "-c", line, "sh"] + command, cwd=str(traced.directory))
    result.trace = trace
    return result


@pytest.mark.parametrize("blocks", [1500, 3000, 20000])
def test_limit_on_the_size_of_files(traced_once, blocks):
    """Of 512 bytes: the collector's store may not fit in, the rings are made smaller."""
    result = in_a_shell(traced_once, "ulimit -f %d" % blocks)
    assert (result.status, result.out) == (4, OUTPUT), result
    traced_once.assert_sound(result.trace)


def test_limit_too_small_for_a_session(traced_once):
    result = in_a_shell(traced_once, "ulimit -f 20")
    assert result.status == 125 and result.out == b"", result
    assert "File too large" in result.message and len(result.message.splitlines()) == 1
    result = in_a_shell(traced_once, "ulimit -f 20", options="--best-effort")
    assert (result.status, result.out) == (4, OUTPUT), result


def test_limit_that_the_program_sets(traced_once):
    """A thread that starts after it can make no ring: the collector lends one."""
    result = traced_once.script("""
import resource, sys, threading
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
def work():
    held.append(bytes(50000))  # held
    got.append(sum(len(str(n)) for n in range(50000)))
got, held = [None], [None]
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(got[1])
sys.exit(4)
""", status=4)
    assert result.out == b"238890\n" and "tracing is off" not in result.message, result
    traced_once.assert_sound(result.trace)
    assert traced_once.at(result.trace, "held")[0] >= 50033


def assert_off(traced, result, key, words):
    """One process is not traced to its end, and everything says so."""
    line = "not traced to the end: 1 process (%s)" % words
    assert "memtrace: %s\n" % line in result.message, result
    assert traced.report("info", result.trace)["processes_off"] == {key: 1}
    assert traced.report("top", result.trace)["processes_off"] == {key: 1}
    for command in ("info", "top", "stats"):
        report = support.execute([traced.memtrace, command, result.trace])
        assert line in report.message + report.out.decode(), report


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")


def with_shared_memory(traced, mount, program=PROGRAM):
    probe = support.execute(["unshare", "-m", "sh", "-c", mount])
    if probe.status:
        pytest.skip("cannot mount here: %s" % probe.message)
    path = traced.directory / "script1.py"
    path.write_text(program)
    traced.count = 0
    command, trace = traced.command(path)
    result = support.execute(["unshare", "-m", "sh", "-c", mount + ' && exec "$@"', "sh"] + command,
                             cwd=str(traced.directory))
    result.trace = trace
    return result


@needs_root
@pytest.mark.parametrize("mount", [
    "mount -t tmpfs -o size=2600k tmpfs /dev/shm",  # a ring, and little for the collector
    "mount -t tmpfs -o ro tmpfs /dev/shm",          # none: the temporary directory
])
def test_little_or_no_shared_memory(traced_once, mount):
    result = with_shared_memory(traced_once, mount)
    assert (result.status, result.out) == (4, OUTPUT), result
    traced_once.assert_sound(result.trace)
    assert traced_once.at(result.trace, "kept")[0] >= 3000 * 1033


@needs_root
def test_no_room_for_a_ring(traced_once):
    result = with_shared_memory(
        traced_once, "export TMPDIR=/nowhere; mount -t tmpfs -o size=%dk tmpfs /dev/shm" % NO_RING)
    assert (result.status, result.out) == (4, OUTPUT), result
    assert "tracing is off" in result.message
    assert_off(traced_once, result, "room", "no room for a thread's ring")


NO_RING = 528  # the control file takes 524


@needs_root
def test_no_room_for_a_ring_later(traced_once):
    """Of what came before its thread got none the trace has all."""
    result = with_shared_memory(
        traced_once, "export TMPDIR=/nowhere; mount -t tmpfs -o size=20m tmpfs /dev/shm", """
import glob, threading
before = bytes(100000)  # before
with open("/dev/shm/full", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError as error:
        print(error.errno)
held = []
thread = threading.Thread(target=lambda: held.append(bytes(50000)))
thread.start()
thread.join()
print(len(held))
""")
    assert (result.status, result.out) == (0, b"28\n1\n"), result
    assert traced_once.at(result.trace, "before") == (100033, 1)
    assert_off(traced_once, result, "room", "no room for a thread's ring")


def test_more_threads_than_a_process_can_have(traced_plain, tmp_path):
    program = tmp_path / "threads"
    source = support.PROGRAMS / "many_threads.c"
    assert support.execute(["cc", "-O1", "-pthread", source, "-o", program]).status == 0
    if support.execute([program, "8300"]).status:
        pytest.skip("no room for 8,300 threads here")
    room = os.statvfs("/dev/shm")
    if room.f_bavail * room.f_frsize < 400 << 20:
        pytest.skip("no room for 8,192 rings in /dev/shm")
    few = traced_plain.run(program, "100")
    assert "not traced" not in few.message
    result = traced_plain.run(program, "8300")
    assert result.out == b"8300\n", result
    assert result.message.count("more than 8,192 threads at a time: tracing is off") == 1, result
    assert_off(traced_plain, result, "threads", "more than 8,192 threads at a time")

MANY = """
import os, sys, threading
PROCESSES, THREADS, BYTES = 10, 200, 10000
held = []
def work(ready, go):
    ready.wait()
    go.wait()
    held.append(bytes(BYTES))  # kept
    for n in range(300):
        len(str(n) * n)
    go.wait()
def process():
    ready, go = threading.Barrier(THREADS + 1), threading.Barrier(THREADS)
    threads = [threading.Thread(target=work, args=(ready, go)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    ready.wait()
    for thread in threads:
        thread.join()
    assert len(held) == THREADS
children = []
for n in range(PROCESSES):
    pid = os.fork()
    if not pid:
        process()
        os._exit(0)
    children.append(pid)
print([os.waitpid(pid, 0)[1] for pid in children])
"""


@needs_root
@pytest.mark.parametrize("megabytes", [64, 4])
def test_many_threads_in_little_shared_memory(traced_once, megabytes):
    """As containers have it: 10 processes with 200 threads each, all at the same time."""
    result = with_shared_memory(
        traced_once, "mount -t tmpfs -o size=%dm tmpfs /dev/shm" % megabytes, MANY)
    assert result.status == 0 and result.out == b"[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n", result
    assert "tracing is off" not in result.message
    traced_once.assert_sound(result.trace)
    info = traced_once.report("info", result.trace)
    line = MANY.split("\n").index("    held.append(bytes(BYTES))  # kept") + 1
    children = [child["pid"] for child in info["processes"] if child["origin"] == "fork"]
    assert len(children) == 10
    for pid in children:
        rows = traced_once.rows(result.trace, "--at", "end", "--process", str(pid),
                                "--domain", "python", "--key", "lineno")
        kept = [row for row in rows if row["lineno"] == line and row["filename"].endswith(".py")]
        assert sum(row["size"] for row in kept) >= 200 * 10033, (pid, kept)


def test_signals_are_as_the_caller_left_them(traced_once):
    """What memtrace ignores and blocks for itself is not passed on."""
    script = traced_once.directory / "signals.sh"
    script.write_text("#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status\n")
    script.chmod(0o755)
    bare = support.execute([script])
    result = support.execute([traced_once.memtrace, "run", "-q", "-o",
                              traced_once.directory / "s.mtrace", script])
    assert bare.status == 0 and result.out == bare.out


def test_mark_from_outside(traced_once):
    path = traced_once.directory / "script1.py"
    path.write_text("""
import sys
held = [None]
print("started", flush=True)
sys.stdin.readline()
held[0] = bytes(500000)  # kept
print("held", flush=True)
sys.stdin.readline()
more = bytes(900000)
""")
    command, trace = traced_once.command(path)
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=support.clean_environment())

    def mark(name, *options, status=0):
        result = support.execute([traced_once.memtrace, "mark", *options, name])
        assert result.status == status, result
        return result

    pid = str(process.pid)
    process.stdout.readline()
    mark("before", "--pid", pid)
    process.stdin.write(b"\n")
    process.stdin.flush()
    process.stdout.readline()
    mark("a name\nwith `all` \x1b[1m", "--pid", pid)
    process.communicate(b"\n", timeout=support.TIMEOUT)
    assert process.returncode == 0
    rows = traced_once.rows(trace, "--from", "mark:before", "--to",
                            "mark:a name\nwith `all` \x1b[1m", "--domain", "python")
    kept = [row for row in rows
            if row.get("filename") == str(path) and row["lineno"] == 6]
    assert [(row["size"], row["count"]) for row in kept] == [(500033, 1)]
    missing = mark("late", "--pid", pid, status=1)
    assert "not traced" in missing.message
