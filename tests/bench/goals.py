#!/usr/bin/env python3
"""What run.py does not show of what memtrace costs, beside what is aimed at.

    goals.py [--python PYTHON] [--rounds N] [ROW...]

Prints a markdown table: one row for each, of all or of those named.  Times are medians of
paired runs, bare and traced in turns.  Rows that need a C compiler are left out where there
is none.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import run

HERE = pathlib.Path(__file__).resolve().parent
MEMTRACE = str(run.MEMTRACE)

DEEP = """
import sys, time
def work(count):
    start = time.perf_counter()
    for _ in range(count):
        object()
    return time.perf_counter() - start
def down(depth, count):
    return down(depth - 1, count) if depth else work(count)
sys.setrecursionlimit(5000)
depth, count = int(sys.argv[1]), int(sys.argv[2])
down(depth, 1000)
print(min(down(depth, count) for _ in range(3)) / count * 1e9)
"""

BLOCKS = """
import sys
size, count = int(sys.argv[1]), int(sys.argv[2])
import ctypes
malloc = ctypes.CDLL(None).malloc
malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
for _ in range(count):
    malloc(size)
"""

THREADS = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define PAIRS 1000000
static void *work(void *unused)
{
    void *kept[16] = {0};
    unsigned seed = 1;
    for (int n = 0; n < PAIRS; n++) {
        seed = seed * 1103515245 + 12345;
        free(kept[n % 16]);
        kept[n % 16] = malloc(16 + (seed >> 16) % 200);
    }
    return unused;
}
int main(void)
{
    pthread_t threads[8];
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%f\n", (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    return 0;
}
"""


class Bench:
    def __init__(self, python, rounds, folder):
        self.python, self.rounds, self.folder = python, rounds, folder
        self.trace = os.path.join(folder, "goals.mtrace")

    def script(self, name, code):
        path = os.path.join(self.folder, name)
        pathlib.Path(path).write_text(code)
        return path

    def traced(self, command, *options):
        return [MEMTRACE, "run", "-q", "-o", self.trace, *options, "--", *command]

    def number(self, command, **more):
        """What the program prints last."""
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                                env=run.environment(), **more)
        return float(answer.stdout.split()[-1])

    def pairs(self, command, *options):
        """[(what it prints bare, what it prints traced)]"""
        return [(self.number(command), self.number(self.traced(command, *options)))
                for _ in range(self.rounds)]

    def info(self):
        answer = subprocess.run([MEMTRACE, "info", "--format", "json", self.trace], check=True,
                                stdout=subprocess.PIPE)
        return json.loads(answer.stdout)


def start_up(bench):
    command = [bench.python, "-c", "pass"]
    traced = bench.traced(command)
    found = []
    for _ in range(4 * bench.rounds):
        bare = run.timed(command)[0]
        found.append((run.timed(traced)[0] - bare) * 1e3)
    return "%.0f ms" % statistics.median(found)


def deep(bench):
    script = bench.script("deep.py", DEEP)
    found = bench.pairs([bench.python, script, "500", "300000"])
    return "%.0f ns" % statistics.median(traced - bare for bare, traced in found)


def stacks(bench):
    """Memory of the program's own, without the rings, which are shared."""
    script = str(HERE.parent / "programs" / "many_stacks.py")
    found = bench.pairs([bench.python, script, "1000", "0"])
    return "%.1f MiB" % (statistics.median(traced - bare for bare, traced in found) / 2**20)


def own_memory(bench, script, size, count):
    subprocess.run(bench.traced([bench.python, script, str(size), str(count)]), check=True,
                   env=run.environment())
    return bench.info()["own"]["collector"]


def blocks(bench):
    script, found = bench.script("blocks.py", BLOCKS), []
    for size, count in ((32, 4000000), (100, 4000000), (4096, 400000), (4096, 800000)):
        more = own_memory(bench, script, size, count) - own_memory(bench, script, size, count // 4)
        found.append("%.1f" % (more / (count * 3 // 4)))
    return ", ".join(found) + " bytes"


def ast_trace(bench):
    subprocess.run(bench.traced([bench.python, run.script_of("ast", bench.folder)]), check=True,
                   env=run.environment(), stdout=subprocess.DEVNULL)
    return "%.2f MB" % (os.path.getsize(bench.trace) / 1e6)


def full_log(bench):
    command = [bench.python, run.script_of("ast", bench.folder)]
    sizes = []
    for options in ((), ("--full",)):
        subprocess.run(bench.traced(command, *options), check=True, env=run.environment(),
                       stdout=subprocess.DEVNULL)
        sizes.append(os.path.getsize(bench.trace))
    return "%.2f bytes" % ((sizes[1] - sizes[0]) / run.events_of(bench.trace))


def reports(bench):
    """The slowest median of the three, on the trace of `ast`."""
    ast_trace(bench)
    medians = {}
    for report in ("top", "tree", "plot"):
        command = [MEMTRACE, report, bench.trace, "-o", os.path.join(bench.folder, "report")]
        command += ["--format", "csv"] if report == "plot" else []
        medians[report] = statistics.median(run.timed(command)[0] for _ in range(9)) * 1e3
    return ", ".join("%s %.0f ms" % each for each in medians.items())


def native_threads(bench, apart):
    if not shutil.which("cc"):
        return None
    program = os.path.join(bench.folder, "threads")
    subprocess.run(["cc", "-O2", "-pthread", "-o", program,
                    bench.script("threads.c", THREADS)], check=True)
    command = ["taskset", "-c", "0", program] if apart else [program]
    found = [bare / traced for bare, traced in bench.pairs(command)]
    lost = [process["gap_events"] + process["unknown_frees"] + process["duplicate_allocations"]
            for process in bench.info()["processes"]]
    return "%.0f %%, %d lost or out of order" % (statistics.median(found) * 100, sum(lost))


ROWS = {
    "start-up": ("start-up: `run -c pass` over bare", "≤ 30 ms", start_up),
    "deep": ("an object made and freed under 500 frames, added", "≤ 60 ns", deep),
    "stacks": ("memory added to a program with a million stacks, without rings", "≤ 6 MiB",
               stacks),
    "blocks": ("the collector's memory for a live block of 32, 100, 4,096 bytes, twice as many of these", "≤ 24 bytes",
               blocks),
    "ast": ("trace of `ast`", "≤ 1 MB", ast_trace),
    "full": ("`--full`: an event in the trace of `ast`", "≤ 3 bytes", full_log),
    "reports": ("reports of the trace of `ast`", "≤ 50 ms", reports),
    "threads": ("8 native threads, collector on the same processors: of bare throughput",
                "≥ 15 %", lambda bench: native_threads(bench, False)),
    "apart": ("the same, program on one processor, collector on another", "≥ 25 %",
              lambda bench: native_threads(bench, True)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    options = parser.parse_args()
    for name in options.rows:
        if name not in ROWS:
            parser.error("there is no row %r, but %s" % (name, ", ".join(ROWS)))
    print("| | aimed at | measured |\n|---|---|---|")
    for name in options.rows or ROWS:
        what, aim, measure = ROWS[name]
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Bench(options.python, options.rounds, folder))
        if found:
            print("| %s | %s | %s |" % (what, aim, found), flush=True)
        print("%s: %.0f s" % (name, time.perf_counter() - start), file=sys.stderr)


main()
