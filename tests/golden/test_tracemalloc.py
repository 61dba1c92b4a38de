"""The same blocks in a trace and in tracemalloc's snapshots: statistics, comparisons and filters
must say the same.

    test_tracemalloc.py MEMTRACE ASSEMBLE

Prints TAP.
"""
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import tracemalloc

MEMTRACE, ASSEMBLE = sys.argv[1:3]
FILES = ["/srv/a.py", "/srv/a.pyc", "/srv/[b].py", "/srv/sub/c.py", "<frozen x>", "<string>", "d.py",
         "/srv/A.PY", "/srv/\u00e4.py", "/srv/a.pyc.py"]
PATTERNS = ["*", "*.py", "*.pyc", "/srv/a.p?", "/srv/[[]b].py", "[!/]*", "*/c.py", "<*>", "d.py", "/SRV/*",
            "/srv/?.py", "/srv/[a-c].py", "*[", "[]", "/srv/[^a].py", "*.pyc.pyc", "**/*.p*", "/srv/a.pyc",
            "<unknown>", "", "[!]a]*", "*\u00e4*"]
DOMAINS = ["raw", "mem", "obj", "malloc"]


def make_blocks(seed):
    """(domain, size, frames with the most recent first) of some blocks."""
    chance = random.Random(seed)
    stacks = [tuple((chance.choice(FILES), chance.randint(1, 3)) for _ in range(chance.randint(1, 4)))
              for _ in range(12)]
    return [(chance.randrange(4), chance.choice([1, 16, 500, 512, 5000, 99_999, 3_000_000]),
             chance.choice(stacks)) for _ in range(40)]


def write_trace(path, blocks):
    lines = ['meta {"command": ["python3"], "cwd": "/"}',
             "process p 1 - 0 exec 3.11.2 /usr/bin/python3 python3"]
    sites = {}
    for domain, size, frames in blocks:
        count, total = sites.get((domain, frames), (0, 0))
        sites[domain, frames] = count + 1, total + size
    rows = ["boundary end p 1 -"]
    for number, ((domain, frames), (count, total)) in enumerate(sites.items()):
        parent = "-"
        for depth, (file, line) in enumerate(reversed(frames)):
            lines.append(f'stack s{number}_{depth} {parent} "{file}" {line} f')
            parent = f"s{number}_{depth}"
        lines.append(f"site x{number} p - {DOMAINS[domain]} {parent}")
        rows.append(f"row x{number} {total} {count} {total} {count}")
    text = path.with_suffix(".txt")
    text.write_text("\n".join(lines + rows + ["end {}"]) + "\n")
    subprocess.run([ASSEMBLE, text, path], check=True)


def snapshot(blocks):
    traces = [(domain, size, frames, len(frames)) for domain, size, frames in blocks]
    return tracemalloc.Snapshot(traces, 10)


def memtrace(*arguments):
    done = subprocess.run([MEMTRACE, *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, (arguments, done)
    return done.stdout.decode()


def frames_of(row, key):
    if key == "traceback":
        return tuple((frame["filename"], frame["lineno"]) for frame in row["traceback"])
    return ((row["filename"], row["lineno"] if key == "lineno" else 0),)


def rows(path, key, *options, limit=0):
    report = json.loads(memtrace("top", "--format", "json", "--limit", limit, "--key", key, *options, path))
    return [(row["size"], row["count"], frames_of(row, key)) for row in report["rows"]]


def statistics(snap, key, cumulative=False):
    return [(s.size, s.count, tuple((f.filename, f.lineno) for f in s.traceback))
            for s in snap.statistics(key, cumulative)]


def check_statistics(directory):
    for seed in range(8):
        blocks = make_blocks(seed)
        write_trace(directory / "a.mtrace", blocks)
        for key in "lineno", "filename", "traceback":
            found, wanted = rows(directory / "a.mtrace", key), statistics(snapshot(blocks), key)
            assert sorted(found) == sorted(wanted), (seed, key, found, wanted)
            assert [row[:2] for row in found] == [row[:2] for row in wanted], (seed, key)
            for limit in 1, 2, 3, 5, 8:
                assert rows(directory / "a.mtrace", key, limit=limit) == found[:limit], (seed, key, limit)


def check_cumulative(directory):
    """But for recursion, which counts once: tracemalloc counts a frame as often as it is there."""
    blocks = [block for block in make_blocks(1) if len(set(block[2])) == len(block[2])]
    write_trace(directory / "a.mtrace", blocks)
    found = rows(directory / "a.mtrace", "lineno", "--cumulative")
    assert sorted(found) == sorted(statistics(snapshot(blocks), "lineno", True))
    frame = "/srv/a.py", 1
    write_trace(directory / "a.mtrace", [(0, 10, (frame, frame, frame))])
    assert rows(directory / "a.mtrace", "lineno", "--cumulative") == [(10, 1, (frame,))]


def check_filters(directory):
    for seed in range(2):
        blocks = make_blocks(seed)
        write_trace(directory / "a.mtrace", blocks)
        for pattern, inclusive, line, every in itertools.product(
                PATTERNS, (True, False), (None, 2), (True, False)):
            wanted = statistics(snapshot(blocks).filter_traces(
                [tracemalloc.Filter(inclusive, pattern, line, every)]), "traceback")
            options = ["--include" if inclusive else "--exclude", pattern + (f":{line}" if line else "")]
            found = rows(directory / "a.mtrace", "traceback", *options, *["--all-frames"] * every)
            assert sorted(found) == sorted(wanted), (seed, pattern, inclusive, line, every)


def check_filters_together(directory):
    chance = random.Random(7)
    blocks = make_blocks(7)
    write_trace(directory / "a.mtrace", blocks)
    for _ in range(60):
        chosen = [(chance.choice(PATTERNS), chance.random() < 0.5) for _ in range(chance.randint(2, 4))]
        wanted = statistics(snapshot(blocks).filter_traces(
            [tracemalloc.Filter(inclusive, pattern) for pattern, inclusive in chosen]), "lineno")
        options = [word for pattern, inclusive in chosen
                   for word in ("--include" if inclusive else "--exclude", pattern)]
        assert sorted(rows(directory / "a.mtrace", "lineno", *options)) == sorted(wanted), chosen


def check_domains(directory):
    blocks = make_blocks(3)
    write_trace(directory / "a.mtrace", blocks)
    for number, domain in enumerate(DOMAINS):
        wanted = statistics(snapshot(blocks).filter_traces(
            [tracemalloc.DomainFilter(True, number)]), "lineno")
        assert sorted(rows(directory / "a.mtrace", "lineno", "--domain", domain)) == sorted(wanted)


def check_comparisons(directory):
    old, new = directory / "old.mtrace", directory / "new.mtrace"
    for seed in range(8):
        before, after = make_blocks(seed)[:30], make_blocks(seed)[10:]
        write_trace(old, before)
        write_trace(new, after)
        for key in "lineno", "filename":
            wanted = [str(s) for s in snapshot(after).compare_to(snapshot(before), key)
                      if s.size_diff or s.count_diff]
            wanted = [line.replace(":0: size", ": size") for line in wanted]
            text = memtrace("diff", "--key", key, "--paths", "full", "--limit", 0, old, new)
            found = [line.removesuffix("  new").removesuffix("  gone")
                     for line in text.split("\n\n")[1].splitlines() if ": size=" in line][:-1]
            assert found == wanted, (seed, key, "\n".join(found), "\n".join(wanted))


def main():
    checks = [check_statistics, check_cumulative, check_filters, check_filters_together, check_domains,
              check_comparisons]
    failed = False
    print(f"1..{len(checks)}")
    for number, check in enumerate(checks, 1):
        with tempfile.TemporaryDirectory() as directory:
            try:
                check(pathlib.Path(directory))
                print(f"ok {number} {check.__name__}", flush=True)
            except AssertionError as error:
                failed = True
                print(f"# {error}"[:4000].replace("\n", "\n# "))
                print(f"not ok {number} {check.__name__}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
