"""`run --native`: whole native stacks, in their places between the Python frames."""
import collections
import os
import re
import shutil

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


@pytest.mark.parametrize("options", [["-O0"], ["-O2"], ["-O2", "-fno-omit-frame-pointer"],
                                     ["-O3", "-fomit-frame-pointer"]], ids=" ".join)
def test_as_the_c_library_finds_them(traced_plain, tmp_path, options):
    """backtrace() of libgcc, in the same place: nested calls with frames of every kind, signal
    handlers on two stacks, threads and their ends, coroutines, longjmp, before and after main."""
    program = build(tmp_path, "backtraces", support.PROGRAMS / "backtraces.c", "-pthread", "-ldl",
                    *options)
    result = traced_plain.run(program, "7", options=["--native"])
    traced_plain.assert_sound(result.trace)
    expected, kinds = told(result.out)
    assert set(kinds) == {"random", "signal", "alternate", "between", "thread", "destructor",
                          "coroutine", "outside", "jump", "landed", "constructor", "exit", "fini"}
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


def build_any(tmp_path, source):
    """A program of C, C++ or Rust."""
    if source.endswith(".c"):
        return build(tmp_path, "program", support.PROGRAMS / source, "-ldl")
    command = {"cc": ["c++", "-O1", "-g", "-std=c++17", "-w"], "rs": ["rustc", "-O", "-g"]}
    compiler = command[source.rpartition(".")[2]]
    if not shutil.which(compiler[0]):
        pytest.skip("no %s here" % compiler[0])
    made = support.execute(compiler + [support.PROGRAMS / source, "-o", tmp_path / "program"],
                           env=dict(os.environ))
    if made.status and source.endswith(".rs"):
        pytest.skip("rustc makes no program here: %r" % made)
    assert made.status == 0, made
    return tmp_path / "program"


def by_function(traced, trace, source):
    """{function of the source file that asked for memory: (bytes, blocks)}"""
    found = collections.defaultdict(lambda: [0, 0])
    for row in traced.rows(trace, "--sort", "churn-size", "--limit", "0", key="traceback"):
        for frame in reversed(row.get("stack", [])):
            native = frame.get("native_frame", {})
            if native.get("filename", "").endswith(source):
                name = native["function"].partition("(")[0].split()[-1].rpartition("::")[2]
                found[name][0] += row["allocated"]
                found[name][1] += row["allocations"]
                break
    return found


@pytest.mark.parametrize("source", ["doors.cc", "doors.rs"])
def test_other_languages(traced_plain, tmp_path, source):
    """What each function asked for, down to its own line, through templates and closures."""
    program = build_any(tmp_path, source)
    result = traced_plain.run(program, options=NATIVE)
    traced_plain.assert_sound(result.trace)
    found = by_function(traced_plain, result.trace, source)
    told = [line.split() for line in result.out.decode().splitlines()]
    assert len(told) >= 6
    for function, size, count in told:
        assert found.get(function) == [int(size), int(count)], (function, dict(found))


def everything(traced, trace):
    """(bytes, blocks) that were ever allocated by malloc."""
    row, = traced.rows(trace, "--domain", "malloc", "--sort", "churn-size", key="domain")
    return row["allocated"], row["allocations"]


@pytest.mark.parametrize("source", ["callers.c", "doors.cc", "doors.rs"])
def test_totals_as_of_valgrind(traced_plain, tmp_path, source):
    if not shutil.which("valgrind"):
        pytest.skip("no valgrind here")
    program = build_any(tmp_path, source)
    trace = traced_plain.run(program, options=["--native"]).trace
    dhat = support.execute(["valgrind", "--tool=dhat", "--dhat-out-file=%s" % (tmp_path / "dhat"),
                            program])
    assert dhat.status == 0, dhat
    size, count = re.search(r"Total: +([\d,]+) bytes in ([\d,]+) blocks", dhat.message).groups()
    assert everything(traced_plain, trace) == (int(size.replace(",", "")),
                                               int(count.replace(",", "")))


def test_totals_as_of_heaptrack(traced_plain, tmp_path):
    if not shutil.which("heaptrack") or not shutil.which("heaptrack_print"):
        pytest.skip("no heaptrack here")
    program = build(tmp_path, "doors", support.PROGRAMS / "doors.cc", "-std=c++17", compiler="c++")
    trace = traced_plain.run(program, options=["--native"]).trace
    recorded = support.execute(["heaptrack", "-o", tmp_path / "heaptrack", program])
    assert recorded.status == 0, recorded
    data, = tmp_path.glob("heaptrack.*")
    printed = support.execute(["heaptrack_print", "-f", data])
    count = int(re.search(r"calls to allocation functions: (\d+)", printed.out.decode())[1])
    assert everything(traced_plain, trace)[1] == count


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


NUMPY = """
import sys, numpy, numpy.random

def arrays():
    kept = [numpy.zeros(100000), numpy.ones((300, 400))]
    kept.append(numpy.arange(70000) * 1.5)
    kept.append(numpy.sort(numpy.random.rand(50000)))
    kept.append(numpy.concatenate([kept[0], kept[3]]))
    return kept

if len(sys.argv) > 1:
    import tracemalloc
    tracemalloc.start()
kept = arrays()
if len(sys.argv) > 1:
    only = tracemalloc.DomainFilter(True, numpy.lib.tracemalloc_domain)
    sizes = [trace.size for trace in tracemalloc.take_snapshot().filter_traces([only]).traces]
    print(*sorted(size for size in sizes if size > 10000))
"""


def test_as_tracemallocs_domain_of_numpy(traced_once):
    environment = support.clean_environment(PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    script = traced_once.directory / "arrays.py"
    script.write_text(NUMPY)
    told = support.execute([traced_once.python.path, script, "x"], env=environment)
    if told.status:
        pytest.skip("no numpy here")
    trace = traced_once.run(script, options=NATIVE, env=environment).trace
    found = []
    for row in traced_once.rows(trace, "--domain", "malloc", "--limit", "0", key="traceback"):
        if "arrays" in names(row) and row["size"] > 10000 * row["count"]:
            assert any("multiarray" in frame.get("native_frame", {}).get("library", "")
                       for frame in row["stack"]), row
            found += [row["size"] // row["count"]] * row["count"]
    assert sorted(found) == [int(size) for size in told.out.split()]
