"""fork, exec and spawn: every process is in the trace, and the parent's numbers are its own."""
import json
import os
import re
import shutil
import socket
import subprocess

import pytest
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
            (["--process", str(parent)], [111111, 0, 333333]),
            (["--process", str(child)], [0, 222222, 0]),
            ([], [111111, 222222, 333333])):
        assert [at(mark, *options) for mark in ("before", "child", "after")] == [
            (amount + traced.header, 1) if amount else (0, 0) for amount in amounts], options


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
    assert (size, count) == (sum(50000 + n + traced.header for n in range(20)), 20)


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
    assert traced.at(result.trace, "kept") == (
        sum(1000 * n + 1000 + traced.header for n in range(10)), 10)


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
        assert traced.at(result.trace, "kept") == (6 * (30000 + traced.header), 6), method


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


def test_no_children(traced_once):
    """The first process alone, through its execs; what it forks and starts runs untraced."""
    result = traced_once.script("""
import os, subprocess, sys
if len(sys.argv) == 1:
    os.execv(sys.executable, [sys.executable, __file__, "again"])
held = b"x" * 1000
subprocess.check_call([sys.executable, "-c", "pass"])
pid = os.fork()
if pid == 0:
    held = [bytes(1000) for n in range(1000)]
    os._exit(5)
print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]), os.getpid())
""", options=["--no-children"])
    status, pid = result.out.split()
    info = traced_once.assert_sound(result.trace)
    assert status == b"5"
    assert {p["pid"] for p in info["processes"]} == {int(pid)}, info["processes"]


def test_a_thousand_short_children(traced_once):
    """Each is in the trace, what each inherited and freed is exact, and reports are short."""
    count = 200 if support.QUICK else 1000
    result = traced_once.script("""
import os, sys
held = [b"x" * 10000 for n in range(10)]
for n in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        del held[:5]
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
""", count)
    info = traced_once.assert_sound(result.trace)
    forked = [p for p in info["processes"] if p["origin"] == "fork"]
    assert len(forked) == count
    for child in forked:
        had = child["inherited"]
        assert 5 * 10033 <= had["size"] - had["size_at_end"] < 5 * 10033 + 5000, child
        assert 5 <= had["count"] - had["count_at_end"] == child["inherited_frees"] < 50, child
    text = support.execute([traced_once.memtrace, "info", result.trace]).out.decode()
    assert "\n  %d more that held less\n" % (count + 1 - 40) in text
    assert len(text.splitlines()) < 300


def test_small_processes_are_one_row(traced_once):
    """A wrapper made of shells: dozens of them before Python starts."""
    path = traced_once.directory / "shim.sh"
    path.write_text("""#!/bin/sh
i=0
while [ $i -lt 20 ]; do
    name=$(basename "$0")
    i=$((i + 1))
done
exec "$@"
""")
    path.chmod(0o755)
    result = traced_once.run("--", path, traced_once.python.path, "-c",
                             "held = b'x' * 100000; print('here')")
    assert result.out == b"here\n"
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) > 20
    text = support.execute([traced_once.memtrace, "info", result.trace]).out.decode()
    line, = [line for line in text.splitlines() if "small processes: " in line]
    assert "basename 20" in line, text
    rows = traced_once.rows(result.trace, key="process")
    assert len(rows) == 2 and sum("small_processes" in row for row in rows) == 1, rows


def test_a_script_that_starts_python_twice(traced_once):
    path = traced_once.directory / "twice.sh"
    path.write_text('#!/bin/sh\n"$1" -c "a = [0] * 111111" && "$1" -c "b = [0] * 222222"\n')
    path.chmod(0o755)
    result = traced_once.run("--", path, traced_once.python.path)
    info = traced_once.assert_sound(result.trace)
    first, second = [str(p["pid"]) for p in info["processes"] if p["python"] == "traced"]
    for pid, size in ((first, 8 * 111111), (second, 8 * 222222)):
        rows = traced_once.rows(result.trace, "--process", pid)
        assert any(size <= row["size"] < size + 5000 for row in rows), rows


def test_process_pool(traced):
    result = traced.script("""
import concurrent.futures
def work(n):
    b = b"x" * 40000  # kept
    held.append(b)
    return n
held = []
if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print(sum(pool.map(work, range(8))))
""")
    assert result.out == b"28\n", result
    traced.assert_sound(result.trace)
    assert traced.at(result.trace, "kept") == (8 * (40000 + traced.header), 8)


def test_posix_spawn(traced_once):
    result = traced_once.script("""
import os, sys
pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "held = b'x' * 3333333"], os.environ)
print(pid, os.waitpid(pid, 0)[1])
""")
    pid, status = map(int, result.out.split())
    info = traced_once.assert_sound(result.trace)
    assert status == 0 and process_with(info, pid)["python"] == "traced"


def test_gunicorn(traced_plain):
    """A preloaded application: it is the master's, the workers inherit it."""
    gunicorn = shutil.which("gunicorn", path="/usr/bin")
    if not gunicorn:
        pytest.skip("gunicorn is not installed")
    (traced_plain.directory / "app.py").write_text("""
import os
data = [b"x" * 100000 for n in range(30)]
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
""")
    address = traced_plain.directory / "socket"
    command, trace = traced_plain.command(
        gunicorn, "--preload", "-w", "2", "-b", "unix:%s" % address, "app:application")
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL,
                               env=support.clean_environment(), cwd=str(traced_plain.directory))
    pids = set()

    def both_answer():
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(address))
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                pids.add(int(client.makefile().read().rsplit("\n", 1)[1]))
        except OSError:
            return False
        return len(pids) == 2
    try:
        support.wait_for(both_answer, "two workers", 60)
    finally:
        process.terminate()
        assert process.wait(support.TIMEOUT) == 0
    info = traced_plain.assert_sound(trace)
    for pid in pids:
        worker = process_with(info, pid)
        assert worker["inherited"]["size"] > 30 * 100033 and worker["status"] != -2, worker
    rows = traced_plain.rows(trace, "--include", "*/app.py", key="filename")
    assert len(rows) <= 1 and all(row["size"] < 31 * 100033 + 100000 for row in rows), rows


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
    assert b"memtrace: 1 process ran on, no longer traced" in result.err, result.err
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 3
    assert traced_once.at(result.trace, "kept") == (777810, 1)
    text = support.execute([traced_once.memtrace, "info", result.trace]).out.decode()
    assert len([line for line in text.splitlines() if "it ran on" in line]) == 1, text


GOES_INTO_THE_BACKGROUND = r"""
#include <fcntl.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char byte;
    if (fork()) {
        _exit(0); /* before the child has run */
    }
    for (int fd = 0; fd < 3; fd++) {
        dup2(open("/dev/null", O_RDWR), fd);
    }
    read(open(argv[1], O_RDONLY), &byte, 1); /* until the test is over */
    _exit(0);
}
"""


def test_a_daemon_that_never_allocates(traced_plain):
    """The program ends before its child has run: it is said all the same that the child runs on."""
    program, fifo = traced_plain.directory / "daemon", traced_plain.directory / "fifo"
    program.with_suffix(".c").write_text(GOES_INTO_THE_BACKGROUND)
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    assert support.execute(["cc", program.with_suffix(".c"), "-o", program]).status == 0
    support.os.mkfifo(str(fifo))
    for _ in range(5):
        result = traced_plain.run(program, fifo)
        fifo.write_text("x")
        assert b"1 process ran on, no longer traced" in result.err, result


def test_a_program_of_several_names(traced_plain):
    """redis-server is a link to redis-check-rdb: a program is called what it was called."""
    called = traced_plain.directory / "called-so"
    called.symlink_to(shutil.which("sleep"))
    result = traced_plain.run(called, "0")
    info = support.execute([traced_plain.memtrace, "info", result.trace]).out.decode()
    assert "\ncommand: called-so 0\n" in info, info
    assert traced_plain.rows(result.trace, "--process", "called-so")


def test_a_daemon_that_closes_everything(traced_once):
    """The way into the background as the books have it: no descriptor, no directory, no terminal is
    left.  The program waits for it, so all of it is in the trace."""
    fifo = traced_once.directory / "fifo"
    support.os.mkfifo(str(fifo))
    result = traced_once.script("""
import os, sys
def daemon(fifo):
    os.umask(0)
    os.chdir("/")
    os.closerange(0, 4096)
    for number in range(3):
        assert os.open(os.devnull, os.O_RDWR) == number
    out = os.open(fifo, os.O_WRONLY)
    for n in range(300):
        b = bytes(3000 + n)  # kept
        held.append(b)
    os.write(out, b"%d" % len(held))
held, b = [], None
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        daemon(sys.argv[1])
    os._exit(0)
os.wait()
print(open(sys.argv[1]).read())
""", fifo)
    assert result.out == b"300\n", result
    assert b"ran on" not in result.err, result
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 3
    assert traced_once.at(result.trace, "kept") == (sum(3033 + n for n in range(300)), 300)


def test_a_process_that_runs_on_and_allocates(traced_once):
    """It publishes faster than anybody reads: `run` takes what there was when the program ended."""
    fifo = traced_once.directory / "fifo"
    support.os.mkfifo(str(fifo))
    command, trace = traced_once.command(traced_once.directory / "runs_on.py")
    (traced_once.directory / "runs_on.py").write_text("""
import os, threading
read, write = os.pipe()
if os.fork() == 0:
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os.dup2(1, 2)
    def work():
        while True:
            x = [bytes(n * 9) for n in range(500)]
    for n in range(3):
        threading.Thread(target=work, daemon=True).start()
    os.write(write, b".")
    open("fifo").read()  # until the test is over
    os._exit(0)
os.read(read, 1)
""")
    process = subprocess.Popen([str(word) for word in command], cwd=str(traced_once.directory),
                               env=support.clean_environment())
    with open(str(fifo), "w"):
        assert process.wait(support.TIMEOUT) == 0
    info = traced_once.assert_sound(trace)
    assert [p["status"] for p in info["processes"]] == [0, -2], info["processes"]


SHARING = """
import os
held = [b"x" * 100000 for _ in range(500)]
def wait(count):
    for _ in range(count):
        os.read(to_parent[0], 1)
to_parent, to_children = os.pipe(), os.pipe()
for _ in range(4):
    if not os.fork():
        os.close(to_children[1])
        os.write(to_parent[1], b"x")
        os.read(to_children[0], 1)  # until the parent is over
        os._exit(0)
wait(4)
with open("/proc/uptime") as file:
    start = float(file.read().split()[0])
while float(open("/proc/uptime").read().split()[0]) < start + 2:
    pass  # it is looked at each 10 ms
"""


def test_shared_pages_count_once(traced_once):
    """Five processes that have the same 50 MB."""
    if not os.path.exists("/proc/self/smaps_rollup"):
        pytest.skip("this kernel does not say what a process shares")
    result = traced_once.script(SHARING)
    peak = re.search(r"peak PSS ([0-9.]+) MiB", result.message)
    assert peak and 48 < float(peak[1]) < 120, result
    text = support.execute([traced_once.memtrace, "stats", "--format", "json", result.trace])
    stats = json.loads(text.out.decode())
    assert 48 << 20 < stats["peak_pss"] < 120 << 20
    one = traced_once.report("stats", result.trace, "--process",
                             str(traced_once.report("info", result.trace)["processes"][0]["pid"]))
    assert one["peak_rss"] > 50 << 20


MANY = r"""
import os, sys, threading
stop = threading.Event()
threads = [threading.Thread(target=stop.wait) for n in range(3)]
for thread in threads:
    thread.start()
held = []
for n in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        child = bytes(50000)  # child
        os._exit(0 if threading.active_count() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    block = bytes(1000)  # held
    held.append(block)
stop.set()
for thread in threads:
    thread.join()
print(len(held))
"""


def test_slots_serve_again(traced_once):
    """More processes, one after the other, than there can be rings at a time."""
    environment = support.clean_environment(
        MEMTRACE_SLOTS="16", PYTHONWARNINGS="ignore::DeprecationWarning")  # of fork beside threads
    result = traced_once.script(MANY, 150, options=["-q"], env=environment)
    assert result.out == b"150\n" and not result.err, result
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 151
    assert traced_once.at(result.trace, "held") == (150 * 1033, 150)
    assert traced_once.at(result.trace, "child") == (150 * 50033, 150)


def test_what_the_end_of_several_is(traced_once):
    """Each holds 1 MB in its turn: more at their ends than at any one moment, and it is said of what."""
    text = """
import os
held = bytes(1000000)
for n in range(int(os.sys.argv[1])):
    if os.fork() == 0:
        more = bytes(3000000)
        os._exit(0)
    os.wait()
"""
    several = traced_once.script(text, 2)
    assert "(sum of 3 processes, each at its own end)\n" in several.message, several
    one = traced_once.script(text, 0)
    assert "at end" in one.message and "each at its own end" not in one.message, one


def test_more_rings_than_slots(traced_once):
    """Where there is no room at all for one more it is said, and the program goes on."""
    environment = support.clean_environment(MEMTRACE_SLOTS="2")
    result = traced_once.script(MANY, 3, options=["-q"], env=environment)
    assert result.out == b"3\n", result
    assert "no room for another ring" in result.message, result
