"""Native threads and signal handlers at full speed: no event lost, doubled or out of order."""
import pytest
import support


def compile_program(directory, name, *options):
    target = directory / name.replace(".c", ".so" if "-shared" in options else "")
    result = support.execute(["gcc", "-O1", "-g", "-w", "-fno-builtin", "-D_GNU_SOURCE",
                              support.PROGRAMS / name, "-o", target, "-pthread", *options])
    assert result.status == 0, result
    return target


def native(traced, trace):
    """(bytes, blocks) of the malloc family at the end."""
    rows = traced.rows(trace, "--at", "end", "--domain", "native", key="domain")
    return sum(row["size"] for row in rows), sum(row["count"] for row in rows)


def added(traced, program, nothing, arguments, **more):
    """What the program said, and (bytes, blocks) of it beyond what a run with the arguments
    `nothing` holds too."""
    empty = traced.run(program, *nothing, **more)
    full = traced.run(program, *arguments, **more)
    traced.assert_sound(full.trace)
    (bytes_before, blocks_before), (size, count) = (
        native(traced, empty.trace), native(traced, full.trace))
    return list(map(int, full.out.split())), [size - bytes_before, count - blocks_before]


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_storm(traced_plain, threads):
    program = compile_program(traced_plain.directory, "storm.c")
    steps = 100000 if support.QUICK else 2000000
    said, found = added(traced_plain, program, [str(threads), "0"],
                        [str(threads), str(steps // threads)])
    assert found == said and said[1] > 50


@pytest.fixture
def signals(traced_plain):
    """The program with an allocator that signal handlers may call."""
    compile_program(traced_plain.directory, "safe_malloc.c", "-shared", "-fPIC")
    return compile_program(traced_plain.directory, "signals.c", "-L", traced_plain.directory,
                           "-Wl,-rpath," + str(traced_plain.directory), "-l:safe_malloc.so")


@pytest.mark.parametrize("senders", [0, 1, 3])
def test_signal_handler_allocates(traced_plain, signals, senders):
    seconds = "1" if support.QUICK else "4"
    said, found = added(traced_plain, signals, ["0", str(senders)], [seconds, str(senders)])
    assert said[0] > 500, "too few signals to tell"
    assert found == said[1:]


PYTHON = """
import ctypes, sys, time
library = ctypes.CDLL(sys.argv[1])
out = (ctypes.c_uint64 * 3)()
library.signals_start(100)
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    x = [[str(n), bytes(n)] for n in range(200)]
b = b"x" * 7777  # kept
library.signals_stop(out)
print(*out)
"""


def test_signal_handler_in_python(traced):
    """Inside the interpreter's allocators, too."""
    safe = compile_program(traced.directory, "safe_malloc.c", "-shared", "-fPIC")
    library = compile_program(traced.directory, "signals.c", "-shared", "-fPIC")
    result = traced.script(PYTHON, library, "1",
                           env=support.clean_environment(LD_PRELOAD=str(safe)))
    signals, size, count = map(int, result.out.split())
    traced.assert_sound(result.trace)
    assert signals > 500 and count == 64 and size > 0
    assert traced.at(result.trace, "kept") == (7777 + traced.header, 1)


def test_many_stacks(traced_once):
    """What the agent remembers of them has a bound; what they hold is counted all the same."""
    result = traced_once.run(support.PROGRAMS / "many_stacks.py", "300", "300")
    traced_once.assert_sound(result.trace)
    own = traced_once.report("info", result.trace)["own"]
    assert own["agent"] < 12 << 20, own  # with a ring of 4 MiB
    inner = traced_once.lines(result.trace, "inner.py")
    counts = [inner[line][1] for line in range(2, 1002)]
    assert max(counts) <= 2 * 300, inner
    assert sum(counts) >= 2 * 300 * 1000 - 1000, inner  # some lists lay about before
