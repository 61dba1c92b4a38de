"""What a program says to memtrace: `import memtrace` on every interpreter, and memtrace.h."""
import re
import shutil

import pytest
import support

MODULE = support.ROOT / "agent" / "module" / "memtrace.py.in"

# The two integers and the tuple of the first answer, and the second one's two integers.
ANSWER = 64 + 56 + 2 * 64


def marks(info):
    return [b["name"] for b in info["boundaries"] if b["kind"] == "mark"]


def regions(info):
    return [region["name"] for region in info["regions"]]


USES_ALL = r'''
import sys
import memtrace
from memtrace import mark, region, profile

assert "_memtrace" not in sys.modules
assert memtrace.__version__ and memtrace.is_tracing() is True
mark("one")
mark("zw\u00f6lf \U0001f40d")
with region("outer") as outer:
    assert outer.name == "outer"
    with region("inner", report=True):
        held = bytearray(3 << 20)
        gone = bytearray(5 << 20)
        del gone
current, peak = memtrace.get_traced_memory()
assert 0 < current <= peak and type(current) is int
assert memtrace.start() is None and memtrace.stop() is None
assert memtrace.is_tracing() is False
memtrace.start()
print("done", memtrace.is_tracing())
'''


def test_every_word(traced):
    result = traced.script(USES_ALL, options=["-q"])
    assert result.out.split() == [b"done", b"True"], result
    line, = result.message.splitlines()
    name, _, rest = line.partition(": ")
    live, peak, seconds = rest.split(", ")
    assert name == "inner" and live in ("+3072 KiB live", "+3073 KiB live")
    assert peak in ("peak +8192 KiB", "peak +8193 KiB") and seconds.endswith(" s")
    info = traced.assert_sound(result.trace)
    assert marks(info) == ["one", "zw\u00f6lf \U0001f40d"] and info["marks"] == 2
    inner, outer = info["regions"]
    assert (inner["name"], outer["name"]) == ("inner", "outer")
    assert outer["start"] <= inner["start"] <= inner["end"] <= outer["end"]
    assert abs(inner["size_after"] - inner["size_before"] - (3 << 20)) < 4096
    assert abs(inner["peak"] - inner["size_before"] - (8 << 20)) < 4096


WRONG = r'''
import memtrace
for call in (lambda: memtrace.mark(1), lambda: memtrace.region(None).__enter__(),
             lambda: memtrace.mark(), lambda: memtrace.get_traced_memory(1)):
    try:
        call()
    except TypeError as error:
        print("TypeError")
memtrace.mark("")
memtrace.mark("\udc80")
memtrace.mark("x" * 100000)
memtrace.mark("line\nbreak\0")
'''


def test_odd_names(traced):
    result = traced.script(WRONG, options=["-q"])
    assert result.out.split() == [b"TypeError"] * 4, result
    assert traced.assert_sound(result.trace)["marks"] == 4


def test_not_loaded_unless_asked_for(traced):
    """A program that does not use it sees one finder more, and the builtin `profile`."""
    program = (
        "import sys, builtins\n"
        "print(sorted(sys.modules))\n"
        "print(sys.builtin_module_names, len(sys.path_hooks), sys.flags)\n"
        "print([str(finder) for finder in sys.meta_path if 'object at' not in str(finder)])\n"
        "print(sorted(set(dir(builtins))))\n"
        "print(sorted(sys.path_importer_cache))\n"
        "try:\n    import not_there\nexcept ImportError as error:\n    print(repr(error))\n"
        "import traceback\n"
        "try:\n    import not_there\nexcept ImportError:\n    traceback.print_exc()\n")
    path = traced.directory / "plain.py"
    path.write_text(program)
    for flags in ([], ["-I"], ["-S"], ["-E"], ["-I", "-S", "-E"], ["-W", "error"]):
        words = [traced.python.path, *flags, path]
        bare = support.execute(words, cwd=str(traced.directory))
        result = traced.run(*words, options=["-q"])
        mine = result.out.replace(b", \"<module '_memtrace'>\"]", b"]").replace(b"'profile', ", b"")
        assert mine == bare.out != result.out, (flags, result)
        assert result.err == bare.err
        traced.assert_sound(result.trace)


def test_the_builtin_is_like_others(traced):
    """It says what it takes, and can be pickled: CPython's own tests ask all builtins for it."""
    result = traced.script("import inspect, memtrace, pickle\n"
                           "print(inspect.signature(profile), inspect.signature(memtrace.profile))\n"
                           "print(profile.__doc__.split(':')[0], profile.__module__)\n"
                           "print(pickle.loads(pickle.dumps(profile)) is profile)\n"
                           "print(pickle._loads(pickle._dumps(profile)) is profile)\n",
                           options=["-q"])
    assert result.out.split(b"\n")[:-1] == [
        b"(function=None) (function=None)", b"A decorator builtins", b"True", b"True"], result


def test_import_times_are_the_same(traced):
    words = [traced.python.path, "-X", "importtime", "-c", "import json"]

    def names(result):
        return [line.rpartition("|")[2] for line in result.message.splitlines()
                if line.startswith("import time:")]
    bare = support.execute(words)
    assert names(traced.run(*words, options=["-q"])) == names(bare)


def test_its_own_memory_is_not_the_programs(traced):
    """What importing it takes is of the frame <memtrace>, not of the line that imports."""
    result = traced.script("import memtrace  # import\nmemtrace.mark('x')\n"
                           "@memtrace.profile\ndef f():\n    pass\nf()\n")
    rows = traced.rows(result.trace, "--domain", "python")
    own = [row for row in rows if row.get("filename") == "<memtrace>"]
    assert sum(row["size"] for row in own) > 10000
    size, _ = traced.at(result.trace, "import")
    assert size < 6000, size  # the import system's: the module object and its name
    traced.assert_sound(result.trace)


# ---- somebody else's module of that name ----

THEIRS = "value = 42\n"
SHOWS = "import memtrace; print(memtrace.value, memtrace.__spec__.origin == memtrace.__file__)"


def test_theirs_beside_the_script(traced):
    (traced.directory / "memtrace.py").write_text(THEIRS)
    assert traced.script(SHOWS, options=["-q"]).out == b"42 True\n"
    assert traced.run("-c", SHOWS, options=["-q"]).out == b"42 True\n"
    result = traced.run("-m", "memtrace", options=["-q"])
    assert (result.out, result.err) == (b"", b"")


def test_theirs_on_the_path(traced):
    folder = traced.directory / "theirs"
    (folder / "memtrace").mkdir(parents=True)
    (folder / "memtrace" / "__init__.py").write_text(THEIRS)
    (folder / "memtrace" / "part.py").write_text("")
    environment = support.clean_environment(PYTHONPATH=str(folder))
    result = traced.script(SHOWS + "\nimport memtrace.part\n", options=["-q"], env=environment)
    assert result.out == b"42 True\n", result


def make_environment(traced):
    folder = traced.directory / "venv"
    made = support.execute([traced.python.path, "-m", "venv", "--without-pip", folder])
    if made.status:
        pytest.skip("no venv here: %r" % made)
    return folder / "bin" / "python", next(folder.glob("lib/python3*/site-packages"))


def test_virtual_environment(traced):
    python, packages = make_environment(traced)
    result = traced.run(python, "-c", "import memtrace; memtrace.mark('venv')")
    assert marks(traced.assert_sound(result.trace)) == ["venv"]
    (packages / "memtrace.py").write_text(THEIRS)
    assert traced.run(python, "-c", SHOWS, options=["-q"]).out == b"42 True\n"


def test_theirs_by_a_finder_that_comes_later(traced):
    """As editable installations do, from a .pth file."""
    python, packages = make_environment(traced)
    (packages / "editable.py").write_text(
        "import sys\nfrom importlib.util import spec_from_file_location\n"
        "class Finder:\n    @classmethod\n    def find_spec(cls, name, path=None, target=None):\n"
        "        if name == 'memtrace':\n"
        "            return spec_from_file_location(name, %r)\n"
        "class Old:\n    pass\n"
        "sys.meta_path += [Old, Finder]\n" % str(traced.directory / "elsewhere.py"))
    (packages / "editable.pth").write_text("import editable\n")
    (traced.directory / "elsewhere.py").write_text(THEIRS)
    assert traced.run(python, "-c", SHOWS, options=["-q"]).out == b"42 True\n"
    (packages / "editable.py").write_text("import sys\nclass Old:\n    pass\n"
                                          "sys.meta_path.append(Old)\n")
    result = traced.run(python, "-c", "import memtrace; print(memtrace.is_tracing())",
                        options=["-q"])
    assert result.out == b"True\n", result


@pytest.mark.parametrize("change", ["sys.meta_path = sys.meta_path[:-1]", "sys.meta_path = ()",
                                    "sys.meta_path.clear()", "del sys.meta_path"])
def test_programs_that_change_the_finders(traced_once, change):
    result = traced_once.script(
        "import sys\nfinder = sys.meta_path[-1]\n%s\n"
        "print(finder.find_spec('memtrace', None).name, finder.find_spec('other'),\n"
        "      finder.find_spec('memtrace', path=['x']))\n" % change, options=["-q"])
    assert result.out == b"memtrace None None\n", result


# ---- ways to start ----

SAYS = "import memtrace; memtrace.mark('here'); print(memtrace.is_tracing())"


@pytest.mark.parametrize("flags", [[], ["-I"], ["-S"], ["-I", "-S", "-E"], ["-OO"], ["-X", "dev"],
                                   ["-W", "error"], ["-X", "importtime"]], ids=" ".join)
def test_flags(traced, flags):
    result = traced.run(traced.python.path, *flags, "-c", SAYS)
    assert result.out == b"True\n", result
    assert marks(traced.assert_sound(result.trace)) == ["here"]


def test_module_and_stdin_and_code(traced):
    (traced.directory / "package").mkdir()
    (traced.directory / "package" / "__main__.py").write_text(SAYS)
    for words, given in ((["-m", "package"], b""), (["package"], b""), (["-c", SAYS], b""),
                         ([traced.python.path], SAYS.encode()),
                         ([traced.python.path, "-"], SAYS.encode())):
        result = traced.run(*words, input=given)
        assert result.out == b"True\n", (words, result)
        assert marks(traced.assert_sound(result.trace)) == ["here"]


def test_sub_interpreters(traced):
    result = traced.script(r'''
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    try:
        import _interpreters as interpreters
    except ImportError:
        raise SystemExit(77)
for n in range(3):
    number = interpreters.create()
    interpreters.run_string(number, """if 1:
        import sys
        import memtrace
        assert sum(str(finder) == "<module '_memtrace'>" for finder in sys.meta_path) == 1
        memtrace.mark("sub")
        @profile
        def f(): pass
        f()
        try:
            import not_there
        except ImportError:
            print(memtrace.is_tracing(), flush=True)
    """)
    interpreters.destroy(number)
import memtrace
memtrace.mark("main")
''', status=None)
    if result.status == 77:
        pytest.skip("no module for sub-interpreters")
    assert result.status == 0 and result.out == b"True\n" * 3, result
    # From 3.14 on an interpreter that ends frees pymalloc's own tables: those it had allocated
    # inside of an allocation, which is no event.
    tables = 3 * 3 if traced.python.version >= (3, 14) else 0
    info = traced.assert_sound(result.trace, unknown_frees=tables)
    assert marks(info) == ["sub"] * 3 + ["main"] and regions(info) == ["f"] * 3


@pytest.mark.parametrize("variables", [{}, {"PYTHONMALLOC": "debug"}, {"PYTHONMALLOC": "malloc"}],
                         ids=lambda v: "".join(v.values()) or "plain")
def test_embedded(traced, variables):
    """An interpreter in somebody's program, started again and again."""
    program = traced.directory / "embeds"
    environment = support.embed(traced.python, "embeds.c", program)
    if not environment:
        pytest.skip("cannot be embedded here")
    if not support.has_allocator(traced.python.path, variables):
        pytest.skip("this build has no such allocator")
    environment.update(variables)
    result = traced.run("--", program, options=["-q"], env=environment)
    assert result.out == b"True profile\n" * 3, result
    assert marks(traced.assert_sound(result.trace)) == ["main", "sub"] * 3


def test_children(traced):
    """A fork says things as itself; what it forks while paused is paused."""
    result = traced.script(r'''
import os, memtrace
memtrace.mark("parent")
if os.fork() == 0:
    memtrace.mark("child")
    with memtrace.region("in the child", report=True):
        held = bytearray(1 << 20)
    os._exit(0)
os.wait()
memtrace.stop()
if os.fork() == 0:
    paused = not memtrace.is_tracing()
    memtrace.start()
    os._exit(0 if paused and memtrace.is_tracing() else 1)
assert os.wait()[1] == 0
''', options=["-q"])
    assert re.search(rb"in the child: \+102[45] KiB live, peak \+102[45] KiB, ", result.err)
    info = traced.assert_sound(result.trace)
    assert marks(info) == ["parent", "child"]
    assert info["regions"][0]["pid"] == info["processes"][1]["pid"]


# ---- decorated ----

DECORATED = r'''
import asyncio, functools, inspect, memtrace, types, warnings

def bare(a, b=2, *c, d: int = 4, **e) -> str:
    "Its doc."
    return [a, b, c, d, e]
bare.attribute = 1
for decorate in (memtrace.profile, memtrace.profile(), profile, profile()):
    f = decorate(bare)
    assert f(1, d=5, z=6) == bare(1, d=5, z=6)
    assert (f.__name__, f.__qualname__, f.__doc__, f.__module__) == (
        "bare", "bare", "Its doc.", "__main__")
    assert f.__wrapped__ is bare and f.attribute == 1 and f.__annotations__ == bare.__annotations__
    assert inspect.signature(f) == inspect.signature(bare)

class C:
    @profile
    def method(self): return self
    @profile
    @classmethod
    def inner_class(cls): return cls
    @classmethod
    @profile
    def outer_class(cls): return cls
    @staticmethod
    @profile
    def outer_static(x): return x
    @profile
    @staticmethod
    def inner_static(x): return x
    @property
    @profile
    def number(self): return 5
c = C()
assert c.method() is c and c.number == 5 and c.inner_static(3) == c.outer_static(3) == 3
assert C.inner_class() is C.outer_class() is c.inner_class() is C
assert profile(C) is C
assert profile(len)([1]) == 1 and profile(functools.partial(max, 5))(7) == 7

@profile
def generate():
    try:
        got = yield 1
    except KeyError:
        got = "key"
    yield got
    return "end"
assert inspect.isgeneratorfunction(generate)
g = generate()
assert next(g) == 1 and g.send("sent") == "sent"
try:
    next(g)
except StopIteration as stop:
    assert stop.value == "end"
g = generate()
next(g)
assert g.throw(KeyError()) == "key"
g.close()
assert list(generate()) == [1, None]
generate().close()

@profile
async def wait():
    await asyncio.sleep(0)
    return 7
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # 3.14: the one of inspect is enough
    assert inspect.iscoroutinefunction(wait) and asyncio.iscoroutinefunction(wait)

@profile
@types.coroutine
def old():
    return (yield from asyncio.sleep(0).__await__())

closed = []
@profile
async def many():
    try:
        got = yield 1
        while True:
            try:
                got = yield got
            except KeyError:
                got = "key"
            if got == "stop":
                return
    finally:
        closed.append(True)
assert inspect.isasyncgenfunction(many)

async def main():
    assert await asyncio.gather(wait(), wait()) == [7, 7]
    await old()
    a = many()
    assert await a.__anext__() == 1
    assert await a.asend("x") == "x"
    assert await a.athrow(KeyError()) == "key"
    try:
        await a.asend("stop")
    except StopAsyncIteration:
        closed.append("stopped")
    b = many()
    await b.__anext__()
    await b.aclose()
    async for value in many():
        if value is None:
            break
    b = many()
    await b.__anext__()
    try:
        await b.athrow(ValueError())
    except ValueError:
        closed.append("raised")
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_asyncgens())
loop.close()
assert closed.count(True) == 4 and "stopped" in closed and "raised" in closed, closed

@profile
def fails():
    raise LookupError("mine")
try:
    fails()
except LookupError as error:
    assert error.args == ("mine",) and error.__context__ is None
try:
    with memtrace.region("failing"):
        raise LookupError("in a region")
except LookupError as error:
    assert error.__traceback__.tb_next is None
again = memtrace.region("again")
with again, again:
    pass
print("done")
'''


def test_decorated(traced):
    result = traced.script(DECORATED, options=["-q"])
    assert result.out == b"done\n" and not result.err, result
    found = regions(traced.assert_sound(result.trace))
    assert found.count("bare") == 4 and found.count("wait") == 2 and found.count("again") == 2
    assert found.count("generate") == 3 and found.count("many") == 4  # begun, not only made
    for name in ("C.method", "C.inner_class", "C.outer_static", "fails", "failing", "old", "len"):
        assert name in found, (name, found)


def test_builtin_without_import(traced):
    """Old scripts say @profile and import nothing; nor do we in their name."""
    result = traced.script("import sys\n@profile\ndef work():\n    return bytearray(10 ** 6)\n"
                           "work()\nprint([m for m in sys.modules if 'memtrace' in m])\n")
    assert result.out == b"[]\n"
    assert regions(traced.assert_sound(result.trace)) == ["work"]


def test_builtin_of_another_profiler(traced):
    result = traced.script("import builtins\nbuiltins.profile = 5\nprint(profile)\n"
                           "import memtrace\nprint(profile)\n", options=["-q"])
    assert result.out == b"5\n5\n", result


# ---- answers ----

ASKS = r'''
import memtrace, sys
first = memtrace.get_traced_memory()
held = bytearray(10_000_000)
second = memtrace.get_traced_memory()
del held
third = memtrace.get_traced_memory()
print(second[0] - first[0] - 10_000_001, third[0] - first[0], third[1] >= second[0])
'''


def test_answers_are_exact(traced):
    """The block and, beside it, no more than the answers themselves and the bytearray object."""
    grown, back, peak = traced.script(ASKS, options=["-q"]).out.split()
    assert 0 <= int(grown) <= ANSWER + 64 and 0 <= int(back) <= 2 * ANSWER and peak == b"True"


def test_answers_agree_with_the_reports(traced):
    """The total at the end is the last answer, but for what the program's last line made."""
    result = traced.script("import memtrace, os\nheld = [bytes(1000) for _ in range(1000)]\n"
                           "a = memtrace.get_traced_memory()\na = memtrace.get_traced_memory()\n"
                           "os.write(1, b'%d %d' % a)\nos._exit(0)\n")
    current, peak = map(int, result.out.split())
    report = traced.report("top", result.trace, "--at", "end", "--limit", "0")
    assert abs(report["total"]["size"] - current) <= ANSWER + 128
    at_peak = traced.report("top", result.trace, "--at", "peak", "--limit", "0")
    assert peak <= at_peak["total"]["size"] <= peak + 4096


def test_threads(traced):
    """What other threads did before a mark or a question is in it."""
    result = traced.script(r'''
import memtrace, threading
held, errors = [], []
def work(n):
    for i in range(20):
        with memtrace.region("thread %d" % n):
            before = memtrace.get_traced_memory()[0]
            block = bytearray(1 << 20)
            held.append(block)
            if memtrace.get_traced_memory()[0] - before < (1 << 20) - 100000:
                errors.append(n)
    memtrace.mark("end of %d" % n)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(errors, len(held))
''')
    assert result.out == b"[] 80\n", result
    info = traced.assert_sound(result.trace)
    assert info["marks"] == 4 and len(info["regions"]) == 80
    assert len({region["tid"] for region in info["regions"]}) == 4


def test_marks_are_moments(traced):
    """A mark has what the program held when it was made, whatever came after."""
    result = traced.script("import memtrace\nheld = bytearray(5_000_000)\nmemtrace.mark('full')\n"
                           "del held\nmemtrace.mark('empty')\n")
    info = traced.assert_sound(result.trace)
    assert marks(info) == ["full", "empty"]
    full, empty = (traced.report("top", result.trace, "--at", "mark:" + name)["total"]["size"]
                   for name in marks(info))
    assert abs(full - empty - 5_000_001) < 1000


# ---- pauses ----

PAUSES = r'''
import memtrace
kept = [bytes(1000 + i) for i in range(1000)]
memtrace.stop()
missed = [bytes(1000 + i) for i in range(1000)]     # missed
growing = kept + kept
kept.clear()
memtrace.start()
taken = [bytes(2000) for _ in range(100)]           # taken
missed.clear()
growing.clear()
memtrace.stop()
memtrace.stop()
memtrace.start()
memtrace.start()
'''


def test_pauses_leave_no_unknown_frees(traced):
    result = traced.script(PAUSES)
    info = traced.assert_sound(result.trace)
    process = info["processes"][0]
    assert process["was_paused"] and process["paused_frees"] >= 1000
    assert traced.at(result.trace, "missed") == (0, 0)
    size, count = traced.at(result.trace, "taken")
    assert 100 <= count <= 102 and size >= 100 * 2033


def test_pauses_with_threads(traced):
    result = traced.script(r'''
import memtrace, threading
stop = threading.Event()
def churn():
    held = []
    while not stop.is_set():
        held.append(bytearray(3000))
        if len(held) > 50:
            held.clear()
threads = [threading.Thread(target=churn) for _ in range(4)]
[t.start() for t in threads]
for _ in range(50):
    memtrace.stop()
    memtrace.start()
stop.set()
[t.join() for t in threads]
''')
    traced.assert_sound(result.trace)


def test_off_from_the_start(traced):
    result = traced.script(
        "import memtrace\nprint(memtrace.is_tracing())\nmissed = bytearray(4_000_000)\n"
        "held = None\nmemtrace.start()\nprint(memtrace.is_tracing())\n"
        "held = bytearray(3_000_000)  # held\n"
        "del missed\n", options=["-q", "--off"])
    assert result.out == b"False\nTrue\n", result
    traced.assert_sound(result.trace)
    size, _ = traced.at(result.trace, "held")
    assert 3_000_001 <= size < 3_000_200
    total = traced.report("top", result.trace, "--at", "peak")["total"]["size"]
    assert total < 3_200_000
    result = traced.script("held = bytearray(3_000_000)\n", options=["--off"])
    assert traced.report("top", result.trace, "--at", "peak")["total"]["size"] == 0
    traced.assert_sound(result.trace)


def test_nobody_answers(traced_once):
    """The collector is gone: no answer, no hang, the program goes on."""
    result = traced_once.script(
        "import memtrace, os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n"
        "print(memtrace.get_traced_memory())\nmemtrace.mark('x')\nmemtrace.stop()\n"
        "with memtrace.region('r', report=True):\n    pass\n", options=["-q"], status=-9)
    assert result.out == b"(0, 0)\n", result


# ---- without the tracer ----

def test_module_that_does_nothing(traced):
    folder = traced.directory / "installed"
    folder.mkdir()
    (folder / "memtrace.py").write_text(MODULE.read_text().replace("@VERSION@", "1.2.3"))
    program = traced.directory / "uses.py"
    program.write_text(
        "import memtrace\nmemtrace.mark('x')\nmemtrace.start()\nmemtrace.stop()\n"
        "with memtrace.region('r', report=True):\n    pass\n"
        "def f(): return 1\nassert memtrace.profile(f) is f and memtrace.profile()(f) is f\n"
        "print(memtrace.is_tracing(), memtrace.get_traced_memory(), memtrace.__version__)\n")
    result = support.execute([traced.python.path, program],
                             env=support.clean_environment(PYTHONPATH=str(folder)))
    assert result.status == 0 and result.out == b"False (0, 0) 1.2.3\n", result
    assert not result.err
    inside = traced.run("-c", "import memtrace; print(memtrace.__all__)", options=["-q"])
    outside = support.execute([traced.python.path, "-c", "import memtrace; print(memtrace.__all__)"],
                              env=support.clean_environment(PYTHONPATH=str(folder)))
    assert inside.out == outside.out


# ---- from C ----

COMPILERS = {"c": ["cc", "-x", "c", "-std=c99"], "c-no-pie": ["cc", "-x", "c", "-no-pie", "-O2"],
             "c++": ["c++", "-x", "c++", "-std=c++11"]}


@pytest.mark.parametrize("name", COMPILERS)
def test_from_c(traced_plain, name):
    if not shutil.which(COMPILERS[name][0]):
        pytest.skip("no compiler")
    program = traced_plain.directory / "said"
    made = support.execute([*COMPILERS[name], "-Wall", "-Wextra", "-Werror", "-D_DEFAULT_SOURCE",
                            "-I", support.ROOT / "include", support.PROGRAMS / "said.c", "-o",
                            program])
    assert made.status == 0, made
    bare = support.execute([program])
    assert bare.out.split(b"\n")[:2] == [b"tracing 0", b"grown 0"] and bare.status == 0, bare
    result = traced_plain.run(program)
    assert result.out.decode().splitlines() == [
        "tracing 1", "grown 1000000", "tracing 0", "paused 1000000", "tracing 1"][:4] + [
        "freed 1", "answered 1", "peak 1"], result
    info = traced_plain.assert_sound(result.trace)
    assert marks(info) == ["from C"] and regions(info) == ["band"]
    assert info["regions"][0]["size_after"] - info["regions"][0]["size_before"] == 1000000
