"""In a container that podman makes, with its defaults: the first process, a system call filter, a
read-only root, a user without a name, 64 MB of shared memory."""
import os
import shutil
import subprocess
import tempfile

import pytest
import support

PYTHON = "/usr/bin/python3"
USER = 54321


class Container:
    """Its root has the system's /usr and nothing else; `work` can be written to."""

    def __init__(self, place, state):
        self.state, self.root, self.work = state, place / "root", place / "work"
        for name in ("usr", "tmp", "proc", "sys", "dev", "run", "etc", "work", "memtrace"):
            (self.root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (self.root / name).symlink_to("usr/" + name)
        self.work.mkdir()
        self.work.chmod(0o777)

    def podman(self, *words):
        """Its storage is the test's own."""
        return ["podman", "--root", self.state + "/root", "--runroot", self.state + "/run",
                "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
                *(["--runtime", "runc"] if shutil.which("runc") else []), *words]

    def run(self, *words):
        return self.podman(
            "run", "--rm", "--name", "traced", "--read-only", "--network", "none",
            "--log-driver", "none", "--user", "%d:%d" % (USER, USER), "--ulimit", "nofile=1024",
            "--ulimit", "nproc=1024", "--workdir", "/work", "--volume", "/usr:/usr:ro",
            "--volume", "%s:/work" % self.work, "--volume", "%s:/memtrace:ro" % support.MEMTRACE.parent,
            "--rootfs", self.root, *words)

    def traced(self, text, *options):
        (self.work / "script.py").write_text(text)
        return self.run("/memtrace/memtrace", "run", "-o", "out.mtrace", *options, "--python", PYTHON,
                        "script.py")


@pytest.fixture
def container(tmp_path):
    if os.geteuid() != 0 or not shutil.which("podman") or not os.access(PYTHON, os.X_OK):
        pytest.skip("no podman here, or not root")
    with tempfile.TemporaryDirectory() as state:  # podman wants a short name
        made = Container(tmp_path, state)
        probe = support.execute(made.run(PYTHON, "-c", ""))
        if probe.status != 0:
            pytest.skip("podman makes no container here: " + probe.message[-300:])
        yield made


SCRIPT = support.ORPHAN + """\
held = bytes(123456)  # kept
status = open("/proc/self/status").read()
print(os.getppid(), os.getuid(), status.split("Seccomp:")[1].split()[0])
try:
    open("/here", "w")
except OSError as error:
    print(error.strerror)
sys.exit(7)
"""


def test_defaults(container):
    result = support.execute(container.traced(SCRIPT), timeout=300)
    assert result.status == 7, result
    assert result.out == b"1 %d 2\nRead-only file system\n" % USER, result
    traced = support.Traced(container.work)
    info = traced.assert_sound(container.work / "out.mtrace")
    assert info["sealed"] and len(info["processes"]) == 3
    rows = traced.rows(container.work / "out.mtrace", "--at", "end", "--domain", "obj")
    kept = SCRIPT.splitlines().index("held = bytes(123456)  # kept") + 1
    assert [(row["size"], row["count"]) for row in rows
            if row.get("filename", "").endswith("script.py") and row["lineno"] == kept] == [(123489, 1)]


STOPPED = """
import signal, sys
seen = []
signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
open("ready", "w").close()
while not seen:
    signal.pause()
held = bytes(100000)
sys.exit(3)
"""


def test_stop(container):
    """podman stop, as docker stop, sends SIGTERM to the first process, which is memtrace."""
    process = subprocess.Popen([str(word) for word in container.traced(STOPPED)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        support.wait_for(lambda: process.poll() is not None or (container.work / "ready").exists(),
                         "the program's handler", timeout=support.TIMEOUT)
        stopped = support.execute(container.podman("stop", "--time", "60", "traced"))
        assert stopped.status == 0, stopped
        out, err = process.communicate(timeout=support.TIMEOUT)
    finally:
        if process.poll() is None:
            support.execute(container.podman("kill", "traced"))
            process.wait()
    assert process.returncode == 3, (out, err)
    assert support.Traced(container.work).assert_sound(container.work / "out.mtrace")["sealed"]
