"""Totals, histograms and temporary allocations of real programs."""
import json

import pytest
import support

PROGRAM = """
held = [bytearray(100_000) for _ in range(300)]
for _ in range(2000):
    bytes(70_000)
"""


def stats(trace, *options):
    result = support.execute([support.MEMTRACE, "stats", "--format", "json", *options, trace])
    assert result.status == 0, result
    return json.loads(result.out)


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    path = tmp_path_factory.mktemp("stats") / "a.mtrace"
    result = support.execute([support.MEMTRACE, "run", "-q", "-o", path, "--python",
                              support.sys.executable, "-c", PROGRAM])
    assert result.status == 0, result
    return path


def test_each_allocation_is_in_the_histogram(trace):
    found = stats(trace)
    assert found["counted"] == found["allocations"] == sum(x["allocations"] for x in found["sizes"])
    assert found["frees"] == found["allocations"] - found["count"]
    for part in found["domains"]:
        if part["domain"] not in ("mmap", "file", "arena"):
            assert part["counted"] == part["allocations"], part


def test_sizes(trace):
    bucket, = (x for x in stats(trace)["sizes"] if x["from"] == 65536)
    assert bucket["to"] == 131071
    assert 2300 <= bucket["allocations"] <= 2400


def test_temporary_allocations(trace):
    assert stats(trace)["temporary"] >= 2000
    assert stats(trace, "--domain", "native")["temporary"] < 2000
