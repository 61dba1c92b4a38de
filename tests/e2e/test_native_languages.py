"""Programs whose code is made while they run, and threads that such code or a foreign library starts: the
program prints what it holds, the trace says the same, by whom."""
import os
import shutil

import pytest
import support
from test_native import has_symbols

pytestmark = pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")

OPTIONS = [[], ["--native"], ["--sample"]]
CUT = "[no unwind information]"


def run_as_bare(traced, options, *words, **more):
    """The trace of a program that prints the same as it does bare; skips what does not run here."""
    if not shutil.which(str(words[0])):
        pytest.skip("no %s here" % words[0])
    bare = support.execute(words, **more)
    if bare.status:
        pytest.skip("does not run here: %r" % bare)
    result = traced.run("--", *words, options=["--symbolize"] + options, **more)
    assert (result.out, result.status) == (bare.out, bare.status), result
    traced.assert_sound(result.trace)
    return result.trace, [int(word) for word in bare.out.split()]


def line_of(text, mark):
    number, = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# " + mark)]
    return number


def stacks(traced, trace, smallest, largest):
    """(bytes, blocks, stacks) of blocks of about these sizes, a name for each native frame."""
    size, count, found = 0, 0, []
    for row in traced.rows(trace, "--domain", "native", key="traceback"):
        if smallest <= row["size"] / row["count"] <= largest:
            size, count = size + row["size"], count + row["count"]
            found.append([frame["native_frame"].get("function", frame["native_frame"].get("library"))
                          for frame in row["stack"]])
    return size, count, found


LUA = """
local ffi = require("ffi")
ffi.cdef[[ void *malloc(size_t); void free(void *);
           typedef int (*compare)(const int *, const int *);
           void qsort(void *, size_t, size_t, compare); ]]
local kept = {}
local function hold(size) kept[#kept + 1] = ffi.C.malloc(size) end
for n = 1, 2000 do hold(1000) end  -- long enough to be compiled
local numbers = ffi.new("int[?]", 500)
for n = 0, 499 do numbers[n] = (n * 7919) % 500 end
local back = ffi.cast("compare", function(one, other)
    if #kept < 2500 then hold(3000) end
    return one[0] - other[0]
end)
ffi.C.qsort(numbers, 500, 4, back)
print(#kept, numbers[0], numbers[499])
"""


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_luajit(traced_plain, tmp_path, options):
    """Blocks of its own code, interpreted, compiled and called back from C."""
    script = tmp_path / "blocks.lua"
    script.write_text(LUA)
    trace, told = run_as_bare(traced_plain, options, "luajit", script)
    assert told == [2500, 0, 499]
    if options != ["--native"]:
        return
    for each, blocks in ((1000, 2000), (3000, 500)):
        size, count, found = stacks(traced_plain, trace, each, each)
        assert (size, count) == (blocks * each, blocks)
        assert all(stack[0] == CUT or "_start" in stack for stack in found), found
    assert any("qsort" in str(stack) for stack in found), found


JAVA = """
import java.nio.ByteBuffer;
import java.util.*;

public class Buffers {
    static List<ByteBuffer> kept = Collections.synchronizedList(new ArrayList<>());

    static void hold(int size) {
        kept.add(ByteBuffer.allocateDirect(size));
    }

    public static void main(String[] words) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int n = 0; n < 4; n++) {
            threads.add(new Thread(() -> {
                for (int k = 0; k < 50; k++) {
                    hold(400000 + 8 * k);
                }
            }));
            threads.get(n).start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        System.out.println(kept.size() + " " + kept.stream().mapToInt(ByteBuffer::capacity).sum());
    }
}
"""


MALLOC = "os::malloc(unsigned long, MEMFLAGS)"


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_java(traced_plain, tmp_path, options):
    """Buffers of its threads: from the virtual machine's code on."""
    source = tmp_path / "Buffers.java"
    source.write_text(JAVA)
    trace, told = run_as_bare(traced_plain, options, "java", "-Xmx256m", source)
    if options == ["--native"]:
        size, count, found = stacks(traced_plain, trace, 400000, 400400)
        assert [count, size] == told
        assert all(stack[0] == CUT and stack[1:][-2:] == ["Unsafe_AllocateMemory0", MALLOC]
                   for stack in found), found
    elif not options:
        size, = [row["size"] for row in traced_plain.rows(trace, key="native-frame")
                 if row["native_frame"].get("function") == MALLOC]
        assert told[1] <= size <= told[1] + (1 << 20)


CFFI = """
import cffi
ffi = cffi.FFI()
ffi.cdef('''typedef void *(*begin)(void *); typedef unsigned long thread; void *malloc(size_t);
            int pthread_create(thread *, void *, begin, void *); int pthread_join(thread, void **);''')
libc = ffi.dlopen(None)
kept = []

@ffi.callback("void *(void *)")
def run(argument):
    kept.append(libc.malloc(70000))  # native
    kept.append(bytes(30000))  # python
    return ffi.NULL

for _ in range(20):
    thread = ffi.new("thread *")
    assert libc.pthread_create(thread, ffi.NULL, run, ffi.NULL) == 0
    libc.pthread_join(thread[0], ffi.NULL)
print(len(kept))
"""


def find_python(module):
    """An interpreter that has the module."""
    environment = support.clean_environment(PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    for interpreter in support.known_interpreters():
        if not support.execute([interpreter.path, "-c", "import " + module], env=environment).status:
            return interpreter.path, environment
    pytest.skip("no interpreter here has " + module)


@pytest.mark.parametrize("options", OPTIONS[:2], ids=str)
def test_threads_of_c_that_call_python(traced_plain, tmp_path, options):
    path, environment = find_python("cffi")
    script = tmp_path / "calls.py"
    script.write_text(CFFI)
    trace, told = run_as_bare(traced_plain, options, path, script, env=environment)
    assert told == [40]
    found = {row["lineno"]: (row["size"], row["count"], row["native"])
             for row in traced_plain.rows(trace, "--include", str(script))}
    assert found[line_of(CFFI, "native")][2] == 20 * 70000
    assert found[line_of(CFFI, "python")] == (20 * (30000 + support.bytes_header(path)), 20, 0)
    if options:
        row, = [row for row in traced_plain.rows(trace, "--domain", "malloc", key="traceback")
                if row["size"] == 20 * 70000]
        names = [frame.get("native_frame", frame).get("function") for frame in row["stack"]]
        call, = [name for name in names if name and name.endswith("ffi_call")]  # cffi may prefix it
        assert names.index("start_thread") < names.index("run") < names.index(call), names


NUMBA = """
import numba, numpy

@numba.njit
def make(size):
    return numpy.ones(size)

@numba.njit(parallel=True)
def add(rows):
    total = 0.0
    for n in numba.prange(rows):
        total += make(1000).sum()
    return total

kept = [make(10000 + n) for n in range(50)]  # made
print(sum(array.nbytes for array in kept), int(add(500)))
"""


@pytest.mark.parametrize("options", OPTIONS[:2], ids=str)
def test_numba(traced_plain, tmp_path, options):
    """Its arrays come from Python's allocator: they are Python's, on the line that called."""
    path, environment = find_python("numba")
    script = tmp_path / "compiled.py"
    script.write_text(NUMBA)
    trace, told = run_as_bare(traced_plain, options, path, script, env=environment)
    row, = [row for row in traced_plain.rows(trace, "--domain", "raw", "--include", str(script))
            if row["lineno"] == line_of(NUMBA, "made")]
    assert told[0] <= row["size"] <= told[0] + 50 * 200  # what it has beside each
    assert row["count"] >= 50
