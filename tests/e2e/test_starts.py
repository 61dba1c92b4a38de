"""Ways in which a Python is started: the program's blocks are found behind each of them."""
import os
import shutil
import stat
import zipfile

import pytest
import support

TEXT = "held, b = [], None\nfor n in range(100):\n    b = bytes(5000 + n)\n    held.append(b)\n"


def assert_filled(traced, result, file="*"):
    traced.assert_sound(result.trace)
    rows = traced.rows(result.trace, "--at", "end", "--domain", "obj", "--include", file)
    header = support.bytes_header(traced.python.path)
    filled = [(row["size"], row["count"]) for row in rows if row.get("lineno") == 3]
    assert (sum(5000 + n + header for n in range(100)), 100) in filled, filled


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def plain(traced):
    """Without --python: the program itself says which Python it wants."""
    bare = support.Traced(traced.directory)
    bare.python, bare.command = traced.python, support.Traced(traced.directory).command
    return bare


def test_text_of_the_command_line(traced):
    assert_filled(traced, traced.run("-c", TEXT), "<string>")


def test_module(traced):
    (traced.directory / "filler.py").write_text(TEXT)
    assert_filled(traced, traced.run("-m", "filler"), "*filler.py")


def test_standard_input(plain):
    """`python -` and a bare `python` behind a pipe."""
    for words in (["-"], []):
        result = plain.run("--", plain.python.path, *words, input=TEXT.encode())
        assert_filled(plain, result, "<stdin>")


def test_zip_application(traced, plain):
    path = traced.directory / "app"
    with path.open("wb") as out:
        out.write(b"#!" + traced.python.path.encode() + b"\n")
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("__main__.py", "import filler\n")
            archive.writestr("filler.py", TEXT)
    path.chmod(0o755)
    assert_filled(plain, plain.run("--", path), "*filler.py")
    assert_filled(plain, plain.run("--", plain.python.path, path), "*filler.py")


def test_virtual_environment(plain):
    """Its python, and a console script of a package that is installed there."""
    place = plain.directory / "venv"
    made = support.execute([plain.python.path, "-m", "venv", "--without-pip", place])
    if made.status:
        pytest.skip("%s makes no virtual environment" % plain.python.name)
    python = place / "bin" / "python"
    packages = support.execute([python, "-c", "import sysconfig; print(sysconfig.get_path("
                                "'purelib'))"]).out.decode().strip()
    with open(os.path.join(packages, "filler.py"), "w") as out:
        out.write("def main():\n    global held, b\n" + "".join(
            "    " + line + "\n" for line in TEXT.replace("held, b = [], None\nfor", "held = []; "
                                                         "b = None\nfor").splitlines()))
    script = executable(place / "bin" / "fill", "#!%s\nimport re, sys\nfrom filler import main\n"
                        "if __name__ == '__main__':\n    sys.exit(main())\n" % python)
    for words in ([script], [python, "-c", "import filler; filler.main()"]):
        result = plain.run("--", *words)
        rows = plain.rows(result.trace, "--at", "end", "--domain", "obj", "--include", "*filler.py")
        plain.assert_sound(result.trace)
        assert (sum(5000 + n + support.bytes_header(plain.python.path) for n in range(100)),
                100) in [(r["size"], r["count"]) for r in rows if r["function"] == "main"], rows


def test_shims(plain):
    """Shell scripts that look for the real one, as version managers have them."""
    bottom = executable(plain.directory / "versions" / "python3",
                        "#!/bin/sh\nexec %s \"$@\"\n" % plain.python.path)
    shim = executable(plain.directory / "shims" / "python3", "#!/usr/bin/env bash\nset -e\n"
                      "program=$(basename \"$0\")\nfound=$(ls %s/versions/$program | head -n 1)\n"
                      "export SHIM_OF=\"$found\"\nexec \"%s\" \"$@\"\n"
                      % (plain.directory, bottom))
    (plain.directory / "fill.py").write_text(TEXT)
    environment = support.clean_environment(PATH="%s:/usr/bin:/bin" % shim.parent)
    result = plain.run("fill.py", env=environment)
    assert_filled(plain, result, "*fill.py")


UNKNOWN = "memtrace: this version of Python is not known: native allocations only"


def build(directory, name, source, *options):
    if not shutil.which("cc"):
        pytest.skip("no C compiler here")
    made = support.execute(["cc", "-O1", "-w", support.PROGRAMS / source, "-o", directory / name,
                            *options])
    assert made.status == 0, made
    return directory / name


def assert_native_only(traced, result, processes):
    traced.assert_sound(result.trace)
    assert result.message.splitlines().count(UNKNOWN) == 1, result
    rows = traced.rows(result.trace, key="domain")
    assert {row["domain"] for row in rows if row["size"]} == {"malloc"}
    frames = [row["count"] for row in traced.rows(result.trace, key="native-frame")
              if row["size"] == processes * 54321]
    assert frames == [processes], frames


def test_unknown_version(traced_plain):
    """Nothing of it is called, its native memory is traced, and one of its processes says so."""
    program = build(traced_plain.directory, "unknown", "unknown_python.c", "-rdynamic")
    result = traced_plain.run("--", "sh", "-c", "%s; %s; %s" % (program, program, program))
    assert_native_only(traced_plain, result, 3)


def test_unknown_version_loaded_late(traced_plain):
    directory = traced_plain.directory
    library = build(directory, "libunknown.so", "unknown_python.c", "-DLIBRARY", "-shared", "-fPIC")
    program = build(directory, "loads", "loads.c", "-ldl", "-lpthread")
    result = traced_plain.run("--", program, library, "local", "3", "0", library, "")
    assert_native_only(traced_plain, result, 1)
