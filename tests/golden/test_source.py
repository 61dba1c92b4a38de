"""Source lines of reports: from the trace, from files that are here, and what is said of them.

    test_source.py MEMTRACE ASSEMBLE

Prints TAP.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

TRACE = """\
meta {"cwd": "@", "start": 1700000000}
process app 7 - 0 exec 3.12.1 /usr/bin/python3 python3 @/a.py
stack a - @/a.py 2 f
stack b - @/b.py 1 g
stack c - @/plain 1 h
site a app - obj a
site b app - obj b
site c app - obj c
boundary start all 0 -
boundary end app 1 -
row a 3K 1 3K 1 0
row b 2K 1 2K 1 0
row c 1K 1 1K 1 0
"""
LINE = 'source @/a.py 2 "x = \\xed\\x95\\x9c"\n'


class Test:
    def __init__(self, memtrace, assembler, directory):
        self.memtrace, self.assembler, self.directory = memtrace, assembler, directory
        self.number = self.failed = 0

    def trace(self, text, place):
        source = self.directory / "trace.txt"
        source.write_text(text.replace("@", str(place)))
        subprocess.run([self.assembler, source, self.directory / "t.mtrace"], check=True)

    def top(self, *options, **environment):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment}
        done = subprocess.run([self.memtrace, "top", *options, "t.mtrace"], cwd=self.directory,
                              env=environment, timeout=60, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True)
        return [line.strip() for line in done.stdout.decode().splitlines()
                if line.startswith("    ")]

    def lines(self, *options):
        done = subprocess.run([self.memtrace, "lines", *options, "t.mtrace"], cwd=self.directory,
                              env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        return done.stdout.decode().splitlines()

    def same(self, name, got, expected):
        self.number += 1
        self.failed += got != expected
        print(f"{'ok' if got == expected else 'not ok'} {self.number} {name}", flush=True)
        if got != expected:
            print(f"# got {got!r}\n# not {expected!r}")


def main():
    memtrace, assembler = map(os.path.abspath, sys.argv[1:3])
    print("1..12")
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        here, there = directory / "here", directory / "there"
        here.mkdir()
        test = Test(memtrace, assembler, directory)
        korean = "\ud55c"
        test.trace(TRACE + LINE, here)
        test.same("the trace's own line", test.top(), [f"x = {korean}"])
        (here / "a.py").write_bytes(b"# coding: euc-kr\n  x = \xc7\xd1  \n")
        test.same("the same here, in another encoding", test.top(), [f"x = {korean}"])
        (here / "a.py").write_text("# changed\n\n")
        test.same("another text here", test.top(), [f"x = {korean}    (source differs)"])
        test.same("in a traceback", test.top("--key", "traceback", "--limit", "1"),
                  [f"x = {korean}    (source differs)"])
        test.same("without UTF-8", test.top(LC_ALL="C"), ["x = \\ud55c    (source differs)"])
        test.trace(TRACE, here)
        (here / "a.py").write_bytes(b"# coding: latin-1\ny = '\xe9'\n")
        (here / "b.py").write_text("z = 1\n")
        (here / "plain").write_text("secret\n")
        os.utime(here / "a.py", (1, 1))
        os.utime(here / "b.py", (4e9, 4e9))
        os.utime(here / "plain", (1, 1))  # written after the trace, perhaps in another second
        lines = ["y = '\xe9'", "z = 1    (source is newer than the trace)"]
        test.same("a trace that was cut off", test.top(), lines)
        here.rename(there)
        test.same("nowhere", test.top(), [])
        test.same("elsewhere", test.top("--source", f"{here}=there"), lines + ["secret"])
        test.same("below a slash", test.top("--source", f"{here}/=there/"), lines + ["secret"])
        test.same("no part of a name", test.top("--source", f"{str(here)[:-1]}=there"), [])
        annotated = test.lines("--all", "b.py")
        test.same("not here to be annotated", annotated[-1][:20], "the file is not here")
        (there / "b.py").write_text("def f():\n    z = 1\n\n  # end\n")
        os.utime(there / "b.py", (1, 1))
        annotated = test.lines("--all", "b.py", "--source", f"{here}=there")
        test.same("annotated with its indentation", [line[65:] for line in annotated[-4:]],
                  ["     1  def f():", "     2      z = 1", "     3", "     4    # end"])
    return test.failed > 0


if __name__ == "__main__":
    sys.exit(main())
