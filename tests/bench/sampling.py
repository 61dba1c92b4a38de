"""Are the estimates of `memtrace run --sample` as good as they say?

    sampling.py [--runs N] [--sample BYTES] [--python PYTHON] [--scale N] [--quick]

Runs tests/programs/sampled.py once with every block recorded and N times with
samples, and says for each of its lines how far the mean of the estimates is from the
truth, in standard errors of that mean, and how often the truth was within the printed
error: 95 of 100 times it should be.  Of what is less than ten intervals nothing is
said: that is the error of an error.
Fails if a mean is further off than chance explains, or the errors are too small.
"""
import argparse
import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEMTRACE = pathlib.Path(os.environ.get("MEMTRACE") or ROOT / "build" / "memtrace")
PROGRAM = ROOT / "tests" / "programs" / "sampled.py"

QUANTITIES = {"size": "size_error", "allocated": "allocated_error"}


def lines():
    """{number: name} of the lines that have one."""
    texts = PROGRAM.read_text().splitlines()
    found = {n: re.search(r"  # (\w+)$", text) for n, text in enumerate(texts, 1)}
    return {n: match.group(1) for n, match in found.items() if match}


def measure(options, directory, seed=None):
    """{(line, quantity): (amount, error)}; the line "all" is the whole process."""
    trace = os.path.join(directory, "sampling.mtrace")
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"}
    words = [str(MEMTRACE), "run", "-q", "-o", trace, "--python", options.python]
    if seed is not None:
        words.append("--sample=%d" % options.sample)
        environment["MEMTRACE_SEED"] = str(seed)
    subprocess.run(words + [str(PROGRAM), str(options.scale)], check=True, env=environment)
    return read(trace)


def read(trace):
    answer = subprocess.run([str(MEMTRACE), "top", "--key", "lineno", "--limit", "0", "--sort",
                             "churn-size", "--format", "json", trace], check=True, stdout=subprocess.PIPE)
    return amounts(json.loads(answer.stdout.decode("utf-8", "surrogatepass")))


def amounts(report):
    """{(line, quantity): (amount, error)} of `top --key lineno --sort churn-size`."""
    names, found = lines(), {}
    for row in report["rows"]:
        if row.get("filename") == str(PROGRAM) and row["lineno"] in names:
            for quantity, error in QUANTITIES.items():
                found[names[row["lineno"]], quantity] = (row[quantity], row.get(error, 0))
    found["all", "size"] = (report["total"]["size"], report["total"].get("size_error", 0))
    return found


def judge(truth, runs, least):
    """[(name, truth, mean, standard errors off, part within the error)]"""
    judged = []
    for key, (true, _) in sorted(truth.items()):
        if true < least:
            continue
        found = [run.get(key, (0, 0)) for run in runs]
        mean = statistics.mean(amount for amount, _ in found)
        error = statistics.stdev(amount for amount, _ in found) / math.sqrt(len(found))
        off = (mean - true) / error if error else 0 if mean == true else math.inf
        within = sum(abs(amount - true) <= error for amount, error in found) / len(found)
        judged.append((" ".join(key), true, mean, off, within))
    return judged


def verdict(judged, runs):
    """What chance does not explain, as text."""
    wrong = ["%s: off by %.1f standard errors" % (row[0], row[3])
             for row in judged if abs(row[3]) > 4.5]
    within = statistics.mean(row[4] for row in judged)
    if within < 0.94 - 1 / math.sqrt(runs * len(judged)):
        wrong.append("the truth is within the error in %.1f %% only" % (100 * within))
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--sample", type=int, default=16384)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    runs = 12 if options.quick else options.runs
    with tempfile.TemporaryDirectory() as directory:
        truth = measure(options, directory)
        judged = judge(truth, [measure(options, directory, seed) for seed in range(1, runs + 1)],
                       10 * options.sample)
    print("one block in %d bytes, %d runs\n" % (options.sample, runs))
    print("| line | truth | mean | off by | within the error |\n|---|---|---|---|---|")
    for name, true, mean, off, within in judged:
        print("| %s | %d | %.0f | %+.1f | %.0f %% |" % (name, true, mean, off, 100 * within))
    wrong = verdict(judged, runs)
    print("\n" + ("\n".join(wrong) if wrong else "all of it within chance"))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
