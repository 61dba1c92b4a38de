#!/usr/bin/env python3
"""What finds which leaks: memtrace leaks, tracemalloc's compare_to and memray's --leaks, on
tests/programs/leaks.py, which says of its lines what they are.

    leaks.py MEMTRACE [--seconds S] [--memray PYTHON] [--python PYTHON] [--check]

PYTHON of --memray has memray installed; without it that column is left out.  Prints a table in
Markdown; --check fails unless memtrace finds all leaks and accuses no line that has none.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "programs" / "leaks.py"
LEAST = 1024  # bytes: what no tool is blamed for leaving out

READ_MEMRAY = """
import collections, sys
from memray import FileReader
sizes = collections.Counter()
for record in FileReader(sys.argv[1]).get_leaked_allocation_records(merge_threads=True):
    for function, file, line in record.stack_trace():
        if file == sys.argv[2]:
            sizes[line] += record.size
            break
for line, size in sizes.items():
    print(line, size)
"""


def labels():
    """{line: (kind, name)} of the lines that say what they are."""
    found = {}
    for number, line in enumerate(PROGRAM.read_text().splitlines(), 1):
        match = re.search(r"# (leak|no leak|cannot be told): (.*)", line)
        if match:
            found[number] = match.groups()
    return found


def output(command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **options)
    if done.returncode:
        sys.exit("%s: status %d\n%s" % (command, done.returncode, done.stderr))
    return done.stdout


def numbers(text):
    """{line: size} of lines `line size ...`."""
    return {int(row.split()[0]): int(row.split()[1]) for row in text.splitlines()}


def with_memtrace(arguments, directory):
    trace = directory / "leaks.mtrace"
    output([arguments.memtrace, "run", "-q", "--python", arguments.python, "-o", trace, PROGRAM,
            arguments.seconds])
    report = json.loads(output([arguments.memtrace, "leaks", "--format", "json", "--limit", "0",
                                "--paths", "full", trace]))
    return [row["lineno"] for row in report["growing"] if row.get("filename") == str(PROGRAM)]


def with_tracemalloc(arguments, directory):
    grown = numbers(output([arguments.python, PROGRAM, arguments.seconds, "--tracemalloc"]))
    return [line for line, size in grown.items() if size >= LEAST]


def with_memray(arguments, directory):
    capture = directory / "leaks.bin"
    output([arguments.memray, "-m", "memray", "run", "-q", "--trace-python-allocators", "-o",
            capture, PROGRAM, arguments.seconds])
    held = numbers(output([arguments.memray, "-c", READ_MEMRAY, capture, PROGRAM]))
    return [line for line, size in held.items() if size >= LEAST]


def score(found, known):
    """Counts over the lines that are one or the other."""
    leaks = {line for line, (kind, _) in known.items() if kind == "leak"}
    clean = {line for line, (kind, _) in known.items() if kind == "no leak"}
    hits, accused = len(leaks & set(found)), len(clean & set(found))
    return hits, len(leaks), accused, hits / (hits + accused) if hits else 0


def print_table(results, known):
    print("| line | it is | %s |" % " | ".join(results))
    print("|---|---|%s" % ("---|" * len(results)))
    for line, (kind, name) in known.items():
        marks = ["found" if line in found else "" for found in results.values()]
        print("| %s | %s | %s |" % (name, kind, " | ".join(marks)))
    scores = {tool: score(found, known) for tool, found in results.items()}
    print("| **recall** | | %s |" % " | ".join("%d of %d" % s[:2] for s in scores.values()))
    print("| **precision** | | %s |" % " | ".join(
        "%.0f %% (%d accused that do not leak)" % (100 * s[3], s[2]) for s in scores.values()))
    print("| other lines named | | %s |" % " | ".join(
        str(len(set(found) - set(known))) for found in results.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("memtrace", type=pathlib.Path)
    parser.add_argument("--seconds", default="12")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--memray")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    arguments.memtrace = arguments.memtrace.resolve()
    known, results = labels(), {}
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        results["memtrace leaks"] = with_memtrace(arguments, directory)
        results["tracemalloc, compare_to"] = with_tracemalloc(arguments, directory)
        if arguments.memray:
            results["memray --leaks"] = with_memray(arguments, directory)
        else:
            print("memray: skipped, --memray names no Python that has it", file=sys.stderr)
    print_table(results, known)
    hits, leaks, accused, _ = score(results["memtrace leaks"], known)
    return 1 if arguments.check and (hits < leaks or accused) else 0


if __name__ == "__main__":
    sys.exit(main())
