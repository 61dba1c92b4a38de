"""Program and collector killed together: `recover` finishes the trace."""
import mmap
import os
import random
import signal
import struct
import subprocess

import pytest
import support

# Says where its session is, then dies with its collector, which is its parent.
TOGETHER = """
import os, signal
held = [b"x" * 10000 for _ in range(2000)]
def keep():
    bytes(1)  # what a first call allocates besides
    return bytes(7777777)  # kept
print(os.environ["MEMTRACE_SESSION"], flush=True)
last = keep()
os.kill(os.getppid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""

# Counts its blocks in a file that outlives it.
COUNTING = """
import mmap, os, sys
with open(sys.argv[1], "r+b") as file:
    shared = mmap.mmap(file.fileno(), 16)
print(os.environ["MEMTRACE_SESSION"], flush=True)
held = [None] * 10_000_000
count = 0
while True:
    block = bytes(600)  # kept
    held[count] = block
    count += 1
    shared[0:8] = count.to_bytes(8, "little")  # at once: pack_into writes zeros first
    moved = bytearray(5000)
    moved += bytes(20000)
"""


def recover(traced, session, status=0):
    result = support.execute([traced.memtrace, "recover", session])
    assert result.status == status, result
    return result


def test_recover(traced):
    result = traced.script(TOGETHER, status=-signal.SIGKILL)
    session = result.out.decode().strip()
    assert os.path.isdir(session)
    before = traced.report("info", result.trace)
    assert not before["sealed"]
    finished = recover(traced, session)
    assert finished.out.decode().strip() == str(result.trace)
    assert not os.path.exists(session)
    info = traced.assert_sound(result.trace)
    assert info["sealed"]
    assert traced.at(result.trace, "kept") == (7777777 + traced.header, 1)


@pytest.mark.parametrize("first", ["program", "collector"])
def test_recover_from_any_moment(traced_once, first):
    """Of a thread at most the event is missing that was being written."""
    program = traced_once.directory / "script1.py"
    program.write_text(COUNTING)
    chance = random.Random(first)
    for round in range(5 if support.QUICK else 20):
        shared = traced_once.directory / "shared"
        shared.write_bytes(bytes(16))
        traced_once.count = 0
        command, trace = traced_once.command(program, shared)
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL,
                              env=support.clean_environment()) as process:
            session = process.stdout.readline().decode().strip()
            with shared.open("r+b") as file, mmap.mmap(file.fileno(), 16) as memory:
                def counted():
                    return struct.unpack_from("q", memory)[0]
                enough = chance.randrange(1, 60000)
                support.wait_for(lambda: counted() >= enough, "so many blocks")
                pids = [process.pid, child_of(process.pid)]
                if first == "collector":
                    # Without one it would soon notice, and go on untraced.
                    os.kill(pids[1], signal.SIGSTOP)
                for pid in pids if first == "collector" else reversed(pids):
                    os.kill(pid, signal.SIGKILL)
                process.wait()
                support.wait_for(lambda: not alive(pids[1]), "the program's death")
                count = counted()
        finished = support.execute([traced_once.memtrace, "recover", session])
        # The collector may have come to its end before it was killed.
        assert finished.status == 0 or traced_once.report("info", trace)["sealed"], finished
        size, blocks = traced_once.at(trace, "kept")
        assert count - 1 <= blocks <= count + 1, (round, count, blocks)
        assert size == blocks * 633
        traced_once.assert_sound(trace)
        trace.unlink()


def child_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return int(file.read().split()[0])


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_name_that_is_none(traced_once):
    result = support.execute([traced_once.memtrace, "recover", "/dev/shm/memtrace-none"])
    assert result.status == 1 and result.out == b""
    assert "/dev/shm/memtrace-none: no such directory; without a name all" in result.message


def test_a_session_that_runs_is_left_alone(traced_once):
    program = traced_once.directory / "script1.py"
    program.write_text("import os, sys\nprint(os.environ['MEMTRACE_SESSION'], flush=True)\n"
                       "sys.stdin.readline()\nheld = bytes(50000)  # kept\n")
    command, trace = traced_once.command(program)
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=support.clean_environment())
    session = process.stdout.readline().decode().strip()
    refused = recover(traced_once, session)
    assert "lives" in refused.message and os.path.isdir(session)
    process.communicate(b"go on\n", timeout=support.TIMEOUT)
    assert process.returncode == 0
    traced_once.assert_sound(trace)


@pytest.mark.parametrize("damage", ["control", "collector", "nothing"])
def test_what_cannot_be_recovered_is_said(traced_once, damage):
    result = traced_once.script(TOGETHER, status=-signal.SIGKILL)
    session = result.out.decode().strip()
    if damage == "nothing":
        session += "-is-not-there"
    else:
        with open(os.path.join(session, damage), "r+b") as file:
            file.write(bytes(4096))
    refused = recover(traced_once, session, status=1)
    assert session in refused.message and len(refused.message.splitlines()) == 1
    assert traced_once.report("info", result.trace)["sealed"] is False
    if damage == "nothing":
        recover(traced_once, result.out.decode().strip())


def test_directories_without_a_session(traced_once, tmp_path):
    """What is another's stays.  A session that nothing came to be of is removed, once nobody can be
    making it."""
    other, fresh, old = tmp_path / "other", tmp_path / "memtrace-0-fresh", tmp_path / "memtrace-0-old"
    for directory in (other, fresh, old):
        directory.mkdir()
    os.utime(str(old), (0, 0))
    for directory in (other, fresh):
        assert "is no session" in recover(traced_once, directory, status=1).message
        assert directory.exists()
    assert "removed" in recover(traced_once, old, status=1).message
    assert not old.exists()
