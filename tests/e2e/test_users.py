"""Processes that can make no ring of their own any more: as another user, in another root, without
descriptors.  The collector lends them rings."""
import os
import shutil

import pytest
import support

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")

# A master as root starts workers, which become somebody else, start threads and fork again.
SERVICE = """
import os, sys, threading
WORKERS, THREADS = 4, 6
held = []
def request(ready):
    block = bytes(1000)  # thread
    held.append(block)
    ready.wait()
def threads():
    ready = threading.Barrier(THREADS)
    started = [threading.Thread(target=request, args=(ready,)) for _ in range(THREADS)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
def work():
    mine = bytes(100000)  # worker
    threads()
    if os.fork() == 0:
        child = bytes(200000)  # child
        threads()
        os._exit(len(held))
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
def become():
    CHANGE
for _ in range(WORKERS):
    if os.fork() == 0:
        become()
        work()
print(sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(WORKERS)))
"""

CHANGES = {
    "user": "os.setgid(65534); os.setuid(65534)",
    "user in another root": "os.chroot(sys.argv[1]); os.setgid(65534); os.setuid(65534)",
    "no descriptors": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))",
    "no files": "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
}


@pytest.mark.parametrize("change", [
    pytest.param(name, marks=needs_root if "user" in name else ()) for name in CHANGES])
def test_workers(traced_once, change):
    """All that the workers, their threads and their children hold is in the trace."""
    root = traced_once.directory / "root"
    root.mkdir()
    result = traced_once.script(SERVICE.replace("CHANGE", CHANGES[change]), root, options=["-q"])
    assert result.out == b"[12, 12, 12, 12]\n" and not result.err, result
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 9
    assert traced_once.at(result.trace, "worker") == (4 * 100033, 4)
    assert traced_once.at(result.trace, "child") == (4 * 200033, 4)
    assert traced_once.at(result.trace, "thread") == (2 * 4 * 6 * 1033, 48)


@needs_root
def test_one_after_the_other(traced_once):
    """More loans than there are: those of processes that have ended serve the next ones."""
    result = traced_once.script("""
import os
os.setuid(65534)
for n in range(1200):
    pid = os.fork()
    if not pid:
        child = bytes(50000)  # child
        os._exit(0)
    os.waitpid(pid, 0)
print(n)
""", options=["-q"])
    assert result.out == b"1199\n" and not result.err, result
    traced_once.assert_sound(result.trace)
    assert traced_once.at(result.trace, "child") == (1200 * 50033, 1200)


@needs_root
def test_nobody_lends(traced_once):
    """The collector is stopped meanwhile: it is said, and the program goes on."""
    result = traced_once.script("""
import os, signal, threading
def work():
    held.append(bytes(1000))
held = []
collector = os.getppid()
(wait, stopped), (finished, finish) = os.pipe(), os.pipe()
if os.fork() == 0:
    os.kill(collector, signal.SIGSTOP)
    os.write(stopped, b"x")
    os.read(finished, 1)
    os.kill(collector, signal.SIGCONT)
    os._exit(0)
before = bytes(100000)  # before
os.read(wait, 1)
os.setuid(65534)
thread = threading.Thread(target=work)
thread.start()
thread.join()
os.write(finish, b"x")
os.wait()
print(len(held))
""", options=["-q"])
    assert result.out == b"1\n", result
    assert result.message.splitlines() == ["memtrace: the session is not this user's: tracing is "
                                           "off, the program goes on"], result
    traced_once.assert_sound(result.trace)
    assert traced_once.at(result.trace, "before") == (100033, 1)


@needs_root
def test_programs_of_another_user(traced_once):
    """They are not traced, and the first one says so, once."""
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    command = [traced_once.memtrace, "run", "-q", "-o", traced_once.directory / "trace.mtrace",
               "sh", "-c", "setpriv --reuid 65534 sh -c '/bin/true; /bin/true; id -u'; id -u"]
    result = support.execute(command, cwd="/")
    if b"65534" not in result.out:
        pytest.skip("another user cannot run programs here")
    assert (result.status, result.out) == (0, b"65534\n0\n"), result
    assert len(result.message.splitlines()) == 1 and "another user" in result.message, result
    info = traced_once.assert_sound(traced_once.directory / "trace.mtrace")
    assert info["programs_left"] == 1, info  # what that one starts does not know of a session


# Programs that it starts as another user, each way that there is.
STARTS = """
import os, subprocess, sys
def another():
    os.setgid(65534)
    os.setuid(65534)
for n in range(3):
    subprocess.run(["/bin/true"], preexec_fn=another, cwd="/", check=True)
subprocess.run(["true"], preexec_fn=another, cwd="/", env={"PATH": "/bin"}, check=True)
sys.stdout.flush()
if os.fork() == 0:
    another()
    assert os.system("/bin/true") == 0
    assert os.posix_spawn("/bin/true", ["true"], os.environ) == os.wait()[0]
    os.execv("/usr/bin/env", ["env"])
print(os.wait()[1])
"""


@needs_root
def test_programs_are_counted(traced_once):
    """Seven that are not traced: one line of the first, their number in the trace and at the end."""
    result = traced_once.script(STARTS)
    assert (result.status, result.out.splitlines()[-1]) == (0, b"0"), result
    assert b"LD_PRELOAD" not in result.out, result
    lines = result.message.splitlines()
    assert lines[0].startswith("memtrace: /bin/true is started as another user"), result
    assert "not traced: 7 programs" in lines[2] and len(lines) == 4, result
    assert traced_once.assert_sound(result.trace)["programs_left"] == 7
    text = support.execute([traced_once.memtrace, "info", result.trace]).out
    assert b"\nnot traced: 7 programs started as another user, in another root or another mount namespace\n" in text, text


def make_root(directory):
    """A root with a program and what it needs to run."""
    listing = support.execute(["ldd", "/bin/true"]).out.decode()
    files = [word for word in listing.split() if word.startswith("/")]
    for file in files + ["/bin/true"]:
        there = directory / file[1:]
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, str(there))


@needs_root
@pytest.mark.parametrize("children", [True, False])
def test_a_program_in_another_root(traced_once, children):
    """There is no agent there: the loader has nothing to complain of."""
    root = traced_once.directory / "root"
    make_root(root)
    result = traced_once.script("""
import os, sys
if os.fork() == 0:
    os.chroot(sys.argv[1])
    os.chdir("/")
    os.execv("/bin/true", ["true"])
print(os.wait()[1])
""", root, options=["-q"] if children else ["-q", "--no-children"])
    assert result.out == b"0\n", result
    lines = result.message.splitlines()
    assert len(lines) == children and all("in another root" in line for line in lines), result
    assert traced_once.assert_sound(result.trace).get("programs_left", 0) == children


@needs_root
@pytest.mark.parametrize("what", ["agent", "session"])
def test_a_mount_namespace_that_hides(traced_once, what):
    """A program that sees the session and no agent, or no session, is named for what it is."""
    hidden = {"agent": os.path.join(os.path.dirname(str(traced_once.memtrace)), "agent"),
              "session": "/dev/shm"}[what]
    if not os.path.isdir(hidden):
        pytest.skip("the agent is not in a directory of its own")
    mount = "mount -t tmpfs tmpfs " + hidden
    if support.execute(["unshare", "-m", "sh", "-c", mount]).status:
        pytest.skip("cannot mount here")
    trace = traced_once.directory / "trace.mtrace"
    result = support.execute([traced_once.memtrace, "run", "-q", "-o", trace, "unshare", "-m", "sh", "-c",
                              mount + "; /bin/true; /bin/true; echo done"], cwd="/")
    assert (result.status, result.out) == (0, b"done\n"), result
    assert result.message.splitlines() == [
        "memtrace: /bin/true is started in another root or another mount namespace, where memtrace is not "
        "seen, and is not traced (`memtrace run` does it there)"], result
    assert traced_once.assert_sound(trace)["programs_left"] == 2


@needs_root
def test_an_agent_that_another_user_may_not_read(traced_once):
    """As where memtrace is installed in a home: the program has no agent and no complaint."""
    home = traced_once.directory / "home"
    shutil.copytree(os.path.dirname(traced_once.memtrace), str(home), symlinks=True,
                    ignore=lambda directory, names: [
                        n for n in names if n not in ("memtrace", "agent", "libmemtrace.so")])
    home.chmod(0o700)
    command = [home / "memtrace", "run", "-q", "-o", traced_once.directory / "trace.mtrace",
               "/usr/bin/python3", "-c",
               "import os; os.setuid(65534); os.execv('/usr/bin/env', ['env'])"]
    result = support.execute(command, cwd="/")
    assert result.status == 0 and b"LD_PRELOAD" not in result.out, result
    assert len(result.message.splitlines()) == 1 and "another user" in result.message, result


@needs_root
def test_a_program_that_locks_its_memory(traced_once):
    """The room for what is lent has addresses, and gets no memory from that."""
    result = traced_once.script("""
import ctypes, os, threading
libc = ctypes.CDLL(None, use_errno=True)
print(libc.mlockall(1), libc.munlockall())
session = os.environ["MEMTRACE_SESSION"]
print(os.stat(session + "/control").st_blocks * 512 < 2000000)
os.setuid(65534)
thread = threading.Thread(target=lambda: held.append(bytes(1000)))
held = []
thread.start()
thread.join()
""", options=["-q"])
    if result.out.startswith(b"-1"):
        pytest.skip("this user may not lock memory here")
    assert result.out == b"0 0\nTrue\n" and not result.err, result
    traced_once.assert_sound(result.trace)
