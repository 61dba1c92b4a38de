"""Names that no terminal, spreadsheet, plotter or page should be trusted with.

    test_hostile.py MEMTRACE ASSEMBLE

A trace whose every name is such a one, in a file of such a name, is given to
every report in every format.  What comes out is printable text, JSON and CSV that
parse, no formulas, pictures without scripts; and nothing is ever run.  Prints TAP.
"""
import csv
import html.parser
import io
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import xml.etree.ElementTree

MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
NAMES = [
    b"a\nb\r\tc", b"\x1b]0;title\x07\x1b[31mred\x1b[2J", b"\xc2\x9b31m \x9b31m", b"\x00end"[1:],
    b"\xe2\x80\xaetxt.exe\xe2\x80\x8f \xe2\x80\xa8 \xef\xbb\xbf", b"\xff\xfe\xed\xa0\x80\xc3",
    b"<script>alert('1')</script>&amp;]]>", b"`touch PWNED` $(touch PWNED) ; touch PWNED |",
    b"'; system 'touch PWNED' ; '", b"\"; ! touch PWNED \"", b"@{}^_~&%/Bold=9\\n {\\244 \\",
    b"=cmd|'/C touch PWNED'!A0", b"+1+1", b"-2+3", b"@SUM(1,2)", b"%s%n%d \\x1b \\u202e",
    b"x" * 3000, b"\xf0\x9f\x90\x8d" * 300, b"",
]
KEYS = ["caller", "lineno", "filename", "function", "module", "package", "traceback", "thread",
        "process", "domain"]
number = 0


def result(problems, name):
    global number
    number += 1
    for problem in problems[:5]:
        print("# " + problem.encode("ascii", "backslashreplace").decode()[:600].replace("\n", " "))
    print(f"{'not ok' if problems else 'ok'} {number} {name}", flush=True)
    return bool(problems)


def quoted(name):
    return '"' + "".join("\\x%02x" % byte for byte in name) + '"'


def write_trace(path, directory):
    """Each name once as everything that has a name."""
    lines = ['meta {"command": ["a\\nb", "=1+1", "\\u001b[2J"], "cwd": "/<script>\\n\\u001b[2J",'
             ' "host": "\\u202ebox\\n`touch PWNED`", "start": 1700000000}']
    for i, name in enumerate(map(quoted, NAMES)):
        lines.append(f"process p{i} {50 + i} {'-' if i == 0 else 'p0'} 0 exec {name} {name} {name} {name}")
        lines.append(f"thread t{i} p{i} {50 + i} 0 {name}")
        lines.append(f"stack s{i} - {name} {i + 1} {name}")
        lines.append(f"stack u{i} s{i} {name} {i + 1} {name}")
        lines.append(f"site a{i} p{i} t{i} obj u{i}")
    lines.append("boundary start all 0 -")
    for i, name in enumerate(map(quoted, NAMES)):
        lines.append(f"boundary mark all {i + 1} {name}")
        lines.append(f"row a{i} {i + 1}M 10 {i + 1}M 10")
        lines.append(f"region p{i} t{i} {name} {i}.5 2 1M 2M 3M")
    for i, name in enumerate(map(quoted, NAMES)):
        lines += [f"timeline p{i}", "sample 1 10M 1M 0 0 0 1M", "sample 30 20M 5M 0 0 0 5M"]
        lines.append(f"source {name} {i + 1} {name}")
    for i in range(len(NAMES)):
        lines += [f"boundary end p{i} 31 -", f"ended p{i} 31 0 0 0 0 3 4000 80 9M"]
    text = directory / "hostile.txt"
    text.write_text("\n".join(lines + ["end {}", ""]))
    subprocess.run([ASSEMBLE, text, path], check=True)


def run(directory, *arguments, status=(0,)):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "100"}
    environment.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
    done = subprocess.run([MEMTRACE, *arguments], cwd=directory, env=environment, timeout=120,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    problems = unprintable(done.stderr)
    if done.returncode not in status:
        problems.append(f"status {done.returncode}: {done.stderr[:300]!r}")
    if (directory / "PWNED").exists():
        problems.append("a name was run as a command")
    return done.stdout, [f"{arguments[0]} {problem}" for problem in problems]


def unprintable(output, line_end="\n"):
    try:
        text = output.decode()
    except UnicodeDecodeError as error:
        return [f"is not UTF-8: {error}"]
    found = {c for c in text if c not in line_end and unicodedata.category(c) in ("Cc", "Zl", "Zp")}
    found |= {c for c in text if unicodedata.bidirectional(c) in (
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")}
    return [f"prints {found!r}"] if found else []


def check_text(output):
    return unprintable(output)


def check_json(output):
    try:
        json.loads(output.decode())
    except ValueError as error:
        return [f"is no JSON: {error}"]
    return unprintable(output)


def is_number(cell):
    return re.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", cell)


def check_csv(output):
    problems = unprintable(output, "\r\n")
    rows = list(csv.reader(io.StringIO(output.decode("utf-8", "replace"), newline=""), strict=True))
    if len({len(row) for row in rows}) > 1:
        problems.append(f"has rows of {sorted({len(row) for row in rows})} columns")
    for cell in itertools.chain(*rows):
        if cell[:1] in tuple("=+-@\t\r") and not is_number(cell):
            problems.append(f"has a formula: {cell[:80]}")
    return problems


FORMATS = {"text": check_text, "json": check_json, "csv": check_csv}


def reports(trace):
    """(name, arguments) of all that is to be tried, but for the format."""
    for command in ("top", "tree", "stats", "leaks"):
        for key in KEYS:
            if command == "top" or key in ("caller", "function", "thread", "process"):
                yield f"{command} {key}", [command, "--key", key, "--limit", "0", trace]
    yield "top at", ["top", "--at", "mark:" + NAMES[0].decode(), trace]
    yield "lines", ["lines", "--limit", "0", trace]
    yield "diff", ["diff", "--limit", "0", trace, trace]
    yield "info", ["info", trace]
    yield "list", ["list"]
    for key in ("caller", "thread", "process"):
        yield f"plot {key}", ["plot", "--key", key, "--limit", "12", trace]
    yield "plot", ["plot", trace]
    yield "plot of two", ["plot", trace, trace]


def check_reports(directory, trace, known):
    failed = 0
    for name, arguments in reports(trace):
        if arguments[0] not in known:
            continue
        problems = []
        for format, check in FORMATS.items():
            output, wrong = run(directory, *arguments, "--format", format, status=(0, 1, 2))
            problems += wrong
            if output: # or it does not go together with that key
                problems += [f"--format {format} {problem}" for problem in check(output)]
        failed += result(problems, name)
    return failed


def check_svg(directory, trace):
    """A picture has the names as text and nothing else of them."""
    if not shutil.which("gnuplot"):
        print(f"ok {number + 1} pictures # SKIP no gnuplot here")
        return 0
    problems = []
    for key in (["--key", "caller"], ["--key", "thread"], ["--title", "`touch PWNED` @{}<b>\n"], []):
        _, wrong = run(directory, "plot", *key, "--limit", "12", "-o", "out.svg", trace)
        problems += wrong
        if (directory / "out.svg").exists():
            root = xml.etree.ElementTree.parse(directory / "out.svg").getroot()
            tags = {element.tag.rpartition("}")[2] for element in root.iter()}
            problems += [f"has <{tag}>" for tag in tags & {"script", "foreignObject", "a", "image"}]
            (directory / "out.svg").unlink()
    return result(problems, "pictures")


class Page(html.parser.HTMLParser):
    """Counts what could act: elements that load or run, and handlers."""

    def __init__(self):
        super().__init__()
        self.acting = []

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "a", "img", "iframe", "object", "embed", "link", "base", "form", "style"):
            self.acting.append(tag)
        self.acting += [name for name, _ in attributes if name.startswith("on") or name == "href"]


def acting_in(text):
    page = Page()
    page.feed(text)
    return page.acting


HARMLESS = """meta {"command": ["x"], "cwd": "/w", "host": "box", "start": 1700000000}
process p 50 - 0 exec "/usr/bin/python3" "python3" "3.11.2" traced
thread t p 50 0 "main"
stack s - "/w/a.py" 1 "f"
site a p t obj s
boundary start all 0 -
boundary end p 1 -
row a 1M 1 1M 1
ended p 1 0 0 0 0 0 0 1 1M
end {}
"""


def check_pages(directory, trace):
    """A page has the elements that it has of a harmless trace, whatever the names; so has a picture."""
    (directory / "harmless.txt").write_text(HARMLESS)
    subprocess.run([ASSEMBLE, directory / "harmless.txt", directory / "harmless.mtrace"], check=True)
    run(directory, "flame", "-o", "harmless.html", "harmless.mtrace")
    expected = acting_in((directory / "harmless.html").read_text())
    problems = [] if "script" in expected else ["the page of a harmless trace has no script"]
    for options in ([], ["--inverted"], ["--split", "thread"], ["--title", "</script><b onclick=x>"],
                    ["--key", "filename"]):
        problems += run(directory, "flame", *options, "-o", "out.html", trace)[1]
        text = (directory / "out.html").read_text("utf-8")
        found = acting_in(text)
        if found != expected:
            problems.append(f"flame {options}: has {found[:20]}")
        problems += [f"flame {options}: {problem}" for problem in unprintable(text.encode())]
        problems += run(directory, "flame", *options, "-o", "out.svg", trace)[1]
        root = xml.etree.ElementTree.parse(directory / "out.svg").getroot()
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        problems += [f"flame {options}: SVG has <{tag}>" for tag in tags - SVG_TAGS]
    return result(problems, "pages")


SVG_TAGS = {"svg", "style", "g", "title", "rect", "text"}


def check_exports(directory, trace):
    """What other tools read: their own syntax, with the names in it as names."""
    problems = []
    for to in ("folded", "mprof", "speedscope"):
        output, wrong = run(directory, "export", "--to", to, "-o", "out", trace)
        text = (directory / "out").read_bytes()
        problems += wrong + [f"export {to} {problem}" for problem in unprintable(text)]
        if to == "speedscope":
            problems += check_json(text)
        if to == "folded":
            problems += [f"folded: {line[-60:]!r}" for line in text.splitlines()
                         if not re.search(rb"^[^;].* \d+$", line)]
    for to in ("pprof", "pstats", "tracemalloc"):
        problems += run(directory, "export", "--to", to, "-o", "out", trace)[1]
    return result(problems, "exports")


def check_refusals(directory):
    """Names in messages: of files that are not there, of marks and processes."""
    problems = []
    for name in NAMES:
        name = name.decode("utf-8", "surrogateescape")
        if name:
            problems += run(directory, "top", name[:200], status=(1, 2))[1]
            problems += run(directory, "top", "--process", name, "t.mtrace", status=(0, 1, 2))[1]
            problems += run(directory, "top", "--at", "mark:" + name + "?", "t.mtrace", status=(1, 2))[1]
    return result(problems, "messages")


def main():
    failed = 0
    known = subprocess.run([MEMTRACE, "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
    known = set(re.findall(r"^  (\w+) ", known, re.M))
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        write_trace(directory / "t.mtrace", directory)
        odd = "=a\n\x1b[31m\u202e<b>`touch PWNED`.mtrace"
        shutil.copy(directory / "t.mtrace", directory / odd)
        failed += check_reports(directory, odd, known)
        failed += check_svg(directory, odd)
        failed += check_pages(directory, odd)
        failed += check_exports(directory, odd)
        failed += check_refusals(directory)
        print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
