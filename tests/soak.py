"""Hours in one go: `tests/soak.py [--quick] [--minutes N] MEMTRACE [PYTHON]`, an hour by default.

A program that allocates, frees, starts threads and forks, at a constant size of its
own, must leave collector and agent at a constant size too, and a sound trace.  What
they take is compared between the first quarter and the last.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PROGRAM = """
import collections, os, sys, threading, time
ring = collections.deque(maxlen=20000)
def work(n):
    for k in range(2000):
        ring.append([str(k), bytes(k % 3000), {"n": n}])
until, n = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < until:
    n += 1
    work(n)
    if n % 20 == 0:
        thread = threading.Thread(target=work, args=(n,))
        thread.start()
        thread.join()
    if n % 200 == 0:
        pid = os.fork()
        if pid == 0:
            work(n)
            os._exit(0)
        os.waitpid(pid, 0)
print(n)
"""
SLACK = 2 << 20  # what a table that doubles may still take


def resident(pid):
    """Bytes of a process, shared memory included."""
    try:
        with open("/proc/%d/statm" % pid) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError):
        return 0


def child_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return int((file.read().split() or [0])[0])


def watch(process, seconds):
    """[(time, collector, program)], twice a second."""
    seen, start = [], time.monotonic()
    while process.poll() is None:
        program = child_of(process.pid)
        seen.append((time.monotonic() - start, resident(process.pid), resident(program)))
        time.sleep(min(0.5, seconds / 100))
    return seen


def grown(seen, column, seconds):
    """The most of the second quarter (warm by then), and of the last."""
    early = [row[column] for row in seen if seconds / 4 <= row[0] < seconds / 2]
    late = [row[column] for row in seen if row[0] >= seconds * 3 / 4]
    return max(early), max(late)


def check(trace, memtrace):
    info = json.loads(subprocess.check_output([memtrace, "info", "--format", "json", trace]))
    wrong = [name for name in ("unknown_frees", "duplicate_allocations", "gap_events") if info[name]]
    return info, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a minute")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("memtrace")
    parser.add_argument("python", nargs="?", default="/usr/bin/python3")
    options = parser.parse_args()
    seconds = 60 if options.quick else options.minutes * 60
    with tempfile.TemporaryDirectory() as place:
        trace = pathlib.Path(place) / "soak.mtrace"
        process = subprocess.Popen([options.memtrace, "run", "-q", "-o", trace, options.python, "-c",
                                    PROGRAM, str(seconds)], stdout=subprocess.PIPE)
        seen = watch(process, seconds)
        rounds = process.communicate()[0].decode().strip()
        info, wrong = check(trace, options.memtrace)
        size = trace.stat().st_size
    failed = bool(process.returncode or wrong)
    for name, column in (("collector", 1), ("program with agent", 2)):
        early, late = grown(seen, column, seconds)
        constant = late <= early + early // 20 + SLACK
        failed |= not constant
        print("%s: %.1f MiB early, %.1f late%s"
              % (name, early / 2**20, late / 2**20, "" if constant else ": it grows"))
    print("%s rounds, %d events, %d kB of trace, %s" % (
        rounds, info["events"], size // 1000, "wrong: %s" % wrong if wrong else "sound"))
    return failed


if __name__ == "__main__":
    sys.exit(main())
