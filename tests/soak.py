#!/usr/bin/env python3
"""Hours in one go: `tests/soak.py [--quick] [--minutes N] [--rate MB] MEMTRACE [PYTHON]`.

A program that allocates, frees, starts threads, forks, runs other programs and sets
marks, at a constant size of its own, must leave collector and agent at a constant size
too, and a sound trace.  What they take is compared between the second quarter and the
last; the program grows itself, as its allocators' memory is used ever more unevenly: the
same one runs bare at the same time, to tell.  An hour by default, as fast as it goes; with --rate at so many MB a second.
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
import collections, os, subprocess, sys, threading, time
try:
    from memtrace import mark as mark_moment
except ImportError: # it runs bare
    mark_moment = len
ring = collections.deque(maxlen=20000)
ROUND = 300 * 1850  # bytes of its objects
def work(n):
    for k in range(300):
        ring.append([str(k), bytes(k * 10), {"n": n}])
def in_thread(n):
    thread = threading.Thread(target=work, args=(n,))
    thread.start()
    thread.join()
def in_child(n):
    pid = os.fork()
    if pid == 0:
        work(n)
        os._exit(0)
    os.waitpid(pid, 0)
def other_program(n):
    subprocess.run([sys.executable, "-c", "import json; json.dumps(list(range(9999)))"])
def mark(n):
    mark_moment("round")
start, n, until, rate = time.monotonic(), 0, float(sys.argv[1]), float(sys.argv[2])
while time.monotonic() < start + until:
    n += 1
    work(n)
    for every, act in ((4, in_thread), (20, in_child), (60, other_program), (100, mark)):
        if n % every == 0:
            act(n)
    ahead = start + n * ROUND / rate - time.monotonic() if rate else 0
    if ahead > 0:
        time.sleep(ahead)
print(n)
"""
SLACK = 2 << 20  # what a table that doubles may still take
WARM = 600  # a shorter run says nothing of growth


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


def watch(process, bare, seconds):
    """[(time, collector, program, program that runs bare)], twice a second, while both run."""
    seen, start = [], time.monotonic()
    while process.poll() is None:
        row = (time.monotonic() - start, resident(process.pid), resident(child_of(process.pid)),
               resident(bare.pid))
        if all(row):
            seen.append(row)
        time.sleep(min(0.5, seconds / 100))
    return seen


def grown(name, seen, column, seconds):
    """How much more it is in the last quarter than in the second (it is warm by then)."""
    early = [row[column] for row in seen if seconds / 4 <= row[0] < seconds / 2]
    late = [row[column] for row in seen if row[0] >= seconds * 3 / 4]
    print("%s: %.1f MiB early, %.1f late" % (name, max(early) / 2**20, max(late) / 2**20))
    return max(late) - max(early) - max(early) // 20 - SLACK


def check(trace, memtrace):
    info = json.loads(subprocess.check_output([memtrace, "info", "--format", "json", trace]))
    wrong = [name for name in ("unknown_frees", "duplicate_allocations", "gap_events") if info[name]]
    return info, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a minute")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=0, help="MB a second, 0: as fast as it goes")
    parser.add_argument("memtrace")
    parser.add_argument("python", nargs="?", default="/usr/bin/python3")
    options = parser.parse_args()
    seconds = 60 if options.quick else options.minutes * 60
    with tempfile.TemporaryDirectory() as place:
        trace = pathlib.Path(place) / "soak.mtrace"
        program = [options.python, "-c", PROGRAM, str(seconds), str(options.rate * 1e6)]
        bare = subprocess.Popen(program, stdout=subprocess.DEVNULL)
        process = subprocess.Popen([options.memtrace, "run", "-q", "-o", trace, *program],
                                   stdout=subprocess.PIPE)
        seen = watch(process, bare, seconds)
        rounds = process.communicate()[0].decode().strip()
        bare.wait()
        info, wrong = check(trace, options.memtrace)
        size = trace.stat().st_size
    collector = grown("collector", seen, 1, seconds)
    program = grown("program with agent", seen, 2, seconds)
    bare = grown("program that runs bare", seen, 3, seconds)
    grows = [name for name, more in (("collector", collector), ("agent", program - max(bare, 0)))
             if more > 0]
    print("agent: %.1f MiB by its own account" % (info["own"]["agent"] / 2**20))
    print("%s rounds, %d processes, %d events, %d kB of trace, %s" % (
        rounds, len(info["processes"]), info["events"], size // 1000,
        "wrong: %s" % wrong if wrong else "sound"))
    print("grows: %s" % ", ".join(grows) if grows else "constant")
    return bool(process.returncode or wrong or (grows and seconds >= WARM))


if __name__ == "__main__":
    sys.exit(main())
