#!/usr/bin/env python3
"""What reports of some traces cost: processor time in milliseconds, the least of five runs.

    reports.py MEMTRACE TRACE...

Prints a table.  What shows native frames depends on which debugging files are installed, as those of
the packages libc6-dbg and python3.11-dbg.
"""
import os
import pathlib
import subprocess
import sys

RUNS = 5
REPORTS = ["top", "top --key traceback", "top --key native-frame", "top --format json", "leaks", "tree",
           "tree --inverted", "lines", "stats", "info", "plot --format csv", "flame -o -",
           "export --to folded -o -"]


def cost(command):
    """Of the least of some runs; None if it cannot be made of this trace."""
    times = []
    for _ in range(RUNS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            return None
        times.append(usage.ru_utime + usage.ru_stime)
    return min(times) * 1e3


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    memtrace, *traces = sys.argv[1:]
    print("%-26s" % "ms" + "".join("%16s" % pathlib.Path(trace).stem[-15:] for trace in traces))
    for report in REPORTS:
        costs = [cost([memtrace, *report.split(), trace]) for trace in traces]
        print("%-26s" % report + "".join("%16s" % ("-" if one is None else round(one)) for one in costs))


if __name__ == "__main__":
    main()
