"""`memtrace run --sample`: estimates of what is known from a run in which every block is recorded."""
import importlib.util
import re

import pytest
import support

SPEC = importlib.util.spec_from_file_location(
    "sampling", str(support.ROOT / "tests" / "bench" / "sampling.py"))
sampling = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(sampling)

PROGRAM = support.PROGRAMS / "sampled.py"
RATE = 16384
SAMPLE = "--sample=%d" % RATE


def run(traced, program, *arguments, seed=None, options=(SAMPLE,), **more):
    environment = support.clean_environment(**({"MEMTRACE_SEED": str(seed)} if seed else {}))
    result = traced.run(program, *arguments, options=options, env=environment, **more)
    traced.assert_sound(result.trace)
    return result.trace


def measure(traced, **more):
    """{(line, quantity): (amount, error)}"""
    report = traced.report("top", run(traced, PROGRAM, **more), "--key", "lineno", "--limit", "0",
                           "--sort", "churn-size")
    return sampling.amounts(report)


def test_on_every_interpreter(traced):
    """All lines together: the truth is hardly ever further off than two errors, which are of 95 %."""
    truth = measure(traced, options=())
    found = measure(traced, seed=1)
    assert len(found) >= 17
    checked = 0
    for key, (true, none) in truth.items():
        assert none == 0, "what is exact has no error"
        amount, error = found.get(key, (0, 0))
        if true >= 10 * RATE:
            assert abs(amount - true) <= 2 * error, (key, true, amount, error)
            checked += 1
    assert checked >= 15


def test_errors_are_what_they_say(traced_once):
    """Twelve runs with seeds: the truth is within the error as often as is said, and the mean of each
    line's estimates is near it."""
    truth = measure(traced_once, options=())
    runs = [measure(traced_once, seed=seed) for seed in range(1, 13)]
    judged = sampling.judge(truth, runs, 10 * RATE)
    assert len(judged) >= 15
    assert not sampling.verdict(judged, len(runs)), judged


def test_seeds(traced_once):
    first, again, other = (measure(traced_once, seed=seed) for seed in (5, 5, 6))
    name = ("tiny", "size")
    (size, error), (size_again, error_again) = first[name], again[name]
    assert abs(size - size_again) <= 4 and abs(error - error_again) <= 4, "rounded by interval"
    assert abs(size - other[name][0]) > 4


def test_large_blocks_are_all_there(traced_once):
    traced_once.script("held = [bytearray(50_000_000) for _ in range(5)]  # held\n",
                       options=["--sample"])
    trace = traced_once.directory / "run1.mtrace"
    traced_once.assert_sound(trace)
    size, count = traced_once.at(trace, "held")
    assert 250_000_000 <= size <= 250_002_000 and count == 5


CHILDREN = """
import multiprocessing, os, subprocess, sys
before = [bytes(1000) for _ in range(4000)]
def work(n):
    held = [bytes(3000) for _ in range(3000)]  # %s
    if n == "fork":
        del before[:2000]
    return len(held)
if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        held = work("exec")
        sys.exit()
    pid = os.fork()
    if not pid:
        work("fork")
        os._exit(0)
    os.waitpid(pid, 0)
    subprocess.run([sys.executable, __file__, "child"], check=True)
    spawned = multiprocessing.get_context("spawn").Process(target=work, args=("spawn",))
    spawned.start()
    spawned.join()
"""


def test_children(traced_once):
    """Forked, executed and spawned: each has samples of its own, and no free is unknown."""
    script = traced_once.directory / "children.py"
    script.write_text(CHILDREN.replace("%s", "held"))
    trace = run(traced_once, script, seed=3)
    info = traced_once.assert_sound(trace)
    forked = [p for p in info["processes"] if p["origin"] == "fork"]
    assert forked[0]["inherited_frees"] > 20, "samples of its parent's that a child frees"
    estimates = []
    for process in info["processes"]:
        rows = traced_once.rows(trace, "--sort", "churn-size", "--process", str(process["pid"]))
        for row in rows:
            if row.get("lineno") == 5 and row.get("filename") == str(script):
                assert abs(row["allocated"] - 3000 * 3033) < 2.5 * row["allocated_error"], row
                estimates.append(row["allocated"])
    assert len(estimates) == 3 and len(set(estimates)) == 3, "the same seed, other samples"


def test_children_without_a_sample(traced_once):
    """They are in the tree of processes as they are where every block is recorded."""
    trace = traced_once.script("""
import os, subprocess, sys
def ends():
    pid = os.fork()
    if not pid:
        os._exit(0)
    return os.waitpid(pid, 0)[1]
print([ends() for _ in range(3)])
subprocess.run([sys.executable, "-S", "-c", "import os; os._exit(0)"], check=True)
""", options=["--sample=1GiB"]).trace
    processes = traced_once.assert_sound(trace)["processes"]
    assert sum(process["origin"] == "fork" for process in processes) >= 3, processes
    assert any(process["command"][1:2] == ["-S"] for process in processes), processes


NATIVE = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.realloc.restype = ctypes.c_void_p
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
blocks = [libc.malloc(100000) for _ in range(100)]
for _ in range(30):
    blocks = [libc.realloc(block, 90000) for block in blocks]  # moved
assert libc.realloc(blocks[0], (1 << 63) - 1) is None
"""


def test_realloc(traced_once):
    """A realloc is the end of a block and a new one; one that fails leaves the old one live."""
    trace = traced_once.script(NATIVE, options=[SAMPLE]).trace
    traced_once.assert_sound(trace)
    row, = (row for row in traced_once.rows(trace, "--domain", "native")
            if row.get("lineno") == 8)
    assert abs(row["size"] - 9000000) <= 3 * row["size_error"] + 1000 and row["size_error"] < 400000
    assert abs(row["allocated"] - 30 * 9000000) <= 3 * row["allocated_error"]


def test_maps_are_exact(traced_once):
    trace = traced_once.script("import mmap\nheld = mmap.mmap(-1, 5_000_000)  # mapped\n",
                               options=["--sample=1MiB"]).trace
    rows = traced_once.rows(trace, "--domain", "mmap")
    size = 5_000_000 + -5_000_000 % 4096
    assert [row["size"] for row in rows if row.get("lineno") == 2] == [size]


def test_pause(traced_once):
    """While allocations are not recorded none is a sample."""
    trace = traced_once.script("""
import memtrace
memtrace.stop()
unseen = [bytearray(100000) for _ in range(100)]  # unseen
memtrace.start()
seen = [bytearray(100000) for _ in range(100)]  # seen
""", options=[SAMPLE]).trace
    assert traced_once.at(trace, "unseen")[0] == 0
    size, _ = traced_once.at(trace, "seen")
    assert 9_000_000 < size < 11_000_000


@pytest.mark.parametrize("environment", [
    {"PYTHONMALLOC": "malloc"}, {"PYTHONMALLOC": "debug"}, {"PYTHONMALLOC": "malloc_debug"},
    {"PYTHONDEVMODE": "1"}, {"PYTHONTRACEMALLOC": "5"}], ids=lambda e: "=".join(*e.items()))
def test_other_allocators(traced, environment):
    """No block is counted twice, whatever lies below the hooks."""
    if not support.has_allocator(traced.python.path, environment):
        pytest.skip("this build has no such allocator")
    text = "held = [bytes(1000) for _ in range(5000)]  # held\n"
    environment = support.clean_environment(MEMTRACE_SEED="2", **environment)
    trace = traced.script(text, options=[SAMPLE], env=environment).trace
    traced.assert_sound(trace)
    size, _ = traced.at(trace, "held")
    header = support.bytes_header(traced.python.path)
    assert abs(size - 5000 * (1000 + header)) < 0.25 * 5000 * 1033
    exact = traced.script(text, env=environment).trace
    true, native = (traced.report("top", path, "--domain", "native")["total"]["size"]
                    for path in (exact, trace))
    assert abs(native - true) < 0.35 * true + 400_000, "Python's memory is no native memory as well"


@pytest.mark.parametrize("bytes_", ["0", "-1", "2TiB", "5 apples", ""])
def test_refusals(traced_plain, bytes_):
    result = traced_plain.run("true", options=["--sample=" + bytes_], status=125)
    assert "--sample" in result.message and "1TiB" in result.message


def test_reports_say_so(traced_once):
    trace = run(traced_once, PROGRAM, options=["--sample=64KiB"])
    for command in ("top", "tree", "lines", "stats", "leaks"):
        text = support.execute([support.MEMTRACE, command, trace]).out.decode()
        assert re.search(r"sampled, one block in 64.0 KiB.*95 of 100", text), text
        assert re.search(r"at end [\d.]+ MiB \u00b1[\d.]+", text), text
    info = support.execute([support.MEMTRACE, "info", trace]).out.decode()
    assert "sampled: one block in 64.0 KiB" in info
