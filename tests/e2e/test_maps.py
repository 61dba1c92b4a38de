"""Memory straight from the kernel: mmap, munmap, mremap, brk and sbrk, in parts, over each other, where
they fail and where they move."""
import pytest
import support
from test_native import build

PAGE = 4096


@pytest.fixture
def program(tmp_path):
    (tmp_path / "file").write_bytes(bytes(10 * PAGE + 100))
    return build(tmp_path, "maps", support.PROGRAMS / "maps.c", "-I", support.ROOT / "include", "-ldl")


def mapped(traced, trace, moment):
    """(bytes of maps, of these what is of files)"""
    rows = traced.rows(trace, "--at", moment, "--domain", "mapped", key="domain")
    sizes = {row["domain"]: row["size"] for row in rows}
    assert set(sizes) <= {"mmap", "file"}
    return sum(sizes.values()), sizes.get("file", 0)


@pytest.mark.parametrize("options", [[], ["--native"], ["--sample"], ["--full"]], ids=str)
def test_as_the_program_says(traced_plain, program, tmp_path, options):
    """After each step as many pages as it says, and as it has asked the kernel; those of files apart."""
    result = traced_plain.run(program, tmp_path / "file", options=options)
    traced_plain.assert_sound(result.trace)
    told = [line.rsplit(" ", 2) for line in result.out.decode().splitlines()]
    assert len({name for name, *_ in told}) == len(told) == 37
    before = mapped(traced_plain, result.trace, "mark:start")
    wrong = {}
    for name, *pages in told:
        found = [now - then for now, then in zip(mapped(traced_plain, result.trace, "mark:" + name), before)]
        if found != [int(count) * PAGE for count in pages]:
            wrong[name] = ([size / PAGE for size in found], pages)
    assert not wrong


def test_a_failed_move_keeps_the_owner(traced_plain, program, tmp_path):
    """What could not be moved is still of who mapped it."""
    result = traced_plain.run(program, tmp_path / "file")

    def owners(mark):
        found = traced_plain.rows(
            result.trace, "--at", "mark:" + mark, "--domain", "mmap", key="native-frame")
        return sorted((row["native_frame"]["function"], row["size"]) for row in found if row["size"])

    assert {function for function, _ in owners("area")} == {"map"}
    for mark in ("could not grow", "could not move", "nor a part"):
        assert owners(mark) == owners("area"), mark
    assert "map" not in dict(owners("grown"))
