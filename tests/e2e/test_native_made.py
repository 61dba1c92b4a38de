"""Native stacks through code that is made at run time, which no table describes."""
import os
import re

import pytest
import support
from test_native import build, has_symbols
from test_native_stacks import BACK, IN_C, NATIVE, PYTHON, RUN, layers, names, stacks  # noqa: F401

pytestmark = pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")

SCRIPT = """
import ctypes
layers, jitted = ctypes.CDLL(%r), ctypes.CDLL(%r)
layers.outer.argtypes = [ctypes.c_size_t]
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

@Callback
def back(size):
    layers.outer(10000 + size)
    return 1

def run():
    for kind in range(3):
        jitted.call_made(kind, 50000 + kind, layers.outer)
        jitted.call_made(kind, 60000 + kind, back)
run()
"""

CUT = "[no unwind information]"
BELOW = ["call_made", "jitted_outer", "jitted_inner"]


@pytest.fixture(scope="session")
def jitted(tmp_path_factory):
    return build(tmp_path_factory.mktemp("jitted"), "libjitted.so",
                 support.PROGRAMS / "jitted.c", "-fPIC", "-shared", "-fomit-frame-pointer")


def test_between_functions(traced, layers, jitted):  # noqa: F811
    """By the end of its function, by its frame pointer, and else it is said that nobody knows; what
    C and Python frames there are above it stays."""
    trace = traced.script(SCRIPT % (str(layers), str(jitted)), options=NATIVE).trace
    traced.assert_sound(trace)
    found = {}
    for row in traced.rows(trace, "--domain", "malloc", "--limit", "0", key="traceback"):
        stack = [frame.get("native_frame", {}) for frame in row["stack"]]
        kept = [name for name, native in zip(names(row), stack)
                if not native or native.get("library") in (None, "liblayers.so", "libjitted.so")]
        found[row["size"] // row["count"]] = kept, row["count"]
    for kind in 0, 1:
        assert found[50000 + kind] == (RUN + BELOW + [None] + IN_C, 1), found
        assert found[70000 + kind] == (RUN + BELOW + [None, "back"] + IN_C, 1), found
    assert found[50002] == (RUN + [CUT, None] + IN_C, 1), found
    assert found[70002] == (RUN + [CUT, None, "back"] + IN_C, 1), found


def test_in_text(traced_once, layers, jitted):  # noqa: F811
    trace = traced_once.script(SCRIPT % (str(layers), str(jitted)), options=NATIVE).trace
    text = support.execute([support.MEMTRACE, "top", "--key", "traceback", "--frames", "0", trace])
    assert ("  Native %s\n" % CUT).encode() in text.out, text


NAMED = """
import ctypes, os
layers, jitted = ctypes.CDLL(%r), ctypes.CDLL(%r)
layers.outer.argtypes = [ctypes.c_size_t]

def run():
    for number, name in enumerate((b"Shop::total(long)", b"<b>\\x1b[31m'`", b"third")):
        jitted.call_named(number %% 2, 50000 + number, layers.outer, name)
    with open("/tmp/perf-%%d.map" %% os.getpid(), "r+") as file:
        lines = file.readlines()
        file.write(lines[-1].replace("third", "another there"))
run()
"""


PID = """
import os
print(os.getpid())
"""


def forget_map(result):
    os.unlink("/tmp/perf-%d.map" % int(result.out))
    return result.trace


def test_names_that_compilers_tell_perf(traced_once, layers, jitted):  # noqa: F811
    """Not where two functions have been at one place; harmless in text whatever they are."""
    script = NAMED % (str(layers), str(jitted)) + PID
    trace = forget_map(traced_once.script(script, options=NATIVE))
    found = {row["size"] // row["count"]: [frame["native_frame"].get("function") for frame in
             row["stack"] if "library" not in frame.get("native_frame", {"library": ""})]
             for row in traced_once.rows(trace, "--domain", "malloc", "--limit", "0",
                                         key="traceback")}
    assert [found.get(50000 + number) for number in range(3)] == [
        ["Shop::total(long)"], ["<b>\x1b[31m'`"], [None]], found
    text = support.execute([support.MEMTRACE, "top", "--key", "traceback", "--frames", "0",
                            "--limit", "0", "--domain", "malloc", trace]).out
    assert b"\n  Native Shop::total(long)+0x" in text and b"\x1b" not in text, text


def test_trampolines_of_python(traced, layers):  # noqa: F811
    """-X perf: each Python function is called through code of its own."""
    if traced.python.version < (3, 12):
        pytest.skip("no trampolines before 3.12")
    environment = support.clean_environment(PYTHONPERFSUPPORT="1")
    script = traced.script(PYTHON % str(layers) + PID, options=NATIVE, env=environment)
    trace = forget_map(script)
    found = stacks(traced, trace, "liblayers.so")
    leaf = ["leaf"] + IN_C
    for size, stack in {50000: RUN + leaf, 60001: RUN + BACK + ["back"] + leaf,
                        60002: RUN + BACK + ["twice"] + BACK + ["back"] + leaf,
                        70000: RUN + ["sort", "<lambda>"] + leaf,
                        60003: ["worker"] + BACK + ["back"] + leaf}.items():
        assert found.get(size) == stack, (size, found.get(size), stack)
    names_of_all = {name for row in traced.rows(trace, "--domain", "malloc", "--limit", "0",
                                                key="traceback") for name in names(row) if name}
    assert any(re.fullmatch("py::leaf:.*[.]py", name) for name in names_of_all), names_of_all
