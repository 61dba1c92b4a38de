"""`run --native`: whole native stacks, in their places between the Python frames."""
import collections
import os

import pytest
import support
from test_native import build, has_symbols

pytestmark = pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")

NATIVE = ["--native", "--symbolize"]


def names(row, *libraries):
    """The functions of a row's stack, Python's and those of the libraries, outermost first."""
    found = []
    for frame in row.get("stack") or row["traceback"]:
        native = frame.get("native_frame")
        if not native:
            found.append(frame["function"].rpartition(".")[2])
        elif not libraries or native.get("library") in libraries:
            found.append(native.get("function"))
    return found


def stacks(traced, trace, *libraries):
    """{size of a block: its stack}"""
    return {row["size"] // row["count"]: names(row, *libraries)
            for row in traced.rows(trace, "--domain", "malloc", key="traceback")}


@pytest.fixture(scope="session")
def layers(tmp_path_factory):
    return build(tmp_path_factory.mktemp("layers"), "liblayers.so",
                 support.PROGRAMS / "layers.c", "-fPIC", "-shared", "-pthread")


PYTHON = """
import ctypes, threading
layers = ctypes.CDLL(%r)
layers.outer.argtypes = [ctypes.c_size_t]
layers.in_a_large_frame.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

def leaf(size):
    layers.outer(size)
    return 1

@Callback
def back(size):
    return leaf(60000 + size)

@Callback
def twice(size):
    layers.call_back(back, size)
    return leaf(80000 + size)

def sort():
    sorted([1], key=lambda value: leaf(70000))

def generate():
    yield leaf(71000)

class Made:
    def __init__(self):
        leaf(72000)

def recurse(depth):
    return recurse(depth - 1) if depth else leaf(73000)

def run():
    leaf(50000)
    layers.call_back(back, 1)
    layers.call_back(twice, 2)
    sort()
    list(generate())
    Made()
    recurse(3)
    leaf(50001)
    layers.in_a_large_frame(51016, 16)
    layers.in_a_large_frame(55000, 4000)
    layers.in_a_large_frame(51400, 400)
    layers.in_an_aligned_frame(52000)
    layers.call_back_in_a_thread(back, 3)
    thread = threading.Thread(target=leaf, args=(53000,))
    thread.start()
    thread.join()

run()
"""

IN_C = ["outer", "middle", "inner"]
BACK = ["call_back", "through"]
RUN = ["<module>", "run"]


def test_between_python_frames(traced, layers):
    """Every way from Python into C and back."""
    trace = traced.script(PYTHON % str(layers), options=NATIVE).trace
    traced.assert_sound(trace)
    found = stacks(traced, trace, "liblayers.so")
    leaf = ["leaf"] + IN_C
    for size, stack in {
            50000: RUN + leaf,
            50001: RUN + leaf,
            60001: RUN + BACK + ["back"] + leaf,
            60002: RUN + BACK + ["twice"] + BACK + ["back"] + leaf,
            80002: RUN + BACK + ["twice"] + leaf,
            70000: RUN + ["sort", "<lambda>"] + leaf,
            71000: RUN + ["generate"] + leaf,
            72000: RUN + ["__init__"] + leaf,
            73000: RUN + 4 * ["recurse"] + leaf,
            51016: RUN + ["in_a_large_frame"] + IN_C,
            55000: RUN + ["in_a_large_frame"] + IN_C,
            51400: RUN + ["in_a_large_frame"] + IN_C,
            52000: RUN + ["in_an_aligned_frame"] + IN_C,
            40003: ["worker"] + IN_C,
            60003: ["worker"] + BACK + ["back"] + leaf,
            53000: ["_bootstrap", "_bootstrap_inner", "run"] + leaf,
    }.items():
        assert found.get(size) == stack, (size, found.get(size), stack)


def told(out):
    """{addresses of the callers, outermost first: [bytes, blocks]} of what backtraces.c printed."""
    stacks, kinds = collections.defaultdict(lambda: [0, 0]), collections.Counter()
    for line in out.decode().splitlines():
        size, kind, *addresses = line.split()
        stacks[tuple(int(address, 16) for address in reversed(addresses))][0] += int(size)
        stacks[tuple(int(address, 16) for address in reversed(addresses))][1] += 1
        kinds[kind] += 1
    return dict(stacks), kinds


@pytest.mark.parametrize("options", [["-O0"], ["-O2"], ["-O2", "-fno-omit-frame-pointer",
                                                               "-DFRAME_POINTERS"],
                                     ["-O3", "-fomit-frame-pointer"]], ids=" ".join)
def test_as_the_c_library_finds_them(traced_plain, tmp_path, options):
    """backtrace() of libgcc, in the same place: nested calls with frames of every kind, signal
    handlers on two stacks and between any two instructions (also of a stub of the linker, of the
    loader while it binds a function, and of the vdso), threads and their ends, coroutines, longjmp,
    before and after main."""
    program = build(tmp_path, "backtraces", support.PROGRAMS / "backtraces.c", "-pthread", "-ldl",
                    "-Wl,-z,lazy", *options)
    result = traced_plain.run(program, "7", options=["--native"])
    traced_plain.assert_sound(result.trace)
    expected, kinds = told(result.out)
    assert set(kinds) == {"random", "signal", "alternate", "between", "stepped", "stub", "vdso",
                          "binding", "thread", "destructor", "coroutine", "outside", "jump",
                          "landed", "constructor", "exit", "fini"}
    assert sum(kinds.values()) > 500 and max(map(len, expected)) > 30
    found = collections.defaultdict(lambda: [0, 0])
    for row in traced_plain.rows(result.trace, "--at", "end", "--limit", "0", key="traceback"):
        if row["size"] / row["count"] < 100000 or row["size"] / row["count"] > 200000:
            continue
        stack = tuple(frame["native_frame"]["address"] for frame in row["stack"]
                      if not frame["native_frame"].get("inlined"))[:-1]
        found[stack][0] += row["size"]
        found[stack][1] += row["count"]
    assert dict(found) == expected


REPORT = """
import columns
for line in ["1;2;3", "1;2;x"] * 50:
    try:
        columns.total(line)
    except ValueError:
        pass
"""


def test_a_leaking_extension(traced, python):
    """Down to the line of C that allocated what nobody frees."""
    include = support.execute([python.path, "-c",
                               "import sysconfig; print(sysconfig.get_path('include'))"])
    headers = include.out.decode().strip()
    if not os.path.exists(os.path.join(headers, "Python.h")):
        pytest.skip("no headers of this interpreter")
    source = support.PROGRAMS / "columns.c"
    build(traced.directory, "columns.so", source, "-O0", "-fPIC", "-shared", "-I" + headers)
    trace = traced.script(REPORT, options=NATIVE).trace
    found = {tuple(names(row)): row for row in traced.rows(trace, "--domain", "malloc",
                                                           key="traceback")}
    row = found["<module>", "total", "read_table", "append", "grow"]
    assert (row["size"], row["count"]) == (50 * 512 * 8, 50)
    line = row["stack"][-1]["native_frame"]["lineno"]
    assert "realloc" in source.read_text().splitlines()[line - 1]


QUERY = """
import sqlite3
db = sqlite3.connect(":memory:")
db.execute("create table words (word text, length int)")
db.executemany("insert into words values (?, ?)", ((str(n) * 9, n) for n in range(20000)))
rows = db.execute("select length, max(word) from words group by length % 100 order by 2")
"""


def test_a_query_of_sqlite(traced):
    """What its sorter holds, from the line of Python through the library's exported functions."""
    script = traced.directory / "query.py"
    script.write_text(QUERY)
    if support.execute([traced.python.path, script]).status:
        pytest.skip("no sqlite3 here")
    trace = traced.run(script, options=NATIVE).trace
    row = max((row for row in traced.rows(trace, "--domain", "malloc", key="traceback")
               if any(frame.get("lineno") == 6 for frame in row["traceback"])),
              key=lambda row: row["size"])
    found = names(row)
    assert row["size"] > 10 ** 6 and found[0] == "<module>" and "sqlite3_step" in found[1:], found
