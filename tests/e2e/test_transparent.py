"""The program does not notice: same output, same status, same signals, same input."""
import fcntl
import os
import re
import signal
import subprocess
import termios

import pytest
import support

PROGRAMS = [
    ["ls", "-la", "/usr/bin"],
    ["bash", "-c", "echo one; echo two >&2; exit 3"],
    ["bash", "-c", "for i in 1 2 3; do echo $(($i * 2)) | cat; done; false"],
    ["sh", "-c", "kill -TERM $$"],
    ["git", "--version"],
    ["git", "-C", str(support.ROOT), "log", "-1", "--format=%an"],
    ["cat", "/proc/self/status/not"],
    ["sort", "-R", "--random-source=/bin/ls", "/etc/passwd"],
    ["ldd", "/bin/ls"],
    ["/usr/bin/env", "-i", "/bin/echo", "bare"],
    ["tar", "-cf", "-", "-C", str(support.PROGRAMS), "threads.py"],
]


def without_ours(text):
    """ldd names what is preloaded, and addresses."""
    lines = [re.sub(rb"0x[0-9a-f]+", b"0x", line) for line in text.splitlines()
             if b"libmemtrace" not in line]
    return lines


@pytest.mark.parametrize("words", PROGRAMS, ids=lambda words: os.path.basename(words[0]))
def test_not_python(traced_plain, words):
    bare = support.execute(words)
    result = traced_plain.run(*words, status=None, options=["-q", "--"])
    assert result.status == bare.status
    assert without_ours(result.out) == without_ours(bare.out)
    assert without_ours(result.err) == without_ours(bare.err)


PYTHON = {
    "output": ("import sys\nprint('out')\nprint('err', file=sys.stderr)\n"
               "sys.stdout.buffer.write(bytes(range(256)))\nsys.exit(42)\n"),
    "stdin": "import sys\nsys.stdout.write(sys.stdin.read().upper())\n",
    "arguments": "import sys\nprint(sys.argv[1:], __name__, __file__)\n",
    "errors": "import errno, os\ntry:\n  open('/not/there')\nexcept OSError as e: print(e)\n",
    "isolated": "import sys; print(sys.flags.isolated, sorted(sys.modules)[:3])\n",
    "descriptors": "import os; print(sorted(os.listdir('/proc/self/fd')))\n",
    "signals": ("import signal\nprint([signal.getsignal(s) for s in (2, 10, 12, 13, 15, 17)])\n"
                "print(signal.pthread_sigmask(signal.SIG_BLOCK, []))\n"),
    "threads": "import os; print(len(os.listdir('/proc/self/task')))\n",
    "limits": "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE))\n",
    "children": "import subprocess; print(subprocess.check_output(['sh', '-c', 'echo $0 $#']))\n",
    "umask": "import os; print(oct(os.umask(0)), os.getpgrp() == os.getpgid(os.getppid()))\n",
}


@pytest.mark.parametrize("name", PYTHON)
def test_python_sees_the_same(traced, name):
    path = traced.directory / "program.py"
    path.write_text(PYTHON[name])
    words = [path, "--a", "-o", "x y", "--", ""]
    given = b"some input\n\xff\x00" if name != "stdin" else b"some input\n"
    bare = support.execute([traced.python.path] + words, input=given, cwd=str(traced.directory))
    result = traced.run(*words, options=["-q"], status=bare.status, input=given)
    assert (result.out, result.err) == (bare.out, bare.err)


def test_ways_to_start(traced_once):
    """script, directory, .pyz, module, code, program: each as Python itself takes it."""
    directory = traced_once.directory
    (directory / "package").mkdir()
    (directory / "package" / "__init__.py").write_text("")
    (directory / "package" / "__main__.py").write_text("import sys; print(sys.argv[1:])\n")
    import zipfile
    with zipfile.ZipFile(str(directory / "app.pyz"), "w") as archive:
        archive.writestr("__main__.py", "import sys; print(sys.argv[1:])\n")
    for start in (["package"], ["-m", "package"], ["app.pyz"], ["package/__main__.py"],
                  ["-c", "import sys; print(sys.argv[1:])"], ["--", "package/__main__.py"],
                  ["---", "package/__main__.py"]):
        result = traced_once.run(*start, "-x", "--interval", "7")
        assert result.out == b"['-x', '--interval', '7']\n", (start, result)


def test_python_of_the_path(traced_plain, one_python):
    """Without --python it is the python3 of the PATH, so of the virtual environment."""
    folder = traced_plain.directory / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(one_python.path)
    script = traced_plain.directory / "which.py"
    script.write_text("import sys; print(sys.executable)\n")
    environment = support.clean_environment(PATH="%s:/usr/bin:/bin" % folder)
    result = traced_plain.run(script, env=environment)
    assert result.out.decode().strip() == str(folder / "python3")


def test_what_is_said(traced_once):
    """Two lines at the end, on stderr; none with -q; the default name; the shape of both."""
    script = traced_once.directory / "app.py"
    script.write_text("held = bytes(10**6)\nprint('mine')\n")
    words = ["run", "--python", traced_once.python.path, script]
    result = support.execute([support.MEMTRACE] + words, cwd=str(traced_once.directory))
    assert result.status == 0 and result.out == b"mine\n", result
    lines = result.message.splitlines()
    assert len(lines) == 2 and all(line.startswith("memtrace: ") for line in lines), result
    assert re.match(r"memtrace: [\d.]+ s \(user [\d.]+, sys [\d.]+\)  peak RSS .*  live: peak .*"
                    r"\(Python .*, native .*\), at end ", lines[0]), lines
    name = re.match(r"memtrace: (memtrace-app\.\d+\.mtrace) \(.*\)", lines[1]).group(1)
    trace = traced_once.directory / name
    assert trace.stat().st_mode & 0o777 == 0o600
    quiet = support.execute([support.MEMTRACE, "run", "-q"] + words[1:],
                            cwd=str(traced_once.directory))
    assert quiet.status == 0 and not quiet.err


def test_names_in_output_option(traced_once):
    result = support.execute(
        [support.MEMTRACE, "run", "-q", "--python", traced_once.python.path, "-o",
         traced_once.directory / "%n-%h-%p-%%.mtrace", "-c", "import os; print(os.getpid())"])
    pid = result.out.decode().strip()
    host = os.uname().nodename
    found = [path.name for path in traced_once.directory.glob("*.mtrace")]
    assert len(found) == 1 and found[0].endswith("-%s-%s-%%.mtrace" % (host, pid)), found


def test_no_session_is_left_behind(traced_once):
    temporary = traced_once.directory / "tmp"
    temporary.mkdir()
    environment = support.clean_environment(TMPDIR=str(temporary))
    before = set(os.listdir("/dev/shm"))
    traced_once.run("-c", "pass", env=environment)
    assert not os.listdir(str(temporary))
    ours = [n for n in set(os.listdir("/dev/shm")) - before if "memtrace" in n]
    # Other tests run at the same time: theirs go away.
    support.wait_for(lambda: not any(os.path.exists("/dev/shm/" + n) for n in ours),
                     "the sessions to go")


SIGNALLED = r"""
import os, signal
def caught(number, frame):
    os.write(1, b"caught %d\n" % number)
    os._exit(number)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, caught)
os.write(1, b"ready\n")  # print is not re-entered by a handler
while True:
    signal.pause()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_signals_are_forwarded(traced_once, name):
    number = getattr(signal, name)
    path = traced_once.directory / "signalled.py"
    path.write_text(SIGNALLED)
    command, _ = traced_once.command(path)
    process = subprocess.Popen([str(w) for w in command], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=support.clean_environment())
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=support.TIMEOUT)
    assert out == b"caught %d\n" % number and process.returncode == number, err


def test_control_c_reaches_the_program_once(traced_once):
    """A terminal sends SIGINT to both; the program must not get a second one from us."""
    path = traced_once.directory / "counted.py"
    path.write_text(r"""
import os, signal, sys
count = []
signal.signal(signal.SIGINT, lambda *_: count.append(1))
os.write(1, b"ready\n")
while not count:
    signal.pause()
os.write(1, b"caught\n")
sys.stdin.readline()
print(len(count))
""")
    command, _ = traced_once.command(path)
    try:
        master, slave = os.openpty()
    except OSError as error:
        pytest.skip("no terminals here: %s" % error)

    def take_terminal():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    process = subprocess.Popen([str(w) for w in command], stdin=slave, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=support.clean_environment(),
                               preexec_fn=take_terminal)
    try:
        assert process.stdout.readline() == b"ready\n"
        os.write(master, b"\x03")
        assert process.stdout.readline() == b"caught\n"
        os.write(master, b"done\n")
        out, err = process.communicate(timeout=support.TIMEOUT)
        assert out == b"1\n" and process.returncode == 0, (out, err)
    finally:
        os.close(master)
        os.close(slave)


def test_dies_of_the_same_signal(traced_once):
    result = traced_once.run("-c", "import os; os.kill(os.getpid(), 15)", status=-15)
    assert result.trace.exists()


@pytest.mark.parametrize("variable", ["malloc", "pymalloc", "debug", "malloc_debug", "default"])
def test_pythonmalloc(traced, variable):
    """Each allocator that Python can be told to use: wraps are put back, sizes as asked."""
    if not support.has_allocator(traced.python.path, {"PYTHONMALLOC": variable}):
        pytest.skip("this build has no such allocator")
    path = traced.directory / "sizes.py"
    path.write_text("held, b = [], None\n\nfor n in range(100):\n    b = b'x' * (n * 40 + 400)\n"
                    "    held.append(b)\n")
    result = traced.run(path, env=support.clean_environment(PYTHONMALLOC=variable))
    traced.assert_sound(result.trace)
    assert traced.lines(result.trace, path)[4] == (
        sum(n * 40 + 400 + traced.header for n in range(100)), 100)


def test_development_mode(traced):
    path = traced.directory / "script1.py"
    path.write_text("def fill():\n    b = b'x' * 45678  # kept\n    return b\nheld = fill()\n")
    result = traced.run(traced.python.path, "-X", "dev", path)
    traced.assert_sound(result.trace)
    assert traced.at(result.trace, "kept") == (45678 + traced.header, 1)


ENVIRONMENT = {"LD_PRELOAD", "MEMTRACE_SESSION"}  # what memtrace-run(1) says is in it


def variables_of(out):
    return dict(entry.split(b"=", 1) for entry in out.split(b"\0") if entry)


@pytest.mark.parametrize("before", [{}, {"LD_PRELOAD": "libdl.so.2", "A": "", "B": "x=y\nz"}],
                         ids=["none", "some"])
def test_environment_of_the_program(traced_plain, one_python, before):
    """The two variables that are documented and no others, also for what the program starts; what
    was preloaded stays so."""
    environment = support.clean_environment(**before)
    ask = "import os; os.system('env -0')"
    for words in (["env", "-0"], ["sh", "-c", "env -0"], [one_python.path, "-c", ask]):
        bare = variables_of(support.execute(words, env=environment,
                                            cwd=str(traced_plain.directory)).out)
        found = variables_of(traced_plain.run("--", *words, env=environment).out)
        ours = {name: found.pop(name.encode()).decode() for name in ENVIRONMENT}
        preloaded = bare.pop(b"LD_PRELOAD", b"").decode()
        for variables in (bare, found):
            variables.pop(b"_", None)  # where a shell found the program, `memtrace` for one
        assert found == bare, words
        agent, _, rest = ours["LD_PRELOAD"].partition(":")
        assert os.path.isabs(agent) and rest == preloaded, ours
        assert os.path.isabs(ours["MEMTRACE_SESSION"])


def test_under_the_loaders_debugging(traced_plain):
    """What the loader says of itself, on request, is the program's and no complaint of the agent's."""
    environment = support.clean_environment(LD_DEBUG="files")
    result = traced_plain.run("--", "/bin/echo", "here", env=environment)
    assert result.out == b"here\n" and b"calling init" in result.err
