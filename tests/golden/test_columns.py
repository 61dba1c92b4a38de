"""Every report as CSV has the columns that docs/reports.columns.json says, and its manual page names them.

    test_columns.py MEMTRACE ASSEMBLE

Prints TAP.
"""
import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
HERE = pathlib.Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
DOCUMENT = json.loads((DOCS / "reports.columns.json").read_text())
KEYED = {"top": ["", "--from start --at 1.5 --limit 0"],
         "diff": ["--old-at start --limit 0", "--moved --noise {} {}"],
         "tree": ["", "--inverted"], "leaks": ["--warm-up 0", "--per request"],
         "plot --key": [""]}
OTHERS = {"lines": ["", "--all"], "stats": [""], "info": [""], "export --to events": [""],
          "plot": ["", "--slope", "{}"]}
KEYS = {"tree": ["caller", "lineno", "function", "filename", "module", "package"]}
PATTERNS = {"integer": "-?[0-9]+", "decimal": r"-?[0-9.]+(e[-+][0-9]+)?", "address": "0x[0-9a-f]+",
            "text": "(?s:.+)"}


def expected(report, key):
    """The names of columns as the document has them, those that may be missing with a `?`."""
    for name in DOCUMENT["reports"][report]:
        if name in ("KEY", "AMOUNTS"):
            yield from DOCUMENT["keys"][key] if name == "KEY" else DOCUMENT["amounts"]
        else:
            yield name


def in_heading(name, key):
    """Names with a point are of one report, for what others have of another kind."""
    return key if name == "plot.key" else name.rstrip("?").rpartition(".")[2]


def columns_of(heading, report, key):
    """Of each column of a heading its name in the document; None if it is another heading."""
    found, left = [], list(heading)
    for name in expected(report, key):
        if left and left[0] == in_heading(name, key):
            found.append(name.rstrip("?"))
            left.pop(0)
        elif not name.endswith("?"):
            return None
    return None if left else found


def is_value(name, text):
    column = DOCUMENT["columns"][name]
    if not text and column.get("may be empty"):
        return True
    if column["type"] == "one of":
        return text in column["values"]
    return re.fullmatch(PATTERNS[column["type"]], text) is not None


def wrong(text, report, key):
    """What is not as the document says, or None; and the columns that were there."""
    if not text.endswith("\r\n"):
        return "no end of a line at the end", []
    heading, *rows = csv.reader(text.split("\r\n")[:-1], strict=True)
    columns = columns_of(heading, report, key)
    if not columns:
        return f"another heading: {','.join(heading)}", []
    for row in rows:
        if len(row) != len(columns):
            return f"{len(row)} fields: {row}", columns
        for name, value in zip(columns, row):
            if not is_value(name, value):
                return f"{name}: {value!r}", columns
    return None, columns


def run(directory, words):
    done = subprocess.run([MEMTRACE, *words], cwd=directory, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    return done.stdout.decode()


def cases():
    for report, choices in KEYED.items():
        for key in KEYS.get(report, DOCUMENT["keys"]):
            for options in choices:
                by = key if report == "plot --key" else f"--key {key}"
                yield report, key, f"{by} {options}"
    for report, choices in OTHERS.items():
        for options in choices:
            yield report, "caller", options


def check_report(directory, report, seen):
    """The first thing that is wrong; how many outputs there were."""
    count = 0
    for trace in sorted(path.name for path in directory.glob("*.mtrace")):
        for _, key, options in (case for case in cases() if case[0] == report):
            form = [] if report.startswith("export") else ["--format", "csv"]
            words = [*report.split(), *options.format(trace, trace).split(), *form, trace]
            text = run(directory, words)
            if not text:
                continue
            problem, columns = wrong(text, report, key)
            if problem:
                return f"{' '.join(words)}: {problem}", count
            seen.update(columns)
            count += 1
    return None if count else "no trace has such a report", count


def unnamed(report):
    """Columns that no manual page names: that of the command, or that of top, which others refer to."""
    pages = [(DOCS / "man" / f"memtrace-{page}.1").read_text() for page in (report.split()[0], "top")]
    words = set(re.findall(r"\w+", " ".join(pages)))
    names = [name for name in expected(report, "caller") if name != "plot.key"]
    return [name for name in names if in_heading(name, None) not in words]


def lets_pass():
    """What the check itself must refuse."""
    heading = ",".join(in_heading(name, "caller") for name in DOCUMENT["reports"]["stats"])
    good = f"{heading}\r\n0,0,1,0,0,1,0\r\n"
    worse = [good + "1,2,3\r\n", good + "0,0,x,0,0,1,0\r\n", good.replace("from", "form"), good[:-1],
             good + "0,0,,0,0,1,0\r\n", good.replace("malloc\r", "malloc,more\r")]
    return wrong(good, "stats", "caller")[0] or [w for w in worse if not wrong(w, "stats", "caller")[0]]


def main():
    results, seen = [(lets_pass() or None, "the check refuses what it should")], set()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for text in (HERE / "traces").glob("*.txt"):
            subprocess.run([ASSEMBLE, text, directory / f"{text.stem}.mtrace"], check=True)
        for report in [*KEYED, *OTHERS]:
            problem, count = check_report(directory, report, seen)
            results.append((problem, f"{count} of {report}"))
        problem, columns = wrong(run(directory, ["list", "--format", "csv"]), "list", "caller")
        results.append((problem, "list"))
        seen.update(columns)
    for report in DOCUMENT["reports"]:
        missing = unnamed(report)
        results.append((" ".join(missing), f"memtrace-{report.split()[0]}(1) has all columns of {report}"))
    unseen = sorted(set(DOCUMENT["columns"]) - seen)
    results.append((" ".join(unseen), "each column is in a report"))
    print(f"1..{len(results)}")
    for number, (problem, name) in enumerate(results, 1):
        print(f"{'not ok' if problem else 'ok'} {number} {name}{f': {problem}' if problem else ''}")
    return any(problem for problem, _ in results)


if __name__ == "__main__":
    sys.exit(main())
