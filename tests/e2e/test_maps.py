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
    """(bytes of maps, their lines' sum)"""
    rows = traced.rows(trace, "--at", moment, "--domain", "mmap", key="native-frame")
    return sum(row["size"] for row in rows)


@pytest.mark.parametrize("options", [[], ["--native"], ["--sample"], ["--full"]], ids=str)
def test_as_the_program_says(traced_plain, program, tmp_path, options):
    """After each step as many pages as it says, and as it has asked the kernel."""
    result = traced_plain.run(program, tmp_path / "file", options=options)
    traced_plain.assert_sound(result.trace)
    told = [line.rpartition(" ") for line in result.out.decode().splitlines()]
    assert len({name for name, _, _ in told}) == len(told) == 32
    before = mapped(traced_plain, result.trace, "mark:start")
    wrong = {}
    for name, _, pages in told:
        found = mapped(traced_plain, result.trace, "mark:" + name) - before
        if found != int(pages) * PAGE:
            wrong[name] = (found / PAGE, int(pages))
    assert not wrong
