"""Native stacks where Python is not alone: threads that it knows nothing of, programs that have it
inside, code that runs while another thread holds the interpreter."""
import os
import shutil

import pytest
import support
from test_native import build, has_symbols
from test_native_stacks import NATIVE, layers, names, stacks  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")

IN_C = ["outer", "middle", "inner"]

POOL = """
import ctypes, sys
pool = ctypes.CDLL(%r)
pool.run_pool.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
pool.run_pool(20, 300000)
"""


@pytest.mark.parametrize("source, compiler, options", [
    ("pool.cc", "c++", ["-fPIC", "-shared", "-pthread"]),
    ("pool.rs", "rustc", ["-g", "--crate-type=cdylib", "-o"])])
def test_threads_without_a_state(traced_once, tmp_path, source, compiler, options):
    """Each has its blocks, under its own functions and no Python line."""
    if compiler == "rustc":
        made = support.execute([compiler] + options + [tmp_path / "pool", support.PROGRAMS / source],
                               env=dict(os.environ)) if shutil.which(compiler) else None
        if not made or made.status:
            pytest.skip("rustc makes no library here: %r" % (made,))
    else:
        build(tmp_path, "pool", support.PROGRAMS / source, *options, compiler=compiler)
    trace = traced_once.script(POOL % str(tmp_path / "pool"), options=NATIVE).trace
    traced_once.assert_sound(trace)
    kept, brief = sum(range(300000, 300020)), sum(range(400000, 400020))
    found = {row["allocated"]: row for row in traced_once.rows(
        trace, "--domain", "malloc", "--sort", "churn-size", "--limit", "0", key="traceback")}
    assert (found[kept]["size"], found[kept]["count"]) == (kept, 20)
    assert (found[brief]["size"], found[brief]["allocations"]) == (0, 20)
    for row in found[kept], found[brief]:
        assert all(frame.get("native_frame") for frame in row["stack"]), row
        assert any("work" in (name or "") for name in names(row)), row
    threads = traced_once.rows(trace, "--domain", "malloc", "--limit", "0", key="thread")
    assert [row["size"] // 1000 for row in threads if row["thread"] != "main"] == [300] * 20


BUSY = """
import ctypes, sys, threading
layers = ctypes.CDLL(%r)
layers.outer.argtypes = [ctypes.c_size_t]
sys.setswitchinterval(1e-6)
done = False

def spin():
    while not done:
        [0] * 1000

def first():
    for _ in range(300):
        layers.outer(50000)

def second():
    for _ in range(300):
        layers.outer(60000)

spinning = threading.Thread(target=spin)
threads = [threading.Thread(target=first), threading.Thread(target=second)]
spinning.start()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
done = True
spinning.join()
"""


def test_while_others_run_python(traced, layers):  # noqa: F811
    """C code that has released the interpreter belongs to the line that called it, not to what
    another thread runs meanwhile."""
    trace = traced.script(BUSY % str(layers), options=NATIVE).trace
    traced.assert_sound(trace)
    found = {tuple(names(row, "liblayers.so"))[-4:]: (row["count"], row["size"])
             for row in traced.rows(trace, "--domain", "malloc", "--limit", "0", key="traceback")
             if row["size"] >= 10 ** 6}
    assert found == {("first", *IN_C): (300, 300 * 50000), ("second", *IN_C): (300, 300 * 60000)}


HOSTED = """
import ctypes
layers = ctypes.CDLL(%r)
layers.outer.argtypes = [ctypes.c_size_t]
def asked():
    layers.outer(50000)
asked()
"""


def test_a_program_with_python_inside(traced, layers):  # noqa: F811
    """Its own functions are below Python's."""
    program = traced.directory / "hosts"
    environment = support.embed(traced.python, "hosts.c", program)
    if not environment:
        pytest.skip("cannot be embedded here")
    trace = traced.run("--", program, HOSTED % str(layers), options=NATIVE, env=environment).trace
    found = stacks(traced, trace, "liblayers.so", "hosts")
    assert found[50000] == ["_start", "main", "serve", "answer", "<module>", "asked"] + IN_C


BLAS = """
import threading, numpy
square = numpy.ones((800, 800))
for _ in range(3):
    product = square @ square
print(threading.active_count(), product[0, 0])
"""


def test_threads_of_openblas(traced_once):
    environment = support.clean_environment(PYTHONPATH=os.environ.get("PYTHONPATH", ""),
                                            OPENBLAS_NUM_THREADS="4")
    if support.execute([traced_once.python.path, "-c", "import numpy"], env=environment).status:
        pytest.skip("no numpy here")
    script = traced_once.directory / "blas.py"
    script.write_text(BLAS)
    result = traced_once.run(script, options=NATIVE, env=environment)
    assert result.out.decode().split() == ["1", "800.0"]
    traced_once.assert_sound(result.trace)
    rows = traced_once.rows(result.trace, "--limit", "0", "--domain", "malloc", "--domain", "mmap",
                            key="traceback")
    blas = [row for row in rows if any("openblas" in frame.get("native_frame", {}).get("library", "")
                                       for frame in row["stack"])]
    assert blas and all(frame.get("native_frame") or "numpy" in frame["filename"] or
                        frame["filename"].startswith("<frozen") or frame["filename"] == str(script)
                        for row in blas for frame in row["stack"]), blas
