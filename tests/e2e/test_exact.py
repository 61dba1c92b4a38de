"""Exact to the byte: every line of a program holds what tracemalloc says it holds.

The same deterministic program runs once under tracemalloc and once under
memtrace; see tests/programs/reference.py for what is made equal between them.
"""
import ctypes
import json
import os

import pytest
import support

ADDR_NO_RANDOMIZE = 0x0040000  # sys/personality.h


@pytest.fixture(autouse=True)
def same_addresses():
    """Programs find themselves at the same addresses: the key of a class among its base's
    subclasses is an int made of its address, of 28 or of 32 bytes."""
    libc = ctypes.CDLL(None)
    before = libc.personality(0xffffffff)
    libc.personality(before | ADDR_NO_RANDOMIZE)
    yield
    libc.personality(before)


REFERENCE = support.PROGRAMS / "reference.py"


def added_environment(traced):
    """What memtrace adds to a program's environment."""
    result = traced.run("-c", "import json, os; print(json.dumps(dict(os.environ)))")
    mine = support.clean_environment()
    return {name: value for name, value in json.loads(result.out).items()
            if mine.get(name) != value}


def environment(directory, free_lists, **more):
    return support.clean_environment(
        REFERENCE_OUT=str(directory / "reference.json"), REFERENCE_FREE_LISTS=free_lists,
        PYTHONDONTWRITEBYTECODE="yes", **more)


def by_tracemalloc(traced, program, free_lists):
    # As many variables as under memtrace, without their effect.
    added = {name: "libm.so.6" if name == "LD_PRELOAD" else "/not/there"
             for name in added_environment(traced)}
    result = support.execute(
        [traced.python.path, "-X", "tracemalloc=7", REFERENCE, program], cwd=str(traced.directory),
        env=environment(traced.directory, free_lists, **added))
    assert result.status == 0 and not result.err, result
    found = json.loads((traced.directory / "reference.json").read_text())
    return {int(line): tuple(value) for line, value in found.items()}


def by_memtrace(traced, program, free_lists):
    result = traced.run(traced.python.path, "-X", "as_long=7", REFERENCE, program,
                        env=environment(traced.directory, free_lists))
    traced.assert_sound(result.trace)
    return traced.lines(result.trace, program)


def assert_equal_lines(traced, program, free_lists):
    program = str(support.PROGRAMS / program)
    expected = by_tracemalloc(traced, program, free_lists)
    found = by_memtrace(traced, program, free_lists)
    differences = {line: {"tracemalloc": expected.get(line), "memtrace": found.get(line)}
                   for line in sorted(set(expected) | set(found))
                   if expected.get(line) != found.get(line)}
    assert not differences, "\n".join("%s:%d %s" % (os.path.basename(program), *item)
                                      for item in differences.items())
    return expected


def test_every_door(traced):
    """A program that uses everything, free lists as the allocator sees them."""
    lines = assert_equal_lines(traced, "every_door.py", "as-allocated")
    assert len(lines) > 200 and sum(size for size, _ in lines.values()) > 2e6


def test_plain_tracemalloc(traced):
    """A program that never takes from a free list, and tracemalloc as it is."""
    lines = assert_equal_lines(traced, "fresh_blocks.py", "as-tracemalloc")
    assert len(lines) > 40
