"""`memtrace flame`: the page in a real browser, driven over its debugging pipe, and the picture."""
import json
import os
import re
import shutil
import subprocess
import threading
import xml.dom.minidom

import pytest
import support

NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
HOSTILE = "</script><script>document.title='broken'</script><!-- \"'&amp; ${1} \\u003c"

PROGRAM = """
import memtrace, threading, zlib
def outer(n):
    return inner(n)
def inner(n):
    return [bytes(1000) for k in range(n)]
kept = [outer(300)]
memtrace.mark("first")
def work():
    kept.append(inner(200))
thread = threading.Thread(target=work, name="worker")
thread.start()
thread.join()
packers = [zlib.compressobj() for n in range(4)]
hostile = compile("def f():\\n return bytes(70000)\\nx = f()", %r, "exec")
space = {}
exec(hostile, space)
temporary = bytes(4000000)
del temporary
""" % HOSTILE


class Browser:
    """The browser's debugging protocol over two pipes: no socket, no package."""

    def __init__(self, program):
        there_in, self.write_to = os.pipe()
        self.read_from, there_out = os.pipe()

        def place():
            spare = os.dup(there_out)
            os.dup2(there_in, 3)
            os.dup2(spare, 4)
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", "--window-size=1300,900", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=place)
        os.close(there_in), os.close(there_out)
        self.number, self.buffer, self.session = 0, b"", None
        self.watch = threading.Timer(support.TIMEOUT, self.process.kill)
        self.watch.start()

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.buffer:
                data = os.read(self.read_from, 1 << 16)
                assert data, "the browser has ended"
                self.buffer += data
            line, _, self.buffer = self.buffer.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        support.wait_for(lambda: self.ask("document.readyState") == "complete"
                         and self.ask("location.href").startswith("file:"), "the page")

    def ask(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def choose(self, **controls):
        for name, value in controls.items():
            self.ask("by(%r).%s = %s; change()" % (
                name, "checked" if name == "invert" else "value", json.dumps(value)))
        return self.ask("by('status').textContent")

    def frames(self):
        return self.ask("[...document.querySelectorAll('.frame')].map(f => f.title)")

    def close(self):
        self.watch.cancel()
        self.process.kill()
        self.process.wait()
        os.close(self.write_to), os.close(self.read_from)


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    made = support.Traced(tmp_path_factory.mktemp("flame"), support.known_interpreters()[-1])
    made.trace = made.script(PROGRAM).trace
    return made


def flame(traced, name, *options):
    path = traced.directory / name
    result = support.execute([support.MEMTRACE, "flame", "-o", path, *options, traced.trace],
                             cwd=str(traced.directory))
    assert result.status == 0, result
    assert result.out.decode().strip() == str(path)
    return path


@pytest.fixture(scope="module")
def page(traced):
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if not program:
        pytest.skip("no chromium here (Debian: chromium-headless-shell)")
    browser = Browser(program)
    try:
        browser.call("Browser.getVersion")
    except (AssertionError, OSError):
        pytest.skip("%s does not start here" % program)
    browser.open("file://%s" % flame(traced, "page.html"))
    yield browser
    browser.close()


def total(traced, *options):
    """(bytes, blocks) of all that a view has."""
    rows = traced.rows(traced.trace, *options)
    return sum(row["size"] for row in rows), sum(row["count"] for row in rows)


def blocks(status):
    return int(re.search(r"all: ([\d,]+) ", status).group(1).replace(",", ""))


def test_the_page_has_what_the_trace_has(traced, page):
    """To the block, for each moment, kind of memory and metric; whatever the shape of the graph."""
    everything = total(traced)[1]
    assert blocks(page.choose(metric="count")) == everything
    for shape in ({"invert": True}, {"invert": False, "split": "thread"}, {"frames": "mine"},
                  {"frames": "imports"}, {"order": "time"}):
        assert blocks(page.choose(**shape)) == everything, shape
    page.choose(order="size", split="no", frames="all")
    assert blocks(page.choose(kind="native")) == total(traced, "--domain", "native")[1]
    assert blocks(page.choose(kind="python")) == total(traced, "--domain", "python")[1]
    page.choose(kind="both")
    moments = page.ask("[...by('at').options].map(o => o.text)")
    assert moments[0] == "end" and any("mark:first" in m for m in moments)
    for moment in ("peak", "mark:first"):
        index = next(n for n, text in enumerate(moments) if text.startswith(moment))
        assert blocks(page.choose(at=str(index))) == total(traced, "--at", moment)[1]
    page.choose(at="0")
    rows = traced.rows(traced.trace, "--sort", "churn-count")
    assert blocks(page.choose(metric="allocations")) == sum(r["allocations"] for r in rows)
    page.choose(metric="size", split="no", frames="all", order="size", kind="both", at="0")


def test_search_zoom_and_split(traced, page):
    page.choose(metric="size", split="no", frames="all", order="size", kind="both", at="0")
    assert "found" in page.choose(search="inner")
    assert page.ask("document.querySelectorAll('.found').length") >= 2
    assert "found" in page.choose(search="/^inner /")
    assert page.ask("[...document.querySelectorAll('.found')].every("
                    "f => f.title.startsWith('inner '))")
    assert "found 0 B" in page.choose(search="/(/"), "a pattern that is none matches nothing"
    page.choose(search="")
    depth = page.ask("parseInt(by('graph').style.height)")
    page.ask("[...document.querySelectorAll('.frame')].find(f => f.title.startsWith('outer '))"
             ".click()")
    assert page.ask("by('status').textContent").startswith("outer ")
    assert page.ask("document.querySelectorAll('.above').length") == 2, "all and <module>"
    assert page.ask("parseInt(by('graph').style.height)") <= depth
    page.ask("by('reset').click()")
    assert page.ask("by('status').textContent").startswith("all: ")
    page.choose(split="thread")
    threads = {name for name in page.frames() if re.match(r"main\b|thread \d+|.* \(\d+\)", name)}
    assert len(threads) >= 2, page.frames()
    page.choose(split="no", frames="mine")
    assert not any("importlib" in name for name in page.frames())
    page.choose(frames="all", invert=True)
    # Before 3.12 a comprehension is a function of its own.
    assert page.ask("root.children.some(c => /^(inner[ .]|<listcomp>)/.test(c.name) && c.children.length)")
    page.choose(invert=False)


def test_time_order_goes_on(page):
    """What was allocated before the mark lies left of what came after it."""
    page.choose(order="time", frames="mine")
    lefts = page.ask("[...document.querySelectorAll('.frame')].map(f => [f.title.split('\\n')[0],"
                     " parseFloat(f.style.left)])")
    before = [left for name, left in lefts if name.startswith("outer ")]
    after = [left for name, left in lefts if name.startswith("work ")]
    assert before and after and max(before) < min(after)
    page.choose(order="size", frames="all")


def test_hostile_names_are_text(traced, page):
    page.choose(metric="size", kind="both", frames="all", split="no", order="size", search="")
    assert page.ask("document.title").endswith("memtrace flame")
    assert page.ask("document.scripts.length") == 2
    assert any(HOSTILE in name for name in page.frames())


def test_the_page_is_alone(traced):
    text = flame(traced, "alone.html").read_text()
    assert not re.search(r"https?:|//cdn|@import|url\(|\bsrc=|<link", text)
    assert "default-src 'none'" in text
    assert text.count("</script>") == 2


@pytest.mark.parametrize("options", [(), ("--inverted",), ("--split", "thread"),
                                     ("--key", "package"), ("--key", "caller")])
def test_the_picture_is_xml(traced, options):
    path = flame(traced, "flame.svg", *options)
    document = xml.dom.minidom.parse(str(path))
    titles = [node.firstChild.data for node in document.getElementsByTagName("title")]
    assert titles[0].startswith("all\n") and titles[0].endswith("100.0%")
    assert not document.getElementsByTagName("script")
    if "--key" not in options:
        assert any(HOSTILE in title for title in titles)
