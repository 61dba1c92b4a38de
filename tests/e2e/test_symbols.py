"""Names and lines of native frames: inlined functions, separate debugging information, servers of it,
and what is left where there is none."""
import contextlib
import functools
import gzip
import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import urllib.request

import pytest
import support
from test_native import build, has_symbols

pytestmark = pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")

SOURCE = support.PROGRAMS / "inlined.cc"
MAIN = ("main", "main1", False), ("main", "main2", False)
STACKS = {
    100000: [MAIN[0], ("shop::open(unsigned long)", "open", False),
             ("shop::fill", "fill", True),
             ("shop::Shelf<double>::reserve(unsigned long)", "reserve", True)],
    200000: [MAIN[1], ("outermost(unsigned long)", "outermost", False),
             ("between", "between", True),
             ("shop::plain(unsigned long)", "plain", False)],
}


def build_program(directory, *options):
    return build(directory, "inlined", SOURCE, "-O2", *options, compiler="c++")


def place(frame):
    """(function, what the comment of its line says, inlined?)"""
    comment = ""
    if frame.get("filename", "").endswith(SOURCE.name):
        comment = SOURCE.read_text().splitlines()[frame["lineno"] - 1].rpartition("// ")[2]
    return frame.get("function"), comment, frame.get("inlined", False)


def stacks(traced, trace, **more):
    """{size: what the frames of the program are}"""
    rows = traced.rows(trace, "--domain", "malloc", key="traceback", **more)
    return {row["size"]: [place(frame["native_frame"]) for frame in row["stack"]
                          if frame.get("native_frame", {}).get("library") == "inlined"
                          and frame["native_frame"].get("function") != "_start"]
            for row in rows if row["size"] in STACKS}


@pytest.mark.parametrize("options", [[], ["-gdwarf-4"], ["-fPIC", "-pie"], ["-no-pie"],
                                     ["-gz"], ["-flto"], ["-gsplit-dwarf"],
                                     ["-gsplit-dwarf", "-gdwarf-4"]], ids=str)
def test_inlined(traced_plain, tmp_path, options):
    trace = traced_plain.run(build_program(tmp_path, *options),
                             options=["--native", "--symbolize"]).trace
    assert stacks(traced_plain, trace) == STACKS


CLANG = shutil.which("clang++") or shutil.which("clang++-14")


@pytest.mark.skipif(not CLANG, reason="no clang++ here")
@pytest.mark.parametrize("options", [["-g"], ["-g", "-gdwarf-4"], ["-g", "-gz"],
                                     ["-g", "-fPIC", "-pie"], ["-g", "-gdwarf-aranges"]], ids=str)
def test_by_clang(traced_plain, tmp_path, options):
    """Without .debug_aranges, or with them.  Names have arguments more often than gcc's."""
    program = build(tmp_path, "inlined", SOURCE, "-O2", *options, compiler=CLANG)
    trace = traced_plain.run(program, options=["--native", "--symbolize"]).trace

    def bare(found):
        return {size: [(frame[0].partition("(")[0],) + frame[1:] for frame in stack]
                for size, stack in found.items()}
    assert bare(stacks(traced_plain, trace)) == bare(STACKS)


@pytest.mark.parametrize("when", ["run", "report"])
def test_without_aranges(traced_plain, tmp_path, when):
    program = build_program(tmp_path)
    subprocess.run(["objcopy", "--remove-section", ".debug_aranges", program], check=True)
    sections = subprocess.run(["readelf", "-SW", program], check=True, stdout=subprocess.PIPE)
    assert b".debug_line" in sections.stdout and b".debug_aranges" not in sections.stdout
    hidden = tmp_path / "hidden"
    if when == "report":
        shutil.copy2(program, hidden)
        subprocess.run(["strip", "--strip-debug", program], check=True)
    trace = traced_plain.run(program, options=["--native", "--symbolize"]).trace
    if when == "report":
        assert stacks(traced_plain, trace) != STACKS
        hidden.replace(program)
    assert stacks(traced_plain, trace) == STACKS


def test_inlined_in_every_report(traced_plain, tmp_path):
    """A tree, folded stacks and a flame graph have them as frames between the others."""
    trace = traced_plain.run(build_program(tmp_path), options=["--native", "--symbolize"]).trace
    folded = support.execute([support.MEMTRACE, "export", "--to", "folded", "-o", "/dev/stdout",
                              trace]).out.decode()
    line, = [line for line in folded.splitlines() if line.endswith(" 100000")]
    assert re.search(r"main .*;shop::open\(unsigned long\) .*;shop::fill .*;"
                     r"shop::Shelf<double>::reserve\(unsigned long\) .* in inlined 100000$", line)
    tree = support.execute([support.MEMTRACE, "tree", "--all", trace]).out.decode()
    assert "shop::fill " in tree
    text = support.execute([support.MEMTRACE, "top", "--key", "traceback", trace]).out.decode()
    assert re.search(r"Native shop::fill \(.*inlined\.cc:\d+\) in inlined \(inlined\)\n", text)
    flame = tmp_path / "flame.svg"
    support.execute([support.MEMTRACE, "flame", "--format", "svg", "-o", flame, trace])
    assert "shop::fill " in flame.read_text()


def test_elsewhere(traced_plain, tmp_path):
    """A trace that has its names needs neither the program nor its debugging information."""
    program = build_program(tmp_path)
    trace = traced_plain.run(program, options=["--native", "--symbolize"]).trace
    program.unlink()
    assert stacks(traced_plain, trace) == STACKS
    for kind in "speedscope", "pprof", "pstats":
        out = tmp_path / kind
        done = support.execute([support.MEMTRACE, "export", "--to", kind, "-o", out, trace])
        assert done.status == 0, done
        text = out.read_bytes()
        text = gzip.decompress(text) if text[:2] == b"\x1f\x8b" else text
        assert b"shop::fill" in text and b"outermost(unsigned long)" in text, kind


def test_by_caller_alone(traced_plain, tmp_path):
    """Without --native the one frame that is known is shown with what was inlined there."""
    trace = traced_plain.run(build_program(tmp_path), options=["--symbolize"]).trace
    assert stacks(traced_plain, trace) == {100000: STACKS[100000][1:], 200000: STACKS[200000][-1:]}
    rows = traced_plain.rows(trace, key="native-frame")
    named = {row["size"]: row["native_frame"].get("function") for row in rows}
    assert named[100000] == "shop::open(unsigned long)"


def separate(program, debug):
    """Takes the debugging information out of a program, into a file of its own."""
    if not shutil.which("objcopy"):
        pytest.skip("no objcopy here")
    for words in (["--only-keep-debug", program, debug], ["--strip-all", program],
                  ["--add-gnu-debuglink=%s" % debug, program]):
        made = support.execute(["objcopy"] + words)
        assert made.status == 0, made


def test_debug_link(traced_plain, tmp_path):
    program = build_program(tmp_path)
    (tmp_path / ".debug").mkdir()
    separate(program, tmp_path / ".debug" / "inlined.debug")
    trace = traced_plain.run(program, options=["--native", "--symbolize"]).trace
    assert stacks(traced_plain, trace) == STACKS


def test_no_time_at_the_end(traced_plain, tmp_path):
    """What a run leaves for reports, since the file is large: they have the lines."""
    if not shutil.which("objcopy"):
        pytest.skip("no objcopy here")
    program = build_program(tmp_path)
    with open(tmp_path / "padding", "wb") as padding:
        padding.truncate(40 << 20)
    made = support.execute(["objcopy", "--add-section", ".padding=%s" % (tmp_path / "padding"), program])
    assert made.status == 0, made
    trace = traced_plain.run(program, options=["--native"]).trace
    assert stacks(traced_plain, trace) == STACKS


def test_without_any(traced_plain, tmp_path):
    """What exported symbols there are span no static function: its frame is an address."""
    program = build_program(tmp_path, "-s")
    trace = traced_plain.run(program, options=["--native", "--symbolize"]).trace
    found = stacks(traced_plain, trace)
    assert set(found) == set(STACKS)
    assert all(frame == (None, "", False) for stack in found.values() for frame in stack)
    text = support.execute([support.MEMTRACE, "top", "--key", "traceback", trace]).out.decode()
    assert re.search(r"Native inlined\+0x[0-9a-f]+\n", text)


def build_id(program):
    notes = support.execute(["readelf", "-n", program]).out.decode()
    return re.search(r"Build ID: ([0-9a-f]+)", notes)[1]


@contextlib.contextmanager
def debug_server(directory):
    """What debuginfod servers do, for one directory; yields its URL and what it was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "http://127.0.0.1:%d/" % server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def has_debuginfod():
    return any(pathlib.Path(directory).glob("libdebuginfod.so.1")
               for directory in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"))


@pytest.fixture
def served(traced_plain, tmp_path, monkeypatch):
    """(trace of a stripped program, its path, URL of a server that has the rest, what it was asked)"""
    if not has_debuginfod() or not shutil.which("readelf"):
        pytest.skip("no libdebuginfod or no readelf here")
    program = build_program(tmp_path)
    store = tmp_path / "store" / "buildid" / build_id(program)
    store.mkdir(parents=True)
    separate(program, store / "debuginfo")
    shutil.copy(program, store / "executable")
    with debug_server(tmp_path / "store") as (url, asked):
        monkeypatch.setenv("DEBUGINFOD_URLS", url)
        trace = traced_plain.run(program, options=["--native"], env=support.clean_environment(
            DEBUGINFOD_URLS=url, HOME=str(tmp_path))).trace
        assert not asked, "the end of a run waits for no server"
        yield trace, program, url, asked


def at_report(trace, directory, url=None):
    """Stacks, with servers or without."""
    more = {"DEBUGINFOD_URLS": url} if url else {}
    result = support.execute(
        [support.MEMTRACE, "top", "--format", "json", "--key", "traceback", "--domain", "malloc",
         "--limit", "0", trace], env=support.clean_environment(HOME=str(directory), **more))
    assert result.status == 0, result
    return result


def rows_of(result):
    return {row["size"]: [place(frame["native_frame"]) for frame in row["stack"]
                          if frame["native_frame"].get("library") == "inlined"
                          and frame["native_frame"].get("function") != "_start"]
            for row in json.loads(result.out)["rows"] if row["size"] in STACKS}


def test_debuginfod(served, tmp_path):
    """A report asks the servers that the environment names, and none else."""
    trace, program, url, asked = served
    bare = rows_of(at_report(trace, tmp_path))
    assert not asked and all(name is None for stack in bare.values() for name, _, _ in stack)
    assert rows_of(at_report(trace, tmp_path, url)) == STACKS
    assert asked


def test_debuginfod_without_the_program(served, tmp_path):
    """The trace was brought here from another machine."""
    trace, program, url, asked = served
    program.unlink()
    assert rows_of(at_report(trace, tmp_path, url)) == STACKS


def test_a_tree_looks_for_what_it_shows(traced_plain, tmp_path):
    """Branches that are too small to be shown cost no reading of debugging information."""
    if not has_debuginfod() or not shutil.which("readelf"):
        pytest.skip("no libdebuginfod or no readelf here")
    sources = {"little": "void *little(void) { return malloc(1000); }",
               "much": "void *little(void); static void *volatile kept[2];\n"
                       "int main(void) { kept[0] = malloc(1000000); kept[1] = little(); return 0; }"}
    for name, text in sources.items():
        (tmp_path / (name + ".c")).write_text("#include <stdlib.h>\n" + text)
    little = build(tmp_path, "little.so", tmp_path / "little.c", "-shared", "-fPIC")
    much = build(tmp_path, "much", tmp_path / "much.c", little)
    ids = {path: build_id(path) for path in (little, much)}
    for path, number in ids.items():
        store = tmp_path / "store" / "buildid" / number
        store.mkdir(parents=True)
        separate(path, store / "debuginfo")
    trace = traced_plain.run(much, options=["--native"]).trace

    with debug_server(tmp_path / "store") as (url, asked):
        def tree(threshold):
            result = support.execute(
                [support.MEMTRACE, "tree", "--domain", "malloc", "--threshold", threshold, trace],
                env=support.clean_environment(HOME=str(tmp_path), DEBUGINFOD_URLS=url))
            assert result.status == 0, result
            return result.out.decode(), {
                path.name for path, number in ids.items() if any(number in one for one in asked)}

        text, found = tree("1")
        assert found == {"much"} and "main (much.c:3) in much" in text and "little" not in text, text
        text, found = tree("0.01")
        assert found == {"much", "little.so"} and "little (little.c:2) in little.so" in text, text


def test_functions_of_callers(served, tmp_path):
    """Text with functions alone, found by symbols, has those that are found with the lines."""
    trace, _, url, asked = served

    def top(*more):
        result = support.execute(
            [support.MEMTRACE, "top", "--key", "native-frame", "--domain", "malloc", *more, trace],
            env=support.clean_environment(HOME=str(tmp_path), DEBUGINFOD_URLS=url))
        assert result.status == 0, result
        return result.out.decode()

    text = top("--limit", "2")
    assert asked
    frames = [row["native_frame"] for row in json.loads(top("--format", "json"))["rows"]]
    names = ["%s %s" % (frame["library"], frame["function"]) for frame in frames[:2]]
    assert "inlined shop::plain(unsigned long)" in names
    assert re.findall(r"^#\d+: (.*?): ", text, re.M) == names
    assert ("%d other: " % (len(frames) - 2) in text) == (len(frames) > 2)


@pytest.fixture
def libraries(tmp_path):
    """A program whose libraries have their debugging information with a server; gives it, the URL and a
    function that tells of which of them somebody has asked for it.  Of `same`, two have a call each that
    allocates as much, and names in the order that those of the libraries are not in."""
    if not has_debuginfod() or not shutil.which("readelf"):
        pytest.skip("no libdebuginfod or no readelf here")
    ids, made = {}, []
    for name, source in ("big", "b"), ("first", "same_z"), ("last", "same_a"), ("little", "l"):
        text = "".join("void *%s_%d(int n) { return malloc(n); }\n" % (name, i) for i in range(5))
        (tmp_path / (source + ".c")).write_text("#include <stdlib.h>\n" + text)
        made.append(build(tmp_path, name + ".so", tmp_path / (source + ".c"), "-shared", "-fPIC"))
    (tmp_path / "main.c").write_text("""#include <unistd.h>
void *big_0(int), *big_1(int), *first_0(int), *last_0(int), *little_0(int), *little_1(int);
int main(void) {
    for (int i = 0; i < 50; i++) {
        big_0(20000); big_1(10000); little_0(100); little_1(50);
        usleep(20000);
    }
    first_0(7777); last_0(7777);
}
""")
    made.append(build(tmp_path, "main", tmp_path / "main.c", *made))
    for path in made:
        ids[path.name] = build_id(path)
        store = tmp_path / "store" / "buildid" / ids[path.name]
        store.mkdir(parents=True)
        separate(path, store / "debuginfo")
    with debug_server(tmp_path / "store") as (url, asked):
        yield made[-1], url, lambda: {name for name, number in ids.items()
                                      if any(number in one for one in asked)}


@pytest.mark.parametrize("native", [[], ["--native"]], ids=["caller", "native"])
@pytest.mark.parametrize("report", ["top", "leaks"])
def test_rows_that_are_shown_are_looked_for(traced_plain, libraries, tmp_path, report, native):
    """Rows below the limit cost no reading of debugging information, and those above are what they are
    where all of it is read."""
    program, url, asked = libraries
    trace = traced_plain.run(program, options=native).trace

    def shown(limit, *more):
        result = support.execute(
            [support.MEMTRACE, report, "--key", "traceback", "--domain", "malloc", "--frames", "0",
             "--limit", str(limit), *more, trace],
            env=support.clean_environment(HOME=str(tmp_path), DEBUGINFOD_URLS=url))
        assert result.status == 0, result
        return result.out.decode()

    def rows(text):
        return re.findall(r"^#.*\n(?:  .*\n)*", text, re.M)

    if report == "leaks":  # which of them grow depends on how much time the program had
        rows_of_one = rows(shown(1))
        assert not asked() & {"first.so", "last.so"}
    else:
        rows_of_one = rows(shown(1))
        assert asked() == {"big.so"} | ({"main"} if native else set())
        assert "big_0 (" in rows_of_one[0]
    few = [rows(shown(limit)) for limit in range(2, 8)]
    every = rows(shown(0))
    assert asked() >= {"little.so"} or report == "leaks"
    for found in (rows_of_one, *few):
        assert found == every[:len(found)]
    if report == "top":
        assert [len(found) for found in few] == [min(n, len(every)) for n in range(2, 8)]
        place, = [i for i, row in enumerate(every) if "last_0 (" in row]
        assert "first_0 (" in every[place + 1], "in the order of their files, not of the libraries"


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1/"], ids=["none", "one"])
def test_what_asks_servers_is_loaded_for_servers(traced_plain, tmp_path, url):
    """Without one a report, and the end of any run, do without thirty more libraries."""
    if not has_debuginfod():
        pytest.skip("no libdebuginfod here")
    program = build_program(tmp_path, "-s")
    command, trace = traced_plain.command(program, options=["--native", "--symbolize"])
    report = [support.MEMTRACE, "top", "--key", "traceback", "--limit", "0", trace]
    for words, expected in ((command, False), (report, bool(url))):
        environment = support.clean_environment(LD_DEBUG="files", HOME=str(tmp_path),
                                                LD_DEBUG_OUTPUT=str(tmp_path / words[1]))
        if url:
            environment["DEBUGINFOD_URLS"] = url
        result = support.execute(words, env=environment)
        assert result.status == 0, result
        loaded = "".join(file.read_text() for file in tmp_path.glob(words[1] + ".*"))
        assert "libelf" in loaded and ("libdebuginfod" in loaded) == expected, words


@contextlib.contextmanager
def debuginfod(directory, wanted):
    """elfutils' own server of that directory, once it has what is wanted; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = "http://127.0.0.1:%d/" % port
    with open(str(directory) + ".log", "wb") as log:
        server = subprocess.Popen(["debuginfod", "-F", "-p", str(port), "-d", ":memory:", directory],
                                  stdout=log, stderr=log)

    def has_it():
        assert server.poll() is None, "debuginfod ended"
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(url + "buildid/%s/debuginfo" % wanted).status == 200

    try:
        support.wait_for(has_it, "debuginfod")
        yield url
    finally:
        server.terminate()
        server.wait(support.TIMEOUT)


@pytest.mark.skipif(not shutil.which("debuginfod"), reason="no debuginfod here")
@pytest.mark.skipif(not has_debuginfod(), reason="no libdebuginfod here")
def test_elfutils_own_server(traced_plain, tmp_path):
    program = build_program(tmp_path)
    wanted = build_id(program)
    (tmp_path / "store").mkdir()
    separate(program, tmp_path / "store" / "inlined.debug")
    trace = traced_plain.run(program, options=["--native"]).trace
    with debuginfod(tmp_path / "store", wanted) as url:
        assert rows_of(at_report(trace, tmp_path, url)) == STACKS
