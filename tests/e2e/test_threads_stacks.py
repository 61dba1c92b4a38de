"""Threads that come, go and end in every way; stacks that are switched, traced and too deep."""
import json
import re
import shutil
import subprocess

import pytest
import support


def needs_module(python, *modules):
    asked = support.execute([python.path, "-c", "import " + ", ".join(modules)])
    if asked.status:
        pytest.skip("no %s for %s" % (" and ".join(modules), python.name))


def assert_kept(traced, result, count, size=2000):
    """The marked line holds `count` blocks of `size` bytes and more: their numbers."""
    traced.assert_sound(result.trace)
    header = support.bytes_header(traced.python.path)
    assert traced.at(result.trace, "kept") == (
        sum(size + n + header for n in range(count)), count)


def test_five_hundred_threads(traced):
    """One after the other, then a hundred at once; each leaves a block behind."""
    result = traced.script("""
import threading
held, ready = [], threading.Barrier(100)
sizes, b = list(range(2000, 2500)), None  # numbers that go stay in a free list from 3.14 on
def work(n, wait):
    b = bytes(sizes[n])  # kept
    held.append(b)
    if wait:
        ready.wait()
for n in range(400):
    thread = threading.Thread(target=work, args=(n, False))
    thread.start()
    thread.join()
group = [threading.Thread(target=work, args=(n, True)) for n in range(400, 500)]
for thread in group: thread.start()
for thread in group: thread.join()
""")
    assert_kept(traced, result, 500)


def test_what_runs_at_the_end(traced):
    """Thread-local destructors, finalizers, functions of atexit, daemon threads, garbage."""
    result = traced.script("""
import atexit, threading, weakref
held, local, ready = [], threading.local(), threading.Barrier(3)
sizes, b = list(range(2000, 2500)), None  # numbers that go stay in a free list from 3.14 on
class Last:
    def __init__(self, n): self.n = n
    def __del__(self): held.append(bytes(100 * self.n))
def work(n):
    local.last = Last(n)
    held.append([bytes(50)] * n)
def forever():
    local.last = Last(3)
    ready.wait()
    while True:
        [bytes(n) for n in range(1000)]
threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for _ in range(2): threading.Thread(target=forever, daemon=True).start()
ready.wait()
cycle = [Last(7)]
cycle.append(cycle)
atexit.register(lambda: held.append([bytes(n) for n in range(3000)]))
weakref.finalize(local, lambda: held.append(bytes(99)))
for n in range(30):
    b = bytes(sizes[n])  # kept
    held.append(b)
print("end")
""")
    assert result.out == b"end\n"
    assert_kept(traced, result, 30)


def test_greenlets(traced):
    """Stacks that change places: each block belongs to the line that made it."""
    needs_module(traced.python, "greenlet")
    result = traced.script("""
import greenlet
held = []
def deeper(n, depth):
    if depth:
        return deeper(n, depth - 1)
    b = bytes(2000 + n)  # kept
    held.append(b)
    main.switch()
    [str(i) for i in range(20)]
main = greenlet.getcurrent()
group = [greenlet.greenlet(lambda n=n: deeper(n, n % 40)) for n in range(300)]
for turn in range(2):
    for one in group: one.switch()
""")
    assert_kept(traced, result, 300)


def test_gevent(traced):
    needs_module(traced.python, "gevent")
    result = traced.script("""
import gevent
from gevent.pool import Pool
held = []
def work(n):
    gevent.sleep(0)
    b = bytes(2000 + n)  # kept
    gevent.sleep(0)
    held.append(b)
Pool(20).map(work, range(200))
""")
    assert_kept(traced, result, 200)


def test_coroutines(traced):
    result = traced.script("""
import asyncio
held = []
async def leaf(n):
    await asyncio.sleep(0)
    b = bytes(2000 + n)  # kept
    await asyncio.sleep(0)
    held.append(b)
async def numbers():
    for n in range(300):
        yield n
        await asyncio.sleep(0)
async def main():
    await asyncio.gather(*[leaf(n) async for n in numbers()])
asyncio.run(main())
""")
    assert_kept(traced, result, 300)


def test_recursion_to_the_limit(traced):
    """As deep as the interpreter lets it, again and again, and the same after each error."""
    result = traced.script("""
import sys
held = []
def down(n):
    x = [n]
    return down(n + 1) + x[0]
for n in range(20):
    try:
        down(0)
    except RecursionError:
        pass
    b = bytes(2000 + n)  # kept
    held.append(b)
""")
    assert_kept(traced, result, 20)


OVERFLOW = """
#include <stdlib.h>
int down(volatile char *above)
{
    volatile char here[4096];
    here[0] = above ? above[0] : 0;
    free(malloc(100));
    return down(here) + here[1];
}
int main(void) { return down(0); }
"""


def test_overflow_of_the_stack(traced_plain):
    """The program dies of it as it does without us, and what it held is known."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler here")
    program, source = traced_plain.directory / "overflow", traced_plain.directory / "overflow.c"
    source.write_text(OVERFLOW)
    made = support.execute(["cc", "-O0", "-w", source, "-o", program])
    assert made.status == 0, made
    bare = support.execute([program])
    assert bare.status == -11
    result = traced_plain.run(program, status=bare.status, options=["-q"])
    traced_plain.assert_sound(result.trace)


@pytest.mark.parametrize("how", ["profile", "trace", "both"])
def test_traced_by_others(traced, how):
    """Functions of sys.settrace and sys.setprofile that allocate, set and taken away."""
    result = traced.script("""
import sys
held, seen, b = [], [], None
def watch(frame, event, argument):
    seen.append((event, str(frame.f_lineno)))
    return watch
def work(n):
    b = bytes(2000 + n)  # kept
    held.append(b)
for n in range(60):
    if %r != "profile": sys.settrace(watch)
    if %r != "trace": sys.setprofile(watch)
    work(n)
    if n %% 3 == 0:
        sys.settrace(None)
        sys.setprofile(None)
sys.settrace(None)
sys.setprofile(None)
""" % (how, how))
    assert_kept(traced, result, 60)


def test_coverage(traced):
    """Its tracer is of C; what it found is the same with us."""
    needs_module(traced.python, "coverage")
    (traced.directory / "work.py").write_text(
        "held, b = [], None\nfor n in range(100):\n    b = bytes(2000 + n)\n    held.append(b)\n"
        "if not held:\n    print('no')\n")
    words = ["-m", "coverage", "run", "work.py"]
    result = traced.run(*words)
    traced.assert_sound(result.trace)
    rows = traced.rows(result.trace, "--at", "end", "--domain", "obj", "--include", "*work.py")
    sizes = [(r["size"], r["count"]) for r in rows if r["lineno"] == 3]
    header = support.bytes_header(traced.python.path)
    assert sizes == [(sum(2000 + n + header for n in range(100)), 100)]
    said = support.execute([traced.python.path, "-m", "coverage", "report", "-m"],
                           cwd=str(traced.directory)).out.decode()
    assert re.search(r"work.py +6 +1 +83% +6", said), said


def test_a_jump_of_the_debugger(traced):
    """pdb: goes back over a line, which makes its block again."""
    result = traced.script("""
import io, pdb, sys
held = []
def work():
    n = len(held)
    b = bytes(2000 + n)  # kept
    held.append(b)
    done = True
first = work.__code__.co_firstlineno
commands = "b %d\\nc\\nj %d\\nc\\nj %d\\nc\\ncl 1\\nc\\n" % (first + 4, first + 1, first + 1)
debugger = pdb.Pdb(stdin=io.StringIO(commands), stdout=io.StringIO(), nosigint=True, readrc=False)
debugger.runcall(work)
assert len(held) == 3, held
""")
    assert_kept(traced, result, 3)


def test_destructors_of_threads(traced):
    """Of C++ and of POSIX, in threads of Python, and a function of atexit: all of them allocate."""
    if not shutil.which("g++"):
        pytest.skip("no g++ here")
    library = traced.directory / "libends.so"
    made = support.execute(["g++", "-O1", "-fno-builtin", "-shared", "-fPIC", "-pthread",
                            support.PROGRAMS / "ends.cc", "-o", library])
    assert made.status == 0, made
    result = traced.script("""
import ctypes, os, sys, threading, time
library = ctypes.CDLL(sys.argv[1])
library.set_up()
import memtrace
memtrace.mark("before")
threads = [threading.Thread(target=library.use) for n in range(100)]
for thread in threads: thread.start()
for thread in threads: thread.join()
while len(os.listdir("/proc/self/task")) > 1:  # until 3.13 join() returns before the destructors run
    time.sleep(0.001)
del threads
memtrace.mark("after")
print("end")
""", library)
    assert result.out == b"end\n"
    traced.assert_sound(result.trace)
    rows = traced.rows(result.trace, "--from", "mark:before", "--to", "mark:after", "--domain",
                       "malloc", key="module")
    held = [(row["size"], row["count"]) for row in rows if row.get("module", "").endswith("ends.so")]
    assert held == [(100 * (10000 + 3 * 1000), 400)], rows


def test_a_debugger_that_attaches(traced_once):
    """gdb stops the program in the middle of what it does, looks at it and leaves it."""
    if not shutil.which("gdb"):
        pytest.skip("no gdb here")
    command, trace = traced_once.command("-c", """
import sys, threading
held, go_on, b = [], True, None
def work():
    while go_on:
        [bytes(n) for n in range(1000)]
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
print("works", flush=True)
sys.stdin.read()
go_on = False
for thread in threads: thread.join()
for n in range(50):
    b = bytes(2000 + n)  # kept
    held.append(b)
""")
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, cwd=str(traced_once.directory),
                               env=support.clean_environment())
    try:
        assert process.stdout.readline() == b"works\n"
        pid, = [p["pid"] for p in running(traced_once, trace)]
        for _ in range(3):
            seen = support.execute(["gdb", "-nx", "-q", "-batch", "-p", str(pid), "-ex",
                                    "thread apply all backtrace 3"])
            if b"Operation not permitted" in seen.out + seen.err:
                pytest.skip("nobody may attach here")
            assert seen.status == 0 and seen.out.count(b"#0") == 3, seen
    finally:
        process.stdin.close()
        assert process.wait(support.TIMEOUT) == 0
    traced_once.assert_sound(trace)
    rows = traced_once.rows(trace, "--domain", "python", "--include", "<string>")
    assert sum(2000 + n + 33 for n in range(50)) in [row["size"] for row in rows], rows


def running(traced, trace):
    """Processes of a trace that is being written, once there are any."""
    def ask():
        asked = support.execute([traced.memtrace, "info", "--format", "json", trace])
        return json.loads(asked.out)["processes"] if asked.status == 0 else []
    return support.wait_for(ask, "a process in the trace")
