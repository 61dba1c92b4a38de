"""What other users could do, or what lies in the way: links, foreign directories, set-uid."""
import os
import pathlib
import stat
import struct
import tempfile

import pytest
import support

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
NOBODY = 65534

# Prints the modes of its session: the directory, then each file in it.
MODES = """
import os, stat
session = os.environ["MEMTRACE_SESSION"]
for path in [session] + [os.path.join(session, name) for name in sorted(os.listdir(session))]:
    print(oct(stat.S_IMODE(os.lstat(path).st_mode)), os.path.basename(path))
"""


def test_nobody_else_may_read(traced_once):
    """Whatever the umask says."""
    result = traced_once.script(MODES, preexec_fn=lambda: os.umask(0))
    directory, *files = result.out.decode().splitlines()
    assert directory.startswith("0o700 memtrace-%d-" % os.getuid())
    assert len(files) >= 3 and all(line.startswith("0o600 ") for line in files), files
    assert stat.S_IMODE(result.trace.stat().st_mode) == 0o600


def run_to(traced, output, **more):
    return support.execute([traced.memtrace, "run", "--python", traced.python.path, "-o", output,
                            "-c", "print(1)"], cwd=str(traced.directory), **more)


@pytest.mark.parametrize("kind", ["to a file", "to a trace", "to nothing"])
def test_links_are_not_followed(traced_once, kind):
    target, link = traced_once.directory / "target", traced_once.directory / "link.mtrace"
    if kind == "to a file":
        target.write_text("precious\n")
    elif kind == "to a trace":
        assert run_to(traced_once, target).status == 0
    before = target.read_bytes() if target.exists() else None
    link.symlink_to(target)
    result = run_to(traced_once, link)
    assert result.status == 125 and result.out == b"", result
    assert "link.mtrace" in result.message and len(result.message.splitlines()) == 1
    assert link.is_symlink()
    assert (target.read_bytes() if target.exists() else None) == before


def test_another_name_of_a_trace_keeps_what_it_had(traced_once):
    """A hard link: the name is taken, the file is not written to."""
    trace, other = traced_once.directory / "a.mtrace", traced_once.directory / "other"
    assert run_to(traced_once, trace).status == 0
    os.link(str(trace), str(other))
    before = other.read_bytes()
    assert run_to(traced_once, trace).status == 0
    assert other.read_bytes() == before and trace.stat().st_ino != other.stat().st_ino


def session_like(directory, control, uid):
    directory.mkdir(mode=0o777)
    (directory / "control").write_bytes(control)
    (directory / "control").chmod(0o666)
    os.chmod(str(directory), 0o777)
    for path in (directory, directory / "control"):
        os.chown(str(path), uid, uid)


def control_of_a_session(traced):
    """The bytes of a control file that says that its session runs."""
    result = traced.script("import os, sys\nwith open(os.environ['MEMTRACE_SESSION'] + '/control',"
                           " 'rb') as file:\n    sys.stdout.buffer.write(file.read())\n")
    return result.out


def below(traced, session, *words):
    """A program whose environment names a session, with the agent, without `memtrace run`."""
    agent = support.MEMTRACE.parent / "agent" / "libmemtrace.so"
    if not agent.exists():
        pytest.skip("memtrace does not run from a build tree")
    environment = support.clean_environment(LD_PRELOAD=str(agent), MEMTRACE_SESSION=str(session))
    return support.execute([traced.python.path, *words], env=environment)


@needs_root
def test_a_session_of_another_user_is_not_joined(traced_once):
    """The directory's name was free again, and somebody else took it."""
    control = control_of_a_session(traced_once)
    theirs, ours = traced_once.directory / "theirs", traced_once.directory / "ours"
    session_like(theirs, control, NOBODY)
    session_like(ours, control, os.geteuid())
    for session, joins in ((theirs, False), (ours, True)):
        result = below(traced_once, session, "-c", "print(len([str(n) for n in range(1000)]))")
        assert result.status == 0 and result.out == b"1000\n", result
        assert any(path.name != "control" for path in session.iterdir()) == joins, session


@pytest.mark.parametrize("size", [0, 100, 4096])
def test_a_control_file_that_is_cut(traced_once, size):
    control = control_of_a_session(traced_once)
    session = traced_once.directory / "cut"
    session_like(session, control[:size], os.geteuid())
    result = below(traced_once, session, "-c", "print(1)")
    assert (result.status, result.out, result.err) == (0, b"1\n", b""), result


def test_a_session_of_another_version_is_not_joined(traced_once):
    """One line, and the program runs on."""
    control = bytearray(control_of_a_session(traced_once))
    version, = struct.unpack_from("<I", control, 8)
    struct.pack_into("<I", control, 8, version + 1)
    session = traced_once.directory / "newer"
    session_like(session, bytes(control), os.geteuid())
    result = below(traced_once, session, "-c", "print(1)")
    assert (result.status, result.out) == (0, b"1\n"), result
    assert len(result.message.splitlines()) == 1 and "different versions" in result.message
    refused = support.execute([traced_once.memtrace, "recover", session])
    assert refused.status == 1 and "another version" in refused.message, refused


def test_an_agent_of_another_version_is_refused(traced_once, tmp_path):
    build = support.MEMTRACE.parent
    if not (build / "build.ninja").exists():
        pytest.skip("memtrace does not run from a build tree")
    tree = tmp_path / "tree"
    (tree / "agent").mkdir(parents=True)
    support.shutil.copy(str(support.MEMTRACE), str(tree / "memtrace"))
    agent = bytearray((build / "agent" / "libmemtrace.so").read_bytes())
    at = place_of(build / "agent" / "libmemtrace.so", "memtrace_agent_version")
    agent[at] ^= 0x40
    (tree / "agent" / "libmemtrace.so").write_bytes(agent)
    other = support.Traced(traced_once.directory, traced_once.python, tree / "memtrace")
    result = other.run("-c", "print(1)", status=125)
    assert result.out == b"" and len(result.message.splitlines()) == 1, result
    assert "version" in result.message
    assert other.run("-c", "print(1)", options=["--best-effort"]).out == b"1\n"


def place_of(library, symbol):
    """Where in the file an object of a library lies."""
    line = [line.split() for line in support.execute(["nm", "-D", library]).out.decode().splitlines()
            if line.endswith(" " + symbol)][0]
    address = int(line[0], 16)
    for line in support.execute(["readelf", "-lW", library]).out.decode().splitlines():
        words = line.split()
        if words[:1] == ["LOAD"]:
            offset, start, _, size = (int(word, 16) for word in words[1:5])
            if start <= address < start + size:
                return offset + address - start
    raise AssertionError("%s is in no segment" % symbol)


@needs_root
def test_recover_believes_its_own_directories_only(traced_once):
    place = traced_once.directory / "tmp"
    place.mkdir()
    session = place / ("memtrace-%d-abcdef" % os.getuid())
    session_like(session, control_of_a_session(traced_once), NOBODY)
    named = support.execute([traced_once.memtrace, "recover", session])
    assert named.status == 1 and "no directory of yours" in named.message, named
    link = place / ("memtrace-%d-link" % os.getuid())
    link.symlink_to(session)
    environment = support.clean_environment(TMPDIR=str(place))
    for path in (session, link):
        support.execute([traced_once.memtrace, "recover"], env=environment)
        assert (session / "control").exists() and link.is_symlink()
    marked = support.execute([traced_once.memtrace, "mark", "m", "--pid", "1"], env=environment)
    assert marked.status == 1, marked


AS_ANOTHER = ["setpriv", "--reuid", "1", "--regid", "1", "--clear-groups"]


@pytest.fixture
def open_place():
    """A directory that every user can enter, as those of pytest are not."""
    probe = support.execute(AS_ANOTHER + [support.MEMTRACE, "--version"], cwd="/")
    if probe.status:
        pytest.skip("another user cannot run %s" % support.MEMTRACE)
    with tempfile.TemporaryDirectory(prefix="memtrace-test-", dir="/tmp") as name:
        os.chmod(name, 0o1777)
        yield pathlib.Path(name)


@needs_root
def test_names_that_another_user_took_first(open_place):
    """In a sticky directory: refused, and nothing is written into what lies there."""
    taken = open_place / "taken.mtrace"
    taken.write_bytes(b"")
    taken.chmod(0o666)
    os.chown(str(taken), NOBODY, NOBODY)
    result = support.execute(AS_ANOTHER + [support.MEMTRACE, "run", "-o", taken, "/bin/echo", "1"],
                             cwd="/")
    assert result.status == 125 and result.out == b"", result
    assert taken.read_bytes() == b"" and len(result.message.splitlines()) == 1


@needs_root
@pytest.mark.parametrize("how", ["named", "below a shell"])
def test_programs_that_change_their_user(open_place, how):
    """The loader ignores the agent there: they run as ever, and that is said."""
    program = open_place / "who"
    support.shutil.copy(support.shutil.which("id"), str(program))
    program.chmod(0o4755)
    words = [program, "-un"] if how == "named" else ["sh", "-c", "%s -un; exit 3" % program]
    result = support.execute(AS_ANOTHER + [support.MEMTRACE, "run", "-q", "-o",
                                           open_place / "who.mtrace", *words], cwd="/")
    assert result.out == b"root\n" and result.status == (0 if how == "named" else 3), result
    # The loader itself says so below the shell, in a line of its own where it does.
    ours = [line for line in result.message.splitlines() if line.startswith("memtrace: ")]
    assert len(ours) == (how == "named"), result
    assert how != "named" or "changes its user" in ours[0]


@needs_root
def test_an_environment_for_a_program_that_changes_its_user(open_place):
    """It is the one that it was given: nobody would take ours out of it."""
    for name in "starts", "shows":
        built = support.execute(["cc", "-w", "-D_GNU_SOURCE", support.PROGRAMS / (name + ".c"), "-o",
                                 open_place / name])
        assert built.status == 0, built
    (open_place / "shows").chmod(0o4755)
    words = [open_place / "starts", "static", open_place / "shows"]
    bare = support.execute(AS_ANOTHER + words, cwd="/")
    result = support.execute(AS_ANOTHER + [support.MEMTRACE, "run", "-q", "-o",
                                           open_place / "shows.mtrace", *words], cwd="/")
    assert bare.out.startswith(b"A=1\n") and (result.out, result.err) == (bare.out, b""), result
