"""The worked example of docs/format.md is true: its bytes, its bodies, its reports.

    test_document.py MEMTRACE ASSEMBLE

Prints TAP.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "format.md"


def blocks(text):
    return dict(re.findall(r"^```(\S[^\n]*)\n(.*?)^```$", text, re.M | re.S))


def from_dump(dump):
    return b"".join(bytes.fromhex(line[10:57]) for line in dump.splitlines())


def to_assembler(body):
    """The records `chunk KIND HEX` that the block of bodies stands for."""
    records = []
    for line in body.splitlines():
        code = line.partition("#")[0]
        start = re.match(r" ?(\d+)  (.*)", code)
        if start:
            records.append([start[1], start[2]])
        elif code.strip():
            records[-1][1] += code
    return "".join(f"chunk {kind} {''.join(text.split())}\n" for kind, text in records)


def run(directory, *arguments):
    environment = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC")
    return subprocess.run([MEMTRACE, *arguments], cwd=directory, env=environment, timeout=60,
                          check=True, stdout=subprocess.PIPE).stdout.decode()


def contents(directory, name):
    """Everything that `info` and `top` say of a trace but its name and size."""
    seen = json.loads(run(directory, "info", "--format", "json", name))
    rows = json.loads(run(directory, "top", "--format", "json", "--key", "traceback", name))
    for key in ("trace", "size", "readable"):
        seen.pop(key)
        rows.pop(key, None)
    return seen, rows


def main():
    found = blocks(DOCUMENT.read_text(encoding="utf-8"))
    results = []
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        (where / "example.mtrace").write_bytes(from_dump(found["hex"]))
        (where / "bodies.txt").write_text(to_assembler(found["body"]))
        subprocess.run([ASSEMBLE, where / "bodies.txt", where / "bodies.mtrace"], check=True)
        same = contents(where, "example.mtrace") == contents(where, "bodies.mtrace")
        results.append((same, "the bodies are those of the file"))
        for words in ("info", "top", "top --at peak --key lineno"):
            text = run(where, *words.split(), "example.mtrace")
            results.append((text == found[words], words))
    print(f"1..{len(results)}")
    for number, (good, name) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} {name}")
    return not all(good for good, _ in results)


if __name__ == "__main__":
    sys.exit(main())
