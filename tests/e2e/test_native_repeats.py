"""Native stacks that are remembered from one event to the next, and look more alike than they are."""
import pytest
from test_native import has_symbols
from test_native_stacks import BACK, IN_C, NATIVE, layers, stacks  # noqa: F401

pytestmark = pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")

WAYS = """
import ctypes, functools
layers = ctypes.CDLL(%r)
layers.outer.argtypes = [ctypes.c_size_t]

def go(n):
    if n == 3:
        layers.outer(size)
        return 1
    return way[n](n + 1)

back = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(go)
through_c = functools.partial(layers.call_back, back)
ways = {50000: [go, go, through_c], 51000: [go, through_c, go], 52000: [through_c, go, go],
        53000: [through_c, through_c, go], 54000: [go, go, go]}
for _ in range(5):
    for size, way in ways.items():
        way[0](1)
"""


def test_frames_that_go_together_in_another_way(traced, layers):  # noqa: F811
    """One instruction calls Python now directly, now through C: the same frames of both."""
    trace = traced.script(WAYS % str(layers), options=NATIVE).trace
    traced.assert_sound(trace)
    found = stacks(traced, trace, "liblayers.so")
    for size, between in {50000: [0, 0, 1], 51000: [0, 1, 0], 52000: [1, 0, 0], 53000: [1, 1, 0],
                          54000: [0, 0, 0]}.items():
        stack = ["<module>"]
        for is_through_c in between:
            stack += is_through_c * BACK + ["go"]
        assert found[size] == stack + IN_C, size
