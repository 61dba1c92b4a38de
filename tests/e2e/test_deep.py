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
                                       key="traceback") if row["size"] == 123457 + 33]
    assert rows and len(rows[0]["traceback"]) > depth
    frames = [(f["function"].rpartition(".")[2], f["lineno"]) for f in rows[0]["traceback"]
              if f["filename"].endswith(".py") and "script" in f["filename"]]
    calls = [frame for frame in frames if frame[0] in ("even", "odd")]
    assert calls[:-1] == [("even", 11), ("odd", 18)] * (depth // 2)
    assert calls[-1] == ("even", 8)
