"""`memtrace leaks` on programs that say of their lines what they are (tests/programs/leaks.py)."""
import re

import support

PROGRAM = support.PROGRAMS / "leaks.py"


def labels(kind):
    """{line: name} of the lines of that kind."""
    found = {}
    for number, line in enumerate(PROGRAM.read_text().splitlines(), 1):
        match = re.search(r"# %s: (.*)" % kind, line)
        if match:
            found[number] = match.group(1)
    return found


def found(traced, trace, *options):
    report = traced.report("leaks", trace, "--limit", "0", "--paths", "full", *options)
    assert not report["too_short"]
    return ({row["lineno"]: row for row in report[kind] if row.get("filename") == str(PROGRAM)}
            for kind in ("growing", "stopped"))


# Free lists lend the blocks of these lines to others that keep them (docs/leaks.md).
LENT = {"lru_cache"}


def test_leaks_are_found_and_the_rest_is_not(tmp_path):
    traced = support.Traced(tmp_path, support.known_interpreters()[-1])
    trace = traced.run(PROGRAM, "5").trace
    growing, stopped = found(traced, trace)
    leaks = labels("leak")
    assert len(leaks) == 9
    missed = set(leaks) - set(growing)
    assert not missed, [leaks[line] for line in missed]
    accused = {name for line, name in labels("no leak").items() if line in growing}
    assert accused <= LENT, accused
    names = labels("no leak")
    assert "loaded-once-late" in {names.get(line) for line in stopped}


def test_growth_for_each_request(tmp_path):
    """What a request leaks is what `--per` says, in bytes that the program knows."""
    traced = support.Traced(tmp_path, support.known_interpreters()[-1])
    result = traced.script(
        "import memtrace, time\n"
        "kept = [None] * 100000\n"
        "begin = time.monotonic()\n"
        "for n in range(400):\n"
        "    kept[n] = bytes(5000)  # leak\n"
        "    if n % 20 == 0:\n"
        "        memtrace.mark('request')\n"
        "    time.sleep(max(0, begin + n / 100 - time.monotonic()))\n"
        "memtrace.mark('done')\n")
    report = traced.report("leaks", result.trace, "--per", "request", "--warm-up", "mark:request#1")
    row = report["growing"][0]
    assert row["lineno"] == 5 and row["count"] == 400
    assert report["marks"] == 19
    size = row["size"] / 400
    assert size <= 5100 and row["kept"] == row["allocated"]
    assert 0.8 < row["size_per_mark"] / (20 * size) < 1.25, row["size_per_mark"]
