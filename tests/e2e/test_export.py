"""`memtrace export` and `import`, with the tools that are to read what they write."""
import collections
import html
import itertools
import json
import pathlib
import re
import shutil
import subprocess

import pytest
import support

PROGRAM = """
import memtrace, os, subprocess, sys, zlib
class Cache:
    def put(self, n):
        self.blocks = [bytes(1000 + k) for k in range(n)]  # blocks
def recurse(n):
    return [bytearray(50000)] if n == 0 else [recurse(n - 1)]
with memtrace.region("load it", report=False):
    cache = Cache()
    cache.put(500)
with memtrace.region("recurse"):
    deep = recurse(5)
packer = zlib.compressobj()  # native
child = subprocess.run([sys.executable, "-c", "x = bytes(5000000); import time; time.sleep(.3)"])
"""


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    made = support.Traced(directory, support.known_interpreters()[-1])
    made.trace = made.script(PROGRAM).trace
    return made


def export(traced, tool, *options):
    path = traced.directory / ("out." + tool)
    result = support.execute([support.MEMTRACE, "export", "--to", tool, "-o", path, *options,
                              traced.trace], cwd=str(traced.directory))
    assert result.status == 0, result
    return path


def lines_of(traced, *options):
    """{(file, line): (size, count)} as `top` has them."""
    rows = traced.rows(traced.trace, *options)
    return {(row.get("filename", "<unknown>"), row.get("lineno", 0)): (row["size"], row["count"])
            for row in rows if row["count"]}


READ_SNAPSHOT = """
import json, sys, tracemalloc
snapshot = tracemalloc.Snapshot.load(sys.argv[1])
lines = [(s.traceback[0].filename, s.traceback[0].lineno, s.size, s.count)
         for s in snapshot.statistics("lineno")]
native = snapshot.filter_traces([tracemalloc.DomainFilter(True, 1)])
deepest = max(len(s.traceback) for s in snapshot.statistics("traceback"))
differences = [s.size_diff for s in snapshot.compare_to(native, "filename")]
print(json.dumps([lines, sum(s.size for s in native.statistics("filename")), deepest,
                  sum(differences), snapshot.traceback_limit]))
"""


@pytest.mark.parametrize("reader", support.known_interpreters(), ids=lambda i: i.name)
def test_tracemalloc_loads_it(tmp_path, reader):
    """Each interpreter reads the snapshot of its own program: to the byte what `top` says."""
    traced = support.Traced(tmp_path, reader)
    traced.trace = traced.script(PROGRAM).trace
    path = export(traced, "tracemalloc")
    result = support.execute([reader.path, "-c", READ_SNAPSHOT, path])
    assert result.status == 0, result
    lines, native, deepest, difference, limit = json.loads(result.out.decode())
    assert {(f, n): (size, count) for f, n, size, count in lines} == lines_of(traced)
    assert native == sum(size for size, _ in lines_of(traced, "--domain", "native").values())
    assert difference == sum(line[2] for line in lines) - native
    assert 6 < deepest <= limit


PRINT_SNAPSHOTS = """
import json, sys, tracemalloc
new, old = (tracemalloc.Snapshot.load(path) for path in sys.argv[1:])
python = [tracemalloc.DomainFilter(True, 0)]
new, old = new.filter_traces(python), old.filter_traces(python)
print(json.dumps([[[str(s).split(": ", 1)[1], s.traceback.format()] for s in new.statistics("traceback")
                   if s.traceback[0].filename != "<unknown>"],
                  [str(s) for s in new.compare_to(old, "lineno")]]))
"""


def test_it_reads_as_tracemalloc_prints_it(traced):
    """Sizes, frames and differences: the same words and lines of source.  What tracemalloc does not say
    is left out: rank, percentage, functions, what is new or gone; and its headings, which name the
    outermost line, not the one that allocates."""
    one = ["--process", "script1.py"]
    old = export(traced, "tracemalloc", "--at", "start", *one).rename(
        traced.directory / "old.tracemalloc")
    script = traced.directory / "print.py"  # of -c the new Pythons would know the lines themselves
    script.write_text(PRINT_SNAPSHOTS)
    reader = support.execute([traced.python.path, script, export(traced, "tracemalloc", *one), old])
    assert reader.status == 0, reader
    stacks, differences = json.loads(reader.out.decode())
    options = [*one, "--domain", "python", "--paths", "full", "--limit", "0", traced.trace]
    shown = support.execute([support.MEMTRACE, "top", "--key", "traceback", "--frames", "0", *options])
    rows = []
    for line in shown.out.decode().split("\n\n")[1].splitlines()[1:]:
        if line.startswith("#"):
            words = re.fullmatch(r"#\d+: .*?: ([0-9.]+ \w+)  [0-9.]+%  (count=\d+, average=[0-9.]+ \w+).*", line)
            rows.append(["size=%s, %s" % words.groups(), []])
        elif line.startswith("  "):
            rows[-1][1].append(re.sub(", in .*", "", line) if line.startswith("  File ") else line)
    rows = [row for row in rows if row[1]]
    assert len(rows) > 100 and sorted(rows) == sorted(stacks)
    assert [row[0].split(",")[0] for row in rows] == [row[0].split(",")[0] for row in stacks], "in order"
    shown = support.execute([support.MEMTRACE, "diff", "--key", "lineno", "--old-at", "start", *options])
    lines = [re.sub("  (new|gone)$", "", line) for line in shown.out.decode().splitlines()
             if re.search(r": size=.* \([+-]", line) and not line.startswith(("Total", "no Python frame"))]
    assert len(lines) > 100 and sorted(lines) == sorted(
        line for line in differences if "<unknown>" not in line)


def test_pstats_reads_it(traced):
    import pstats
    path = export(traced, "pstats", "--process", "script1.py")
    stats = pstats.Stats(str(path))
    functions = {key[2]: (key, value) for key, value in stats.stats.items()}
    name = next(name for name, (_, value) in functions.items() if "put" in name and value[1] >= 500)
    key, (calls, blocks, own, all_bytes, callers) = functions[name]
    expected = [row for row in traced.rows(traced.trace, key="function")
                if row.get("function") == name and row["filename"] == key[0]]
    is_inlined = traced.python.version >= (3, 12)  # the comprehension, which is a function before
    assert key[1] == (4 if is_inlined else 5) and own == all_bytes == expected[0]["size"] and blocks == calls >= 500
    assert [caller[2] for caller in callers] == ["<module>" if is_inlined else "Cache.put"]
    key, (_, _, own, all_bytes, callers) = functions["recurse"]
    assert own == all_bytes >= 50000, "a recursion counts once"
    assert {caller[2] for caller in callers} == {"<module>", "recurse"}
    everything = lines_of(traced, "--process", "script1.py")
    assert stats.total_tt == sum(size for size, _ in everything.values())
    assert stats.total_calls == sum(count for _, count in everything.values())


@pytest.mark.parametrize("reader", support.known_interpreters(), ids=lambda i: i.name)
def test_pstats_prints_it(traced, reader):
    """As people use it: python -m pstats FILE, with commands."""
    path = export(traced, "pstats", "--process", "script1.py")
    done = subprocess.run([reader.path, "-m", "pstats", path], input=b"sort cumulative\nstats recurse\ncallers put\n",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    text = done.stdout.decode()
    size = next(row["size"] for row in traced.rows(traced.trace, key="function")
                if row.get("function") == "recurse")
    assert done.returncode == 0 and re.search(r" %d\.000 .*\(recurse\)" % size, text), text
    assert re.search(r"put\) +<- .*\(<module>\)", text), text


def test_snakeviz_shows_it(traced):
    snakeviz = pytest.importorskip("snakeviz.stats", reason="no snakeviz here (pip install snakeviz)")
    import pstats
    path = export(traced, "pstats", "--process", "script1.py")
    stats = pstats.Stats(str(path))
    assert any("recurse" in str(row) for row in snakeviz.table_rows(stats))
    tree = snakeviz.json_stats(stats)
    tree = json.loads(tree) if isinstance(tree, str) else tree
    recurse = next(key for key in tree if "recurse" in key)
    assert tree[recurse]["stats"][2] >= 50000 and "callers" in tree[recurse]


def test_folded_and_speedscope_agree(traced):
    total = sum(size for size, _ in lines_of(traced).values())
    folded = export(traced, "folded").read_text().splitlines()
    assert sum(int(line.rsplit(" ", 1)[1]) for line in folded) == total
    stack = next(line for line in folded if ";recurse" in line)
    assert stack.startswith("<module> (") and stack.count(";recurse (") == 6
    document = json.loads(export(traced, "speedscope").read_text())
    profile = document["profiles"][0]
    assert profile["unit"] == "bytes" and profile["type"] == "evented"
    samples, stack, last = {}, [], profile["startValue"]
    for event in profile["events"]:
        if event["at"] > last:
            samples[tuple(stack)] = samples.get(tuple(stack), 0) + event["at"] - last
        last = event["at"]
        if event["type"] == "O":
            stack.append(event["frame"])
        else:
            assert stack.pop() == event["frame"]
    assert not stack and last == sum(samples.values()) == profile["endValue"] == total
    frames = document["shared"]["frames"]
    def text(frame):
        name, found, library = frame["name"].partition(" in ")
        is_address = "+0x" in name  # of a library without names: its file is the library
        shown = frame.get("line") or ("file" in frame and not library and not is_address)
        place = " (%(file)s:%(line)d)" % frame if shown else ""
        return name + place + found + library

    named = collections.Counter()
    for line in folded:
        named[line.rpartition(" ")[0]] += int(line.rpartition(" ")[2])
    assert {";".join(text(frames[n]) for n in sample): size for sample, size in samples.items()} == named


def flamegraph_pl():
    """Of the PATH, or the one that Debian's libdevel-nytprof-perl has."""
    beside = pathlib.Path("/usr/share/perl5/Devel/NYTProf/flamegraph.pl")
    return shutil.which("flamegraph.pl") or (beside if beside.exists() and shutil.which("perl") else None)


def test_flamegraph_pl(traced):
    """It draws each frame, and its titles have the bytes of all stacks that go through it."""
    script = flamegraph_pl()
    if not script:
        pytest.skip("no flamegraph.pl: it is in libdevel-nytprof-perl")
    drawn_as_folded(traced, ["perl", script], str.maketrans("<>", "()"))  # as it writes them


def test_inferno(traced):
    script = shutil.which("inferno-flamegraph")
    if not script:
        pytest.skip("no inferno-flamegraph in the PATH: cargo install inferno")
    drawn_as_folded(traced, [script], {})


def drawn_as_folded(traced, command, brackets):
    folded = export(traced, "folded")
    picture = support.execute([*command, "--countname", "bytes", "--minwidth", "0", folded],
                              cwd=str(traced.directory))
    assert picture.status == 0, picture
    titles = re.findall(r"<title>([^<]*) \(([0-9,]+) bytes, [0-9.]+%\)", picture.out.decode())
    drawn = collections.Counter(
        (html.unescape(name), int(size.replace(",", ""))) for name, size in titles)
    sums = collections.Counter()
    for line in folded.read_text().splitlines():
        stack, _, size = line.translate(brackets).rpartition(" ")
        for path in itertools.accumulate(("", *stack.split(";")), lambda a, b: a + ";" + b):
            sums[path] += int(size)
    assert drawn == collections.Counter(
        (path.rpartition(";")[2] or "all", size) for path, size in sums.items())
    assert ("all", sum(size for size, _ in lines_of(traced).values())) in drawn


def typed(schema, **optional):
    """An object with all the properties of the one, those of the other perhaps, and no more."""
    return {"type": "object", "properties": {**schema, **optional}, "required": list(schema),
            "additionalProperties": False}


NUMBER, STRING, INDEX = {"type": "number"}, {"type": "string"}, {"type": "integer", "minimum": 0}
PROFILE = {"name": STRING, "startValue": NUMBER, "endValue": NUMBER,
           "unit": {"enum": ["none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"]}}
SPEEDSCOPE = typed(  # as its wiki describes files
    {"$schema": {"const": "https://www.speedscope.app/file-format-schema.json"},
     "shared": typed({"frames": {"type": "array", "items": typed(
         {"name": STRING}, file=STRING, line=NUMBER, col=NUMBER)}}),
     "profiles": {"type": "array", "items": {"oneOf": [
         typed({"type": {"const": "sampled"}, **PROFILE, "weights": {"type": "array", "items": NUMBER},
                "samples": {"type": "array", "items": {"type": "array", "items": INDEX}}}),
         typed({"type": {"const": "evented"}, **PROFILE, "events": {"type": "array", "items": typed(
             {"type": {"enum": ["O", "C"]}, "at": NUMBER, "frame": INDEX})}})]}}},
    name=STRING, activeProfileIndex=INDEX, exporter=STRING)


def schema_of_speedscope():
    """Its own, where somebody has installed it."""
    npm = shutil.which("npm")
    root = support.execute([npm, "root", "-g"]).out.decode().strip() if npm else "/nonexistent"
    own = pathlib.Path(root, "speedscope", "dist", "release", "file-format-schema.json")
    return json.loads(own.read_text()) if own.exists() else SPEEDSCOPE


def test_speedscope_has_its_schema(traced):
    jsonschema = pytest.importorskip("jsonschema", reason="no jsonschema (Debian: python3-jsonschema)")
    document, schema = json.loads(export(traced, "speedscope").read_text()), schema_of_speedscope()
    jsonschema.validate(document, schema)
    document["profiles"][0]["unit"] = "byte"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_protoc_decodes_it(traced):
    if not shutil.which("protoc"):
        pytest.skip("no protoc here (Debian: protobuf-compiler)")
    data = export(traced, "pprof").read_bytes()
    done = subprocess.run(["protoc", "--decode_raw"], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True)
    text = done.stdout.decode()
    assert text.count("\n1 {") + text.startswith("1 {") == 4, "four types of values"
    assert '6: "inuse_space"' in text and '6: "recurse"' in text


def test_go_reads_it(traced):
    if not shutil.which("go"):
        pytest.skip("no go here")
    path = export(traced, "pprof")
    done = support.execute(["go", "tool", "pprof", "-raw", path],
                           env=support.clean_environment(PATH="%s:/usr/bin:/bin" % shutil.which(
                               "go").rpartition("/")[0]))
    if done.status:
        pytest.skip("go tool pprof does not run here: %s" % done.message)
    samples = done.out.decode().split("Samples:")[1].split("Locations")[0]
    values = [line.split(":")[0].split() for line in samples.splitlines()[2:]]
    values = [list(map(int, words)) for words in values if len(words) == 4]
    lines = lines_of(traced).values()
    assert sum(value[3] for value in values) == sum(size for size, _ in lines)
    assert sum(value[2] for value in values) == sum(count for _, count in lines)


def test_mprof_and_back(traced):
    """What `import` makes of an exported trace has the same RSS, and mprof draws the file."""
    path = export(traced, "mprof")
    text = path.read_text()
    assert text.startswith("CMDLINE ") and "\nCHLD 1 " in text
    assert "FUNC load_it " in text and "FUNC recurse " in text
    back = traced.directory / "back.mtrace"
    result = support.execute([support.MEMTRACE, "import", "-o", back, path])
    assert result.status == 0 and "2 functions, 1 children" in result.message, result

    def rss(trace):
        plot = support.execute([support.MEMTRACE, "plot", "--format", "json", trace])
        return json.loads(plot.out.decode())
    old, new = rss(traced.trace), rss(back)
    for before, after in zip(old["processes"], new["processes"]):
        sizes = list(zip(before["samples"]["rss"], after["samples"]["rss"]))
        assert sizes and len(sizes) == len(before["samples"]["rss"])
        assert all(abs(a - b) <= 1 for a, b in sizes), "a millionth of a MiB is a byte"
    assert len(old["processes"]) == len(new["processes"])
    assert len(new["regions"]) == 2


@pytest.fixture(scope="module")
def mprof():
    found = shutil.which("mprof") or shutil.which("python3-mprof")  # as Debian calls it
    if not found:
        pytest.skip("no mprof here (Debian: python3-memory-profiler)")
    return found


def test_mprof_reads_it(traced, mprof):
    """The peak of all processes, as mprof finds it in the file."""
    path = export(traced, "mprof")
    done = support.execute([mprof, "peak", path])
    assert done.status == 0, done
    sizes = [float(line.split()[1]) for line in path.read_text().splitlines()
             if line.startswith("MEM ")]
    child = [float(line.split()[2]) for line in path.read_text().splitlines()
             if line.startswith("CHLD 1 ")]
    said = float(done.out.decode().split("\t")[1].split()[0])
    assert said == pytest.approx(max(sizes), abs=0.001) and min(child) > 0


def test_mprof_draws_it(traced, mprof):
    path = export(traced, "mprof")
    picture = traced.directory / "mprof.png"
    done = support.execute([mprof, "plot", "-o", picture, path])
    if "matplotlib is needed" in done.out.decode() + done.message:
        pytest.skip("no matplotlib here (Debian: python3-matplotlib)")
    assert done.status == 0 and picture.stat().st_size > 1000, done


@pytest.mark.parametrize("text, words", [
    ("MEM 1.0\n", ":1: not as mprof writes it"), ("CMDLINE x\nMEM nan 5\n", ":2: not as"),
    ("FUNC f 1 2 3\n", ":1: not as"), ("CMDLINE x\n", "no sample in it"), ("", "no sample in it"),
    ("MEM 1 5\nCHLD 3 -5 1\n", ":2: not as")])
def test_import_says_what_is_wrong(tmp_path, text, words):
    path = tmp_path / "a.dat"
    path.write_text(text)
    result = support.execute([support.MEMTRACE, "import", path], cwd=str(tmp_path))
    assert result.status == 1 and words in result.message, result
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.dat"]


def test_import_replaces_traces_alone(tmp_path):
    path = tmp_path / "mprofile_1.dat"
    path.write_text("MEM 12.5 1700000000.5\nMEM 13.5 1700000001.5\n")
    for _ in range(2):
        result = support.execute([support.MEMTRACE, "import", path], cwd=str(tmp_path))
        assert result.status == 0, result
    assert (tmp_path / "mprofile_1.mtrace").exists()
    result = support.execute([support.MEMTRACE, "import", "-o", path, path], cwd=str(tmp_path))
    assert result.status == 1 and "give another file" in result.message
    assert path.read_text().startswith("MEM")


def test_import_of_times_from_nothing_on(tmp_path):
    """A file whose earliest time is 0 is a whole trace; later than there is, none."""
    path = tmp_path / "m.dat"
    path.write_text("CMDLINE a.py\nFUNC f 1.0 0 2.0 5\nMEM 1.5 3\nMEM 2.5 6\n")
    result = support.execute([support.MEMTRACE, "import", "-o", "m.mtrace", path], cwd=str(tmp_path))
    assert result.status == 0, result
    info = support.execute([support.MEMTRACE, "info", "m.mtrace"], cwd=str(tmp_path)).out.decode()
    assert "sealed" in info and "damaged" not in info and "duration: 6.0 s" in info, info
    path.write_text("CMDLINE a.py\nMEM 1.5 0\nMEM 2.5 9e10\n")
    result = support.execute([support.MEMTRACE, "import", "-o", "n.mtrace", path], cwd=str(tmp_path))
    assert result.status == 1 and "m.dat" in result.message, result
