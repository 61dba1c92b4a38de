#!/usr/bin/env python3
"""Reports of a trace that is larger than any: their time and memory, in relation to reading it.

    check_large.py MEMTRACE MAKE_LARGE [SITES PROCESSES BOUNDARIES]

Prints a table.  Fails if a report takes too many times the processor time of `info`, which reads the
trace and does nothing with it, or too much memory for the number of sites; if the biggest rows are
not those of the whole ranking; and if the flame graph has not all memory, in a number of frames
that browsers are quick with.
"""
import json
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile

QUICK = ["60000", "2000", "30"]
SPREAD = ["200000", "1000", "5"]  # all threads have their part of all stacks
TIMES = 15  # of reading; what is measured is below 6
BYTES = 1000  # for each site, beside what a trace with none needs
BASE = 60 << 20
SANITIZED = "ASAN_OPTIONS" in os.environ  # it has memory of its own
REPORTS = ["top", "top --key traceback", "top --cumulative", "top --key process", "tree",
           "tree --inverted", "stats --key lineno", "lines", "lines --format json",
           "leaks", "diff --old-at 5", "diff --old-at 5 --key traceback",
           "plot --format csv", "plot --key caller --format csv", "flame -o -", "flame --format svg -o -",
           *(f"export --to {tool}" for tool in ("folded", "speedscope", "pprof", "pstats", "mprof",
                                                "tracemalloc"))]


def measure(memtrace, trace, report):
    """Processor time of the best of three, and memory."""
    best, memory = None, 0
    for _ in range(3):
        process = subprocess.Popen([memtrace, *report.split(), trace], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, report
        time = usage.ru_utime + usage.ru_stime
        best = time if best is None else min(best, time)
        memory = max(memory, usage.ru_maxrss * 1024)
    return best, memory


def ranking(memtrace, trace, limit):
    lines = subprocess.run([memtrace, "top", "--key", "traceback", "--frames", "1", "--limit", str(limit),
                            "--format", "csv", trace], check=True, stdout=subprocess.PIPE).stdout
    return lines.splitlines()[1:101]


def folded_wrongly(memtrace, trace):
    """What is not in the page as a frame of its own, or as a row of a thread, has to be in one that is."""
    page, top = (subprocess.run([memtrace, *report.split(), trace], check=True,
                                stdout=subprocess.PIPE).stdout.decode("utf-8", "surrogateescape")
                 for report in ("flame -o -", "top --limit 1 --format json"))
    data = json.loads(re.search('type="application/json" id="data">(.*?)</script>', page, re.S)[1])
    total = json.loads(top)["total"]
    moment = data["moments"][0]
    return (len(data["nodes"]["parents"]) > 40000 or len(data["rows"]["node"]) > 150000 or
            -1 in data["rows"]["node"] or  # no frame: here each has
            sum(moment["size"]) != total["size"] or sum(moment["count"]) != total["count"] or
            sum(data["births"]["size"]) != total["size"])


def has_no_bar(memtrace, trace, directory):
    """While a file takes long to write a terminal says how far it is; here nobody reads the file until
    it has said so."""
    try:
        ours, theirs = pty.openpty()
    except OSError as error:
        print(f"no terminals here: {error}")
        return False
    fifo = pathlib.Path(directory) / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    process = subprocess.Popen([memtrace, "export", "--to", "folded", "-o", fifo, trace], stderr=theirs)
    os.close(theirs)
    said = b""
    while b"%" not in said:
        said += os.read(ours, 4096)
    os.set_blocking(reader, True)
    while os.read(reader, 1 << 16):
        pass
    os.close(reader)
    while True:
        try:
            said += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    return (process.wait() != 0 or not re.search(rb"\[#*-*\] [0-9]+ %  [0-9]+ s", said) or
            not said.endswith(b"\r\x1b[K"))


def main():
    memtrace, make_large = sys.argv[1:3]
    size = sys.argv[3:6] or QUICK
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        trace = pathlib.Path(directory) / "large.mtrace"
        subprocess.run([make_large, trace, *size], check=True)
        reading, memory = measure(memtrace, trace, "info")
        print(f"{'info':32}{reading:7.2f} s  {memory >> 20:6} MiB", flush=True)
        for report in REPORTS:
            time, memory = measure(memtrace, trace, report)
            large = memory > BASE + BYTES * int(size[0]) and not SANITIZED
            bad = time > TIMES * reading + 0.05 or large
            failed |= bad
            print(f"{report:32}{time:7.2f} s  {memory >> 20:6} MiB{'  TOO MUCH' * bad}", flush=True)
        if ranking(memtrace, trace, 100) != ranking(memtrace, trace, 0):
            failed = True
            print("the first rows are not those of the whole ranking")
        spread = pathlib.Path(directory) / "spread.mtrace"
        subprocess.run([make_large, spread, *SPREAD, "spread"], check=True)
        if folded_wrongly(memtrace, trace) or folded_wrongly(memtrace, spread):
            failed = True
            print("the flame graph has too many frames or rows, or not all memory")
        if has_no_bar(memtrace, trace, directory):
            failed = True
            print("no bar on the terminal, or it is left there")
    return failed


if __name__ == "__main__":
    sys.exit(main())
