"""Reports on a terminal: colours there and nowhere else, tables no wider than it.

    test_terminal.py MEMTRACE ASSEMBLE

Prints TAP.
"""
import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata

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


def on_terminal(arguments, columns=0, **environment):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50 if columns else 0, columns, 0, 0))
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


def width(text):
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def fits(directory, command, trace, columns):
    """Lines that are too long are cut, with an ellipsis at the edge; all others are as they are in a pipe."""
    path = directory / f"{trace}.mtrace"
    subprocess.run([ASSEMBLE, TRACES / f"{trace}.txt", path], check=True)
    whole, cut = (re.sub(r"\x1b\[[0-9]*m", "", on_terminal([*command.split(), path], n, LC_ALL=locale).decode())
                  .partition("\n\n")[2].splitlines() for n, locale in ((0, "C.UTF-8"), (columns, "C.UTF-8")))
    in_ascii = on_terminal([*command.split(), path], columns, LC_ALL="C").decode("ascii")
    pairs = list(zip(whole, cut))
    return (len(whole) == len(cut) and any(a != b for a, b in pairs) and
            all(b == a if width(a) <= columns else
                b[-1] == "…" and a.startswith(b[:-1]) and columns - 1 <= width(b) <= columns
                for a, b in pairs) and
            any(line.endswith(">") and width(line) == columns
                for line in re.sub(r"\x1b\[[0-9]*m", "", in_ascii).splitlines()))


def unwrapped(text):
    return re.sub(r"\s+", " ", text)


def wraps(directory, command, trace, columns):
    """All that a pipe gets is there, broken between words into lines that fit."""
    path = directory / f"{trace}.mtrace"
    subprocess.run([ASSEMBLE, TRACES / f"{trace}.txt", path], check=True)
    whole, wrapped = (re.sub(r"\x1b\[[0-9]*m", "", on_terminal([*command.split(), path], n).decode())
                      for n in (0, columns))
    lines = wrapped.splitlines()
    return (any(width(line) > columns for line in whole.splitlines()) and
            all(width(line) <= columns for line in lines) and len(lines) > len(whole.splitlines()) and
            unwrapped(wrapped) == unwrapped(whole))


def leaves_out_columns(directory):
    """Of annotated source, where the terminal is narrow."""
    path = directory / "app.mtrace"
    subprocess.run([ASSEMBLE, TRACES / "app.txt", path], check=True)
    narrow, wide = (on_terminal(["lines", path], n, NO_COLOR="1").decode().splitlines() for n in (80, 140))
    at = next(i for i, line in enumerate(narrow) if line.split()[:1] == ["live"])
    row, all_of_it = narrow[at + 1], next(line for line in wide if line.startswith(narrow[at + 1][:21]))
    return (narrow[at].split() == ["live", "peak", "blocks", "native", "line"] and
            row[:narrow[at].index("line") + 4].split()[-1] ==
            all_of_it[:wide[at - (len(narrow) - len(wide))].index("line") + 4].split()[-1] and
            all(width(line) <= 80 for line in narrow))


def listed_in_columns(directory):
    """Names with wide characters too."""
    names = ["a.mtrace", "名前.mtrace", "naïve-🎉.mtrace"]
    (directory / "list").mkdir()
    for name in names:
        subprocess.run([ASSEMBLE, TRACES / "app.txt", directory / "list" / name], check=True)
    lines = on_terminal(["list", directory / "list"]).decode().splitlines()
    ages = {width(re.match(r".*\.mtrace +[0-9]+ [smhd]", line)[0]) for line in lines[1:]}
    return len(lines) == 1 + len(names) and len(ages) == 1


def main():
    cases = [("tree", "app"), ("tree --inverted", "app"), ("lines", "app"), ("diff --old-at start", "app")]
    failed = False
    try:
        for descriptor in pty.openpty():
            os.close(descriptor)
    except OSError as error:
        print(f"1..0 # SKIP no terminals here: {error}")
        return False
    narrow = [("tree", "app", 72), ("lines", "touched", 120), ("tree --inverted", "app", 80)]
    wrapped = [("top", "app", 60), ("top --key traceback", "app", 60), ("diff --old-at start", "app", 60),
               ("leaks", "leaking", 72), ("info", "app", 60)]
    print(f"1..{len(cases) + len(narrow) + len(wrapped) + 2}")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        results = [(command, check(directory, command, trace)) for command, trace in cases]
        results += [(f"{command} in {columns} columns", fits(directory, command, trace, columns))
                    for command, trace, columns in narrow]
        results += [(f"{command} wrapped in {columns} columns", wraps(directory, command, trace, columns))
                    for command, trace, columns in wrapped]
        results.append(("lines in 80 columns", leaves_out_columns(directory)))
        results.append(("list in columns", listed_in_columns(directory)))
        for number, (command, good) in enumerate(results, 1):
            failed |= not good
            print(f"{'ok' if good else 'not ok'} {number} {command}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
