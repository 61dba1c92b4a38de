"""As in a container: first process of a PID namespace, nobody's user, system calls refused."""
import errno
import os
import shutil
import signal
import subprocess

import pytest
import support

NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture
def as_init(traced_once):
    """The command line of `memtrace run` as PID 1."""
    if not shutil.which("unshare") or support.execute(NAMESPACE + ["true"]).status != 0:
        pytest.skip("no PID namespace can be made here")

    def make(*arguments):
        command, trace = traced_once.command(*arguments)
        return NAMESPACE + command, trace
    return make


def write(traced, name, text):
    path = traced.directory / name
    path.write_text(text)
    return path


def test_as_pid_1(traced_once, as_init):
    """Status, output and an orphan: it is reaped, or the program would see it in /proc."""
    path = write(traced_once, "orphan.py", support.ORPHAN + """
held = b"x" * 123456
print(os.getppid())
sys.exit(7)
""")
    command, trace = as_init(path)
    result = support.execute(command, cwd=str(traced_once.directory))
    assert (result.status, result.out) == (7, b"1\n"), result
    info = traced_once.assert_sound(trace)
    assert len(info["processes"]) == 3 and info["sealed"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_passed_on(traced_once, number):
    """`docker stop` sends SIGTERM to memtrace: the program gets it, once, and may clean up."""
    ready = traced_once.directory / "ready"
    path = write(traced_once, "stopped.py", """
import os, signal, sys
seen = []
signal.signal(%d, lambda number, frame: seen.append(number))
open(sys.argv[1], "w").write("x")
while not seen:
    signal.pause()
print(len(seen))
sys.exit(3)
""" % number)
    command, trace = traced_once.command(path, ready)
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                               env=support.clean_environment(), cwd=str(traced_once.directory))
    support.wait_for(ready.exists, "the program's handler")
    process.send_signal(number)
    out, _ = process.communicate(timeout=support.TIMEOUT)
    assert (process.returncode, out) == (3, b"1\n")
    assert traced_once.assert_sound(trace)["sealed"]


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS])
def test_system_calls_refused(traced_once, error):
    program = traced_once.directory / "seccomp"
    built = support.execute(["cc", "-O1", support.PROGRAMS / "seccomp.c", "-o", program])
    assert built.status == 0, built
    path = write(traced_once, "plain.py", """
import os, subprocess, sys
held = b"x" * 123456  # held
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
sys.exit(subprocess.call(["true"]))
""")
    command, trace = traced_once.command(path)
    result = support.execute([program, error] + command, cwd=str(traced_once.directory))
    if result.status == 99:
        pytest.skip("no system call filter can be set here: " + result.message)
    assert result.status == 0, result
    info = traced_once.assert_sound(trace)
    assert len(info["processes"]) >= 2
    assert all(process["status"] != -2 for process in info["processes"]), info["processes"]


def test_nobody(traced_once):
    """A user without a name, without a home, in a directory that it cannot write to."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can become somebody else")
    nobody = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
    python = traced_once.python.path
    if support.execute(nobody + [python, "-c", ""]).status != 0 or \
            support.execute(nobody + [support.MEMTRACE, "--help"]).status != 0:
        pytest.skip("the build or the interpreter is not readable for other users")
    result = support.execute(
        nobody + ["env", "-i", "PATH=/usr/bin:/bin", support.MEMTRACE, "run", "--python", python,
                  "-c", "import os; held = b'x' * 123456; print(os.getuid())"], cwd="/")
    assert (result.status, result.out) == (0, b"54321\n"), result
    assert "it goes to /tmp/" in result.message, result
    trace = result.message.split("it goes to ")[1].split()[0]
    try:
        info = traced_once.report("info", trace)
        assert info["sealed"] and info["processes"][0]["unknown_frees"] == 0
    finally:
        os.unlink(trace)


def test_a_root_that_is_read_only(traced_once):
    """docker run --read-only: nothing but the trace's directory and /dev/shm can be written."""
    directory = str(traced_once.directory)
    namespace = ["unshare", "--mount"]
    prepare = ("mount --make-rprivate / && mount --bind {0} {0} && mount -o remount,bind,ro / && "
               "mount -t tmpfs -o ro none /tmp 2>/dev/null; touch /root-is-writable 2>/dev/null && "
               "exit 99; exec \"$@\"")
    if not directory.startswith("/tmp/"):
        pytest.skip("the tests' directory is not below /tmp")
    prepare = prepare.replace(" && mount -t tmpfs -o ro none /tmp 2>/dev/null", "")
    if not shutil.which("unshare") or support.execute(namespace + ["true"]).status != 0:
        pytest.skip("no mount namespace can be made here")
    path = write(traced_once, "script1.py", "held = bytes(300000)  # kept\nprint('here')\n")
    command, trace = traced_once.command(path)
    result = support.execute(namespace + ["sh", "-c", prepare.format(directory), "sh", *command],
                             cwd=directory)
    if result.status == 99:
        pytest.skip("the root cannot be made read-only here")
    assert (result.status, result.out) == (0, b"here\n"), result
    traced_once.assert_sound(trace)
    assert traced_once.at(trace, "kept") == (300033, 1)


def test_bubblewrap(traced_once):
    """As sandboxes of desktops run programs: first process, namespaces of its own, read-only root."""
    directory = str(traced_once.directory)
    sandbox = ["bwrap", "--unshare-all", "--uid", "54321", "--gid", "54321", "--as-pid-1",
               "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev",
               "--tmpfs", "/dev/shm", "--bind", directory, directory]
    if not shutil.which("bwrap") or support.execute(sandbox + ["true"]).status != 0:
        pytest.skip("no bubblewrap here, or it makes no sandbox")
    path = write(traced_once, "script1.py", """
import os, subprocess, sys
held = bytes(300000)  # kept
subprocess.run([sys.executable, "-c", "print(len(bytes(1000)))"], check=True)
print(os.getppid(), os.getuid())
""")
    command, trace = traced_once.command(path)
    result = support.execute(sandbox + command, cwd=directory)
    assert (result.status, result.out) == (0, b"1000\n1 54321\n"), result
    assert len(traced_once.assert_sound(trace)["processes"]) == 2
    assert traced_once.at(trace, "kept") == (300033, 1)
