"""Amounts and times that no program has.

    test_amounts.py MEMTRACE ASSEMBLE

Each number of a small trace is replaced, one at a time, by the largest that a trace may have and by
larger ones, and every report is made of it.  What is larger is damage, and is said; what is not is
reckoned with.  That nothing overflows then only a build with sanitizers sees.  Prints TAP.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
MOST, LATEST = (1 << 62) - 1, (1 << 53) // 10**6
TRACE = """meta {"command": ["python3", "a.py"], "cwd": "/w", "host": "box", "start": 1700000000}
process main 50 - 0 exec "/usr/bin/python3" "python3\\0/w/a.py" "3.11.2" traced
thread t main 50 0 "main"
stack s - "/w/a.py" 3 "f"
site a main t obj s
site b main t malloc s
boundary start all 0 -
boundary mark all 2 "middle"
row a 1M 10 1M 10
row b 3M 30 3M 30
region main t "work" 1 2 1M 2M 3M
timeline main
sample 1 10M 1M 2M 3M 4M 1M
sample 9 20M 5M 6M 7M 8M 9M
boundary end main 10 -
row a 4M 10 4M 10
row b -2M -5 4M 10
peak all 5 4M 3M 40
row a 2M 5
ended main 10 0 1 2 3 4 5 80 9M
end {"seconds": 10}
"""
AMOUNTS = {"row": (2, 3, 4, 5), "region": (6, 7, 8), "sample": (2, 3, 4, 5, 6, 7), "peak": (3, 4, 5),
           "ended": (4, 5, 6, 7, 8, 9, 10)}
TIMES = {"region": (4, 5), "sample": (1,), "peak": (2,), "ended": (2,)}
REPORTS = ["info", "top", "top --at peak --sort churn-size", "tree", "leaks --warm-up 0", "lines --all",
           "stats", "diff --old-at start", "diff --old-at mark:middle --format json",
           "plot --format csv", "export --to speedscope -o out", "export --to pprof -o out"]
number = 0


def result(problems, name):
    global number
    number += 1
    for problem in problems[:5]:
        print("# " + problem[:600].replace("\n", " "))
    print(f"{'not ok' if problems else 'ok'} {number} {name}", flush=True)
    return bool(problems)


def run(directory, arguments):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    environment.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
    done = subprocess.run([MEMTRACE, *arguments.split(), "t.mtrace"], cwd=directory, env=environment,
                          timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode()


def variants(fields, value):
    lines = TRACE.splitlines()
    for at, line in enumerate(lines):
        words = re.findall(r'"[^"]*"|\S+', line)
        for field in (f for f in fields.get(words[0], ()) if f < len(words)):
            changed = [*words[:field], str(value), *words[field + 1:]]
            yield f"{words[0]} {field}", "\n".join([*lines[:at], " ".join(changed), *lines[at + 1:], ""])


def check(directory, fields, value, damaged):
    problems = []
    for name, text in variants(fields, value):
        (directory / "t.txt").write_text(text)
        subprocess.run([ASSEMBLE, "t.txt", "t.mtrace"], cwd=directory, check=True)
        for report in REPORTS:
            status, out, err = run(directory, report)
            fails = status and not (status == 1 and damaged and "the trace is damaged" in err)
            if fails or "runtime error" in err:
                problems.append(f"{name}: {report}: {status} {err}")
        says = "damaged" in run(directory, "info")[1]
        if says != damaged:
            problems.append(f"{name}: {'' if says else 'not '}damaged")
    return result(problems, f"{'times' if fields is TIMES else 'amounts'} {value}")


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        failed += check(directory, AMOUNTS, MOST // 2, False)
        failed += check(directory, AMOUNTS, MOST + 1, True)
        failed += check(directory, AMOUNTS, (1 << 63) - 1, True)
        failed += check(directory, TIMES, 2 * LATEST, True)
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
