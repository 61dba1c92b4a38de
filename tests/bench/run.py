#!/usr/bin/env python3
"""What tracing costs: each program bare and under memtrace, in turns, on this machine.

    run.py [--rounds N] [--python PYTHON] [--venv DIR] [--native] [--one-core] [--peers]
           [NAME...] [--sample [BYTES]]

Prints a markdown table: the median of the ratios of neighbouring runs and their
spread, events a second, and the size of the trace.  Programs that need a
package are left out if PYTHON cannot import it; --venv makes a virtual
environment with all of them in DIR first.  --sample and --native measure `memtrace
run` with that option, --one-core gives everything one processor.  --peers runs each
under the other tracers that are found too, and prints their ratios only.  Ratios
travel to other machines, times do not.
"""
import argparse
import collections
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MEMTRACE = pathlib.Path(os.environ.get("MEMTRACE") or HERE.parents[1] / "build" / "memtrace")

# name: (module needed, code)
PROGRAMS = collections.OrderedDict([
    ("pure", (None, None)),
    ("ast", (None, """
import ast, glob, os
folder = os.path.dirname(os.__file__)
for path in 2 * sorted(glob.glob(folder + "/*.py"))[:110]:
    with open(path, encoding="utf-8", errors="replace") as file:
        tree = ast.parse(file.read())
    sum(1 for _ in ast.walk(tree))
    compile(tree, path, "exec")
""")),
    ("json", (None, """
import json
data = [{"id": n, "name": "name %d" % n, "values": [n / 7, n, None], "in": {"a": {"b": [n]}}}
        for n in range(20000)]
for _ in range(12):
    data = json.loads(json.dumps(data, indent=1))
""")),
    ("sympy", ("sympy", """
from sympy import *
x, y, z = symbols("x y z")
expand((x + y + z + 1)**14)
factor(expand((x + 2*y)**6 * (x - z)**4))
integrate(exp(x) * sin(x) * x, x)
simplify(sin(x)**4 - 2*cos(x)**2*sin(x)**2 + cos(x)**4)
diff(sin(x)**12 * exp(x*y), x, 7)
solve(x**4 - 5*x**2 + 4 - y, x)
""")),
    ("jinja2", ("jinja2", """
import jinja2
source = "{% for row in rows %}<tr>{% for c in row %}<td>{{ c|e }}</td>{% endfor %}</tr>{% endfor %}"
for n in range(700):
    template = jinja2.Environment().from_string(source + "<!-- %d -->" % n)
    template.render(rows=[["<%d>" % (r * c) for c in range(12)] for r in range(150)])
""")),
    ("pygments", ("pygments", """
import glob, os, pygments, pygments.lexers, pygments.formatters
folder = os.path.dirname(os.__file__)
for path in sorted(glob.glob(folder + "/*.py"))[:50]:
    with open(path, encoding="utf-8", errors="replace") as file:
        pygments.highlight(file.read(), pygments.lexers.PythonLexer(),
                           pygments.formatters.HtmlFormatter())
""")),
    ("networkx", ("networkx", """
import networkx
graph = networkx.gnm_random_graph(700, 3500, seed=1)
networkx.betweenness_centrality(graph, k=300, seed=1)
list(networkx.connected_components(graph))
networkx.clustering(graph)
dict(networkx.all_pairs_shortest_path_length(graph))
""")),
    ("numpy", ("numpy", """
import numpy
rows = numpy.arange(3000000.0).reshape(1000, 3000)
for n in range(60):
    scaled = rows * n + rows.mean(axis=0)
    order = numpy.argsort(scaled[n])
    parts = [scaled[i].copy() for i in range(0, 1000, 2)]
small = [numpy.zeros(n % 300) for n in range(300000)]
""")),
    ("pandas", ("pandas", """
import pandas
frame = pandas.DataFrame({"key": [n % 977 for n in range(400000)],
                          "value": [n * 0.5 for n in range(400000)],
                          "text": ["text %d" % (n % 1013) for n in range(400000)]})
for _ in range(4):
    frame.groupby("key").agg({"value": ["mean", "sum"], "text": "nunique"})
    frame.merge(frame.head(2000), on="key").sort_values("value_x")
    frame["text"].str.upper().value_counts()
""")),
    ("pydantic", ("pydantic", """
import pydantic
class Part(pydantic.BaseModel):
    name: str
    sizes: list[float]
class Item(pydantic.BaseModel):
    id: int
    title: str = "none"
    parts: list[Part] = []
rows = [{"id": n, "title": "item %d" % n, "parts": [{"name": "a", "sizes": [n, 1.5]}] * 3}
        for n in range(20000)]
for _ in range(6):
    items = [Item(**row) for row in rows]
    texts = [item.model_dump_json() for item in items]
""")),
    ("flask", ("flask", """
import flask, json
app = flask.Flask("bench")
@app.route("/<int:n>")
def page(n):
    rows = [{"id": i, "name": "row %d" % i} for i in range(n % 40)]
    return flask.jsonify(rows=rows, total=n)
client = app.test_client()
for n in range(4000):
    assert json.loads(client.get("/%d" % n).data)["total"] == n
""")),
    ("threads", (None, """
import threading
def work(seed):
    kept = []
    for n in range(400000):
        kept.append([seed, n, {"n": n}])
        if len(kept) > 500:
            del kept[:400]
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""")),
    ("processes", (None, """
import multiprocessing
def work(seed):
    return len({"%d %d" % (seed, n): [n] for n in range(40000)})
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=4) as pool:
        print(sum(pool.map(work, range(64), chunksize=1)))
""")),
])


def environment():
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8",
            "PYTHONHASHSEED": "0"}


def timed(command):
    """(elapsed, processor time of the command and its children) in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env=environment())
    elapsed = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed, (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def events_of(trace):
    answer = subprocess.run([str(MEMTRACE), "info", "--format", "json", trace], check=True,
                            stdout=subprocess.PIPE)
    return sum(process["events"] for process in json.loads(answer.stdout)["processes"])


def rss_of(command, under=()):
    """The largest resident set of the program itself, bytes; `under` starts what looks at it."""
    code = ("import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, "
            "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)")
    answer = subprocess.run([*under, sys.executable, "-c", code, *command], check=True,
                            stdout=subprocess.PIPE, env=environment())
    return int(answer.stdout)


def measure(python, script, rounds, directory, more):
    trace = os.path.join(directory, "bench.mtrace")
    bare = [python, script]
    traced = [str(MEMTRACE), "run", "-q", "-o", trace, *more, "--python", python, script]
    timed(bare), timed(traced)  # warm caches, write byte code
    pairs = []
    for n in range(rounds):
        # In turns, and every other round the other way round: drift hits both alike.
        if n % 2:
            with_it, without = timed(traced), timed(bare)
        else:
            without, with_it = timed(bare), timed(traced)
        pairs.append((without, with_it))
    elapsed = sorted(t[0] / b[0] for b, t in pairs)
    return {
        "bare": statistics.median(b[0] for b, _ in pairs),
        "ratio": statistics.median(elapsed), "least": elapsed[0], "most": elapsed[-1],
        "cpu": statistics.median(t[1] / b[1] for b, t in pairs),
        "rss": rss_of(bare, traced[:traced.index("--python")] + ["--"]) / rss_of(bare),
        "events": events_of(trace), "bytes": os.path.getsize(trace),
    }


def peers(python, script, directory):
    """{name: command} of other tools on the same program, those that are there."""
    place = os.path.join(directory, "peer")
    memray = [python, "-m", "memray", "run", "-q", "-f", "-o", place + ".memray"]
    heaptrack = shutil.which("heaptrack")
    found = collections.OrderedDict([
        ("memtrace", [str(MEMTRACE), "run", "-q", "-o", os.path.join(directory, "bench.mtrace"),
                      "--python", python, script]),
        ("tracemalloc, 1 frame", [python, "-X", "tracemalloc=1", script]),
        ("tracemalloc, 25 frames", [python, "-X", "tracemalloc=25", script])])
    if can_import(python, "memray"):
        found["memray"] = memray + [script]
        found["memray, Python's allocators"] = memray + ["--trace-python-allocators", script]
        found["memray, native"] = memray + ["--native", script]
        found["memray, aggregated"] = memray + ["--aggregate", "--trace-python-allocators", script]
    if can_import(python, "scalene"):
        found["scalene"] = [python, "-m", "scalene", "run", "-o", place + ".json", script]
    if heaptrack:
        found["heaptrack"] = [heaptrack, "-o", place + ".heaptrack", python, script]
    return found


def compare(python, script, rounds, directory):
    """{name: median ratio to the bare run just before, None where it failed}."""
    commands = peers(python, script, directory)
    ratios = {name: [] for name in commands}
    timed([python, script])
    for _ in range(rounds):
        for name, command in commands.items():
            bare, _ = timed([python, script])
            try:
                ratios[name].append(timed(command)[0] / bare)
            except subprocess.CalledProcessError:
                print("%s failed" % " ".join(command), file=sys.stderr)
    return {name: statistics.median(found) if found else None for name, found in ratios.items()}


def make_venv(directory, python):
    here = os.path.join(directory, "bin", "python")
    if not os.path.exists(here):
        subprocess.run([python, "-m", "venv", directory], check=True)
        needed = sorted({module for module, _ in PROGRAMS.values() if module} | {"memray", "scalene"})
        subprocess.run([here, "-m", "pip", "install", "-q", *needed], check=True)
    return here


def can_import(python, module):
    return module is None or subprocess.run(
        [python, "-c", "import " + module], stderr=subprocess.DEVNULL).returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--venv")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--native", action="store_true")
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--sample", nargs="?", const="512KiB", metavar="BYTES")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    python = make_venv(options.venv, options.python) if options.venv else options.python
    version = subprocess.run([python, "-c", "import sys; print(sys.version.split()[0])"],
                             stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    if options.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("Python %s, %d processors, median of %d rounds\n" % (
        version, len(os.sched_getaffinity(0)), options.rounds))
    with tempfile.TemporaryDirectory() as directory:
        chosen = [(name, script_of(name, directory)) for name, (module, _) in PROGRAMS.items()
                  if (not options.names or name in options.names) and can_import(python, module)]
        if options.peers:
            print_comparison(python, chosen, options.rounds, directory)
        else:
            more = ["--sample=" + options.sample] if options.sample else []
            more += ["--native"] if options.native else []
            print_costs(python, chosen, options.rounds, directory, more)


def script_of(name, directory):
    code = PROGRAMS[name][1]
    if code is None:
        return str(HERE / (name + ".py"))
    script = os.path.join(directory, "bench_" + name + ".py")
    pathlib.Path(script).write_text(code)
    return script


def print_costs(python, chosen, rounds, directory, more):
    print("| program | bare | time over bare | least to most | CPU time over bare | "
          "RSS over bare | events | events/s of bare | trace |\n|---|---|---|---|---|---|---|---|---|")
    ratios = []
    for name, script in chosen:
        m = measure(python, script, rounds, directory, more)
        ratios.append(m["ratio"])
        print("| %s | %.2f s | **%.2f** | %.2f to %.2f | %.2f | %.3f | %.1f M | %.1f M | %.0f kB |" % (
            name, m["bare"], m["ratio"], m["least"], m["most"], m["cpu"], m["rss"], m["events"] / 1e6,
            m["events"] / 1e6 / m["bare"], m["bytes"] / 1e3), flush=True)
    if len(ratios) > 1:
        print("\ngeometric mean %.2f" % statistics.geometric_mean(ratios))


def print_comparison(python, chosen, rounds, directory):
    names = list(peers(python, "", directory))
    print("| time over bare | %s |\n|---%s|" % (" | ".join(names), "|---" * len(names)))
    for name, script in chosen:
        ratios = compare(python, script, rounds, directory)
        print("| %s | %s |" % (name, " | ".join(
            "%.2f" % ratios[n] if ratios[n] else "failed" for n in names)), flush=True)


if sys.version_info < (3, 8):
    sys.exit("run.py needs Python 3.8")
if __name__ == "__main__":
    main()
