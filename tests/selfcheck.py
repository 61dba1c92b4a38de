#!/usr/bin/env python3
"""Every stack that memtrace takes from its cache, compared with a walk of all frames.

    selfcheck.py [--quick] [--build DIRECTORY] [INTERPRETER...]

Builds memtrace with -Dselfcheck=true and runs slices of CPython's own tests and
tests/programs/stacks.py under it, on each interpreter found that has the package
`test`; with --native stacks.py again and queries of SQLite, where what is remembered
of native stacks is compared with a walk and a merge of all of it too.  Prints a table; fails on any difference, and where there were fewer than ten
million checks (not with --quick).
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import support  # noqa: E402

QUICK = "test_list test_deque test_functools test_scope test_generators test_sys_settrace".split()
FULL = QUICK + """test_json test_dict test_gc test_coroutines test_asyncgen test_sys_setprofile
    test_exceptions test_compile test_weakref test_contextlib test_thread test_queue""".split()
QUICK_PARTS = ("callbacks churn coroutines deep exceptions generators greenlets jumps threads"
               " trace_functions").split()
ENOUGH = 10000000
TIMEOUT = 900


def build(directory):
    if not (directory / "build.ninja").exists():
        subprocess.run(["meson", "setup", "-Dselfcheck=true", str(directory), str(ROOT)],
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(directory), "memtrace", "agent/libmemtrace.so"],
                   check=True, stdout=subprocess.DEVNULL)
    return directory / "memtrace"


def has_tests(interpreter):
    return subprocess.run([interpreter.path, "-c", "import test.test_list, test.test_sys_settrace"],
                          stderr=subprocess.DEVNULL, env=support.clean_environment()
                          ).returncode == 0


class Total:
    def __init__(self):
        self.processes = self.checks = self.differences = 0

    def add(self, report):
        for line in report.read_text().splitlines() if report.exists() else []:
            _, checks, differences = map(int, line.split())
            self.processes += 1
            self.checks += checks
            self.differences += differences


def run(memtrace, interpreter, arguments, directory, total):
    """Runs one program; what it said of differences, and its last words if it said none."""
    report = directory / "report"
    if report.exists():
        report.unlink()
    command = [str(memtrace), "run", "-o", str(directory / "x.mtrace"), "--python",
               interpreter.path] + arguments
    environment = support.clean_environment(MEMTRACE_SELFCHECK_REPORT=str(report))
    result = subprocess.run(command, cwd=str(directory), env=environment, timeout=TIMEOUT,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    before = total.processes
    total.add(report)
    (directory / "x.mtrace").unlink()
    said = [line for line in result.stdout.decode(errors="replace").splitlines()
            if "selfcheck: " in line]
    if total.processes == before:
        said.append("no report: %s" % result.stdout[-300:].decode(errors="replace"))
    return said


def check(memtrace, interpreter, quick):
    total, start, said = Total(), time.monotonic(), []
    programs = [["-m", "test", name] for name in (QUICK if quick else FULL)]
    stacks = str(ROOT / "tests" / "programs" / "stacks.py")
    programs.append([stacks] + (QUICK_PARTS if quick else []))
    churn = str(ROOT / "tests" / "bench" / "churn_native.py")
    programs += [["--native"] + programs[-1], ["--native", churn, "1" if quick else "20"]]
    with tempfile.TemporaryDirectory() as directory:
        for program in programs:
            for line in run(memtrace, interpreter, program, pathlib.Path(directory), total):
                said.append("%s, %s: %s" % (interpreter.name, " ".join(program), line))
    print("%-16s %9d %12d %11d %7.0f" % (interpreter.name, total.processes, total.checks,
                                         total.differences, time.monotonic() - start), flush=True)
    for line in said[:20]:
        print("  " + line)
    return not said and not total.differences and (quick or total.checks >= ENOUGH)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-selfcheck")
    parser.add_argument("interpreters", nargs="*", help="those whose names begin so; all")
    options = parser.parse_args()
    memtrace = build(options.build.resolve())
    found = [i for i in support.known_interpreters() if has_tests(i) and (
        not options.interpreters or i.name.startswith(tuple(options.interpreters)))]
    print("%-16s %9s %12s %11s %7s" % ("interpreter", "processes", "checks", "differences", "s"))
    sound = [check(memtrace, interpreter, options.quick) for interpreter in found]
    return 0 if found and all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
