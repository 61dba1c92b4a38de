"""Programs in C, C++ and Rust: what each line asked for is what the program says, and what valgrind's
DHAT and heaptrack say of it."""
import collections
import json
import os
import re
import shutil

import pytest
import support
from test_native import build, has_symbols
from test_native_stacks import NATIVE

pytestmark = pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")

SOURCES = ["callers.c", "doors.cc", "outside.cc", "doors.rs"]


def build_any(tmp_path, source):
    """A program of C, C++ or Rust."""
    if source.endswith(".c"):
        return build(tmp_path, "program", support.PROGRAMS / source, "-O1", "-ldl")
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


@pytest.mark.parametrize("source", SOURCES[1:])
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


def frames_of(row, source):
    """Its frames in the source file, outermost first: (function, line)."""
    natives = [frame.get("native_frame", {}) for frame in row["stack"]]
    return tuple((native["function"], native["lineno"]) for native in natives
                 if native.get("filename", "").endswith(source))


def everything(traced, trace):
    """(bytes, blocks) that were ever allocated by malloc."""
    row, = traced.rows(trace, "--domain", "malloc", "--sort", "churn-size", key="domain")
    return row["allocated"], row["allocations"]


def places(rows, size, count, least):
    """{lines of a stack in the source file, outermost first: [bytes, blocks]}, if so many."""
    found = collections.defaultdict(lambda: [0, 0])
    for lines, row in rows:
        if len(lines) >= least:
            found[lines][0] += row[size]
            found[lines][1] += row[count]
    return dict(found)


def dhat(program, directory):
    """What valgrind says: its total as (bytes, blocks), and [(stack as text, its figures)]."""
    if not shutil.which("valgrind"):
        pytest.skip("no valgrind here")
    output = directory / "dhat"
    result = support.execute(["valgrind", "--tool=dhat", "--read-inline-info=yes",
                              "--num-callers=100", "--dhat-out-file=%s" % output, program])
    assert result.status == 0, result
    size, count = re.search(r"Total: +([\d,]+) bytes in ([\d,]+) blocks", result.message).groups()
    said = json.loads(output.read_text())
    return ((int(size.replace(",", "")), int(count.replace(",", ""))),
            [([said["ftbl"][frame] for frame in reversed(point["fs"])], point)
             for point in said["pps"]])


@pytest.mark.parametrize("source", SOURCES)
def test_as_valgrind_says(traced_plain, tmp_path, source):
    """In all, and of each way through the program's own lines."""
    program = build_any(tmp_path, source)
    total, points = dhat(program, tmp_path)
    trace = traced_plain.run(program, options=NATIVE).trace
    # What pthread_create asks for has room for each library, of valgrind's and the agent's too.
    least = 2 if source == "outside.cc" else 1
    if least == 1:
        assert everything(traced_plain, trace) == total
    own = re.compile(r"\(%s:(\d+)\)$" % re.escape(source))
    expected = places(((tuple(int(own.search(frame)[1]) for frame in stack if own.search(frame)),
                        point) for stack, point in points), "tb", "tbk", least)
    rows = traced_plain.rows(trace, "--sort", "churn-size", "--limit", "0", key="traceback")
    found = places(((tuple(line for _, line in frames_of(row, source)), row) for row in rows),
                   "allocated", "allocations", least)
    assert len(expected) >= 6
    assert found == expected


def innermost(text):
    """The last function by_... of a stack."""
    return (re.findall("by_[a-z_]+", text) or [None])[-1]


def heaptrack(directory, cost):
    """{function: figure}"""
    printed = directory / cost
    data, = directory.glob("heaptrack.*")
    result = support.execute(["heaptrack_print", "-f", data, "-F", printed,
                              "--flamegraph-cost-type", cost])
    assert result.status == 0, result
    found = collections.Counter()
    for line in printed.read_text().splitlines():
        found[innermost(line)] += int(line.rpartition(" ")[2])
    return {name: figure for name, figure in found.items() if name and figure}


@pytest.mark.parametrize("source", ["callers.c", "doors.cc", "doors.rs"])
def test_as_heaptrack_says(traced_plain, tmp_path, source):
    """Calls, and what is left at the end, of each function.  It knows nothing of memalign."""
    if not shutil.which("heaptrack") or not shutil.which("heaptrack_print"):
        pytest.skip("no heaptrack here")
    program = build_any(tmp_path, source)
    trace = traced_plain.run(program, options=NATIVE).trace
    recorded = support.execute(["heaptrack", "-o", tmp_path / "heaptrack", program])
    assert recorded.status == 0, recorded
    for cost, options, figure in (("allocations", ["--sort", "churn-count"], "allocations"),
                                  ("leaked", ["--at", "end"], "size")):
        found = collections.Counter()
        for row in traced_plain.rows(trace, *options, "--limit", "0", key="traceback"):
            found[innermost(" ".join(name for name, _ in frames_of(row, source)))] += row[figure]
        expected = heaptrack(tmp_path, cost)
        assert len(expected) >= 6
        assert {name: value for name, value in found.items()
                if name and value and name != "by_memalign"} == expected, cost


NUMPY = """
import numpy, numpy.random

def arrays():
    kept = [numpy.zeros(100000), numpy.ones((300, 400))]
    kept.append(numpy.arange(70000) * 1.5)
    kept.append(numpy.sort(numpy.random.rand(50000)))
    kept.append(numpy.concatenate([kept[0], kept[3]]))
    return kept
"""

PANDAS = """
import io, numpy, pandas

def arrays():
    text = "id,name,price\\n" + "\\n".join("%d,item %d,%d.5" % (n, n % 50, n) for n in range(20000))
    frame = pandas.read_csv(io.StringIO(text))
    frame["total"] = frame.price * frame.id
    groups = frame.groupby(frame.id % 7).total.sum()
    return frame, groups, frame.merge(frame.head(3000), on="id"), frame.name.astype("category")
"""

DOMAIN = """
import sys
if len(sys.argv) > 1:
    import tracemalloc
    tracemalloc.start()
%s
kept = arrays()
if len(sys.argv) > 1:
    only = tracemalloc.DomainFilter(True, numpy.lib.tracemalloc_domain)
    sizes = [trace.size for trace in tracemalloc.take_snapshot().filter_traces([only]).traces]
    print(*sorted(size for size in sizes if size > 10000))
"""


@pytest.mark.parametrize("arrays", [NUMPY, PANDAS], ids=["numpy", "pandas"])
def test_as_tracemallocs_domain_of_numpy(traced_once, arrays):
    """Every large block of NumPy's own allocator that is there at the end."""
    environment = support.clean_environment(PYTHONPATH=os.environ.get("PYTHONPATH", ""),
                                            PYTHONHASHSEED="0")
    script = traced_once.directory / "arrays.py"
    script.write_text(DOMAIN % arrays)
    told = support.execute([traced_once.python.path, script, "x"], env=environment)
    if b"ModuleNotFoundError" in told.err:
        pytest.skip("no numpy or no pandas here")
    assert told.status == 0, told
    trace = traced_once.run(script, options=NATIVE, env=environment).trace
    found = []
    for row in traced_once.rows(trace, "--domain", "malloc", "--limit", "0", key="traceback"):
        library = row["stack"][-1].get("native_frame", {}).get("library", "")
        if "multiarray" in library and row["size"] > 10000 * row["count"]:
            found += [row["size"] // row["count"]] * row["count"]
    assert len(found) >= 5
    assert sorted(found) == [int(size) for size in told.out.split()]
