"""Ways in which an interpreter is built, started and embedded: nothing is lost in any of them."""
import glob
import os
import shutil

import pytest
import support

# Blocks small and large, moved, freed by other threads; code that is compiled and dies.
PROGRAM = """
import sys, threading
held = []
for n in range(100):
    b = b'x' * (400 + n * 40)  # kept
    held.append(b)
def work():
    kept = [bytes(n) for n in range(2000)]
    array = bytearray()
    for n in range(3000):
        array += b'0123456789'
    held.append(kept)
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
for n in range(50):
    exec("def f%d(): return bytes(%d)\\nf%d()" % (n, n, n))
import json, decimal
"""


def objects_of(traced, result, mark):
    """(size, count) of the objects of the line with this mark; tracemalloc's tables are none."""
    path = traced.directory / ("script%d.py" % traced.count)
    line = 1 + [line.endswith("# " + mark) for line in path.read_text().splitlines()].index(True)
    rows = traced.rows(result.trace, "--at", "end", "--domain", "obj", "--include", str(path))
    found = [(r["size"], r["count"]) for r in rows
             if r["filename"] == str(path) and r["lineno"] == line]
    return found[0] if found else (0, 0)


def assert_objects(traced, result, mark, sizes):
    """Bytes objects of these lengths, and from 3.14 on a number or two in a free list."""
    size, count = objects_of(traced, result, mark)
    numbers = count - len(sizes)
    assert 0 <= numbers <= (2 if traced.python.version >= (3, 14) else 0), (mark, count)
    assert size == sum(sizes) + traced.header * len(sizes) + (traced.header - 1) * numbers, mark


def assert_kept(traced, result):
    traced.assert_sound(result.trace)
    assert_objects(traced, result, "kept", [400 + n * 40 for n in range(100)])


ENVIRONMENTS = {
    "tracemalloc": {"PYTHONTRACEMALLOC": "1"},
    "tracemalloc-deep": {"PYTHONTRACEMALLOC": "25"},
    "tracemalloc-development": {"PYTHONTRACEMALLOC": "2", "PYTHONDEVMODE": "1"},
    "tracemalloc-malloc": {"PYTHONTRACEMALLOC": "2", "PYTHONMALLOC": "malloc"},
    "pymalloc_debug": {"PYTHONMALLOC": "pymalloc_debug"},
    "importtime": {"PYTHONPROFILEIMPORTTIME": "1"},
    "verbose": {"PYTHONVERBOSE": "1"},
    "optimized": {"PYTHONOPTIMIZE": "2", "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "1"},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment(traced, name):
    variables = support.clean_environment(**ENVIRONMENTS[name])
    if not support.has_allocator(traced.python.path, ENVIRONMENTS[name]):
        pytest.skip("this build has no such allocator")
    result = traced.script(PROGRAM, env=variables)
    assert_kept(traced, result)


@pytest.mark.parametrize("locale, missed", [("C.UTF-8", 0), ("C", 1)])
def test_mimalloc(traced, locale, missed):
    """From 3.15 on the raw domain is its own too, and hooks are dropped without a call of malloc.
    What the locale has allocated then tells of it; in the C locale there is nothing, dropped hooks
    are missed by what mimalloc maps, and one block is made in that."""
    variables = {"PYTHONMALLOC": "mimalloc"}
    if not support.has_allocator(traced.python.path, variables):
        pytest.skip("this build has no such allocator")
    variables.update(LC_ALL=locale, PYTHONCOERCECLOCALE="0")
    result = traced.script(PROGRAM, env=support.clean_environment(**variables))
    traced.assert_sound(result.trace,
                        unknown_frees=missed if traced.python.version >= (3, 15) else 0)
    assert_objects(traced, result, "kept", [400 + n * 40 for n in range(100)])


def test_tracemalloc_for_a_while(traced):
    """Its tables are memory of the program, at the line that makes them grow; then they go."""
    result = traced.script("""
import tracemalloc
tracemalloc.start(5)
held = []
for n in range(2000):
    b = bytes(1000 + n)  # kept
    held.append(b)
print(tracemalloc.get_tracemalloc_memory())
import memtrace
memtrace.mark("full")
tracemalloc.stop()
for n in range(100):
    b = bytes(2000)  # more
    held.append(b)
""")
    traced.assert_sound(result.trace)
    assert_objects(traced, result, "kept", range(1000, 3000))
    assert_objects(traced, result, "more", 100 * [2000])
    rows = traced.rows(result.trace, "--at", "mark:full", key="domain")
    tables = sum(row["size"] for row in rows if row["domain"] in ("raw", "malloc"))
    assert tables >= int(result.out) > 50000


SET_UP_AGAIN = """
import ctypes
held, b = [], None
for n in range(100):
    b = bytes(1000 + n)  # before
    held.append(b)
ctypes.pythonapi.PyMem_SetupDebugHooks()
for n in range(100):
    b = bytes(2000 + n)  # after
    held.append(b)
del held[:50]
import json
print("end")
"""


def assert_before_and_after(traced, result):
    traced.assert_sound(result.trace)
    header = support.bytes_header(traced.python.path)
    for mark, sizes in ("before", range(1050, 1100)), ("after", range(2000, 2100)):
        size, count = objects_of(traced, result, mark)
        assert 0 <= size - sum(sizes) - header * len(sizes) <= 100, (mark, size)
        assert 0 <= count - len(sizes) <= 2, (mark, count)  # numbers, which stay in a free list


@pytest.mark.parametrize("options", [(), ("--sample=1",)], ids=["exact", "sample"])
@pytest.mark.parametrize("variable", ["debug", "malloc_debug"])
def test_debug_hooks_set_up_again(traced, variable, options):
    """On top of ours, which lie on debug hooks: those are CPython's only ones, and so in a circle.
    They lie again as they lay, and the calls that find them so have the program's blocks."""
    if not support.has_allocator(traced.python.path, {"PYTHONMALLOC": variable}):
        pytest.skip("this build has no such allocator")
    environment = support.clean_environment(PYTHONMALLOC=variable)
    result = traced.script(SET_UP_AGAIN, env=environment, options=options)
    assert result.out == b"end\n", result
    assert_before_and_after(traced, result)


SET_UP_FIRST = """
import sys
held, b = [], None
for n in range(100):
    b = bytes(1000 + n)
    held.append(b)
for n in range(50):
    exec("def f%d(): return bytes(%d)\\nf%d()" % (n, n, n))
import memtrace
memtrace.mark('full')
"""


def test_debug_hooks_set_up_first(traced):
    """By a program with an interpreter in it, before that is there: so they lie on ours.  What is
    recorded is what the program has of a block, not what the debug hooks put around it."""
    program = traced.directory / "debug_first"
    environment = support.embed(traced.python, "debug_first.c", program)
    if not environment:
        pytest.skip("cannot be embedded here")
    bare = support.execute([program, SET_UP_FIRST.replace("import memtrace\nmemtrace.mark('full')", "")],
                           env=environment)
    if bare.status:
        pytest.skip("does not bear it bare: %s" % bare.message[-200:])
    result = traced.run("--", program, SET_UP_FIRST, options=["-q"], env=environment)
    traced.assert_sound(result.trace)
    rows = traced.rows(result.trace, "--at", "mark:full", "--domain", "obj")
    (size, count), = [(row["size"], row["count"]) for row in rows
                      if row.get("filename") == "<string>" and row["lineno"] == 5]
    more = size - sum(1000 + n + traced.header for n in range(100))
    assert (more, count) in ((0, 100), (49 + len("__bytes__"), 101))  # the name, if it is made here


def debug_interpreters():
    found = sorted(glob.glob("/usr/bin/python3.[0-9]*-dbg"))
    return [path for path in found if support.execute(
        [path, "-c", "import sys; sys.gettotalrefcount()"]).status == 0]


@pytest.mark.parametrize("variables", [
    {}, {"PYTHONMALLOC": "malloc"}, {"PYTHONMALLOC": "debug"}, {"PYTHONMALLOC": "pymalloc"},
    {"PYTHONDEVMODE": "1"}, {"PYTHONTRACEMALLOC": "3"}], ids=lambda v: "-".join(v.values()) or "plain")
def test_debug_build(tmp_path, variables):
    """Debug hooks from the first block on; sizes are what the program asked for all the same."""
    found = debug_interpreters()
    if not found:
        pytest.skip("no debug build of Debian's here (python3-dbg)")
    traced = support.Traced(tmp_path, support.Interpreter(found[0], (3,), "debug"))
    result = traced.script(PROGRAM, env=support.clean_environment(**variables))
    assert_kept(traced, result)


def test_sub_interpreters(traced):
    """Each with an allocator of its own from 3.12 on, whose books go when it does."""
    result = traced.script("""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import memtrace
memtrace.mark("before")
for _ in range(3):
    one = interpreters.create()
    interpreters.run_string(one, "held = [bytes(n) for n in range(9000)]")
    interpreters.destroy(one)
""")
    traced.assert_sound(result.trace)
    rows = traced.rows(result.trace, "--from", "mark:before", "--domain", "python")
    assert sum(row["size"] for row in rows if row.get("filename") == "<string>") < 100000


LATE = """
import sys
held, b = [], None
for n in range(100):
    b = bytes(1000 + n)
    held.append(b)
sys.held = held
import json, memtrace
memtrace.mark('full')
assert memtrace.is_tracing()
"""


def library_path(python):
    """Its shared library; None where it is part of the executable."""
    said = support.execute([python.path, "-c", "import sysconfig as s; print(s.get_config_var("
                            "'LIBDIR') + '/' + str(s.get_config_var('INSTSONAME')))"])
    path = said.out.decode().strip()
    return path if path.endswith(".so.1.0") and os.path.exists(path) else None


def library_of(python):
    return library_path(python) or pytest.skip("%s has no shared library" % python.name)


def home_of(python):
    return support.execute([python.path, "-c", "import sys; print(sys.base_prefix)"]).out.decode().strip()


@pytest.mark.parametrize("how, rounds, threads", [
    ("local", 1, 0), ("global", 12, 0), ("local", 5, 3)])
def test_loaded_late(traced, how, rounds, threads):
    """dlopen of libpython: looked at and unloaded again, beside threads that load; then used."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler here")
    library = library_of(traced.python)
    program, other = traced.directory / "loads", traced.directory / "libother.so"
    built = [support.execute(["cc", "-O1", "-o", program, support.PROGRAMS / "loads.c", "-ldl",
                              "-lpthread"]),
             support.execute(["cc", "-O1", "-shared", "-fPIC", "-x", "c", os.devnull, "-o", other])]
    assert not any(made.status for made in built), built
    result = traced.run(program, library, how, rounds, threads, other, LATE,
                        env=support.clean_environment(PYTHONHOME=home_of(traced.python)))
    traced.assert_sound(result.trace)
    assert not result.err or result.message.count("\n") == 2, result
    rows = traced.rows(result.trace, "--at", "mark:full", "--domain", "obj")
    header = support.bytes_header(traced.python.path)
    assert [(row["size"], row["count"]) for row in rows
            if row.get("filename") == "<string>" and row["lineno"] == 5] == [
        (sum(1000 + n + header for n in range(100)), 100)]
    process, = traced.report("info", result.trace)["processes"]
    assert process["python"] == "traced", process
    assert process["python_version"] == "%d.%d.%d" % traced.python.version, process


def test_two_in_one_process(traced_plain):
    """The first is traced; the second runs as it does bare, and one line tells of it."""
    with_library = [i for i in support.known_interpreters() if library_path(i)]
    if len(with_library) < 2 or not shutil.which("cc"):
        pytest.skip("no two shared libraries of Python here, or no C compiler")
    first, second = with_library[0], with_library[-1]
    program = traced_plain.directory / "two"
    built = support.execute(["cc", "-O1", "-o", program, support.PROGRAMS / "two.c", "-ldl"])
    assert built.status == 0, built
    words = [program, library_of(first), home_of(first), library_of(second), home_of(second)]
    bare = support.execute(words)
    result = traced_plain.run(*words, options=["-q"], status=bare.status)
    assert bare.status == 0 and result.out == bare.out, (bare, result)
    ours = [line for line in result.message.splitlines() if line.startswith("memtrace: ")]
    assert len(ours) == 1 and library_of(second) in ours[0], result
    traced_plain.assert_sound(result.trace)
    rows = traced_plain.rows(result.trace, "--at", "end", "--domain", "obj", "--include", "<string>")
    assert sorted(row["size"] for row in rows)[-1] in range(100000, 101000), rows
    rows = traced_plain.rows(result.trace, "--at", "end", "--domain", "native")
    assert max(row["size"] for row in rows) >= 300000, rows  # of the second, without its line
