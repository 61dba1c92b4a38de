"""Other people's test suites, bare and under memtrace: test case by test case the same result.

What cpython_suite.py and library_suites.py share.  A part of a suite, a test file as a rule, is
run under `memtrace run` and bare, and what each test case did is compared.  A case that passes bare
and not under memtrace, or is skipped there, or is missing, is a difference; it counts if it shows
again when both are run once more.  What a trace says of lost, doubled or unknown events is a
difference too.  With --lazy a part is run bare only where a case was bad under memtrace.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "e2e"))
import support  # noqa: E402

TIMEOUT, GRACE = 600, 60  # seconds
GOOD = ("passed", "skipped")

# One run of it is `words`, with the path of a report in JUnit's format for "REPORT"; it has
# `timeout` seconds and then GRACE to say where it hangs, and ends with the status `none_ran` where
# there is nothing to do.  `expected` are cases that have to differ.
Part = collections.namedtuple("Part", "suite name words timeout none_ran expected")
Run = collections.namedtuple("Run", "cases status output unsound seconds")


# ---- one part, once ----

def parse(path):
    """{case: outcome}; of one that ran several times the worst."""
    ranks = ("skipped", "passed", "failure", "error")
    cases = {}
    try:
        root = xml.etree.ElementTree.parse(str(path)).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return cases
    for case in root.iter("testcase"):
        inside = {child.tag for child in case}
        outcome = next((tag for tag in ("error", "failure", "skipped") if tag in inside), "passed")
        words = filter(None, (case.get("classname"), case.get("name")))
        name = ".".join(words) or "one without a name"
        cases[name] = max(outcome, cases.get(name, "skipped"), key=ranks.index)
    return cases


def unsound(trace):
    """What a trace says of events that do not fit together, a line for each process."""
    if not trace.exists():
        return ["no trace"]
    answer = support.execute([support.MEMTRACE, "info", "--format", "json", trace])
    if answer.status:
        return ["info: %s" % answer.message]
    found = []
    for process in json.loads(answer.out.decode("utf-8", "surrogatepass"))["processes"]:
        counts = {name: process.get(name, 0) for name in (  # none of one whose end is not there
            "unknown_frees", "duplicate_allocations", "gap_events")}
        bad = ["%s %d" % pair for pair in counts.items() if pair[1]]
        if bad:
            found.append("%s: %s" % (", ".join(bad), " ".join(process["command"])[:200]))
    return found


def kill_all(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait(process, timeout):
    try:
        status = process.wait(timeout=timeout)
    except subprocess.TimeoutExpired:
        status = "does not end"
    kill_all(process)  # also what it left behind
    process.wait()
    return status


def run(part, directory, options=None):
    """Runs a part, traced if there are `options`."""
    report, trace, log = (directory / f for f in ("report.xml", "x.mtrace", "output"))
    words = [report if word == "REPORT" else word for word in part.words]
    if options is not None:
        words = [support.MEMTRACE, "run", "-q", "-o", trace] + options + ["--"] + words
    environment = support.clean_environment(TMPDIR=str(directory), HOME=str(directory))
    del environment["PYTHONHASHSEED"]
    start = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen([str(w) for w in words], cwd=str(directory), env=environment,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   start_new_session=True)
        status = wait(process, part.timeout + GRACE)
    seconds = time.monotonic() - start
    cases = parse(report)
    if status not in (0, part.none_ran) and all(o in GOOD for o in cases.values()):
        cases[part.name] = "status %s" % status
    output = log.read_bytes().decode(errors="replace")
    return Run(cases, status, output, unsound(trace) if options is not None else [], seconds)


def run_alone(part, options=None, keep=None):
    """In a directory of its own; a trace that is not sound goes to the file `keep`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        result = run(part, pathlib.Path(directory), options)
        with contextlib.suppress(OSError):
            if keep and result.unsound:
                shutil.copy(os.path.join(directory, "x.mtrace"), keep)
        return result


# ---- bare against traced ----

def is_worse(bare, traced):
    return traced != bare and (bare in GOOD or bare is None) and not (
        bare == "skipped" and traced == "passed") and not (bare is None and traced in GOOD)


def differences(part, bare, traced):
    """{case: what is different}, but for what has to be."""
    found = {}
    for case in sorted(set(bare.cases) | set(traced.cases)):
        old, new = bare.cases.get(case), traced.cases.get(case)
        if is_worse(old, new) and case.partition("test.")[2] not in part.expected:
            found[case] = "%s, bare %s" % (new or "missing", old or "missing")
    if traced.unsound:
        found[part.name + " (trace)"] = "; ".join(traced.unsound)
    return found


def bad(run):
    return sorted(case for case, outcome in run.cases.items() if outcome not in GOOD)


class Compared:
    """A part, bare and traced, and what was different each time."""

    def __init__(self, part, options=(), lazy=False, logs=None):
        self.part, self.options = part, list(options)
        self.logs = logs and str(logs / ("%s.%s." % (part.suite, part.name.partition(":")[0])))
        self.traced = self.run_traced("traced")
        lazy = lazy and not bad(self.traced)
        self.bare = self.traced if lazy else run_alone(part)
        self.differences, self.once = differences(part, self.bare, self.traced), {}
        if self.differences:
            self.again()

    def run_traced(self, name):
        return run_alone(self.part, self.options, self.logs and self.logs + name + ".mtrace")

    def again(self):
        """What does not show a second time is not counted, but told."""
        bare, traced = run_alone(self.part), self.run_traced("again")
        second = differences(self.part, bare, traced)
        self.once = {c: w for c, w in self.differences.items() if c not in second}
        self.differences = {c: w for c, w in self.differences.items() if c in second}
        if self.logs:
            for name, result in (("bare", self.bare), ("traced", self.traced), ("again", traced)):
                pathlib.Path(self.logs + name).write_text(result.output, errors="replace")

    def as_json(self):
        return {"suite": self.part.suite, "part": self.part.name,
                "seconds": round(self.traced.seconds, 1), "cases": len(self.traced.cases),
                "bad_bare": bad(self.bare), "bad_traced": bad(self.traced),
                "skipped": sum(o == "skipped" for o in self.traced.cases.values()),
                "unsound": self.traced.unsound, "differences": self.differences,
                "once": self.once}


def show(row):
    name = "%s %s" % (row["suite"], row["part"])
    print("%-48s %5d cases %3d bad, %3d bare %3d different %4.0f s" % (
        name, row["cases"], len(row["bad_traced"]), len(row["bad_bare"]), len(row["differences"]),
        row["seconds"]))
    for kind in ("differences", "once"):
        for case, what in row[kind].items():
            print("  %s: %s: %s" % (kind, case, what))
    sys.stdout.flush()


# ---- many of them ----

def parser(description):
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--lazy", action="store_true", help="bare only what was bad under memtrace")
    made.add_argument("--jobs", type=int, default=2)
    made.add_argument("--timeout", type=int, default=TIMEOUT, metavar="SECONDS", help="of a part")
    made.add_argument("--run-option", action="append", default=[], metavar="OPTION",
                      help="of memtrace run, as --run-option=--off")
    made.add_argument("--logs", type=pathlib.Path, metavar="DIRECTORY",
                      help="keeps the output of what differs, and traces that are not sound")
    made.add_argument("--results", type=pathlib.Path, metavar="FILE",
                      help="a line of JSON for each part; what is in it is not run again")
    return made


def read_results(path):
    if not path or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def add_result(path, row):
    if path:
        with path.open("a") as out:
            out.write(json.dumps(row) + "\n")


def compare_all(parts, options):
    """Yields a row of results for each part; those under way end before an interrupt is heard."""
    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    try:
        waiting = [pool.submit(Compared, part, options.run_option, options.lazy, options.logs)
                   for part in parts]
        for done in concurrent.futures.as_completed(waiting):
            row = done.result().as_json()
            add_result(options.results, row)
            yield row
    finally:
        pool.shutdown(cancel_futures=True)


def show_table(rows):
    """A line for each suite, and what was bad in it by name."""
    columns = ("suite", "parts", "cases", "skipped", "bad under memtrace", "bad bare", "different",
               "minutes")
    print("| %s |\n%s|" % (" | ".join(columns), "|---" * len(columns)))
    for suite in dict.fromkeys(row["suite"] for row in rows):
        own = [row for row in rows if row["suite"] == suite]
        counts = [sum(row[key] for row in own) for key in ("cases", "skipped")]
        counts += [sum(len(row[key]) for row in own)
                   for key in ("bad_traced", "bad_bare", "differences")]
        print("| %s | %d | %s | %.0f |" % (
            suite, len(own), " | ".join(map(str, counts)), sum(r["seconds"] for r in own) / 60))
    for row in rows:
        for case in row["bad_bare"]:
            print("bad bare: %s %s" % (row["suite"], case))


def main(parts, options):
    """Runs them, and says "N passed, N failed" of the cases under memtrace."""
    if not os.access(str(support.MEMTRACE), os.X_OK):
        sys.exit("no memtrace at %s: build it, or set MEMTRACE" % support.MEMTRACE)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" ignores it
    if options.logs:
        options.logs.mkdir(exist_ok=True)
    rows = read_results(options.results)
    known = {(row["suite"], row["part"]) for row in rows}
    parts = [part for part in parts if (part.suite, part.name) not in known]
    for row in compare_all(parts, options):
        show(row)
        rows.append(row)
    show_table(rows)
    failed = sum(len(row["differences"]) for row in rows)
    passed = sum(row["cases"] - len(set(row["differences"]) & set(row["bad_traced"]))
                 for row in rows)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0
