"""fork, exec and spawn: every process is in the trace, and the parent's numbers are its own."""
import support


def process_with(info, pid):
    found = [p for p in info["processes"] if p["pid"] == pid]
    assert len(found) == 1, info["processes"]
    return found[0]


def test_fork(traced):
    result = traced.script("""
import os
before = b"x" * 111111
pid = os.fork()
if pid == 0:
    child = b"x" * 222222
    os._exit(4)
_, status = os.waitpid(pid, 0)
after = b"x" * 333333
print(pid, os.getpid(), os.WEXITSTATUS(status))
""")
    child, parent, status = map(int, result.out.split())
    assert status == 4
    info = traced.assert_sound(result.trace)
    assert len(info["processes"]) == 2
    script = traced.directory / "script1.py"
    lines = traced.lines(result.trace, script, "--process", str(parent))
    assert lines[3] == (111144, 1) and lines[8] == (333366, 1) and 6 not in lines
    lines = traced.lines(result.trace, script, "--process", str(child))
    assert lines[6] == (222255, 1) and 8 not in lines and 3 not in lines
    both = traced.lines(result.trace, script)
    assert [both[n][1] for n in (3, 6, 8)] == [1, 1, 1]


def test_fork_frees_what_it_inherited(traced):
    """That changes the child's account only, and is no unknown free."""
    result = traced.script("""
import os
held = [b"x" * (50000 + n) for n in range(20)]
pid = os.fork()
if pid == 0:
    held.clear()
    os._exit(0)
os.waitpid(pid, 0)
""")
    traced.assert_sound(result.trace)
    lines = traced.lines(result.trace, traced.directory / "script1.py")
    assert lines[3][0] >= 20 * 50033


def test_many_forks_with_threads(traced):
    result = traced.script("""
import os, threading
stop = []
def work():
    while not stop:
        x = [bytes(n * 9) for n in range(50)]
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
for n in range(10):
    pid = os.fork()
    if pid == 0:
        held = b"x" * (1000 * n + 1000)
        os._exit(n)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == n
stop.append(1)
for t in threads: t.join()
""")
    info = traced.assert_sound(result.trace)
    assert len(info["processes"]) == 11
    assert traced.lines(result.trace, traced.directory / "script1.py")[11] == (
        sum(1000 * n + 1033 for n in range(10)), 10)


def test_subprocess(traced):
    """Children get no descriptors, only the environment; Python in Python is traced too."""
    result = traced.script("""
import subprocess, sys
code = "import os; held = b'x' * 44444; print(os.getpid())"
child = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, close_fds=True)
subprocess.run(["/bin/true"])
print(child.stdout.decode(), end="")
""")
    child = int(result.out)
    info = traced.assert_sound(result.trace)
    process_with(info, child)
    rows = traced.rows(result.trace, "--process", str(child), "--domain", "python")
    assert any(r["size"] == 44477 and r["filename"] == "<string>" for r in rows), rows


def test_multiprocessing(traced):
    for method in ("fork", "spawn", "forkserver"):
        result = traced.script("""
import multiprocessing, sys
def work(n):
    held.append(b"x" * 30000)
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
        path = traced.directory / ("script%d.py" % traced.count)
        assert traced.lines(result.trace, path)[4][1] >= 6, method


def test_exec(traced):
    """A process that execs is the same process and another image."""
    result = traced.script("""
import os, sys
held = b"x" * 55555
os.execv(sys.executable, [sys.executable, "-c", "held = b'x' * 66666; print('second')"])
""")
    assert result.out == b"second\n"
    traced.assert_sound(result.trace)
    rows = traced.rows(result.trace, "--domain", "python")
    assert any(r["size"] == 66699 and r["filename"] == "<string>" for r in rows)


def test_no_children_is_one_process(traced_once):
    result = traced_once.script("held = b'x' * 1000\n")
    info = traced_once.report("info", result.trace)
    assert len(info["processes"]) == 1


def test_double_fork_daemon(traced_once):
    """A grandchild that outlives its parent is waited for."""
    result = traced_once.script("""
import os, sys
read, write = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(write)
        os.read(read, 1)      # until the first process has ended
        held = b"x" * 777777
        os._exit(0)
    os._exit(0)
os.wait()
os.close(read)
print("first is done")
""")
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 3
    assert traced_once.lines(result.trace, traced_once.directory / "script1.py")[8] == (777810, 1)
