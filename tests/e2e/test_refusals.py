"""What cannot work is said in one line, with the right status, before anything runs."""
import os
import shutil
import struct

import pytest
import support

MARKER = "open(%r, 'w').close()\n"


def one_line(result, *words):
    lines = result.message.splitlines()
    assert len(lines) == 1, result
    assert lines[0].startswith("memtrace: "), result
    for word in words:
        assert str(word).lower() in lines[0].lower(), (word, lines[0])


def report(traced, trace, command="top"):
    result = support.execute([traced.memtrace, command, trace], cwd=str(traced.directory))
    assert not result.out, result
    return result


@pytest.fixture(params=["top", "plot", "info"])
def command(request):
    return request.param


def test_no_trace_in_the_directory(traced_once, command):
    result = support.execute([support.MEMTRACE, command], cwd=str(traced_once.directory))
    assert result.status == 1 and not result.out, result
    one_line(result)


def test_trace_that_is_not_there(traced_once, command):
    result = report(traced_once, traced_once.directory / "absent.mtrace", command)
    assert result.status == 1
    one_line(result, "absent.mtrace", "No such file")


@pytest.mark.parametrize("content", [b"", b"MEM", b"\x89PNG\r\n\x1a\n" + bytes(50),
                                     b"just a text\n" * 100])
def test_empty_or_foreign(traced_once, command, content):
    path = traced_once.directory / "odd.mtrace"
    path.write_bytes(content)
    result = report(traced_once, path, command)
    assert result.status == 1
    one_line(result, "odd.mtrace")


def test_directory_as_trace(traced_once, command):
    result = report(traced_once, traced_once.directory, command)
    assert result.status == 1
    one_line(result, traced_once.directory)


def test_newer_version(traced_once, command):
    result = traced_once.script("held = b'x' * 1000\n")
    content = bytearray(result.trace.read_bytes())
    content[8:10] = struct.pack("<H", struct.unpack_from("<H", content, 8)[0] + 1)
    result.trace.write_bytes(content)
    refused = report(traced_once, result.trace, command)
    assert refused.status == 1
    one_line(refused, result.trace.name, "newer")


def test_cut_anywhere(traced_once):
    """A trace cut at any byte is reported as far as it goes, or refused in one line."""
    result = traced_once.script(
        "held = [str(n) for n in range(1000)]\nmore = b'x' * 5000\n")
    content = result.trace.read_bytes()
    path = traced_once.directory / "cut.mtrace"
    step = max(1, len(content) // 60)
    for size in list(range(0, 40)) + list(range(40, len(content), step)) + [len(content) - 1]:
        path.write_bytes(content[:size])
        shown = support.execute([support.MEMTRACE, "top", path], timeout=20)
        assert shown.status in (0, 1), (size, shown)
        if shown.status == 1:
            one_line(shown, "cut.mtrace")


def test_wrong_options(traced_once):
    for words in (["run"], ["run", "--no-such-option", "x.py"], ["top", "--no-such-option"],
                  ["plot", "--no-such-option"], ["info", "--no-such-option"],
                  ["no-such-command"], ["top", "--key", "no-such-key"],
                  ["top", "--limit", "many"]):
        result = support.execute([support.MEMTRACE, *words], cwd=str(traced_once.directory))
        # `run` keeps 1 to 124 for the program.
        assert result.status == (125 if words[0] == "run" else 2), (words, result)
        assert not result.out and result.message.strip(), (words, result)


def test_help_everywhere():
    for words in ([], ["run"], ["top"], ["plot"], ["info"]):
        result = support.execute([support.MEMTRACE, *words, "--help"])
        assert result.status == 0 and result.out and not result.err, (words, result)


def run_refused(traced, *words, status, **more):
    result = traced.run(*words, status=status, **more)
    assert not result.out, result
    assert not result.trace.exists(), "a trace of nothing was left behind"
    return result


def test_missing_script(traced_once):
    result = run_refused(traced_once, "absent.py", status=127)
    one_line(result, "absent.py")


def test_missing_program(traced_plain):
    result = run_refused(traced_plain, "no-such-program-anywhere", status=127)
    one_line(result, "no-such-program-anywhere")


def test_not_executable(traced_plain):
    path = traced_plain.directory / "program"
    path.write_text("#!/bin/sh\necho ran\n")
    result = run_refused(traced_plain, path, status=126)
    one_line(result, path, "executable")


def test_missing_interpreter(tmp_path):
    result = support.execute([support.MEMTRACE, "run", "--python", "/no/such/python", "-c", "1"],
                             cwd=str(tmp_path))
    assert result.status == 127, result
    one_line(result, "/no/such/python")


def test_output_that_is_something_else(traced_once):
    precious = traced_once.directory / "thesis.txt"
    precious.write_text("precious\n")
    ran = traced_once.directory / "ran"
    path = traced_once.directory / "marker.py"
    path.write_text(MARKER % str(ran))
    result = support.execute([support.MEMTRACE, "run", "--python", traced_once.python.path,
                              "-o", precious, path], cwd=str(traced_once.directory))
    assert result.status == 125, result
    one_line(result, "thesis.txt")
    assert precious.read_text() == "precious\n" and not ran.exists()


def test_output_that_is_a_trace_is_replaced(traced_once):
    first = traced_once.script("held = b'x' * 1000\n")
    again = support.execute([support.MEMTRACE, "run", "--python", traced_once.python.path,
                             "-o", first.trace, "-c", "held = b'x' * 98765"])
    assert again.status == 0, again
    assert any(r.get("filename") == "<string>" and r["size"] > 98765
               for r in traced_once.rows(first.trace))


def test_unknown_interpreter_version(tmp_path):
    """Native records only, and one line that says so."""
    found = support.unknown_interpreters()
    if not found:
        pytest.skip("no CPython outside 3.8 to 3.15 here")
    for python in found:
        directory = tmp_path / python.name
        directory.mkdir()
        traced = support.Traced(directory, python)
        result = traced.script("""
import ctypes
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
held = malloc(1234567)
print("ran")
""")
        assert result.out == b"ran\n", result
        notes = [line for line in result.message.splitlines() if "%d.%d" % python.version[:2] in line]
        assert len(notes) == 1, result
        rows = traced.rows(result.trace, "--domain", "native", key="domain")
        assert sum(row["size"] for row in rows) >= 1234567
        assert not traced.rows(result.trace, "--domain", "python")


def compile_c(directory, name, text, *options):
    source = directory / (name + ".c")
    source.write_text(text)
    built = support.execute(["gcc", source, "-o", directory / name, *options])
    return directory / name if built.status == 0 else None


def runs_untraced(traced, program, *words):
    """The program runs as it does bare; before it one line says that only its RSS is recorded."""
    bare = support.execute([program])
    result = traced.run(program, options=["-q"], status=bare.status)
    assert result.out == bare.out
    one_line(result, program, *words)
    assert traced.report("info", result.trace)["processes"][0]["python"] == "none"
    assert not traced.rows(result.trace)


@pytest.mark.parametrize("how", ["-static", "-static-pie"])
def test_static_program(traced_plain, how):
    program = compile_c(traced_plain.directory, "static-program",
                        '#include <stdio.h>\nint main(void) { puts("ran"); return 9; }\n', how)
    assert program
    runs_untraced(traced_plain, program, "static")


def test_32_bit_program(traced_plain):
    program = compile_c(traced_plain.directory, "narrow", "int main(void) { return 9; }\n", "-m32")
    if not program:  # no 32-bit libc here: a header, and code that only exits
        program = traced_plain.directory / "narrow"
        program.write_bytes(narrow_program(9))
        program.chmod(0o755)
    runs_untraced(traced_plain, program, "32-bit")


def narrow_program(status):
    """A 32-bit ELF file: mov $1, %eax; mov $status, %ebx; int $0x80."""
    code = b"\xb8\x01\x00\x00\x00\xbb" + struct.pack("<I", status) + b"\xcd\x80"
    size, base = 52 + 32 + len(code), 0x8048000
    header = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, base + 52 + 32, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return header + struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096) + code


@pytest.fixture
def broken_tree(tmp_path):
    """memtrace as in its build tree, with an agent that the loader refuses."""
    if support.MEMTRACE.parent.joinpath("build.ninja").exists() is False:
        pytest.skip("memtrace does not run from a build tree")
    tree = tmp_path / "tree"
    (tree / "agent").mkdir(parents=True)
    shutil.copy(str(support.MEMTRACE), str(tree / "memtrace"))
    return tree


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF not really" * 100, "truncated"])
def test_agent_that_cannot_load(traced_once, broken_tree, content):
    agent = broken_tree / "agent" / "libmemtrace.so"
    if content == "truncated":
        good = support.MEMTRACE.parent / "agent" / "libmemtrace.so"
        content = good.read_bytes()[:good.stat().st_size // 20]
    if content is not None:
        agent.write_bytes(content)
    traced = support.Traced(traced_once.directory, traced_once.python, broken_tree / "memtrace")
    ran = traced.directory / "ran"
    path = traced.directory / "marker.py"
    path.write_text(MARKER % str(ran) + "print('ran')\nraise SystemExit(6)\n")
    result = run_refused(traced, path, status=125)
    one_line(result, "libmemtrace.so")
    assert not ran.exists()
    result = traced.run(path, options=["--best-effort"], status=6)
    assert result.out == b"ran\n" and ran.exists()
    one_line(result, "libmemtrace.so")


def test_unwritable_directory_falls_back(traced_once):
    """Without -o: the trace goes to the temporary directory, and that is said."""
    if os.geteuid() == 0:
        place, prefix = "/proc/self", []
    else:
        place, prefix = str(traced_once.directory / "closed"), []
        os.mkdir(place, 0o500)
    temporary = traced_once.directory / "tmp"
    temporary.mkdir()
    result = support.execute(
        prefix + [support.MEMTRACE, "run", "--python", traced_once.python.path, "-c", "print(1)"],
        cwd=place, env=support.clean_environment(TMPDIR=str(temporary)))
    assert result.status == 0 and result.out == b"1\n", result
    assert len(list(temporary.glob("*.mtrace"))) == 1, result
    assert str(temporary) in result.message
