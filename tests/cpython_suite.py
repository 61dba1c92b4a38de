#!/usr/bin/env python3
"""CPython's own tests, bare and under memtrace: test by test the same result.

    cpython_suite.py [--quick | --all | --tests NAME...] [OPTION...] [INTERPRETER...]

Runs `python -m test` for each test file, on each interpreter found that has the package `test`, and
compares as suites.py says.

--quick: a slice of two minutes; --all: everything the interpreter has, at the lowest priority and
bare only where it was bad under memtrace; otherwise the tests of what a tracer could disturb.  The
last line is "N passed, N failed", of test cases under memtrace.
"""
import os
import sys

import suites
import support  # suites.py says where it is

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
BREAK_ALLOCATORS = {"test_capi", "test_embed", "test_faulthandler", "test_tracemalloc"}
# CPython tells its allocators by the functions that are on top of them: whoever wraps them, as
# tracemalloc does, leaves it without a name for them and without pymalloc's statistics.
EXPECTED = {"test_sys.SysModuleTest.test_debugmallocstats", "test_cmd_line.CmdLineTest.test_xdev",
            "test_cmd_line.CmdLineTest.test_pythonmalloc",
            "test_cmd_line.CmdLineTest.test_python_malloc_stats"}


def part(python, name, timeout=suites.TIMEOUT):
    words = [python.path, "-m", "test", "-u", "subprocess", "--timeout", timeout,
             "--junit-xml", "REPORT", "-v", name]
    file = name.replace("test.", "", 1).partition(".")[0]
    return suites.Part(python.name, name, words, timeout, EXPECTED, file in BREAK_ALLOCATORS)


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
    parser = suites.parser(__doc__.split("\n")[0])
    slices = parser.add_mutually_exclusive_group()
    slices.add_argument("--quick", action="store_true")
    slices.add_argument("--all", action="store_true")
    slices.add_argument("--tests", nargs="+", metavar="NAME")
    parser.add_argument("--one", action="store_true", help="the first interpreter only")
    parser.add_argument("interpreters", nargs="*", help="those whose names begin so; all")
    options = parser.parse_args()
    if options.all:
        options.lazy = True
        os.nice(19)
    return options


def plan(options):
    wanted = QUICK if options.quick else None if options.all else options.tests or BROAD
    for python in support.known_interpreters():
        if not options.interpreters or python.name.startswith(tuple(options.interpreters)):
            names = chosen(tests_of(python), wanted)
            yield from (part(python, name, options.timeout) for name in names)
            if names and options.one:
                return


if __name__ == "__main__":
    options = take_options()
    sys.exit(suites.main(plan(options), options))
