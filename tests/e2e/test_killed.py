"""A program that dies in any way leaves a trace with everything up to then."""
import os
import signal

import pytest
import support

# 2,000 blocks of 10,000 bytes; then the death that the argument names.
PROGRAM = """
import ctypes, os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
held = []
def fill():
    for _ in range(2000):
        z = [str(n) for n in range(5)]
        b = b"x" * 10000  # kept
        held.append(b)
fill()
os.write(1, b"%d" % len(held))
death = sys.argv[1]
if death == "_exit":
    os._exit(7)
if death == "abort":
    os.abort()
if death == "segfault":
    ctypes.string_at(0)
os.kill(os.getpid(), getattr(signal, death))
signal.pause()
"""
DEATHS = {"SIGKILL": -signal.SIGKILL, "abort": -signal.SIGABRT, "segfault": -signal.SIGSEGV,
          "SIGTERM": -signal.SIGTERM, "SIGHUP": -signal.SIGHUP, "_exit": 7}


@pytest.mark.parametrize("death", DEATHS)
def test_everything_until_death_is_there(traced, death):
    result = traced.script(PROGRAM, death, status=DEATHS[death])
    assert result.out == b"2000"
    traced.assert_sound(result.trace)
    assert traced.at(result.trace, "kept") == (
        2000 * (10000 + traced.header), 2000)


def test_uncaught_exception(traced):
    result = traced.script("b = b'x' * 50000  # kept\nraise ValueError('told')\n", status=1)
    assert "ValueError: told" in result.message
    assert traced.at(result.trace, "kept") == (50000 + traced.header, 1)


def test_killed_while_threads_allocate(traced):
    """Killed while eight threads allocate: sound, if not complete."""
    result = traced.script("""
import os, signal, threading
def work():
    while True:
        x = [bytes(n * 7) for n in range(200)]
        seen.append(1)
seen = []
for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
while len(seen) < 400:
    pass
def fill():
    b = b"x" * 88888  # kept
    return b
held = fill()
os.kill(os.getpid(), signal.SIGKILL)
""", status=-signal.SIGKILL)
    info = traced.report("info", result.trace)
    for process in info["processes"]:
        assert process["duplicate_allocations"] == 0 and process["gap_events"] == 0, process
    assert traced.at(result.trace, "kept") == (88888 + traced.header, 1)


# Writes its pid, waits for a line on stdin, allocates more, prints, exits with 5.
PATIENT = """
import os, sys
print(os.getpid(), flush=True)
sys.stdin.readline()
held = [str(n) * 10 for n in range(300000)]
print(sum(map(len, held)))
sys.exit(5)
"""


def start(traced, text, options=(), **more):
    path = traced.directory / "patient.py"
    path.write_text(text)
    command, trace = traced.command(path, options=options)
    process = support.subprocess.Popen(
        [str(w) for w in command], stdin=support.subprocess.PIPE,
        stdout=support.subprocess.PIPE, stderr=support.subprocess.PIPE,
        env=support.clean_environment(), cwd=str(traced.directory), **more)
    return process, trace


def alive(pid):
    """Runs, and is not just waiting for its parent to notice that it ended."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def waits_for_room(pid):
    """In a futex: nothing else in that program waits in one."""
    with open("/proc/%d/syscall" % pid) as file:
        return file.read().startswith("202 ")


def test_collector_killed(traced_once):
    """The program goes on unharmed and is told about once, on stderr."""
    process, _ = start(traced_once, PATIENT)
    pid = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait(support.TIMEOUT)
    process.stdin.write(b"go on\n")
    process.stdin.flush()
    assert process.stdout.read() == b"%d\n" % sum(len(str(n)) * 10 for n in range(300000))
    support.wait_for(lambda: not alive(pid), "the program's end")
    err = process.stderr.read().decode()
    assert len(err.splitlines()) == 1 and err.startswith("memtrace: "), err


def test_collector_killed_status(traced_once):
    """With a parent in between that reports the program's own status."""
    (traced_once.directory / "patient.py").write_text(PATIENT.replace("sys.stdin.readline()", """
import signal, time
os.kill(os.getppid(), signal.SIGKILL)"""))
    shell = traced_once.directory / "outer.py"
    # A subreaper inherits the orphan, and so its status.
    command, _ = traced_once.command(traced_once.directory / "patient.py")
    shell.write_text("""
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
p = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
p.wait()
pid, status = os.wait()
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 99)
""")
    result = support.execute([traced_once.python.path, shell] + command)
    assert result.status == 5, result


def test_collector_stopped_then_continued(traced_once):
    """A collector that stands still for a moment loses nothing."""
    process, trace = start(traced_once, PATIENT)
    pid = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGSTOP)
    process.stdin.write(b"go on\n")
    process.stdin.flush()
    support.wait_for(lambda: waits_for_room(pid) or not alive(pid), "a full ring or the end")
    os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=support.TIMEOUT)
    assert process.returncode == 5, err
    traced_once.assert_sound(trace)


def test_directory_removed_during_the_run(traced_once):
    place = traced_once.directory / "place"
    place.mkdir()
    path = traced_once.directory / "remover.py"
    path.write_text("import shutil, sys\nshutil.rmtree(sys.argv[1])\n"
                    "held = [str(n) for n in range(100000)]\nprint(len(held))\nsys.exit(3)\n")
    result = support.execute(
        [traced_once.memtrace, "run", "--python", traced_once.python.path, "-o",
         place / "out.mtrace", path, place], cwd=str(traced_once.directory))
    assert result.status == 3 and result.out == b"100000\n", result


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_disk_full(traced_once):
    place = traced_once.directory / "small"
    place.mkdir()
    mounted = support.execute(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place])
    if mounted.status:
        pytest.skip("cannot mount a tmpfs here")
    try:
        path = traced_once.directory / "many.py"
        path.write_text(
            "held = []\nfor n in range(3000):\n"
            "    exec('def f%d(x):\\n' % n + '\\n' * (n % 50) + '  return [x, str(x)]')\n"
            "    held.append(globals()['f%d' % n](n))\nprint(len(held))\nraise SystemExit(3)\n")
        result = support.execute(
            [traced_once.memtrace, "run", "--python", traced_once.python.path, "-o",
             place / "out.mtrace", path], cwd=str(traced_once.directory))
        assert result.status == 3 and result.out == b"3000\n", result
        assert "out.mtrace" in result.message and "No space left" in result.message
    finally:
        support.execute(["umount", place])
