"""Programs in namespaces of their own, as sandboxes make them: what they are called there is not what
the collector knows them by."""
import shutil

import pytest
import support

# More events than a ring holds, so that the collector is waited for; a child of each kind.
PROGRAM = """
import os, subprocess, sys, threading
def work():
    block = bytes(50000)  # thread
    held.append(block)
held = [bytes(300000)]  # main
churn = sum(len(str(n)) for n in range(200000))
thread = threading.Thread(target=work)
thread.start()
thread.join()
pid = os.fork()
if not pid:
    child = bytes(70000)  # child
    os._exit(0)
os.waitpid(pid, 0)
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "again"], check=True)
print(os.getpid())
"""


def in_namespaces(traced, *options):
    if not shutil.which("unshare") or support.execute(["unshare", *options, "true"]).status != 0:
        pytest.skip("no such namespace can be made here")
    script = traced.directory / "script1.py"
    script.write_text(PROGRAM)
    return [["unshare", *options, traced.python.path, script], script]


@pytest.mark.parametrize("options", [["--pid", "--fork"], ["--pid", "--fork", "--mount-proc"],
                                     ["--user", "--map-root-user"], ["--net", "--ipc", "--uts"]],
                         ids=" ".join)
def test_namespaces(traced_once, options):
    command, _ = in_namespaces(traced_once, *options)
    result = traced_once.run(*command, options=["-q"])
    assert result.message == "", result
    info = traced_once.assert_sound(result.trace)
    if "--pid" in options:
        assert result.out.splitlines()[-1] == b"1", result
    processes = {process["pid"]: process for process in info["processes"]}
    python = [process for process in info["processes"] if process["python"] == "traced"]
    assert len(python) == 4 and all(process["pid"] > 10 for process in python), python
    assert all(process["parent"] in processes for process in python[1:]), python
    assert python[0]["max_rss"] > 3e6, python
    assert traced_once.at(result.trace, "main") == (2 * 300033, 2)
    assert traced_once.at(result.trace, "thread") == (2 * 50033, 2)
    assert traced_once.at(result.trace, "child") == (2 * 70033, 2)


def test_two_of_the_same_number(traced_once):
    """Both are process 1 of a namespace, at the same time."""
    command, script = in_namespaces(traced_once, "--pid", "--fork")
    script.write_text("""
import os, sys
before = bytes(100000)
os.write(int(sys.argv[2]), b"x")       # both are there
os.read(int(sys.argv[1]), 1)
held = [None] * 100
for n in range(100):
    held[n] = bytes(1000)
print(os.getpid())
""")
    both = traced_once.directory / "both.py"
    both.write_text("""
import os, subprocess, sys
pipes = [os.pipe(), os.pipe()]
ends = [(pipes[0][0], pipes[1][1]), (pipes[1][0], pipes[0][1])]
programs = [subprocess.Popen([*sys.argv[1:], *map(str, pair)], pass_fds=pair) for pair in ends]
print([program.wait() for program in programs])
""")
    result = traced_once.run(traced_once.python.path, both, *command, options=["-q"])
    assert sorted(result.out.splitlines()) == [b"1", b"1", b"[0, 0]"] and not result.message, result
    traced_once.assert_sound(result.trace)
    assert traced_once.lines(result.trace, script)[8] == (200 * 1033, 200)
