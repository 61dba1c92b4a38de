"""Many threads: no event lost or out of order, and each block where it belongs; their names."""
import json
import subprocess

import support


def test_blocks_freed_by_other_threads(traced):
    program = support.PROGRAMS / "threads.py"
    result = traced.run(program)
    traced.assert_sound(result.trace)
    line, size, count = map(int, result.out.split())
    assert traced.lines(result.trace, program)[line] == (size, count)


def test_threads_that_come_and_go(traced):
    """More threads over time than at once, each with memory left behind."""
    result = traced.script("""
import threading
held = []
def work(n):
    b = b"x" * 4999  # kept
    held.append(b)
for turn in range(60):
    group = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for t in group: t.start()
    for t in group: t.join()
assert len(held) == 300
""")
    traced.assert_sound(result.trace)
    assert traced.at(result.trace, "kept") == (
        300 * (4999 + support.bytes_header(traced.python.path)), 300)


def test_daemon_threads_at_the_end(traced):
    result = traced.script("""
import threading
ready = threading.Barrier(5)
def work():
    ready.wait()
    while True:
        x = [bytes(n * 10) for n in range(100)]
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
ready.wait()
def fill():
    b = b"x" * 77777  # kept
    return b
held = fill()
print("end")
""")
    assert result.out == b"end\n"
    traced.assert_sound(result.trace)
    assert traced.at(result.trace, "kept") == (
        77777 + support.bytes_header(traced.python.path), 1)


# ---- names ----

NAMES = """
import ctypes, threading
libc = ctypes.CDLL(None, use_errno=True)
libc.pthread_setname_np.argtypes = [ctypes.c_ulong, ctypes.c_char_p]
held = []

def fill(size):
    held.append(bytes(size))

def start(function, *words):
    thread = threading.Thread(target=function, args=words, daemon=True)
    thread.start()
    return thread
"""


def names_of(traced, trace, least=50000):
    """{name: size} of the threads that hold so much."""
    found = {}
    for row in traced.rows(trace, key="thread"):
        if row["size"] >= least:
            found.setdefault(row["thread"], []).append(row["size"])
    return found


def test_names(traced):
    """As the kernel knows them: named at the start, at the end, by others, and not at all."""
    result = traced.script(NAMES + """
def by_itself():
    fill(100000)
    libc.pthread_setname_np(threading.get_ident(), b"itself")
def by_prctl():
    fill(200000)
    libc.prctl(15, b"by prctl")
def nobody():
    fill(300000)
def often(n):
    for i in range(20):
        libc.pthread_setname_np(threading.get_ident(), b"job %d" % i)
    fill(400000)
for function in by_itself, by_prctl, nobody, often:
    start(function, *([4] if function is often else [])).join()

started, go_on = threading.Event(), threading.Event()
def by_another():
    started.set()
    go_on.wait()
    fill(500000)
thread = start(by_another)
started.wait()
with open("/proc/self/task/%d/comm" % thread.native_id, "w") as out:
    out.write("\\xe4nother")
go_on.set()
thread.join()
held.append(bytes(3000000))
libc.prctl(15, b"the program")
start(nobody).join()
""")
    traced.assert_sound(result.trace)
    found = names_of(traced, result.trace)
    # Python's own name is one of the eight that count of each thread; from 3.14 on it is the system's.
    version = traced.python.version
    of_python = ("Thread-%d" if version < (3, 10) else "Thread-%d (nobody)" if version < (3, 14)
                 else "Thread-%d (nobod")
    assert set(found) == {"main", "itself", "by prctl", "\u00e4nother", "job 6",
                          of_python % 3, of_python % 6}, found
    assert found["main"][0] > 3000000
    for name, number in (("itself", 1), ("by prctl", 2), ("\u00e4nother", 5),
                         ("job 6", 4)):
        assert len(found[name]) == 1 and 0 <= found[name][0] - number * 100000 < 20000, found
    rows = traced.rows(result.trace, "--thread", "by prctl", key="function")
    assert [row["size"] >= 200000 for row in rows if row.get("function") == "fill"] == [True], rows
    text = support.execute([traced.memtrace, "top", "--key", "thread", result.trace]).out.decode()
    assert " itself (" in text and " main (" in text, text


def test_names_of_five_hundred(traced_once):
    """Each has its own, up to a number; what is beyond that is together."""
    result = traced_once.script(NAMES + """
def work(n):
    fill(100000 + n)
    libc.pthread_setname_np(threading.get_ident(), b"worker-%d" % n)
for n in range(600):
    start(work, n).join()
""")
    info = traced_once.assert_sound(result.trace)
    found = names_of(traced_once, result.trace)
    others, = found.pop("other threads")
    assert len(found.pop("main")) == 1 and 500 < len(found) < 600, found
    assert others > (600 - len(found)) * 100000, info
    for name, (size,) in found.items():
        n = int(name.replace("worker-", ""))
        assert 100000 + n < size < 103000 + n, (n, size)


def test_names_while_it_runs(traced_once):
    """Of threads that go on: the collector looks now and then."""
    path = traced_once.directory / "runs.py"
    path.write_text(NAMES + """
import sys
named = threading.Event()
def work():
    fill(100000)
    libc.prctl(15, b"runs on")
    fill(200000)
    named.set()
    threading.Event().wait()
start(work)
named.wait()
print("named", flush=True)
for line in sys.stdin:
    held.append(line)
""")
    command, trace = traced_once.command(path)
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=support.clean_environment(),
                               cwd=str(traced_once.directory))
    try:
        assert process.stdout.readline() == b"named\n"
        support.wait_for(lambda: "runs on" in names_now(traced_once, trace), "the thread's name")
    finally:
        process.stdin.close()
        assert process.wait(support.TIMEOUT) == 0
    assert "runs on" in names_of(traced_once, trace)


def names_now(traced, trace):
    """Of a trace that is being written, which may not be one yet."""
    asked = support.execute([traced.memtrace, "top", "--key", "thread", "--format", "json", trace])
    return [row["thread"] for row in json.loads(asked.out)["rows"]] if asked.status == 0 else []


CROWD = r"""
import os, threading
stop, ready = threading.Event(), threading.Semaphore(0)
def work():
    ready.release()
    stop.wait()
threads = [threading.Thread(target=work) for n in range(500)]
for thread in threads:
    thread.start()
for thread in threads:
    ready.acquire()
session = os.environ["MEMTRACE_SESSION"]
rings = [os.stat(os.path.join(session, name)).st_blocks * 512
         for name in os.listdir(session) if name.startswith("ring.")]
print(len(rings), sum(rings) >> 20)
stop.set()
for thread in threads:
    thread.join()
"""


def test_a_crowd_takes_little_shared_memory(traced_once):
    """A mebibyte for each would be half a gigabyte."""
    result = traced_once.script(CROWD, options=["-q"])
    traced_once.assert_sound(result.trace)
    rings, mebibytes = map(int, result.out.split())
    assert rings > 500 and mebibytes < 256, result


OF_PYTHON = r"""
import threading
held = []

def work(size):
    held.append(bytes(size))

class Own(threading.Thread):
    def __init__(self):
        threading.Thread.__init__(self, name="has its own")
        for n in range(40):  # its attributes share no keys with those of others
            setattr(self, "more%d" % n, n)

    def run(self):
        work(300000)

class Slots(threading.Thread):
    __slots__ = ("a",)

class Late(threading.Thread):
    def run(self):
        work(600000)

threads = [threading.Thread(target=work, args=(100000,), name="db-writer-with-a-long-name"),
           threading.Thread(target=work, args=(200000,), name="gr\u00f6\u00dfe \u2192 \U0001f600"), Own(),
           threading.Thread(target=work, args=(400000,)),
           Slots(target=work, args=(500000,), name="slots"), Late()]
threads[5].name = "late"
del threads[5].__dict__["_target"]
def bootstrap(self):
    work(700000)
bootstrap.__code__ = (lambda self: work(700000)).__code__.replace(co_name="_bootstrap")
for thread in threads:
    thread.start()
    thread.join()
import _thread, time
for strange in (object(), 7, "text", None, threads[5]):
    _thread.start_new_thread(bootstrap, (strange,))
while len(held) < 11:
    time.sleep(0.001)
print(threads[3].name)
"""


def test_names_of_python(traced):
    """Before 3.14 only the Thread object knows its name."""
    result = traced.script(OF_PYTHON, options=["-q"])
    traced.assert_sound(result.trace)
    sizes = {}
    for row in traced.rows(result.trace, key="thread"):
        sizes.setdefault(row["thread"], []).append(row["size"] // 100000)
    if traced.python.version < (3, 14):
        names = ["db-writer-with-a-long-name", "gr\u00f6\u00dfe \u2192 \U0001f600", "has its own",
                 result.out.decode().strip(), "slots"]
        assert [sizes.get(name) for name in names] == [[1], [2], [3], [4], [5]], sizes
        assert sorted(sizes["late"]) == [6, 7], sizes
    else:
        assert sizes["slots"] == [5], sizes
