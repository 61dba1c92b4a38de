"""`stats` beside heaptrack's footer, `lines` beside memory_profiler's table, of the same programs."""
import json
import re
import shutil
import subprocess

import pytest
import support

CALLS = r"""
#include <stdlib.h>
static void *volatile kept[1000];
int main(void)
{
    for (int i = 0; i < 1000; i++)
        kept[i] = malloc(1000 + i);
    for (int i = 0; i < 500; i++)
        free(malloc(5000));
    for (int i = 0; i < 200; i++)
        free(kept[i]);
    for (int i = 0; i < 100; i++)
        kept[i] = calloc(10, 20);
}
"""
LEFT = sum(1000 + i for i in range(200, 1000)) + 100 * 200
PEAK = sum(1000 + i for i in range(1000)) + 5000


def heaptrack_footer(directory, program):
    """Calls, temporary allocations, peak and what is left, these in bytes of 1,000 and 1,000,000."""
    recorded = support.execute(["heaptrack", "-o", directory / "heaptrack", program])
    assert recorded.status == 0, recorded
    data, = directory.glob("heaptrack.*")
    text = support.execute(["heaptrack_print", "-f", data]).out.decode()
    words = ["calls to allocation functions", "temporary memory allocations",
             "peak heap memory consumption", "total memory leaked"]
    found = [re.search(word + r": ([0-9.]+)([KM]?)", text) for word in words]
    return [float(match[1]) * {"": 1, "K": 1e3, "M": 1e6}[match[2]] for match in found]


def test_stats_is_heaptracks_footer(tmp_path):
    if not shutil.which("heaptrack") or not shutil.which("heaptrack_print"):
        pytest.skip("no heaptrack here (Debian: heaptrack)")
    source, program = tmp_path / "calls.c", tmp_path / "calls"
    source.write_text(CALLS)
    subprocess.run(["cc", "-O0", "-fno-builtin", "-o", program, source], check=True)
    traced = support.Traced(tmp_path)
    trace = traced.run(program).trace
    found = json.loads(support.execute([support.MEMTRACE, "stats", "--format", "json", trace]).out)
    assert found["size"] == LEFT and found["peak"]["size"] == PEAK
    assert found["allocations"] == 1600 and found["frees"] == 700 and found["temporary"] == 500
    calls, temporary, peak, left = heaptrack_footer(tmp_path, program)
    assert found["allocations"] <= calls <= found["allocations"] + 3, "a few are heaptrack's own"
    assert found["temporary"] <= temporary <= found["temporary"] + 3
    assert left == pytest.approx(LEFT, abs=5e3), "two digits"
    assert PEAK - 5e3 <= peak <= PEAK + 85e3, "the C++ library that it brings along takes 73 kB"


LINES = """
%s
def work():
    text = [b"x" * 200_000 for _ in range(100)]
    block = bytearray(30 << 20)
    del text
    table = {n: "x" * 1000 + str(n) for n in range(15_000)}
    return block, table
kept = work()
"""


def memory_profilers_table(python, path):
    """{line: MiB that RSS grew by}; `text` is of blocks that the C library maps each, and so gives back
    at once: what is freed into the heap may stay there, and then the next line's memory is no growth."""
    path.write_text(LINES % "@profile")
    done = support.execute([python, "-m", "memory_profiler", path])
    assert done.status == 0, done
    rows = re.findall(r"^ +(\d+) +[0-9.]+ MiB +(-?[0-9.]+) MiB", done.out.decode(), re.M)
    return {int(line): float(grown) for line, grown in rows}


def test_lines_are_memory_profilers(tmp_path):
    """What a line allocates is what memory_profiler sees RSS grow by, as far as RSS tells; a line that
    frees has no row of its own, but its memory is not there at the end."""
    python = "/usr/bin/python3"
    if support.execute([python, "-c", "import memory_profiler"]).status:
        pytest.skip("no memory_profiler here (Debian: python3-memory-profiler)")
    theirs = memory_profilers_table(python, tmp_path / "profiled.py")
    traced = support.Traced(tmp_path)
    path = tmp_path / "plain.py"
    path.write_text(LINES % "")
    trace = traced.run("--python", python, path).trace
    said = support.execute([support.MEMTRACE, "lines", "--all", "--format", "json", trace, "plain.py"])
    file, = json.loads(said.out)["files"]
    ours = {line["lineno"]: line for line in file["lines"]}
    mib = 1 << 20
    for line in (4, 5, 7):
        assert ours[line]["peak"] / mib == pytest.approx(theirs[line], rel=.05, abs=.5), line
    assert ours[4]["size"] == 0 and theirs[6] < -18
    assert ours[5]["size"] == ours[5]["peak"] and ours[7]["size"] == ours[7]["peak"]
