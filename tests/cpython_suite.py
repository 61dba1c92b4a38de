#!/usr/bin/env python3
"""CPython's own tests, bare and under memtrace: test by test the same result.

    cpython_suite.py [--quick | --all | --fast | --tests NAME...] [OPTION...] [INTERPRETER...]

Runs `python -m test` for each test file, on each interpreter found that has the package `test`, and
compares as suites.py says.

--quick: a slice of two minutes; --all: everything the interpreter has, at the lowest priority and
bare only where it was bad under memtrace; --fast: that without what takes minutes; otherwise the
tests of what a tracer could disturb.  NAME is a test file, a package of them, or FILE:CLASS,CLASS.
The last line is "N passed, N failed", of test cases under memtrace.
"""
import os
import sys

import suites
import support  # suites.py says where it is

# Test files, packages of them, or some classes of a file.  What is a file in one version is a
# package in a later one.
PROCESSES = "WithProcessesTestProcess,WithProcessesTestQueue,WithProcessesTestPool"
QUICK = """test_thread test_threadsignals test_fork1 test_gc test_atexit test_faulthandler
    test_tracemalloc test_capi test_mmap test_sys_settrace test_weakref test_posix test_pty
    test_code test_generators test_dict test_wait3 test_json test_embed
    test_signal:PosixTests,WakeupSignalTests,PendingSignalsTests,StressTest
    test_subprocess:POSIXProcessTestCase
    test_asyncio:SubprocessThreadedWatcherTests,SelectorEventLoopTests test_asyncio.test_subprocess
    """.split()
QUICK += ["test_multiprocessing_fork:" + PROCESSES,
          "test_multiprocessing_fork.test_processes:" + PROCESSES]

# The others with what a tracer could disturb.
OTHERS = """test_threading test_threading_local test_thread_local_bytecode test_queue
    test_sched test_subprocess test_signal test_asyncgen test_coroutines test_popen
    test__xxsubinterpreters test__interpreters test_interpreters test_wait4 test_resource test_sys
    test_os test_sys_setprofile test_cmd_line test_ctypes test_bdb test_pdb test_trace test_profile
    test_cprofile test_monitoring test_frame test_traceback test_exceptions test_contextlib
    test_audit test_utf8_mode test_c_locale_coercion test_marshal test_memoryio test_memoryview
    test_buffer test_array test_list test_set test_bytes test_sqlite3 test_sqlite
    test_hashlib test_zlib test_bz2 test_xml_etree test_xml_etree_c test_pyexpat test_runpy
    test_zipimport test_logging test_selectors test_epoll test_openpty test_readline test_curses
    test_uuid test_dbm test_finalization test_context test_opcache test_free_threading
    test_perf_profiler test_external_inspection test_call test_multiprocessing_main_handling
    test_multiprocessing_fork test_multiprocessing_spawn test_multiprocessing_forkserver
    test_concurrent_futures test_asyncio""".split()
BROAD = [name for name in QUICK if "test_asyncio" not in name and ":" not in name] + OTHERS
# These take minutes.
SLOW = """test_multiprocessing_spawn test_multiprocessing_forkserver test_multiprocessing_fork
    test_multiprocessing_main_handling test_concurrent_futures test_regrtest""".split()

# CPython tells its allocators by the functions that are on top of them: whoever wraps them, as
# tracemalloc does, leaves it without a name for them and without pymalloc's statistics.
EXPECTED = {"test_sys.SysModuleTest.test_debugmallocstats", "test_cmd_line.CmdLineTest.test_xdev",
            "test_cmd_line.CmdLineTest.test_pythonmalloc",
            "test_cmd_line.CmdLineTest.test_python_malloc_stats"}


def part(python, name, timeout=suites.TIMEOUT):
    file, _, classes = name.partition(":")
    words = [python.path, "-m", "test", "-u", "subprocess", "--timeout", timeout,
             "--junit-xml", "REPORT", "-v", file]
    for pattern in filter(None, classes.split(",")):
        words += ["-m", pattern]
    return suites.Part(python.name, name, words, timeout, 4, EXPECTED)


# ---- which tests ----

def tests_of(python):
    """The names that this interpreter has; none without the package."""
    answer = support.execute([python.path, "-m", "test", "--list-tests"])
    names = answer.out.decode().split() if answer.status == 0 else []
    return names if "test_dict" in names else []


def is_of(name, word):
    """Is it that test file, or one of that package?"""
    return ("test.%s." % name.replace("test.", "", 1)).startswith("test.%s." % word)


def chosen(names, wanted):
    """Those of `wanted`, with the classes that it names of a file."""
    found = []
    for file, colon, classes in (word.partition(":") for word in wanted):
        own = [name for name in names if is_of(name, file)]
        if classes:
            own = [name + ":" + classes for name in own if name in (file, "test." + file)]
        found += own
    return found


def slow_last(names):
    slow = chosen(names, SLOW)
    return [name for name in names if name not in slow] + slow


def take_options():
    parser = suites.parser(__doc__.split("\n")[0])
    slices = parser.add_mutually_exclusive_group()
    slices.add_argument("--quick", action="store_true")
    slices.add_argument("--all", action="store_true")
    slices.add_argument("--fast", action="store_true", help="--all but for what takes minutes")
    slices.add_argument("--tests", nargs="+", metavar="NAME")
    parser.add_argument("--one", action="store_true", help="the first interpreter only")
    parser.add_argument("interpreters", nargs="*", help="those whose names begin so; all")
    options = parser.parse_args()
    if options.all or options.fast:
        options.lazy = True
        os.nice(19)
    return options


def choose(names, options):
    if options.all or options.fast:
        names = slow_last(names)
        return names if options.all else [n for n in names if n not in chosen(names, SLOW)]
    return chosen(names, QUICK if options.quick else options.tests or BROAD)


def plan(options):
    for python in support.known_interpreters():
        if not options.interpreters or python.name.startswith(tuple(options.interpreters)):
            names = choose(tests_of(python), options)
            yield from (part(python, name, options.timeout) for name in names)
            if names and options.one:
                return


if __name__ == "__main__":
    options = take_options()
    sys.exit(suites.main(plan(options), options))
