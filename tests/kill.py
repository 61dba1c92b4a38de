#!/usr/bin/env python3
"""Programs that are killed at random moments: the trace may lack one event a thread.

    kill.py [--times N] [--seed N]

A C program and a Python program count their own events in shared memory, around
each of them.  What the trace has must lie between what was done and what was begun.
"""
import argparse
import mmap
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "e2e"))
import support  # noqa: E402

LINE = 64  # bytes of a thread's counts
SIZE = 61111  # of what the Python program allocates: nobody else does

PYTHON = """
import mmap, struct, sys
with open(sys.argv[1], "r+b") as file:
    counts = mmap.mmap(file.fileno(), 4096)
held, begun, done = [], 0, 0
while True:
    begun += 1
    counts[0:8] = begun.to_bytes(8, "little")
    block = bytes(%d)
    held.append(block)
    done += 1
    counts[8:16] = done.to_bytes(8, "little")
    if done %% 200 == 0:
        x = [str(n) for n in range(5000)]
""" % (SIZE - 33)


def compile_program(directory):
    target = directory / "kill_c"
    subprocess.run(["gcc", "-O1", "-w", "-fno-builtin", "-D_GNU_SOURCE", "-pthread",
                    str(support.PROGRAMS / "kill_c.c"), "-o", str(target)], check=True)
    return target


def run_and_kill(directory, command, choose):
    """Kills it once it runs, after up to 30 ms more.  (counts, trace)."""
    path = directory / "counts"
    path.write_bytes(bytes(4096))
    trace = directory / "x.mtrace"
    if trace.exists():
        trace.unlink()
    process = subprocess.Popen(
        [str(support.MEMTRACE), "run", "-o", str(trace)] + [str(word) for word in command],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=support.clean_environment())
    with open(str(path), "r+b") as file:
        counts = mmap.mmap(file.fileno(), 4096)
    support.wait_for(lambda: counts[0:8] != bytes(8), "the first event")
    until = time.monotonic() + choose.random() * 0.03
    while time.monotonic() < until:
        pass
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGKILL, (process.returncode, err)
    return bytes(counts), trace


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]


def numbers(counts, threads):
    """Sums of (begun, done, live) of the threads."""
    return [sum(column) for column in zip(*(struct.unpack_from("QQQ", counts, LINE * i)
                                            for i in range(threads)))]


def report(command, trace, *options):
    return support.Traced(trace.parent).report(command, trace, *options)


def counters_of(trace):
    return report("info", trace)["processes"][0]


def wrong_counters(process):
    names = ("unknown_frees", "duplicate_allocations", "gap_events")
    return ["%s is %d" % (name, process[name]) for name in names if process[name]]


def blocks(trace, *options):
    rows = report("top", trace, "--limit", "0", "--at", "end", *options)["rows"]
    return sum(row["count"] for row in rows)


def check_c(directory, program, threads, resizes, choose, base):
    """`base`: blocks and events of the C library's own, from a run of the same kind."""
    counts, trace = run_and_kill(
        directory, [program, directory / "counts", threads, int(resizes)], choose)
    begun, done, live = numbers(counts, threads)
    process = counters_of(trace)
    found = blocks(trace, "--domain", "native", "--key", "domain") - base
    problems = wrong_counters(process)
    if not done - threads <= process["events"] - base <= begun:
        problems.append("%d events, %d done, %d begun" % (process["events"] - base, done, begun))
    freed = 0 if resizes else threads  # that it may have told us of and not counted itself
    if not live - freed <= found <= live + threads:
        problems.append("%d blocks, not about %d" % (found, live))
    return problems


def check_python(directory, choose):
    script = directory / "killed.py"
    script.write_text(PYTHON)
    counts, trace = run_and_kill(
        directory, ["--python", sys.executable, script, directory / "counts"], choose)
    begun, done = struct.unpack_from("QQ", counts)
    rows = report("top", trace, "--limit", "0", "--at", "end", "--key", "lineno")["rows"]
    found = sum(row["count"] for row in rows
                if row.get("filename") == str(script) and row["size"] == row["count"] * SIZE)
    problems = wrong_counters(counters_of(trace))
    if not done - 1 <= found <= begun:
        problems.append("%d blocks, %d done, %d begun" % (found, done, begun))
    return problems


def run_all(times, seed):
    choose, failures = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        program = compile_program(directory)
        kinds = [("C", 1, False), ("C, resizing", 1, True), ("C, 4 threads", 4, False),
                 ("C, resizing, 4 threads", 4, True), ("Python", 1, None)]
        for turn in range(times):
            kind, threads, resizes = kinds[turn % len(kinds)]
            if resizes is None:
                problems = check_python(directory, choose)
            else:  # one block for each thread that is started
                problems = check_c(directory, program, threads, resizes, choose, threads - 1)
            for problem in problems:
                print("%s, kill %d: %s" % (kind, turn, problem))
            failures += bool(problems)
    print("%d kills, %d violations" % (times, failures))
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    return 1 if run_all(options.times, options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
