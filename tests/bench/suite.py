#!/usr/bin/env python3
"""What tracing costs pyperformance's benchmarks.

    suite.py --python PYTHON [--seconds S] [NAME...]

PYTHON is one that has pyperformance and pyperf; benchmarks that need more than it has are left out
and named.  Each is run bare and under `memtrace run` in turns, by itself, with as many loops as
take about S seconds (0.4 if not said).  Prints a markdown table of the ratios of the time for a
loop, without what starting and ending cost, their geometric mean and their 90th percentile; of what
there is so far if it is interrupted (SIGINT).
"""
import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MEMTRACE = pathlib.Path(os.environ.get("MEMTRACE") or HERE.parents[1] / "build" / "memtrace")
TIMEOUT = 300  # seconds, of one run


def benchmarks(python):
    code = "import pyperformance, os; print(os.path.dirname(pyperformance.__file__))"
    found = subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    folder = pathlib.Path(found.stdout.strip()) / "data-files" / "benchmarks"
    return sorted(path for path in folder.glob("bm_*/run_benchmark.py"))


def values(command, loops, folder):
    """{benchmark: seconds a loop}; None if it does not run."""
    output = os.path.join(folder, "values.json")
    if os.path.exists(output):
        os.unlink(output)
    try:
        subprocess.run([*command, "--worker", "-l", str(loops), "-w", "1", "-n", "2", "-o", output],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT,
                       cwd=folder)
        document = json.loads(pathlib.Path(output).read_text())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return {each.get("metadata", document.get("metadata", {})).get("name", "?"):
            statistics.mean(value for run in each["runs"] for value in run["values"])
            for each in document["benchmarks"] if each["runs"] and each["runs"][0].get("values")}


def compare(python, script, seconds, folder):
    """{benchmark: ratio}, None where it does not run bare, {} where it does not run traced."""
    bare = [python, str(script)]
    trace = os.path.join(folder, "suite.mtrace")
    traced = [str(MEMTRACE), "run", "-q", "-o", trace, "--", python, str(script)]
    first = values(bare, 1, folder)
    if not first:
        return None
    loops = max(1, math.ceil(seconds / max(sum(first.values()), 1e-9)))
    pairs = [(values(bare, loops, folder), values(traced, loops, folder)) for _ in range(2)]
    names = set(first)
    for without, with_it in pairs:
        names &= set(without or {}) & set(with_it or {})
    return {name: statistics.median(with_it[name] / without[name] for without, with_it in pairs)
            for name in names}


def measure(options, scripts, folder, found, left_out, failed):
    for script in scripts:
        name = script.parent.name[len("bm_"):]
        ratios = compare(options.python, script, options.seconds, folder)
        if ratios is None:
            left_out.append(name)
        elif not ratios:
            failed.append(name)
        else:
            found.update(ratios)
            print("%s: %s" % (name, ", ".join(
                "%s %.2f" % item for item in sorted(ratios.items()))), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    scripts = [script for script in benchmarks(options.python)
               if not options.names or script.parent.name[len("bm_"):] in options.names]
    found, left_out, failed = {}, [], []
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(options, scripts, folder, found, left_out, failed)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    if not found:
        sys.exit("suite.py: no benchmark runs here")
    ranked = sorted(found.items(), key=lambda item: item[1])
    print("| benchmark | time over bare |\n|---|---|")
    for name, ratio in ranked:
        print("| %s | %.2f |" % (name, ratio))
    print("\n%d benchmarks, geometric mean %.2f, 90th percentile %.2f" % (
        len(ranked), statistics.geometric_mean(found.values()),
        ranked[math.ceil(0.9 * len(ranked)) - 1][1]))
    if left_out:
        print("left out, as they need more than is there: " + ", ".join(left_out))
    if failed:
        print("failed under memtrace: " + ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
