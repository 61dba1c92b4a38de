"""`memtrace run --full`: every event is in the trace, and reports are of any second."""
import collections
import csv
import io
import json
import re
import signal

import pytest
import support

PROGRAM = """
import sys, time, memtrace
held = []
def wait():
    end = time.monotonic() + 0.03
    while time.monotonic() < end:
        pass
for n in range(12):
    held.append(bytearray(100_000 + n))  # grows
    if n % 3 == 2:
        held.pop(0)
    for block in held:
        block.append(1)  # moves
    other = [bytes(3000) for _ in range(50)]  # other
    wait()
    memtrace.mark("m%d" % n)
    wait()
    print(n, len(held), sum(block.__sizeof__() for block in held))
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """(Traced, trace, {step: (number of blocks held, their bytes)})"""
    traced = support.Traced(tmp_path_factory.mktemp("full"), None)
    one = [i for i in support.known_interpreters() if i.path == support.os.path.realpath(
        support.sys.executable)] or support.known_interpreters()[-1:]
    traced.python = one[0]
    result = traced.script(PROGRAM, options=["--full"])
    said = {int(n): (int(count), int(size))
            for n, count, size in map(str.split, result.out.decode().splitlines())}
    return traced, result.trace, said


def events_of(traced, trace, *options):
    result = support.execute([traced.memtrace, "export", "--to", "events", *options, trace])
    assert result.status == 0, result
    return list(csv.DictReader(io.StringIO(result.out.decode())))


def marks_of(traced, trace):
    info = traced.report("info", trace)
    return {b["name"]: b["seconds"] for b in info["boundaries"] if b["kind"] == "mark"}


def test_any_second(full):
    """Between two moments: what the program said that it held then, and what the next moment, of which
    nothing is known but its own rows, has."""
    traced, trace, said = full
    marks = marks_of(traced, trace)
    for n, (count, size) in said.items():
        at = marks["m%d" % n]
        before = traced.report("top", trace, "--at", "%.6f" % (at - 0.01), "--key", "lineno",
                               "--limit", "0", "--domain", "python")
        assert before["at"]["seconds"] == pytest.approx(at - 0.01, abs=1e-6)
        assert "nearest" not in before["at"]
        then = traced.report("top", trace, "--at", "mark:m%d" % n, "--key", "lineno", "--limit",
                             "0", "--domain", "python")
        for line in (9, 13, 14):
            rows = [[(r["size"], r["count"]) for r in report["rows"] if r.get("lineno") == line
                     and r["filename"].endswith("script1.py")] for report in (before, then)]
            assert rows[0] == rows[1], (n, line)
        moved = next(r for r in before["rows"] if r.get("lineno") == 13)
        # Each block has a header of its own, and the buffer that grew.
        assert moved["count"] == count
        assert abs(moved["size"] - size) <= 100 * count


KEEPS = """
import sys, time
held, lost = [], []
for n in range(400):
    held.append(bytearray(1000 + n))  # kept
    lost.append(bytearray(5000 + n))  # replaced
    if n % 7 == 6:
        lost.clear()
    if n % 50 == 49:
        held[n // 2] = None
    end = time.monotonic() + (0.001 if n < 399 else 0.03)
    while time.monotonic() < end:
        pass
"""


@pytest.mark.parametrize("to", [1, 0.8])
def test_from_any_time(traced_once, to):
    """An interval begins between two events: what was born after it and lives, by replay."""
    trace = traced_once.script(KEEPS, options=["--full"]).trace
    events = [e for e in events_of(traced_once, trace, "--domain", "python", "--include",
                                   "*/script1.py") if e["lineno"] in ("5", "6")]
    times = sorted({float(e["seconds"]) for e in events if e["event"] != "free"})
    end = times[int(to * (len(times) - 1))] + 0.0002
    for part in (0, 0.111, 0.3, 0.512, 0.77):
        start = times[int(part * (len(times) - 2))]
        report = traced_once.report("top", trace, "--from", "%.6f" % start, "--key", "lineno", "--limit",
                                    "0", "--domain", "python", *(("--to", "%.6f" % end) if to < 1 else ()))
        assert report["from"] == {"name": "%.6f" % start, "seconds": pytest.approx(start, abs=1e-6)}
        live, allocations = {}, collections.Counter()
        for event in events:
            if not start < float(event["seconds"]) <= end:
                continue
            if event["event"] in ("alloc", "realloc"):
                live[event["address"]] = event["lineno"], int(event["size"])
                allocations[event["lineno"]] += 1
            else:
                live.pop(event["address"], None)
        expected = {int(line): (sum(size for at, size in live.values() if at == line),
                                sum(at == line for at, _ in live.values()), count)
                    for line, count in allocations.items()}
        expected = {line: amounts for line, amounts in expected.items() if amounts[0]}
        found = {r["lineno"]: (r["size"], r["count"], r["allocations"]) for r in report["rows"]
                 if r.get("lineno") in (5, 6) and r["filename"].endswith("script1.py")}
        assert found == expected and expected


def test_curves(traced_once):
    """What a line held at each of many points, by replay of its events."""
    trace = traced_once.script(KEEPS, options=["--full"]).trace
    result = support.execute([traced_once.memtrace, "plot", "--key", "lineno", "--limit", "12",
                              "--format", "csv", "-o", "-", trace])
    assert result.status == 0, result
    curve = [(float(row["time_s"]), int(row["size"]))
             for row in csv.DictReader(io.StringIO(result.out.decode()))
             if row["lineno"].endswith("script1.py:6")]
    changes = [(float(e["seconds"]), int(e["size"]) * (-1 if e["event"] in ("free", "realloc-from") else 1))
               for e in events_of(traced_once, trace, "--domain", "python", "--include",
                                  "*/script1.py:6")]
    boundaries = len(traced_once.report("info", trace)["boundaries"])
    assert len(curve) > boundaries + 900 and len(changes) > 1000
    busy = 0
    for time, size in curve[:-1]:  # at the last one there is the end of everything
        held = {sum(bytes for at, bytes in changes if at <= time + slack) for slack in (-1e-6, 0, 1e-6)}
        assert size in held, time
        busy += size > 0
    assert busy > 300 and len(set(size for _, size in curve)) > 100


def test_events_add_up(full):
    """Every block that is freed was allocated, and what is left is what the trace says in the end."""
    traced, trace, _ = full
    live, sums = {}, collections.Counter()
    for event in events_of(traced, trace, "--domain", "python", "--domain", "native"):
        kind, key = event["event"], event["address"]
        if kind in ("alloc", "realloc"):
            assert key not in live, event
            live[key] = int(event["size"])
            sums[event["domain"]] += 1
        elif kind in ("free", "realloc-from"):
            assert live.pop(key) == int(event["size"]), event
    total = traced.report("top", trace, "--at", "9999")["total"]
    assert len(sums) >= 3 and sum(sums.values()) > 5000
    stats = traced.report("stats", trace)
    assert sum(sums.values()) >= stats["allocations"]
    assert total["count"] > 0


def test_info_and_size(full):
    traced, trace, _ = full
    log = traced.report("info", trace)["log"]
    events = len(events_of(traced, trace))
    assert log["events"] == events
    assert log["bytes"] / events < 3


def test_without_it_nothing_is_kept(full, tmp_path):
    traced, _, _ = full
    trace = traced.script("pass\n").trace
    assert "log" not in traced.report("info", trace)
    result = support.execute([traced.memtrace, "export", "--to", "events", trace])
    assert result.status == 1 and b"--full" in result.err


def test_children_and_threads(traced_once):
    trace = traced_once.script("""
import os, threading
held = [bytes(1000) for _ in range(300)]
def work():
    for _ in range(2000):
        bytes(5000)  # thread
threads = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
pid = os.fork()
if not pid:
    more = [bytes(7000) for _ in range(100)]  # child
    os._exit(0)
os.waitpid(pid, 0)
""", options=["--full"]).trace
    info = traced_once.assert_sound(trace)
    events = events_of(traced_once, trace)
    by_thread = collections.Counter(e["tid"] for e in events if e["lineno"] == "6"
                                    and e["event"] == "free" and int(e["size"]) > 5000)
    assert sorted(by_thread.values())[-3:] == [2000] * 3
    child = next(str(p["pid"]) for p in info["processes"] if p["origin"] == "fork")
    mine = [e for e in events if e["pid"] == child]
    assert sum(e["event"] == "alloc" and e["lineno"] == "12" for e in mine) >= 100
    assert mine[-1]["event"] == "end"


def test_sampled_as_well(traced_once):
    """A log of samples: estimates at any second, the sizes of the samples themselves in the events."""
    trace = traced_once.script(PROGRAM, options=["--full", "--sample=4KiB"]).trace
    marks = marks_of(traced_once, trace)
    for n in range(12):
        before, then = (
            {r["lineno"]: (r["size"], r["size_error"]) for r in traced_once.rows(trace, "--at", at)
             if r.get("lineno") in (9, 13, 14) and r["filename"].endswith("script1.py")}
            for at in ("%.6f" % (marks["m%d" % n] - 0.01), "mark:m%d" % n))
        assert before == then
    sizes = collections.Counter(
        e["size"] for e in events_of(traced_once, trace) if e["lineno"] == "14")
    assert sizes.most_common(1)[0][0] == "3033"


def test_three_bytes_an_event(traced_once):
    """What the log adds to a trace."""
    sizes = {}
    for options in ((), ("--full",)):
        result = traced_once.run(
            traced_once.python.path, support.ROOT / "tests" / "bench" / "churn.py", "6",
            options=["-q", *options])
        info = traced_once.assert_sound(result.trace)
        sizes[options] = support.os.path.getsize(result.trace)
    events = sum(process["events"] for process in info["processes"])
    assert events > 100_000 and 0 < sizes["--full",] - sizes[()] <= 3 * events


def test_killed(traced_once):
    """What was written before a kill can be read."""
    command, trace = traced_once.command("-c", """
import os, signal, time
held = [bytes(1000) for _ in range(1000)]
for n in range(20000):
    held[0] = bytes(2000)
end = time.monotonic() + 1.2  # longer than the file may be behind
while time.monotonic() < end:
    pass
os.kill(os.getpid(), signal.SIGKILL)
""", options=["--full"])
    result = support.execute(command)
    assert result.status == -signal.SIGKILL, result
    events = events_of(traced_once, trace)
    assert sum(e["size"] == "1033" for e in events) >= 1000
    data = trace.read_bytes()
    for cut in (len(data) - 100, len(data) * 3 // 4):
        short = traced_once.directory / "cut.mtrace"
        short.write_bytes(data[:cut])
        found = events_of(traced_once, short)
        assert found == events[:len(found)] and found


def test_pipe(full):
    """A pipe cannot be read twice: its moments are there, its events are not."""
    traced, trace, _ = full
    moments = [b["seconds"] for b in traced.report("info", trace)["boundaries"]]
    times = [float(event["seconds"]) for event in events_of(traced, trace)]
    _, between = max((sum(a < time < b for time in times), (a + b) / 2)
                     for a, b in zip(moments, moments[1:]))
    for arguments, good in ((["top"], True), (["top", "--at", "%.6f" % between], False),
                            (["export", "--to", "events"], False)):
        with open(trace, "rb") as file:
            piped = support.subprocess.run(
                "cat | %s %s /dev/stdin" % (traced.memtrace, " ".join(arguments)), shell=True,
                stdin=file, stdout=support.subprocess.PIPE, stderr=support.subprocess.PIPE,
                timeout=support.TIMEOUT)
        assert (piped.returncode == 0) == good, piped
        assert good or b"pipe" in piped.stderr, piped


GROWS = """
import time
kept, cache = [], []
for n in range(300):
    kept.append(bytearray(3000 + n))  # grows
    if n < 30:
        cache.append(bytes(20000))
    temporary = [bytes(500) for _ in range(20)]
    end = time.monotonic() + 0.01
    while time.monotonic() < end:
        pass
"""


def steadily(traced):
    """A trace of it as it ran without being kept from running for long: then it grew in steps."""
    for _ in range(10):
        trace = traced.script(GROWS, options=["--full"]).trace
        times = sorted(b["seconds"] for b in traced.report("info", trace)["boundaries"])
        if max(b - a for a, b in zip(times, times[1:])) < times[-1] / 4:
            break
    return trace


def between_boundaries(traced, trace):
    """A moment that is as far from all boundaries as any in the second half of the run."""
    times = sorted(b["seconds"] for b in traced.report("info", trace)["boundaries"])
    late = [pair for pair in zip(times, times[1:]) if pair[0] > times[-1] / 2]
    before, after = max(late, key=lambda pair: pair[1] - pair[0])
    assert after - before > 0.02
    return "%.6f" % ((before + after) / 2)


def test_leaks_and_charts_of_any_second(traced_once):
    """Their rows end with what `top` has at that very moment, which no boundary has."""
    trace = steadily(traced_once)
    at = between_boundaries(traced_once, trace)
    top = traced_once.report("top", trace, "--at", at, "--limit", "0")
    leaks = traced_once.report("leaks", trace, "--at", at)
    assert leaks["at"] == top["at"] and leaks["at"]["seconds"] == pytest.approx(float(at), abs=1e-6)
    line = next(row for row in leaks["growing"] if row["lineno"] == 5)
    truth = next(row for row in top["rows"] if row.get("lineno") == 5)
    assert (line["size"], line["count"]) == (truth["size"], truth["count"])
    last, before = line["history"][-1], line["history"][-2]
    assert last["size"] == truth["size"] >= before["size"] and last["seconds"] > before["seconds"]
    page = support.execute([traced_once.memtrace, "flame", "-o", "-", "--at", at, trace]).out.decode()
    data = json.loads(re.search('type="application/json" id="data">(.*?)</script>', page, re.S)[1])
    assert sum(data["births"]["size"]) == sum(data["moments"][0]["size"]) == top["total"]["size"]
    assert sum(data["births"]["count"]) == top["total"]["count"]
