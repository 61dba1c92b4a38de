"""What is started with an environment of its own is followed, and sees what it was given."""
import pathlib
import shutil

import pytest
import support

CHILD = r"""
import os, sys
print(sorted(os.environ.items()), flush=True)
def fill(size):
    return b"x" * size
held = fill(int(sys.argv[1]))
"""

DOORS = {
    "subprocess": "subprocess.run(words, env=env, check=True)",
    "shell": "subprocess.run(['/bin/sh', '-c', '\"$0\" \"$@\"'] + words, env=env, check=True)",
    "setsid": "subprocess.run(words, env=env, check=True, preexec_fn=os.setsid, close_fds=False)",
    "execve": "fork(lambda: os.execve(words[0], words, env))",
    "fexecve": "fork(lambda: os.execve(os.open(words[0], os.O_RDONLY), words, env))",
    "posix_spawn": "wait(os.posix_spawn(words[0], words, env))",
    "posix_spawnp": "os.environ['PATH'] = os.path.dirname(words[0]);"
                    " wait(os.posix_spawnp(os.path.basename(words[0]), words, env))",
    "system": "os.environ.clear(); os.environ.update(env); before = dict(os.environ);"
              " assert os.system(' '.join(words)) == 0;"
              " assert dict(os.environ) == before",
    "clearenv": "import ctypes; os.environ.clear(); ctypes.CDLL(None).clearenv();"
                " os.environ.update(env); assert os.system(' '.join(words)) == 0",
    "cleared": "os.environ.clear(); os.environ.update(env); fork(lambda: os.execv(words[0], words))",
}

PARENT = r"""
import os, subprocess, sys

def wait(pid):
    assert os.waitpid(pid, 0)[1] == 0

def fork(function):
    pid = os.fork()
    if pid == 0:
        try:
            function()
        finally:
            os._exit(1)
    wait(pid)

env = eval(sys.argv[1])
words = [sys.executable, "child.py", sys.argv[2]]
%s
"""


@pytest.mark.parametrize("door", DOORS)
def test_doors_of_python(traced, door):
    directory = traced.directory
    (directory / "child.py").write_text(CHILD)
    (directory / "script1.py").write_text(PARENT % DOORS[door])
    for number, env in enumerate(({}, {"A": "1", "LD_PRELOAD": "libdl.so.2"})):
        words = ["script1.py", repr(env), 3333333 + number]
        bare = support.execute([traced.python.path, *words], cwd=str(directory))
        assert bare.status == 0, bare
        result = traced.run(*words, options=["-q"])
        assert (result.out, result.err) == (bare.out, bare.err), (result, bare)
        traced.assert_sound(result.trace)
        row, = [row for row in traced.rows(result.trace, "--domain", "python", "--include",
                                           "*child.py")
                if row["lineno"] == 5]
        assert (row["size"], row["count"]) == (
            3333333 + number + traced.header, 1), row


def test_isolated_and_without_site(traced):
    """The ways in which CPython's own tests start their children."""
    result = traced.script("""
import subprocess, sys
for options in ["-E"], ["-I"], ["-S"], ["-I", "-S", "-B"], ["-X", "importtime"]:
    words = [sys.executable, *options, "-c", "import os; print(len(os.environ)); held = bytes(77777)"]
    subprocess.run(words, env={}, check=True, stderr=subprocess.DEVNULL)
""")
    assert len(set(result.out.split())) == 1, result  # LC_CTYPE, where a Python sets that
    info = traced.assert_sound(result.trace)
    assert [p["python"] for p in info["processes"]] == ["traced"] * 6, info["processes"]
    rows = traced.rows(result.trace, "--domain", "python", "--include", "<string>", key="filename")
    assert sum(row["size"] for row in rows) > 5 * 77777


def test_children_of_children(traced_once):
    """Who was given nothing gives nothing, and is followed all the same."""
    result = traced_once.script("""
import os, subprocess, sys
print(sorted(set(os.environ) & {"LD_PRELOAD", "MEMTRACE_SESSION", "MEMTRACE_ADDED"}), flush=True)
depth = int(sys.argv[1])
held = bytes(50000)  # kept
if depth:
    env = {} if depth == 3 else None
    subprocess.run([sys.executable, __file__, str(depth - 1)], env=env, check=True)
""", 3)
    assert result.out == b"['LD_PRELOAD', 'MEMTRACE_SESSION']\n" + 3 * b"[]\n", result
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 4, info["processes"]
    assert traced_once.at(result.trace, "kept") == (4 * 50033, 4)


def test_variables_of_the_session_alone(traced_once):
    """One of the two is left out; another session and none stay as they are."""
    result = traced_once.script("""
import os, subprocess, sys
ask = "import os; print([os.environ.get(n) for n in ('LD_PRELOAD', 'MEMTRACE_SESSION')])"
for change in ({"LD_PRELOAD": None}, {"MEMTRACE_SESSION": None}, {"LD_PRELOAD": "libdl.so.2"},
               {"MEMTRACE_SESSION": ""}, {"MEMTRACE_SESSION": "/not/there"}):
    env = dict(os.environ, **change)
    env = {name: value for name, value in env.items() if value is not None}
    out = subprocess.run([sys.executable, "-c", ask], env=env, check=True, stdout=subprocess.PIPE)
    assert eval(out.stdout) == [env.get("LD_PRELOAD"), env.get("MEMTRACE_SESSION")], out.stdout
""")
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 1 + 3, info["processes"]


def test_no_children_is_no_children(traced_once):
    result = traced_once.script("""
import os, subprocess, sys
for preload in os.environ["LD_PRELOAD"], "":
    out = subprocess.check_output([sys.executable, "-c", "import os; print(sorted(os.environ))"],
                                  env={"LD_PRELOAD": preload} if preload else {})
    assert (b"LD_PRELOAD" in out) == bool(preload) and b"MEMTRACE" not in out, out
if len(sys.argv) == 1:
    os.execve(sys.executable, [sys.executable, __file__, "again"], {"LD_PRELOAD": "libdl.so.2"})
""", options=["--no-children"])
    info = traced_once.assert_sound(result.trace)
    assert len({p["pid"] for p in info["processes"]}) == 1 and len(info["processes"]) == 2, info


# ---- C programs ----

def compiled(directory, *options, compiler="cc", source="starts.c"):
    if not shutil.which(compiler):
        pytest.skip("no %s here" % compiler)
    program = directory / pathlib.Path(source).stem
    made = support.execute([compiler, "-O1", "-w", "-D_GNU_SOURCE", support.PROGRAMS / source, "-o",
                            program, *options])
    assert made.status == 0, made
    return program


def test_doors_of_c(traced_plain):
    program = compiled(traced_plain.directory)
    bare = support.execute([program], cwd=str(traced_plain.directory))
    result = traced_plain.run(program, options=["-q"])
    assert bare.out.count(b"A=1") == 14 and b"failed" not in bare.out, bare
    assert (result.out, result.err) == (bare.out, bare.err), (result, bare)
    info = traced_plain.assert_sound(result.trace)
    shown = [p for p in info["processes"] if "show" in p["command"]]
    assert len(shown) == 15, info["processes"]
    held = sorted(traced_plain.report("top", result.trace, "--domain", "malloc", "--process",
                                      str(p["pid"]))["total"]["size"] for p in shown)
    for number, size in enumerate(held):
        assert 0 <= size - 100000 - number < 6000, held  # and what stdio takes


def test_as_much_environment_as_bare(traced_plain):
    """What fits without our variables is started without them."""
    program = compiled(traced_plain.directory)
    bare = support.execute([program, "limit"])
    result = traced_plain.run(program, "limit", options=["-q"])
    assert 200000 < int(bare.out) < 300000 and result.out == bare.out, (bare, result)


@pytest.mark.parametrize("kind", ["static", "script"])
def test_who_cannot_be_followed_sees_nothing(traced_plain, kind):
    directory = traced_plain.directory
    starts, program = compiled(directory), compiled(directory, "-static", source="shows.c")
    if kind == "script":
        script = directory / "script"
        script.write_text("#! %s\n" % program)
        script.chmod(0o755)
        program = script
    words = [starts, "static", program]
    bare = support.execute(words)
    result = traced_plain.run(*words, options=["-q"])
    assert bare.out.startswith(b"A=1\n") and result.out == bare.out, (bare, result)
