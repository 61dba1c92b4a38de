"""Whole stacks: every block of known size is on the stack that the program saw itself on."""
import collections
import json

import support


def frames_of(row):
    return tuple((f["filename"], f["lineno"], f["function"]) for f in row.get("traceback", ()))


def test_tracebacks(traced):
    out = traced.directory / "records.json"
    program = support.PROGRAMS / "tracebacks.py"
    result = traced.run(program, out)
    traced.assert_sound(result.trace)
    qualified = traced.python.version >= (3, 11)  # since then code knows its qualified name
    expected = collections.Counter()
    blocks = collections.Counter()
    for record in json.loads(out.read_text()):
        stack = tuple((file, line, qualname if qualified else name)
                      for file, line, name, qualname in record["stack"])
        expected[stack] += record["size"]
        blocks[stack] += 1

    leaves = {stack[-1] for stack in expected}
    found, counts = collections.Counter(), collections.Counter()
    # native_block's line makes an int of the address too: that one is Python's.
    for domain, function in (("python", "block"), ("native", "native_block")):
        for row in traced.rows(result.trace, "--frames", "0", "--domain", domain,
                               "--include", str(program), key="traceback"):
            stack = frames_of(row)
            if stack[-1] in leaves and stack[-1][2] == function:
                found[stack] += row["size"]
                counts[stack] += row["count"]

    assert len(expected) > 400
    missing = [s for s in expected if s not in found]
    extra = [s for s in found if s not in expected]
    assert not missing and not extra, describe(missing, extra)
    wrong = {s[-6:]: (expected[s], found[s]) for s in expected if found[s] != expected[s]}
    assert not wrong
    assert counts == blocks


def describe(missing, extra):
    """The first differences, each from where it differs from its likeliest partner."""
    lines = ["%d stacks missing, %d not expected" % (len(missing), len(extra))]
    for stack in missing[:5]:
        lines.append("missing (%d frames): %s" % (len(stack), stack[-5:]))
        for other in extra:
            if len(other) == len(stack):
                at = next(i for i, pair in enumerate(zip(stack, other)) if pair[0] != pair[1])
                if at > len(stack) // 2 or stack[-1] == other[-1]:
                    lines.append("  found instead, at frame %d: %s, not %s" % (
                        at, other[at], stack[at]))
                    break
    for stack in extra[:5]:
        lines.append("not expected (%d frames): %s" % (len(stack), stack[-5:]))
    return "\n".join(lines)


def test_deep_trace_is_reported_whole(traced):
    result = traced.script("""
import sys
sys.setrecursionlimit(5000)
def recurse(n):
    return recurse(n - 1) if n else b"x" * 123457
held = recurse(900)
""")
    row = next(r for r in traced.rows(result.trace, "--frames", "0", key="traceback")
               if r["size"] == 123457 + traced.header)
    assert [f["lineno"] for f in row["traceback"]] == [6] + [5] * 901
