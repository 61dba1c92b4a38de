"""Golden tests: a trace out of the assembler -> a command -> the expected text.

    run.py MEMTRACE ASSEMBLE SUITE [--rewrite]

SUITE.cases has a case a line: `name: arguments`.  In the arguments @NAME is the
trace made of traces/NAME.txt.  What the command wrote to stdout and stderr, and
its exit status, must be what expected/SUITE/name.txt says; --rewrite makes it so.
Prints TAP.
"""
import difflib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent


def read_cases(suite):
    for line in (HERE / f"{suite}.cases").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, arguments = line.partition(":")
            yield name.strip(), arguments.strip()


def assemble(assembler, arguments, directory):
    """Makes the traces that the arguments name; returns the arguments as they are to be run."""
    for name in set(re.findall(r"@([\w-]+)", arguments)):
        trace = directory / f"{name}.mtrace"
        if not trace.exists():
            subprocess.run([assembler, HERE / "traces" / f"{name}.txt", trace], check=True)
    return re.sub(r"@([\w-]+)", r"\1.mtrace", arguments)


def run(memtrace, arguments, directory):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    environment.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
    words = shlex.split(arguments)
    while "=" in words[0]:
        key, _, value = words.pop(0).partition("=")
        environment[key] = value
    done = subprocess.run([memtrace, *words], cwd=directory, env=environment, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stdout
    if done.stderr:
        text += b"--- stderr\n" + done.stderr
    if done.returncode:
        text += b"--- status %d\n" % done.returncode
    return text


def differences(expected, text, name):
    lines = [data.decode("utf-8", "backslashreplace").splitlines(keepends=True)
             for data in (expected, text)]
    return "".join("# " + line.rstrip("\n") + "\n"
                   for line in difflib.unified_diff(*lines, f"{name} expected", f"{name} got"))


def check(path, text, name, rewrite):
    if rewrite:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    expected = path.read_bytes() if path.exists() else b""
    if text == expected:
        return True
    print(differences(expected, text, name) or "# the bytes differ, the lines do not", end="")
    return False


def main():
    memtrace, assembler = map(os.path.abspath, sys.argv[1:3])
    suite = sys.argv[3]
    rewrite = "--rewrite" in sys.argv
    cases = list(read_cases(suite))
    failed = 0
    print(f"1..{len(cases)}")
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        for number, (name, arguments) in enumerate(cases, 1):
            text = run(memtrace, assemble(assembler, arguments, directory), directory)
            good = check(HERE / "expected" / suite / f"{name}.txt", text, name, rewrite)
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} {name}", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
