"""Lists of traces, and what is removed and what is not.

    test_list.py MEMTRACE ASSEMBLE

Prints TAP.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
TRACES = pathlib.Path(__file__).parent.resolve() / "traces"
AGES = {"app": 3 * 86400, "cut": 7200, "hostile": 100}


def make(directory):
    now = time.time()
    for name, age in AGES.items():
        path = directory / f"{name}.mtrace"
        subprocess.run([ASSEMBLE, TRACES / f"{name}.txt", path], check=True)
        os.utime(path, (now - age, now - age))
    (directory / "empty.mtrace").touch()
    (directory / "text.mtrace").write_text("hello\n")
    (directory / "header.mtrace").write_bytes((directory / "app.mtrace").read_bytes()[:16])
    (directory / "later.mtrace").write_bytes(
        (directory / "app.mtrace").read_bytes()[:8] + b"\x02" + b"\0" * 7)
    (directory / "link.mtrace").symlink_to("app.mtrace")
    (directory / "directory.mtrace").mkdir()
    (directory / "notes.txt").write_text("mine\n")
    (directory / ".hidden.mtrace").write_bytes((directory / "app.mtrace").read_bytes())


def memtrace(directory, *arguments):
    done = subprocess.run([MEMTRACE, *arguments], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def lists(directory):
    status, text, messages = memtrace(directory, "list")
    lines = text.splitlines()
    assert status == 0 and not messages
    assert lines[0].split() == ["trace", "age", "size", "time", "peak", "live", "peak", "RSS", "state", "program"]
    found = {line.split()[0]: line for line in lines[1:]}
    assert list(found)[-3:] == ["hostile.mtrace", "cut.mtrace", "app.mtrace"], "the newest first"
    assert re.search(r"  3 d .* 12.5 s   197.5 MiB   225.0 MiB  sealed      python3.11 app.py --all$", found["app.mtrace"])
    assert re.search(r"  2 h .* ends early ", found["cut.mtrace"])
    assert r"py\x1b[31mthon" in found["hostile.mtrace"]
    for name, state in [("text", "no trace"), ("empty", "no trace"), ("link", "no trace"),
                        ("directory", "no trace"), ("header", "nothing in it"), ("later", "of a newer memtrace")]:
        assert state in found[name + ".mtrace"], name
    assert "notes.txt" not in found and ".hidden.mtrace" not in found


def lists_as_data(directory):
    report = json.loads(memtrace(directory, "list", "--format", "json")[1])
    app, = (trace for trace in report["traces"] if trace["trace"] == "app.mtrace")
    assert app["state"] == "sealed" and app["peak_rss"] == 225 << 20 and app["seconds"] == 12.5
    assert AGES["app"] <= app["age"] < AGES["app"] + 60
    assert app["size"] == (directory / "app.mtrace").stat().st_size
    rows = memtrace(directory, "list", "--format", "csv")[1].splitlines()
    assert rows[0] == "trace,modified,size,state,program,seconds,peak,peak_rss,peak_pss" and len(rows) == 10


def says_what_is_pss(directory):
    several = directory / "several"
    several.mkdir()
    subprocess.run([ASSEMBLE, TRACES / "shared.txt", several / "shared.mtrace"], check=True)
    *_, line, note = memtrace(several, "list")[1].splitlines()
    assert " 90.0 MiB* sealed " in line and note.startswith("* PSS of several"), line
    trace, = json.loads(memtrace(several, "list", "--format", "json")[1])["traces"]
    assert trace["peak_pss"] == 90 << 20 and "peak_rss" not in trace
    assert memtrace(several, "list", "--format", "csv")[1].splitlines()[1].endswith(f",,{90 << 20}")


def lists_elsewhere(directory):
    assert f"{directory}/app.mtrace" in memtrace("/", "list", str(directory))[1]
    status, _, messages = memtrace(directory, "list", "nowhere")
    assert status == 1 and "nowhere: No such file or directory" in messages
    (directory / "none").mkdir()
    status, text, messages = memtrace(directory / "none", "list")
    assert status == 0 and not text and "no *.mtrace in this directory" in messages


def removes_by_name(directory):
    before = names(directory)
    status, text, messages = memtrace(directory, "rm", "app.mtrace", "cut", "later.mtrace", "header")
    assert (status, text) == (0, "") and "removed 4 traces" in messages, messages
    assert set(before) - set(names(directory)) == {"app.mtrace", "cut.mtrace", "later.mtrace", "header.mtrace"}


def removes_nothing_else(directory):
    before = names(directory)
    for name, why in [("text.mtrace", "not a memtrace trace"), ("empty.mtrace", "not a memtrace trace"),
                      ("notes.txt", "not a memtrace trace"), ("link.mtrace", "a symbolic link"),
                      ("directory.mtrace", "a directory"), ("nowhere", "No such file")]:
        for force in [], ["--force"]:
            status, _, messages = memtrace(directory, "rm", *force, name)
            assert status == 1 and why in messages, (name, messages)
    assert names(directory) == before


def goes_on_after_a_failure(directory):
    status, _, messages = memtrace(directory, "rm", "text.mtrace", "app.mtrace")
    assert status == 1 and "removed 1 trace," in messages
    assert "app.mtrace" not in names(directory) and "text.mtrace" in names(directory)


def removes_old_ones(directory):
    before = names(directory)
    status, text, _ = memtrace(directory, "rm", "--older-than", "1h", "--dry-run")
    assert status == 0 and sorted(text.split()) == ["app.mtrace", "cut.mtrace"]
    assert names(directory) == before
    assert memtrace(directory, "rm", "--older-than", "2d", "app.mtrace", "hostile.mtrace")[0] == 0
    assert set(before) - set(names(directory)) == {"app.mtrace"}
    assert memtrace(directory, "rm", "--older-than", "1.5h")[0] == 0
    assert set(before) - set(names(directory)) == {"app.mtrace", "cut.mtrace"}


def refuses_what_makes_no_sense(directory):
    for arguments in [], ["--older-than", "soon"], ["--older-than", "0d"], ["--older-than", "5"]:
        status, _, messages = memtrace(directory, "rm", *arguments)
        assert status == 2 and "--older-than" in messages, messages


def main():
    checks = [lists, lists_as_data, says_what_is_pss, lists_elsewhere, removes_by_name, removes_nothing_else,
              goes_on_after_a_failure, removes_old_ones, refuses_what_makes_no_sense]
    failed = False
    print(f"1..{len(checks)}")
    for number, check in enumerate(checks, 1):
        with tempfile.TemporaryDirectory() as directory:
            make(pathlib.Path(directory))
            try:
                check(pathlib.Path(directory))
                print(f"ok {number} {check.__name__}", flush=True)
            except AssertionError as error:
                failed = True
                print(f"# line {error.__traceback__.tb_next.tb_lineno}: {error}"[:2000].replace("\n", "\n# "))
                print(f"not ok {number} {check.__name__}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
