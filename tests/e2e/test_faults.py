"""Faults of the machine: descriptors, addresses, disks, memory limits, suspension, clocks.

The program works as it does bare; what tracing cannot go on with, it says in one line.
"""
import os
import pathlib
import signal
import subprocess

import pytest
import support

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="this takes root")


def ours(result):
    return [line for line in result.message.splitlines() if line.startswith("memtrace: ")]


def start(traced, text, *arguments, options=(), prefix=(), **more):
    """A script that is being traced and can be spoken to: (process, trace)."""
    path = traced.directory / ("script%d.py" % (traced.count + 1))
    path.write_text(text)
    command, trace = traced.command(path, *arguments, options=options)
    process = subprocess.Popen([str(word) for word in list(prefix) + command],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, cwd=str(traced.directory),
                               env=support.clean_environment(), **more)
    return process, trace


# ---- descriptors ----

# Uses up all descriptors, then does what may need some: a thread, a fork, a mark.
ALL_TAKEN = """
import os, sys, threading
taken = []
try:
    while True:
        taken.append(os.dup(0))
except OSError:
    pass
def work():
    seen.append(sum(len(str(n)) for n in range(50000)))
seen = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
pid = os.fork()
if pid == 0:
    held = [str(n) for n in range(1000)]
    os._exit(len(held) % 7)
print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]), seen)
for fd in taken:
    os.close(fd)
held = [bytes(1000) for _ in range(3000)]
print(len(held))
sys.exit(4)
"""


@pytest.mark.parametrize("limit", [20, 200])
def test_a_program_that_takes_all_descriptors(traced_once, limit):
    result = traced_once.script(ALL_TAKEN, status=4, preexec_fn=lambda: few_descriptors(limit))
    assert result.out == b"6 [238890]\n3000\n", result
    lines = [line for line in ours(result) if "tracing is off" in line]
    assert len(lines) <= 2, result  # the program's, and its child's


def few_descriptors(limit):
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


@pytest.mark.parametrize("limit", [10, 12])
def test_few_descriptors(traced_once, limit):
    result = traced_once.script("held = [bytes(1000) for _ in range(3000)]  # kept\nprint(1)\n",
                                preexec_fn=lambda: few_descriptors(limit))
    assert result.out == b"1\n", result
    traced_once.assert_sound(result.trace)
    assert traced_once.at(result.trace, "kept")[0] >= 3000 * 1033


def test_too_few_descriptors_to_begin_with(traced_once):
    """One line, and status 125: the program has not run."""
    for limit in (4, 6):
        result = traced_once.script("print(1)\n", status=125,
                                    preexec_fn=lambda limit=limit: few_descriptors(limit))
        assert result.out == b"" and len(ours(result)) == 1, result
        assert "Too many open files" in result.message


# ---- addresses ----

THREADS = """
import sys, threading
def work(n):
    seen[n] = sum(len(str(k)) for k in range(20000 + n))
seen = {}
for n in range(4):
    thread = threading.Thread(target=work, args=(n,))
    thread.start()
    thread.join()
held = [bytes(1000) for _ in range(1000)]
print(sorted(seen.items()), len(held))
sys.exit(4)
"""


@pytest.mark.parametrize("more_kib", [20000, 40000])
def test_limit_on_addresses(traced_once, more_kib):
    """What the agent takes is little: a program has to be within 20 MB of its limit to see it."""
    path = traced_once.directory / "script1.py"
    path.write_text(THREADS)
    least = least_addresses(traced_once.python.path, path)
    command, trace = traced_once.command(
        "sh", "-c", 'ulimit -v %d && exec "$@"' % (least + more_kib), "sh",
        traced_once.python.path, path)
    result = support.execute(command)
    bare = support.execute([traced_once.python.path, path])
    assert (result.status, result.out) == (bare.status, bare.out), result
    assert len([line for line in ours(result) if "tracing is off" in line]) <= 1, result
    traced_once.assert_sound(trace)


def least_addresses(python, path):
    """KiB of addresses that the bare program needs, to 1000 KiB."""
    low, high = 0, 1 << 20
    while high - low > 1000:
        middle = (low + high) // 2
        line = 'ulimit -v %d && exec "$@"' % middle
        done = support.execute(["sh", "-c", line, "sh", python, path])
        low, high = (low, middle) if done.status == 4 else (middle, high)
    return high


# ---- file systems ----

@needs_root
def test_no_shared_memory_at_all(traced_once):
    """A /dev without /dev/shm, as in the slimmest of containers."""
    path = traced_once.directory / "script1.py"
    path.write_text("held = [bytes(1000) for _ in range(3000)]  # kept\nprint(1)\n")
    traced_once.count = 0
    command, trace = traced_once.command(path)
    setup = ("mount -t tmpfs tmpfs /dev && mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9 &&"
             ' ! test -e /dev/shm && exec "$@"')
    if support.execute(["unshare", "-m", "sh", "-c", setup, "sh", "true"]).status:
        pytest.skip("cannot mount here")
    result = support.execute(["unshare", "-m", "sh", "-c", setup, "sh"] + command,
                             cwd=str(traced_once.directory))
    assert (result.status, result.out) == (0, b"1\n"), result
    traced_once.assert_sound(trace)
    assert traced_once.at(trace, "kept")[0] >= 3000 * 1033


@needs_root
def test_the_disk_of_the_trace_fills_up(traced_once):
    """And the disk of the session is full as well: nobody gets a SIGBUS."""
    path = traced_once.directory / "many.py"
    path.write_text(
        "held = []\nfor n in range(3000):\n"
        "    exec('def f%d(x):\\n' % n + '\\n' * (n % 50) + '  return [x, str(x)]')\n"
        "    held.append(globals()['f%d' % n](n))\nprint(len(held))\nraise SystemExit(3)\n")
    place = traced_once.directory / "small"
    place.mkdir()
    setup = ('mount -t tmpfs -o size=48k tmpfs %s && mount -t tmpfs -o size=2600k tmpfs /dev/shm'
             ' && "$@"; status=$?; cp %s/out.mtrace %s; exit $status'
             % (place, place, traced_once.directory / "copy.mtrace"))
    if support.execute(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", place]).status:
        pytest.skip("cannot mount here")
    result = support.execute(["unshare", "-m", "sh", "-c", setup, "sh", traced_once.memtrace, "run",
                              "--python", traced_once.python.path, "-o", place / "out.mtrace", path])
    assert (result.status, result.out) == (3, b"3000\n"), result
    assert "No space left" in result.message
    info = traced_once.report("info", traced_once.directory / "copy.mtrace")
    assert info["processes"] and not info["sealed"] and not info["damaged"]


# ---- memory limits ----

class Group:
    """A control group with a limit on its memory, of either version."""

    def __init__(self, limit):
        root = pathlib.Path("/sys/fs/cgroup")
        name = "memtrace-test-%d" % os.getpid()
        self.path = None
        for parent, file in ((root / "memory", "memory.limit_in_bytes"), (root, "memory.max")):
            try:
                place = parent / name
                place.mkdir()
                self.path = place
                (place / file).write_text(str(limit))
                return
            except OSError:
                self.close()
        pytest.skip("no control groups for memory here")

    def join(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self):
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text().split()]

    def used(self):
        """Bytes that no cache can give back: of processes, and of shared memory."""
        fields = dict(line.split() for line in (self.path / "memory.stat").read_text().splitlines())
        names = ("anon", "shmem") if "anon" in fields else ("rss", "shmem")
        if "shmem" not in fields:
            pytest.skip("this kernel does not say what shared memory a group has")
        return sum(int(fields[name]) for name in names)

    def close(self):
        if self.path and self.path.exists():
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            support.wait_for(lambda: not self.pids(), "the group to be empty")
            self.path.rmdir()
        self.path = None


@pytest.fixture
def group():
    made = []

    def make(limit):
        made.append(Group(limit))
        return made[-1]
    yield make
    for one in made:
        one.close()


# Says where its session is, and counts its blocks in a file that outlives it.
GREEDY = """
import mmap, os, sys
with open(sys.argv[1], "r+b") as file:
    shared = mmap.mmap(file.fileno(), 16)
print(os.environ["MEMTRACE_SESSION"], flush=True)
held = [None] * 10_000_000
count = 0
while True:
    held[count] = bytes(60000)  # kept
    count += 1
    shared[0:8] = count.to_bytes(8, "little")  # at once: pack_into writes zeros first
"""


def counted(path):
    return int.from_bytes(path.read_bytes()[:8], "little")


@needs_root
def test_out_of_memory(traced_once, group):
    """The kernel kills the program: each of its blocks is in the trace."""
    limited, shared = group(200 << 20), traced_once.directory / "shared"
    shared.write_bytes(bytes(16))
    result = traced_once.script(GREEDY, shared, status=-signal.SIGKILL, preexec_fn=limited.join)
    size, blocks = traced_once.at(result.trace, "kept")
    assert 1000 < counted(shared) and abs(blocks - counted(shared)) <= 1, result
    assert size == blocks * 60033
    traced_once.assert_sound(result.trace)


@needs_root
def test_out_of_memory_as_in_a_container(traced_once, group):
    """All that is in the group is killed at once, the collector too: recover finds it all."""
    limited, shared = group(1 << 30), traced_once.directory / "shared"
    shared.write_bytes(bytes(16))
    process, trace = start(traced_once, GREEDY, shared, preexec_fn=limited.join)
    session = process.stdout.readline().decode().strip()
    support.wait_for(lambda: counted(shared) > 2000, "2000 blocks")
    pids = limited.pids()
    assert len(pids) >= 2
    os.kill(process.pid, signal.SIGSTOP)  # without a collector it would go on untraced
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    support.wait_for(lambda: not limited.pids(), "their deaths")
    recovered = support.execute([traced_once.memtrace, "recover", session])
    assert recovered.status == 0, recovered
    blocks = traced_once.at(trace, "kept")[1]
    assert abs(blocks - counted(shared)) <= 1
    traced_once.assert_sound(trace)


OLD_AND_NEW = """
import os, sys
old = bytes(7777777)  # old
print(os.environ["MEMTRACE_SESSION"], flush=True)
sys.stdin.readline()
new = bytes(3333333)
print("new", flush=True)
sys.stdin.readline()
"""


def test_shared_memory_gone_too(traced_once):
    """A machine that went down: what is older than a second is in the trace."""
    process, trace = start(traced_once, OLD_AND_NEW)
    session = pathlib.Path(process.stdout.readline().decode().strip())
    seen = support.time.monotonic()
    support.wait_for(lambda: support.time.monotonic() - seen > 1.5, "a second and a half")
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"new\n"
    os.kill(process.pid, signal.SIGKILL)
    support.shutil.rmtree(str(session))
    process.communicate(timeout=support.TIMEOUT)
    recovered = support.execute([traced_once.memtrace, "recover", session])
    assert recovered.status == 1 and len(recovered.message.splitlines()) == 1, recovered
    info = traced_once.report("info", trace)
    assert not info["sealed"] and not info["damaged"]
    script = traced_once.directory / "script1.py"
    rows = traced_once.rows(trace, "--at", "now", "--domain", "python")
    # The line may have made room for the name, too.
    assert [row["size"] for row in rows if row.get("filename") == str(script)
            and 7777777 + 33 <= row["size"] < 7777777 + 1000], rows[:5]


# Holds so many blocks; says so; waits.
HOLDING = """
import sys
held = [None] * int(sys.argv[1])
for n in range(len(held)):
    held[n] = object()
print("held", flush=True)
sys.stdin.readline()
"""


@needs_root
def test_what_tracing_takes(traced_once, group):
    """Under one limit with the program: 16 MiB, and 24 bytes a live block.  `info` says how much it
    was at most, which is not more: nothing is there twice while it grows."""
    blocks, used = 1000000, {}
    for name in ("bare", "traced"):
        limited = group(2 << 30)
        if name == "bare":
            path = traced_once.directory / "script1.py"
            path.write_text(HOLDING)
            process = subprocess.Popen([traced_once.python.path, str(path), str(blocks)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       preexec_fn=limited.join)
        else:
            process, trace = start(traced_once, HOLDING, str(blocks), preexec_fn=limited.join)
        assert process.stdout.readline() == b"held\n"
        used[name] = limited.used()
        process.communicate(b"\n", timeout=support.TIMEOUT)
        limited.close()
    promised = (16 << 20) + 24 * blocks
    assert used["traced"] - used["bare"] < promised, used
    own = traced_once.report("info", trace)["own"]  # and after it had ended: `end`
    assert own["end"] > 1 << 20
    assert 16 * blocks < own["collector"] + own["agent"] < promised, own
    shown = support.execute([traced_once.memtrace, "info", trace]).out.decode()
    assert "memtrace itself: collector %.1f MiB, " % (own["collector"] / 2**20) in shown, shown


# ---- suspension and clocks ----

def timeline_is_sound(traced, trace, seconds):
    info = traced.assert_sound(trace)
    assert 0 < info["seconds"] < seconds, info["seconds"]
    times = [boundary["seconds"] for boundary in info["boundaries"] if "pid" not in boundary]
    assert times == sorted(times)
    plotted = traced.report("plot", trace)
    times = [point["seconds"] for point in plotted["points"]] if "points" in plotted else []
    assert times == sorted(times)
    for process in info["processes"]:
        assert 0 <= process["start"] <= process["end"] <= info["seconds"] + 1
    return info


@pytest.mark.parametrize("at", range(0, 256, 8))
def test_the_control_file_is_written_over(traced_once, at):
    """By a wild pointer in the program, which has it mapped: it ends as it does without us, and the
    trace can be read."""
    result = traced_once.script("""
import mmap, os, sys, threading, time
path, = {line.split()[-1] for line in open("/proc/self/maps") if line.endswith("/control\\n")}
file = os.open(path, os.O_RDWR)
control = mmap.mmap(file, os.fstat(file).st_size)
at = int(sys.argv[1])
control[at : at + 8] = b"\\xff" * 8
held = []
threads = [threading.Thread(target=lambda: held.append(bytes(1000))) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
time.sleep(0.05)
print(len(held))
""", at)
    assert (result.status, result.out) == (0, b"5\n"), result
    traced_once.report("info", result.trace)


def test_suspension(traced_once):
    """Collector and program stand still for three seconds: a laptop's lid.  Nothing is lost."""
    process, trace = start(traced_once, """
import os, sys, time
print(os.getpid(), flush=True)
sys.stdin.readline()
until = time.monotonic() + 0.5
while time.monotonic() < until:
    x = [str(n) for n in range(1000)]
""")
    pids = [int(process.stdout.readline()), process.pid]
    process.stdin.write(b"\n")
    process.stdin.flush()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    seen = support.time.monotonic()
    support.wait_for(lambda: support.time.monotonic() - seen > 3, "three seconds")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    _, err = process.communicate(timeout=support.TIMEOUT)
    assert process.returncode == 0 and b"stands still" not in err, err
    timeline_is_sound(traced_once, trace, 60)


@needs_root
@pytest.mark.parametrize("offset", ["100000", "-1000"])
def test_a_program_with_another_clock(traced_once, offset):
    """In a time namespace: times in a trace are the collector's."""
    words = ["unshare", "--time", "--monotonic", offset, "--fork"]
    if support.execute(words + ["true"]).status:
        pytest.skip("no time namespaces here")
    result = traced_once.run(*words, traced_once.python.path, "-c",
                             "held = [str(n) for n in range(50000)]")
    timeline_is_sound(traced_once, result.trace, 60)


SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
/* The wall clock goes back by an hour each time that it is asked. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    static long jumps;
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec -= 3600 * ++jumps;
    return result;
}
time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return out ? *out = now.tv_sec : now.tv_sec;
}
"""


def test_a_wall_clock_that_jumps(traced_once):
    source = traced_once.directory / "shim.c"
    source.write_text(SHIM)
    library = traced_once.directory / "shim.so"
    built = support.execute(["gcc", "-shared", "-fPIC", source, "-o", library, "-ldl"])
    assert built.status == 0, built
    result = traced_once.script(
        "import time\nbefore = time.time()\nheld = [str(n) for n in range(50000)]\n"
        "print(time.time() < before - 3000)\n",
        env=support.clean_environment(LD_PRELOAD=str(library)))
    assert result.out == b"True\n", result
    timeline_is_sound(traced_once, result.trace, 60)


# ---- files that are cut short ----

# Cuts the ring that this process writes into, and dies of it.  The collector has read from it: it
# has answered.
CUTS_ITS_RING = """
import memtrace, os, sys
held = [bytes(1000) for _ in range(3000)]  # kept
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    with memtrace.region("asked", report=True):
        mine = [str(n) for n in range(20000)]
    rings = {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/ring." in line}
    for ring in rings:
        os.truncate(ring, int(sys.argv[1]))
    mine = [str(n) for n in range(200000)]
    os._exit(0)
print(os.waitpid(pid, 0)[1])
sys.exit(4)
"""


@pytest.mark.parametrize("size", [0, 4096])
def test_a_ring_that_is_cut_short(traced_once, size):
    """It is its process that the kernel kills, and no other.  The trace says that something is
    missing; of data alone that is so only where it had not been read."""
    result = traced_once.script(CUTS_ITS_RING, str(size), status=4)
    assert result.out == b"%d\n" % signal.SIGBUS, result
    info = traced_once.report("info", result.trace)
    assert info["sealed"] and (info["gap_events"] or size), info
    assert traced_once.at(result.trace, "kept")[0] >= 3000 * 1033


# Damages the collector's own memory, and goes on.
HARMS_THE_COLLECTOR = """
import os, sys
held = [bytes(1000) for _ in range(3000)]
store = os.path.join(os.environ["MEMTRACE_SESSION"], "collector")
if sys.argv[1] == "cut":
    os.truncate(store, 4096)
else:
    with open(store, "r+b") as file:
        file.seek(2000)
        file.write(b"\\xa5" * (os.path.getsize(store) - 2000))
held = [str(n) for n in range(1000000)]
print("done")
sys.exit(4)
"""


@pytest.mark.parametrize("how", ["cut", "damaged"])
def test_the_memory_of_the_collector(traced_once, how):
    """It says what has happened; the program goes on, and what was written stays."""
    result = traced_once.script(HARMS_THE_COLLECTOR, how, status=None)
    assert result.out == b"done\n", result
    lines = result.message.splitlines()
    ends = (125,) if how == "cut" else (125, -signal.SIGSEGV)  # an address may lead behind its end
    assert result.status in ends, result
    assert [line for line in lines if "memory" in line or "has failed" in line], result
    assert lines and all(line.startswith("memtrace: ") for line in lines) and len(lines) <= 2
    info = traced_once.report("info", result.trace)
    assert not info["sealed"] and not info["damaged"]
