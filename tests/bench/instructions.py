#!/usr/bin/env python3
"""How many instructions the agent adds to an event, in each mode; how many the collector takes.

    instructions.py [--check | --record] [--build DIRECTORY] [--python PYTHON] [--program NAME]

Counts by valgrind's callgrind, which repeat where times do not: churn.py is run for a few and for
more rounds, bare and traced, so that what starting costs falls out.  An event is an allocation, a
free or a reallocation as the exact mode records them, in each mode.  --check compares with
instructions.json, which holds what --record found for that version of Python, and fails where one
has grown by more than 5 %.  Of another program than churn.py, as churn_native.py, nothing is
recorded.  Exits with 77 where there is no valgrind.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = "churn.py"
RECORD = HERE / "instructions.json"
FEW, MORE = 1, 4
SLACK = 1.05
RECORDINGS = 4
MODES = {"exact": [], "sample": ["--sample"], "native": ["--native"]}
VALGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
ENVIRONMENT = dict(os.environ, PYTHONHASHSEED="0", PYTHONMALLOC="", LC_ALL="C")


def count(command):
    """Instructions of the program itself: what callgrind says last."""
    result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    found = re.findall(r"I +refs: +([0-9,]+)", result.stderr)
    if result.returncode or not found:
        sys.exit("instructions.py: %s failed:\n%s" % (" ".join(command), result.stderr[-2000:]))
    return int(found[-1].replace(",", ""))


def program(python, rounds):
    return [python, "-S", str(HERE / PROGRAM), str(rounds)]


def events_of(memtrace, trace):
    text = subprocess.run([memtrace, "info", "--format", "json", trace],
                          check=True, capture_output=True, text=True).stdout
    return sum(process["events"] for process in json.loads(text)["processes"])


def exact_events(memtrace, python, folder):
    """Events of the rounds that MORE has beyond FEW."""
    def events(rounds):
        trace = os.path.join(folder, "events.mtrace")
        subprocess.run([memtrace, "run", "-q", "-o", trace, "--"] + program(python, rounds),
                       check=True, env=ENVIRONMENT)
        return events_of(memtrace, trace)
    return events(MORE) - events(FEW)


def agent(memtrace, python, folder, events):
    bare = count(VALGRIND + program(python, MORE)) - count(VALGRIND + program(python, FEW))
    found = {"bare": bare / events}
    for mode, options in MODES.items():
        run = [memtrace, "run", "-q", "-o", os.path.join(folder, "x.mtrace")] + options + ["--"]
        more = count(run + VALGRIND + program(python, MORE))
        few = count(run + VALGRIND + program(python, FEW))
        found[mode] = (more - few - bare) / events
    return found


def collector(build, python, folder, events):
    def replay(rounds):
        tape, bench = os.path.join(folder, "tape"), str(build / "tests/bench/bench_tape")
        subprocess.run([bench, "record", tape, build / "agent/libmemtrace.so"]
                       + program(python, rounds), check=True, capture_output=True, env=ENVIRONMENT)
        return count(VALGRIND + [bench, "replay", tape, "1"])
    def least(rounds):
        """Blocks lie elsewhere each time, and what is looked for is found sooner or later."""
        return min(replay(rounds) for _ in range(RECORDINGS))
    return (least(MORE) - least(FEW)) / events


def version_of(python):
    code = "import platform; print(platform.python_version().rpartition('.')[0])"
    return subprocess.run([python, "-c", code], check=True, capture_output=True,
                          text=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--program", default="churn.py")
    arguments = parser.parse_args()
    if arguments.program != "churn.py" and (arguments.check or arguments.record):
        parser.error("of churn.py alone there are records")
    global PROGRAM
    PROGRAM = arguments.program
    if not shutil.which("valgrind"):
        print("instructions.py: there is no valgrind here")
        return 77
    build = arguments.build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        memtrace = str(build / "memtrace")
        events = exact_events(memtrace, arguments.python, folder)
        found = agent(memtrace, arguments.python, folder, events)
        found["collector"] = collector(build, arguments.python, folder, events)
    version = version_of(arguments.python)
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    bounds = known.get(version, {}) if PROGRAM == "churn.py" else {}
    print("instructions an event, Python %s, and as recorded" % version)
    for name, value in found.items():
        recorded = bounds.get(name, "not recorded") if name != "bare" else ""
        print(("%-10s %7.1f  %s" % (name, value, recorded)).rstrip())
    if arguments.record:
        known[version] = {name: round(value, 1) for name, value in found.items() if name != "bare"}
        RECORD.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    grown = [name for name, bound in bounds.items() if found[name] > bound * SLACK]
    if arguments.check and grown:
        print("instructions.py: more than recorded: " + ", ".join(grown))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
