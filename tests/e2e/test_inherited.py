"""What a forked process holds of its parent's blocks: exact, and counted in the parent alone."""
import pytest
import support

SIZES = [1000 + n for n in range(1000)]
EVEN, ODD = sum(SIZES[0::2]), sum(SIZES[1::2])


def children(info, pid):
    return [p for p in info["processes"] if p.get("parent") == pid and p["origin"] == "fork"]


@pytest.mark.parametrize("threads", ["alone", "threads"])
def test_in_c(traced_plain, threads):
    """Eight forks, each with a fork of its own, while the parent frees what they inherited."""
    program = traced_plain.directory / "inherits"
    built = support.execute(["cc", "-O1", "-w", "-fno-builtin", "-pthread",
                             "-I", support.ROOT / "include",
                             support.PROGRAMS / "inherits.c", "-o", program, "-ldl"])
    assert built.status == 0, built
    result = traced_plain.run(program, *(["threads"] if threads == "threads" else []))
    info = traced_plain.assert_sound(result.trace)
    first = info["processes"][0]
    forked = children(info, first["pid"])
    assert len(forked) == 8 and len(info["processes"]) == 17
    for number, child in enumerate(sorted(forked, key=lambda p: p["start"]), 1):
        had = child["inherited"]
        if threads == "alone":  # nothing happens between the mark and the fork
            at = traced_plain.report("top", result.trace, "--at", "mark:fork#%d" % number,
                                     "--process", str(first["pid"]))["total"]
            assert (had["size"], had["count"]) == (at["size"], at["count"])
        assert had["size"] - had["size_at_end"] == EVEN
        assert had["count"] - had["count_at_end"] == child["inherited_frees"] == 500
        grandchild, = children(info, child["pid"])
        has = grandchild["inherited"]
        assert (has["size"], has["count"]) == (had["size_at_end"], had["count_at_end"])
        assert has["size"] - has["size_at_end"] == ODD
        assert has["count"] - has["count_at_end"] == grandchild["inherited_frees"] == 500


def test_in_python(traced):
    """A child clears a list that its parent made, and goes on after its parent has ended."""
    result = traced.script("""
import os
held = [b"x" * (50000 + n) for n in range(20)]
to_last, from_first = os.pipe()
to_first, from_last = os.pipe()
middle_pid = os.fork()
if middle_pid == 0:
    pid = os.fork()
    if pid:
        print(os.getpid(), pid, flush=True)
        os._exit(0)
    os.read(to_last, 1)  # its parent has ended
    held.clear()
    os.write(from_last, b"x")
    os._exit(0)
os.waitpid(middle_pid, 0)
held.clear()
os.write(from_first, b"x")
os.read(to_first, 1)
""")
    middle, last = map(int, result.out.split())
    info = traced.assert_sound(result.trace)
    by_pid = {p["pid"]: p for p in info["processes"]}
    has, had = by_pid[last]["inherited"], by_pid[middle]["inherited"]
    assert had["size"] > 20 * 50033 and abs(had["size"] - has["size"]) < 10000  # and its own
    assert 20 * 50033 <= has["size"] - has["size_at_end"] < 21 * 50033 + 10000


def test_reports(traced_once):
    """Each block counts once, in the process that allocated it; the child says what it inherited."""
    result = traced_once.script("""
import os
held = [b"x" * 100000 for n in range(30)]  # held
pid = os.fork()
if pid == 0:
    del held[:10]
    os._exit(0)
os.waitpid(pid, 0)
print(os.getpid(), pid)
""")
    parent, child = result.out.decode().split()
    total = traced_once.report("top", result.trace)
    assert "inherited" not in total  # the parent is there, too
    one = traced_once.report("top", result.trace, "--process", child)
    whole = traced_once.report("top", result.trace, "--process", parent)["total"]["size"]
    assert 30 * 100033 < one["inherited"]["size"] + 10 * 100033 < whole + 30 * 100033
    assert one["total"]["size"] < 100000
    text = support.execute([traced_once.memtrace, "top", "--process", child, result.trace])
    assert " inherited" in text.message + text.out.decode().splitlines()[0], text
    text = support.execute([traced_once.memtrace, "info", result.trace]).out.decode()
    line, = [line for line in text.splitlines() if "inherited" in line]
    assert line.startswith(" " * 6 + "inherited "), text  # below its parent
    rows = traced_once.rows(result.trace, key="process")
    assert [str(row["pid"]) for row in rows if "inherited" in row] == [child]


def test_a_fork_past_the_library(traced_once):
    """A raw system call tells nobody: what was inherited is not known, and nothing is invented."""
    result = traced_once.script("""
import ctypes, os
libc = ctypes.CDLL(None)
held = [b"x" * 100000 for n in range(30)]
pid = libc.syscall(57)  # fork
if pid == 0:
    held.clear()
    os._exit(0)
os.waitpid(pid, 0)
""")
    info = traced_once.assert_sound(result.trace)
    child, = [p for p in info["processes"] if p["origin"] == "fork"]
    assert child["inherited_frees"] >= 30 and "inherited" not in child
