"""What a trace is short of is said by every report, in every format.

    test_gap.py MEMTRACE ASSEMBLE

Of a trace with a gap each says it, in what it writes or, where that is for other
programs, in a line on stderr; of a trace without one none does.  Prints TAP.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
TRACE = """meta {"command": ["python3", "a.py"], "cwd": "/w", "host": "box", "start": 1700000000}
process main 50 - 0 exec "/usr/bin/python3" "python3\\0/w/a.py" "3.11.2" traced
thread t main 50 0 "main"
stack s - "/w/a.py" 3 "f"
site a main t obj s
boundary start all 0 -
boundary mark all 2 "middle"
row a 1M 10 1M 10
timeline main
sample 1 10M 1M 0 0 0 1M
sample 9 20M 5M 0 0 0 5M
boundary end main 10 -
row a 4M 10 4M 10
ended main 10 0 0 0 0 %d %d 80 9M
end {"seconds": 10%s}
"""
OFF = ', "processes_off": {"threads": 2, "room": 1200, "user": -5, "slots": "x"}'
WORDS = "gap: 1,234 events lost (5734 KiB); not traced to the end: 1,202 processes (" \
        "more than 8,192 threads at a time; no room for a thread's ring)"
REPORTS = [["top"], ["tree"], ["tree", "--inverted"], ["leaks"], ["lines"], ["stats"],
           ["diff", "t.mtrace"]]
DATA = [["export", "--to", to, "-o", "out"]
        for to in ("folded", "mprof", "speedscope", "pprof", "pstats", "tracemalloc")]
DATA += [["plot", "--format", "csv"]]
number = 0


def result(problem, name):
    global number
    number += 1
    if problem:
        print("# " + problem[:500].replace("\n", "\n# "))
    print(f"{'not ok' if problem else 'ok'} {number} {name}", flush=True)
    return bool(problem)


def run(directory, arguments):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "120"}
    environment.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
    done = subprocess.run([MEMTRACE, *arguments, "t.mtrace"], cwd=directory, env=environment,
                          timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode()


def found_in(value, key):
    """Every value of that key in a JSON document."""
    if isinstance(value, list):
        return [found for item in value for found in found_in(item, key)]
    if not isinstance(value, dict):
        return []
    inner = [found for item in value.values() for found in found_in(item, key)]
    return inner + ([value[key]] if key in value else [])


def check_json(status, output, lossy):
    document = json.loads(output)
    gaps, off = found_in(document, "gap"), found_in(document, "processes_off")
    good = all(gap == {"events": 1234, "bytes": 5871616} for gap in gaps)
    good &= all(one == {"threads": 2, "room": 1200} for one in off)
    return not status and good and bool(gaps) == bool(off) == lossy


def expect(good, seen):
    return "" if good else repr(seen)


def check_reports(directory, lossy):
    failed = 0
    for report in REPORTS:
        seen = run(directory, report)
        good = not seen[0] and (WORDS in seen[1]) == lossy and not seen[2]
        failed += result(expect(good, seen), " ".join(report))
        seen = run(directory, [*report, "--format", "csv"])
        good = not seen[0] and "gap" not in seen[1] and (WORDS in seen[2]) == lossy
        failed += result(expect(good, seen), " ".join(report) + " csv")
        seen = run(directory, [*report, "--format", "json"])
        good = check_json(seen[0], seen[1], lossy) and not seen[2]
        failed += result(expect(good, seen), " ".join(report) + " json")
    return failed


def check_data(directory, lossy):
    failed = 0
    for report in DATA:
        seen = run(directory, report)
        good = not seen[0] and (WORDS in seen[2]) == lossy and "gap" not in seen[1]
        failed += result(expect(good, seen), " ".join(report))
    seen = run(directory, ["plot", "--format", "json"])
    failed += result(expect(check_json(seen[0], seen[1], lossy), seen), "plot json")
    seen = run(directory, ["info"])
    line = "gaps: 1,234 events (5734 KiB)" if lossy else "gaps: 0 events (0 B)"
    good = line in seen[1].splitlines() and (WORDS.split("; ", 1)[1] in seen[1]) == lossy
    failed += result(expect(good, seen), "info")
    off = found_in(json.loads(run(directory, ["info", "--format", "json"])[1]), "processes_off")
    return failed + result(expect(bool(off) == lossy, off), "info json")


def check_pictures(directory, lossy):
    failed = 0
    for name, report in (("flame.html", ["flame"]), ("flame.svg", ["flame"]),
                         ("plot.svg", ["plot"]), ("plot.txt", ["plot"])):
        if report == ["plot"] and not shutil.which("gnuplot"):
            print(f"# no gnuplot here: no {name}")
            continue
        seen = run(directory, [*report, "-o", name])
        text = (directory / name).read_text()
        good = not seen[0] and bool(re.search(r"gap: 1,234 events lost.*not traced to the end: 1,202", text)) == lossy
        failed += result(expect(good, (seen, text[:300])), name)
    return failed


def main():
    failed = 0
    for lossy in (True, False):
        with tempfile.TemporaryDirectory() as temporary:
            directory = pathlib.Path(temporary)
            (directory / "t.txt").write_text(TRACE % ((1234, 5871616, OFF) if lossy else (0, 0, "")))
            subprocess.run([ASSEMBLE, directory / "t.txt", directory / "t.mtrace"], check=True)
            failed += check_reports(directory, lossy)
            failed += check_data(directory, lossy)
            failed += check_pictures(directory, lossy)
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
