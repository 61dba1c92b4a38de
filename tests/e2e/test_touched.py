"""What of large blocks and maps has pages, while the program runs and when it has ended."""
import contextlib
import os
import subprocess

import pytest
import support
from test_native import build

MIB = 1 << 20
PAGES = 64 << 10  # a page of a file may bring its neighbours


@contextlib.contextmanager
def running(traced, program, *arguments, **environment):
    """(trace, standard input of the program) under memtrace; it ends with its input."""
    command, trace = traced.command(program, *arguments)
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                               env=support.clean_environment(**environment), cwd=str(traced.directory))
    try:
        yield trace, process.stdin
        process.stdin.close()
        assert process.wait(support.TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()


def touched(traced, trace, *options):
    """{domain: (bytes, touched)}, as far as is known."""
    rows = traced.report("top", trace, "--key", "domain", "--domain", "malloc", "--domain",
                         "mapped", *options)["rows"]
    return {row["domain"]: (row["size"], row["touched"]) for row in rows if "touched" in row}


def about(found, domain, size, part):
    bytes_all, bytes_touched = found.get(domain, (0, 0))
    return (size <= bytes_all <= size + MIB and part <= bytes_touched <= part + MIB)


@pytest.fixture
def program(tmp_path):
    if not os.access("/proc/self/pagemap", os.R_OK):
        pytest.skip("no page maps here")
    (tmp_path / "file").write_bytes(bytes(16 * MIB))
    return build(tmp_path, "touches", support.PROGRAMS / "touches.c")


def test_parts(traced_plain, program, tmp_path):
    with running(traced_plain, program, tmp_path / "file") as (trace, stdin):
        def first():
            found = touched(traced_plain, trace) if trace.exists() else {}
            return (about(found, "malloc", 64 * MIB, 16 * MIB) and
                    about(found, "mmap", 32 * MIB, 8 * MIB) and
                    about(found, "file", 16 * MIB, 4 * MIB))

        support.wait_for(first, "what was touched first")
        stdin.write(b"\n")
        stdin.flush()
        support.wait_for(lambda: about(touched(traced_plain, trace), "malloc", 64 * MIB, 24 * MIB),
                         "what was touched then")
    found = touched(traced_plain, trace, "--at", "peak")
    assert about(found, "malloc", 64 * MIB, 16 * MIB), found
    assert about(touched(traced_plain, trace), "mmap", 32 * MIB, 8 * MIB)
    assert about(touched(traced_plain, trace), "file", 16 * MIB, 4 * MIB)
    assert touched(traced_plain, trace)["mmap"][1] % 4096 == 0
    text = support.execute([support.MEMTRACE, "info", trace]).out.decode()
    assert "never touched: up to" in text, text


NUMPY = """
import sys, numpy
zeros = numpy.zeros(10 ** 9)  # 8 GB
zeros[:5 * 10 ** 6] = 1
sys.stdin.read()
"""


def test_numpys_zeros(traced_once, program):
    environment = support.clean_environment(PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    if support.execute([traced_once.python.path, "-c", "import numpy"], env=environment).status:
        pytest.skip("no numpy here")
    script = traced_once.directory / "zeros.py"
    script.write_text(NUMPY)

    def row():
        rows = traced_once.rows(trace, "--include", str(script)) if trace.exists() else []
        found = [row for row in rows if row["lineno"] == 3 and "touched" in row]
        return found[0] if found and found[0]["touched"] < found[0]["size"] // 2 else None

    with running(traced_once, script, **environment) as (trace, _):
        found = support.wait_for(row, "the array")
    assert 8 * 10 ** 9 <= found["size"] <= 8 * 10 ** 9 + 1000
    assert 40 * 10 ** 6 <= found["touched"] <= 50 * 10 ** 6, found
