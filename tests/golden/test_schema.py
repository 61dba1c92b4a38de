"""Every report as JSON is what docs/reports.schema.json says, and its manual page names what is in it.

    test_schema.py MEMTRACE ASSEMBLE

Prints TAP.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    CHECKER = jsonschema.Draft202012Validator
except (ImportError, AttributeError):
    print("1..0 # SKIP no jsonschema that knows the draft of 2020 (Debian: python3-jsonschema)")
    sys.exit(0)

MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
HERE = pathlib.Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
SCHEMA = json.loads((DOCS / "reports.schema.json").read_text())
KEYS = ["caller", "lineno", "function", "filename", "module", "package", "traceback", "domain",
        "thread", "process", "native-frame"]
REPORTS = {
    "top": [*(f"--key {key}" for key in KEYS), "--at peak --limit 1", "--from start --at 1.5",
            "--domain native --cumulative"],
    "diff": [*(f"--old-at start --key {key}" for key in KEYS), "--moved --noise {} --limit 1 {}"],
    "tree": ["", "--inverted", "--key module --depth 2", "--key traceback"],
    "lines": ["", "--all"],
    "stats": ["", "--key process", "--key traceback"],
    "leaks": ["", "--warm-up 0 --key traceback", "--per request", "--key domain"],
    "plot": ["", "--slope", "--key caller"],
    "info": [""],
}


def checker(command):
    return CHECKER({**SCHEMA, "$ref": f"#/$defs/{command}"})


def run(directory, command, words):
    done = subprocess.run([MEMTRACE, command, *words, "--format", "json"], cwd=directory,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return json.loads(done.stdout) if done.stdout else None


def documents(directory, command):
    for trace in sorted(path.name for path in directory.glob("*.mtrace")):
        for options in REPORTS[command]:
            document = run(directory, command, [*options.format(trace, trace).split(), trace])
            if document:
                yield f"{trace} {options}", document


def wrong(command, said):
    """The first of the documents that is not by the schema."""
    check = checker(command)
    for name, document in said:
        for error in check.iter_errors(document):
            return f"{name}: {error.json_path}: {error.message[:300]}"
    return None if said else "no trace has such a report"


def is_strict(command, document):
    """The schema refuses what a report does not have, and what it has of another type."""
    check = checker(command)
    worse = [dict(document, unheard_of=1), dict(document, schema=2)]
    worse += [{k: v for k, v in document.items() if k != key} for key in ("schema",)]
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            worse.append(dict(document, **{key: [dict(value[0], unheard_of=1), *value[1:]]}))
    return check.is_valid(document) and not any(check.is_valid(one) for one in worse)


def names(definition):
    """Of all properties below."""
    if isinstance(definition, list):
        return set().union(*map(names, definition))
    if not isinstance(definition, dict):
        return set()
    found = set(definition.get("properties", ()))
    if "$ref" in definition:
        found |= names(SCHEMA["$defs"][definition["$ref"].rpartition("/")[2]])
    return found.union(*map(names, definition.values()))


def unnamed(command):
    """What no manual page tells: that of the command, or that of top, which others refer to."""
    pages = [(DOCS / "man" / f"memtrace-{page}.1").read_text() for page in (command, "top")]
    words = set(re.findall(r"\w+", " ".join(pages)))
    return sorted(names(SCHEMA["$defs"][command]) - words)


def main():
    results = []
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for text in (HERE / "traces").glob("*.txt"):
            subprocess.run([ASSEMBLE, text, directory / f"{text.stem}.mtrace"], check=True)
        for command in REPORTS:
            said = list(documents(directory, command))
            results.append((wrong(command, said), f"{len(said)} of {command}"))
            strict = is_strict(command, max((d for _, d in said), key=lambda d: len(str(d))))
            results.append((None if strict else "it lets too much pass", f"{command} is strict"))
        listed = run(directory, "list", [])
        results.append((wrong("list", [("list", listed)]), "list"))
        results.append((None if is_strict("list", listed) else "it lets too much pass", "list is strict"))
    for command in [*REPORTS, "list"]:
        missing = unnamed(command)
        results.append((f"{' '.join(missing)}" if missing else None, f"memtrace-{command}(1) has all names"))
    print(f"1..{len(results)}")
    for number, (problem, name) in enumerate(results, 1):
        print(f"{'not ok' if problem else 'ok'} {number} {name}{': ' + problem if problem else ''}")
    return any(problem for problem, _ in results)


if __name__ == "__main__":
    sys.exit(main())
