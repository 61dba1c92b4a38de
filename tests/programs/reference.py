"""Runs a program so that tracemalloc and memtrace can be compared on it.

    reference.py PROGRAM

The test runs it twice, once under `-X tracemalloc` and once under memtrace,
with the same arguments, as many environment variables, and this same file
around the program, so that the program sees the same interpreter state: string
table, free lists, type caches.  What the program's lines hold when it ends is
written to the file named by REFERENCE_OUT, if tracemalloc is on:

    {"12": [size, count], ...}    by line of PROGRAM

tracemalloc also moves a block to another line when CPython hands it out again
from a free list, without any call of the allocator.  A tracer of allocators
cannot see that.  REFERENCE_FREE_LISTS=as-allocated takes this part out of
tracemalloc, so that both are asked the same question.
"""
import array  # noqa: F401  imported here, so that it is no first import in a program
import atexit
import ctypes
import gc
import json
import os
import struct  # noqa: F401
import sys
import tracemalloc

FRAMES = 7  # as in -X tracemalloc=7: an unusual number, to be found in memory


class Config(ctypes.Structure):
    """struct _PyTraceMalloc_Config of 3.8 to 3.12."""
    _fields_ = [("initialized", ctypes.c_int), ("tracing", ctypes.c_int),
                ("max_nframe", ctypes.c_int)]


def find_config():
    """3.8 to 3.11 export it; in 3.12 it is somewhere in _PyRuntime."""
    if sys.version_info < (3, 12):
        return Config.in_dll(ctypes.pythonapi, "_Py_tracemalloc_config")
    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    found = [c for c in (Config.from_address(runtime + at) for at in range(0, 400000, 4))
             if (c.initialized, c.tracing, c.max_nframe) == (1, 1, FRAMES)]
    if len(found) != 1:
        sys.exit("reference: tracemalloc's configuration found %d times" % len(found))
    return found[0]


def stop_moving():
    """Returns what undoes it: before 3.13 a snapshot asks for the same flag."""
    if not tracemalloc.is_tracing():
        return lambda: None
    if sys.version_info >= (3, 13):
        ctypes.pythonapi.PyRefTracer_SetTracer(None, None)
        return lambda: None
    config = find_config()
    config.tracing = 0

    def again():
        config.tracing = 1
    return again


def write_snapshot(program, out):
    snapshot = tracemalloc.take_snapshot()
    lines = {}
    for statistic in snapshot.filter_traces(
            [tracemalloc.DomainFilter(True, 0)]).statistics("lineno"):
        frame = statistic.traceback[0]
        if frame.filename == program:
            lines[frame.lineno] = [statistic.size, statistic.count]
    with open(out, "w") as file:
        json.dump(lines, file)


def grow_tables_of_ids():
    """Without a GIL each code has a number, by which tables go that double in size: not while the
    program runs, in one of the two by a few codes sooner than in the other."""
    codes = [compile("pass", "<none>", "exec") for _ in range(8192)]
    exec(codes[-1])


def main():
    program = sys.argv[1]
    undo = [lambda: None]

    @atexit.register
    def at_end():
        undo[0]()
        if tracemalloc.is_tracing():
            write_snapshot(program, os.environ["REFERENCE_OUT"])

    with open(program) as file:
        code = compile(file.read(), program, "exec")
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        grow_tables_of_ids()
    sys.setswitchinterval(1000)  # threads take turns only where they wait
    if os.environ["REFERENCE_FREE_LISTS"] == "as-allocated":
        undo[0] = stop_moving()
    gc.disable()
    gc.collect()  # empties the free lists
    names = sys.modules["__main__"].__dict__
    exec(code, names)


main()
