#!/usr/bin/env python3
"""CPython's own tests, bare and under memtrace: test by test the same result.

    cpython_suite.py [--quick | --all | --tests NAME...] [--lazy] [--jobs N] [INTERPRETER...]

Runs `python -m test` for each test file under `memtrace run` and bare, on each interpreter found
that has the package `test`, and compares what each test case did.  A case that passes bare and not
under memtrace, or is skipped there, or is missing, is a difference; it counts if it shows again
when both are run once more.  What a trace says of lost, doubled or unknown events is a difference
too, but for the tests in PLAYS_WITH_ALLOCATORS.  With --lazy a file is run bare only where a case
was bad under memtrace.

--quick: a slice of two minutes; --all: everything the interpreter has; otherwise the tests of
what a tracer could disturb.  The last line is "N passed, N failed", of test cases under memtrace.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import support  # noqa: E402

QUICK = """test_thread test_threadsignals test_fork1 test_gc test_atexit test_faulthandler
    test_tracemalloc test_capi test_mmap test_sys_settrace test_weakref test_posix test_pty
    test_code test_generators test_dict test_wait3 test_json""".split()

BROAD = QUICK + """test_threading test_threading_local test_thread_local_bytecode test_queue
    test_sched test_subprocess test_signal test_embed test_asyncgen test_coroutines test_popen
    test__xxsubinterpreters test__interpreters test_interpreters test_wait4 test_resource test_sys
    test_os test_sys_setprofile test_cmd_line test_ctypes test_bdb test_pdb test_trace test_profile
    test_cprofile test_monitoring test_frame test_traceback test_exceptions test_contextlib
    test_audit test_utf8_mode test_c_locale_coercion test_marshal test_memoryio test_memoryview
    test_buffer test_array test_list test_set test_bytes test_json test_sqlite3 test_sqlite
    test_hashlib test_zlib test_bz2 test_xml_etree test_xml_etree_c test_pyexpat test_runpy
    test_zipimport test_logging test_selectors test_epoll test_openpty test_readline test_curses
    test_uuid test_dbm test_finalization test_context test_opcache test_free_threading
    test_perf_profiler test_external_inspection test_call test_multiprocessing_main_handling
    test_multiprocessing_fork test_multiprocessing_spawn test_multiprocessing_forkserver
    test_concurrent_futures test_asyncio""".split()
BROAD = list(dict.fromkeys(BROAD))

# They replace, break or exhaust the interpreter's allocators, or die in the middle of them.
PLAYS_WITH_ALLOCATORS = {"test_capi", "test_embed", "test_faulthandler", "test_tracemalloc"}
# CPython tells its allocators by the functions that are on top of them: whoever wraps them, as
# tracemalloc does, leaves it without a name for them and without pymalloc's statistics.
EXPECTED = {"test_sys.SysModuleTest.test_debugmallocstats", "test_cmd_line.CmdLineTest.test_xdev",
            "test_cmd_line.CmdLineTest.test_pythonmalloc",
            "test_cmd_line.CmdLineTest.test_python_malloc_stats"}
TIMEOUT, GRACE = 600, 60
GOOD = ("passed", "skipped")

Run = collections.namedtuple("Run", "cases status output unsound")


# ---- one test file, once ----

def parse(path):
    """{case: outcome}; of one that ran several times the worst."""
    ranks = ("skipped", "passed", "failure", "error")
    cases = {}
    try:
        root = xml.etree.ElementTree.parse(str(path)).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return cases
    for case in root.iter("testcase"):
        inside = {child.tag for child in case}
        outcome = next((tag for tag in ("error", "failure", "skipped") if tag in inside), "passed")
        name = case.get("name") or "one without a name"
        cases[name] = max(outcome, cases.get(name, "skipped"), key=ranks.index)
    return cases


def unsound(trace):
    """What a trace says of events that do not fit together, a line for each process."""
    if not trace.exists():
        return ["no trace"]
    answer = support.execute([support.MEMTRACE, "info", "--format", "json", trace])
    if answer.status:
        return ["info: %s" % answer.message]
    found = []
    for process in json.loads(answer.out.decode("utf-8", "surrogatepass"))["processes"]:
        bad = ["%s %d" % (name, process[name]) for name in (
            "unknown_frees", "duplicate_allocations", "gap_events") if process[name]]
        if bad:
            found.append("%s: %s" % (", ".join(bad), " ".join(process["command"])[:200]))
    return found


def kill_all(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait(process, log):
    """Its status; the program has a time limit of its own, which says where it hangs."""
    try:
        status = process.wait(timeout=TIMEOUT + GRACE)
    except subprocess.TimeoutExpired:
        status = "does not end"
    kill_all(process)  # also what it left behind
    process.wait()
    return status, log.read_bytes().decode(errors="replace")


def run(python, name, directory, options=None):
    """Runs one test file, traced if there are `options`."""
    report, trace, log = (directory / f for f in ("report.xml", "x.mtrace", "output"))
    words = [python.path, "-m", "test", "-u", "subprocess", "--timeout", str(TIMEOUT),
             "--junit-xml", report, "-v", name]
    if options is not None:
        words = [support.MEMTRACE, "run", "-q", "-o", trace] + options + ["--"] + words
    environment = support.clean_environment(TMPDIR=str(directory), HOME=str(directory))
    del environment["PYTHONHASHSEED"]
    with log.open("wb") as out:
        process = subprocess.Popen([str(w) for w in words], cwd=str(directory), env=environment,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   start_new_session=True)
        status, output = wait(process, log)
    cases = parse(report)
    if status and not any(outcome not in GOOD for outcome in cases.values()):
        cases[name] = "status %s" % status
    return Run(cases, status, output, unsound(trace) if options is not None else [])


def run_alone(*arguments):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        return run(*arguments[:2], pathlib.Path(directory), *arguments[2:])


# ---- bare against traced ----

def is_worse(bare, traced):
    return traced != bare and (bare in GOOD or bare is None) and not (
        bare == "skipped" and traced == "passed") and not (bare is None and traced in GOOD)


def differences(name, bare, traced):
    """{case: what is different}, but for what has to be."""
    found = {}
    for case in sorted(set(bare.cases) | set(traced.cases)):
        old, new = bare.cases.get(case), traced.cases.get(case)
        if is_worse(old, new) and case.partition("test.")[2] not in EXPECTED:
            found[case] = "%s, bare %s" % (new or "missing", old or "missing")
    if traced.unsound and name not in PLAYS_WITH_ALLOCATORS:
        found[name + " (trace)"] = "; ".join(traced.unsound)
    return found


class Compared:
    """A test file, bare and traced, and what was different each time."""

    def __init__(self, python, name, options, lazy):
        self.python, self.name, start = python, name, time.monotonic()
        self.traced = run_alone(python, name, options)
        lazy = lazy and all(outcome in GOOD for outcome in self.traced.cases.values())
        self.bare = self.traced if lazy else run_alone(python, name)
        self.differences, self.once = differences(name, self.bare, self.traced), {}
        if self.differences:
            self.again(options)
        self.seconds = time.monotonic() - start

    def again(self, options):
        """What does not show a second time is not counted, but told."""
        bare = run_alone(self.python, self.name)
        traced = run_alone(self.python, self.name, options)
        second = differences(self.name, bare, traced)
        self.once = {c: w for c, w in self.differences.items() if c not in second}
        self.differences = {c: w for c, w in self.differences.items() if c in second}
        self.traced_again = traced

    def bad(self):
        return sorted(c for c, outcome in self.bare.cases.items() if outcome not in GOOD)

    def as_json(self):
        return {"python": self.python.name, "test": self.name, "seconds": round(self.seconds, 1),
                "cases": len(self.traced.cases), "bad_bare": self.bad(),
                "bad_traced": sorted(c for c, o in self.traced.cases.items() if o not in GOOD),
                "skipped": sum(o == "skipped" for o in self.traced.cases.values()),
                "unsound": self.traced.unsound, "differences": self.differences,
                "once": self.once}


def show(compared, logs):
    name = "%s %s" % (compared.python.name, compared.name)
    print("%-40s %5d cases %4d bad bare %3d different %4.0f s" % (
        name, len(compared.traced.cases), len(compared.bad()), len(compared.differences),
        compared.seconds), flush=True)
    for case, what in compared.differences.items():
        print("  DIFFERENT %s: %s" % (case, what))
    for case, what in compared.once.items():
        print("  once: %s: %s" % (case, what))
    if logs and (compared.differences or compared.once):
        for kind, result in (("bare", compared.bare), ("traced", compared.traced),
                             ("again", compared.traced_again)):
            (logs / ("%s.%s.%s" % (compared.python.name, compared.name, kind))).write_text(
                result.output, errors="replace")
    sys.stdout.flush()


# ---- which tests ----

def tests_of(python):
    """The names that this interpreter has; none without the package."""
    answer = support.execute([python.path, "-m", "test", "--list-tests"])
    names = answer.out.decode().split() if answer.status == 0 else []
    return names if "test_dict" in names else []


def chosen(names, wanted):
    """Those of `wanted`, and the parts of those that are packages."""
    if wanted is None:
        return names
    return [n for w in wanted for n in names
            if n == w or n.startswith(("test.%s." % w, "%s." % w))]


def take_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    slices = parser.add_mutually_exclusive_group()
    slices.add_argument("--quick", action="store_true")
    slices.add_argument("--all", action="store_true")
    slices.add_argument("--tests", nargs="+", metavar="NAME")
    parser.add_argument("--lazy", action="store_true", help="bare only what was bad")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--one", action="store_true", help="the first interpreter only")
    parser.add_argument("--run-option", action="append", default=[], metavar="OPTION",
                        help="of memtrace run, as --run-option=--off")
    parser.add_argument("--logs", type=pathlib.Path, help="keeps the output of what differs")
    parser.add_argument("--json", type=pathlib.Path, help="appends a line for each test file")
    parser.add_argument("interpreters", nargs="*", help="those whose names begin so; all")
    return parser.parse_args()


def plan(options):
    wanted = QUICK if options.quick else None if options.all else options.tests or BROAD
    for python in support.known_interpreters():
        if not options.interpreters or python.name.startswith(tuple(options.interpreters)):
            names = chosen(tests_of(python), wanted)
            yield from ((python, name) for name in names)
            if names and options.one:
                return


def main():
    options = take_options()
    if not os.access(str(support.MEMTRACE), os.X_OK):
        sys.exit("no memtrace at %s: build it, or set MEMTRACE" % support.MEMTRACE)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" ignores it
    if options.logs:
        options.logs.mkdir(exist_ok=True)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(
                Compared, python, name, options.run_option, options.lazy) for python, name in plan(options)]):
            compared = done.result()
            show(compared, options.logs)
            if options.json:
                with options.json.open("a") as out:
                    out.write(json.dumps(compared.as_json()) + "\n")
            failed += len(compared.differences)
            passed += len(compared.traced.cases) - len(
                set(compared.differences) & set(compared.traced.cases))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
