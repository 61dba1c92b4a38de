"""Stacks a hundred thousand frames deep: whole, each line right."""
import support

PROGRAM = """
import sys, threading
depth = int(sys.argv[1])
held = []
def even(turns):
    for last in turns:
        if last:
            block = bytes(123457)
            held.append(block)
            return
        odd(turns)
def odd(turns):
    for last in turns:
        if last:
            block = bytes(123457)
            held.append(block)
            return
        even(turns)
def run():
    even(iter([False] * depth + [True]))
sys.setrecursionlimit(depth + 1000)
threading.stack_size(1 << 30)
thread = threading.Thread(target=run)
thread.start()
thread.join()
print(len(held))
"""


def test_deep_stack(traced):
    # Before 3.11 each frame is an allocation that the whole stack is looked through for.
    depth = 100000 if traced.python.version >= (3, 11) and not support.QUICK else 20000
    result = traced.script(PROGRAM, str(depth))
    assert result.out == b"1\n"
    traced.assert_sound(result.trace)
    rows = [row for row in traced.rows(result.trace, "--frames", "0", "--at", "end",
                                       key="traceback") if row["size"] == 123457 + traced.header]
    assert rows and len(rows[0]["traceback"]) > depth
    frames = [(f["function"].rpartition(".")[2], f["lineno"]) for f in rows[0]["traceback"]
              if f["filename"].endswith(".py") and "script" in f["filename"]]
    calls = [frame for frame in frames if frame[0] in ("even", "odd")]
    assert calls[:-1] == [("even", 11), ("odd", 18)] * (depth // 2)
    assert calls[-1] == ("even", 8)


COST = """
import sys, threading, time
depth = int(sys.argv[1])
times = {}
def leaf(n):
    return bytes(n)
def measure(name):
    best = []
    for _ in range(10):
        start = time.perf_counter()
        for n in range(500):
            leaf(n)
        best.append(time.perf_counter() - start)
    times[name] = min(best)
def down(n):
    if n:
        down(n - 1)
    else:
        measure("deep")
def run():
    measure("shallow")
    down(depth)
sys.setrecursionlimit(depth + 1000)
threading.stack_size(1 << 30)
thread = threading.Thread(target=run)
thread.start()
thread.join()
print(times["deep"] / times["shallow"])
"""


def test_cost_does_not_grow_with_depth(traced):
    """Were the stack walked in full for each allocation, it would be some hundred times as much."""
    result = traced.script(COST, "20000")
    assert float(result.out) < 15, result
    traced.assert_sound(result.trace)
