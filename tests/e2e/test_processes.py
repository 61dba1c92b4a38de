"""fork, exec and spawn: every process is in the trace, and the parent's numbers are its own."""
import support


def process_with(info, pid):
    found = [p for p in info["processes"] if p["pid"] == pid]
    assert len(found) == 1, info["processes"]
    return found[0]


def test_fork(traced):
    result = traced.script("""
import os
def main():
    before = b"x" * 111111  # before
    pid = os.fork()
    if pid == 0:
        child = b"x" * 222222  # child
        os._exit(4)
    _, status = os.waitpid(pid, 0)
    after = b"x" * 333333  # after
    held.append((before, after))
    print(pid, os.getpid(), os.WEXITSTATUS(status))
held = []
main()
""")
    child, parent, status = map(int, result.out.split())
    assert status == 4
    info = traced.assert_sound(result.trace)
    assert len(info["processes"]) == 2

    def at(mark, *options):
        return traced.at(result.trace, mark, *options)
    for options, amounts in (
            (["--process", str(parent)], [(111144, 1), (0, 0), (333366, 1)]),
            (["--process", str(child)], [(0, 0), (222255, 1), (0, 0)]),
            ([], [(111144, 1), (222255, 1), (333366, 1)])):
        assert [at(mark, *options) for mark in ("before", "child", "after")] == amounts, options


def test_fork_frees_what_it_inherited(traced):
    """That changes the child's account only, and is no unknown free."""
    result = traced.script("""
import os
held, b = [], None
for n in range(20):
    b = b"x" * (50000 + n)  # held
    held.append(b)
del b
pid = os.fork()
if pid == 0:
    held.clear()
    os._exit(0)
os.waitpid(pid, 0)
""")
    traced.assert_sound(result.trace)
    size, count = traced.at(result.trace, "held")
    assert (size, count) == (sum(50033 + n for n in range(20)), 20)


def test_many_forks_with_threads(traced):
    result = traced.script("""
import os, threading
stop = []
def fill(n):
    b = b"x" * n  # kept
    return b
def work():
    while not stop:
        x = [bytes(n * 9) for n in range(50)]
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
for n in range(10):
    pid = os.fork()
    if pid == 0:
        held = fill(1000 * n + 1000)
        os._exit(n)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == n
stop.append(1)
for t in threads: t.join()
""")
    info = traced.assert_sound(result.trace)
    assert len(info["processes"]) == 11
    assert traced.at(result.trace, "kept") == (sum(1000 * n + 1033 for n in range(10)), 10)


def test_subprocess(traced):
    """Children get no descriptors, only the environment; Python in Python is traced too."""
    result = traced.script("""
import subprocess, sys
code = "import os; size = 4444444; held = b'x' * size; print(os.getpid())"
child = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, close_fds=True)
subprocess.run(["/bin/true"])
print(child.stdout.decode(), end="")
""")
    child = int(result.out)
    info = traced.assert_sound(result.trace)
    process_with(info, child)
    rows = traced.rows(result.trace, "--process", str(child), "--domain", "python")
    assert any(4444477 <= r["size"] < 4500000 for r in rows if r.get("filename") == "<string>")


def test_multiprocessing(traced):
    for method in ("fork", "spawn", "forkserver"):
        result = traced.script("""
import multiprocessing, sys
def work(n):
    b = b"x" * 30000  # kept
    held.append(b)
    return len(held)
held = []
if __name__ == "__main__":
    multiprocessing.set_start_method(%r)
    with multiprocessing.Pool(2) as pool:
        print(sum(pool.map(work, range(6), chunksize=3)) >= 6)
        pool.close()
        pool.join()
""" % method)
        assert result.out == b"True\n", (method, result)
        traced.assert_sound(result.trace)
        assert traced.at(result.trace, "kept") == (6 * 30033, 6), method


def test_exec(traced):
    """A process that execs is the same process and another image."""
    result = traced.script("""
import os, sys
held = b"x" * 55555
os.execv(sys.executable, [sys.executable, "-c", "size = 6666666; held = b'x' * size; print('second')"])
""")
    assert result.out == b"second\n"
    traced.assert_sound(result.trace)
    rows = traced.rows(result.trace, "--domain", "python")
    assert any(6666699 <= r["size"] < 6700000 for r in rows if r.get("filename") == "<string>")


def test_no_children_is_one_process(traced_once):
    result = traced_once.script("held = b'x' * 1000\n")
    info = traced_once.report("info", result.trace)
    assert len(info["processes"]) == 1


def test_a_process_that_runs_on(traced_once):
    """`run` ends with the program.  A daemon that it left is in the trace up to then, is said to
    run on, and does so unharmed."""
    fifo, done = traced_once.directory / "fifo", traced_once.directory / "done"
    support.os.mkfifo(str(fifo))
    result = traced_once.script("""
import os, sys
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open("/dev/null", os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        def fill():
            b = b"x" * 777777  # kept
            return b
        held = fill()
        os.write(write, b"r")
        open(sys.argv[1]).read()  # until the test goes on
        more = [str(n) * 10 for n in range(200000)]
        with open(sys.argv[2], "w") as out:
            out.write("%d" % len(more))
        os._exit(0)
    os._exit(0)
os.wait()
os.read(read, 1)
print("first is done")
""", fifo, done)
    fifo.write_text("go on")
    support.wait_for(lambda: done.exists() and done.read_text() == "200000", "the daemon")
    assert result.out == b"first is done\n"
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 3
    assert traced_once.at(result.trace, "kept") == (777810, 1)
    text = support.execute([traced_once.memtrace, "info", result.trace]).out.decode()
    assert len([line for line in text.splitlines() if "it ran on" in line]) == 1, text
