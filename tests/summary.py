"""Adds up the results of `meson test` and of pytest into one last line.

    summary.py testlog.json results.xml [FAILED...]

FAILED names steps beside these two that failed: each counts as one test.
A file that is missing or empty is a failure: a runner that died has not
passed.  So is a run without any test.
"""
import collections
import json
import sys
import xml.etree.ElementTree


def from_meson(path):
    """Meson's log has one JSON object a line, one for each test."""
    kinds = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}
    with open(path, encoding="utf-8") as log:
        return collections.Counter(
            kinds.get(json.loads(line)["result"], "failed") for line in log if line.strip())


def from_pytest(path):
    suite = xml.etree.ElementTree.parse(path).getroot().find("testsuite")
    bad = int(suite.get("failures")) + int(suite.get("errors"))
    skipped = int(suite.get("skipped"))
    return collections.Counter(
        passed=int(suite.get("tests")) - bad - skipped, failed=bad, skipped=skipped)


def main():
    total = collections.Counter()
    for step in sys.argv[3:]:
        print("failed: " + step)
        total["failed"] += 1
    for path, read in zip(sys.argv[1:3], (from_meson, from_pytest)):
        try:
            total += read(path)
        except (OSError, ValueError, AttributeError, xml.etree.ElementTree.ParseError) as error:
            print("%s: no results: %s" % (path, error))
            total["failed"] += 1
    if not total["passed"] and not total["failed"]:
        print("no test has run")
        total["failed"] = 1
    print("%d passed, %d failed, %d skipped" % (
        total["passed"], total["failed"], total["skipped"]))
    return 1 if total["failed"] else 0


sys.exit(main())
