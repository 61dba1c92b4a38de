"""Reports on a terminal: colours there and nowhere else.

    test_terminal.py MEMTRACE ASSEMBLE

Prints TAP.
"""
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile

MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
TRACES = pathlib.Path(__file__).parent.resolve() / "traces"


def read_all(descriptor):
    text = b""
    while True:
        try:
            more = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            return text
        if not more:
            return text
        text += more


def on_terminal(arguments, **environment):
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm", **environment}
    process = subprocess.Popen([MEMTRACE, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    text = read_all(ours).replace(b"\r\n", b"\n")
    os.close(ours)
    assert process.wait() == 0, text
    return text


def check(directory, command, trace):
    path = directory / f"{trace}.mtrace"
    subprocess.run([ASSEMBLE, TRACES / f"{trace}.txt", path], check=True)
    arguments = [*command.split(), path]
    plain = subprocess.run([MEMTRACE, *arguments], stdout=subprocess.PIPE, check=True,
                           env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm"}).stdout
    coloured = on_terminal(arguments)
    return (b"\x1b" not in plain and b"\x1b[" in coloured
            and re.sub(rb"\x1b\[[0-9]*m", b"", coloured) == plain
            and on_terminal(arguments, NO_COLOR="1") == plain
            and on_terminal(arguments, TERM="dumb") == plain)


def main():
    cases = [("tree", "app"), ("tree --inverted", "app"), ("lines", "app"), ("diff --old-at start", "app")]
    failed = False
    try:
        for descriptor in pty.openpty():
            os.close(descriptor)
    except OSError as error:
        print(f"1..0 # SKIP no terminals here: {error}")
        return False
    print(f"1..{len(cases)}")
    with tempfile.TemporaryDirectory() as directory:
        for number, (command, trace) in enumerate(cases, 1):
            good = check(pathlib.Path(directory), command, trace)
            failed |= not good
            print(f"{'ok' if good else 'not ok'} {number} {command}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
