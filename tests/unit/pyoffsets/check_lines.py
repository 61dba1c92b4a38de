#!/usr/bin/env python3
"""Compares pylines with PyCode_Addr2Line in the interpreters found.

    check_lines.py DRIVER     every interpreter found; DRIVER is check_lines.c
    check_lines.py --dump     this one's code objects, for the driver, to stdout

The code: the standard library's, source made to be hard, and random tables.
"""

import ctypes
import os
import random
import struct
import subprocess
import sys
import types

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(HERE, os.pardir, os.pardir, os.pardir, "agent")
OLDEST = (3, 8)
LNOTAB, PAIRS, LOCATIONS = 1, 2, 3
MODULES = """
abc argparse ast asyncio/base_events asyncio/tasks base64 bisect bz2 calendar cmd codecs
collections/__init__ concurrent/futures/thread configparser contextlib copy csv dataclasses
datetime decimal difflib dis doctest email/message enum fractions functools gzip heapq
html/parser http/client inspect io json/decoder locale logging/__init__ mailbox numbers opcode
os pathlib pdb pickle platform plistlib pprint queue random re sched shutil smtplib socket
ssl statistics string subprocess tarfile tempfile textwrap threading tokenize traceback turtle
typing unittest/case urllib/parse uuid warnings weakref xml/dom/minidom zipfile
""".split()


def table_of(code):
    if sys.version_info < (3, 10):
        return LNOTAB, code.co_lnotab
    return (PAIRS if sys.version_info < (3, 11) else LOCATIONS), code.co_linetable


def nested(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested(constant)


def library_sources():
    folder = os.path.dirname(os.__file__)
    for module in MODULES:
        path = os.path.join(folder, *module.split("/")) + ".py"
        if os.path.exists(path):
            with open(path, "rb") as file:
                yield file.read()


def hard_sources():
    """Long jumps forward and back, long lines of code, code without lines."""
    def jumps(distance):
        return "def f(a):\n    a()" + "\n" * distance + "    a(\n        a, a()" + \
            "\n" * distance + "        , a\n    )\n    return a\n"

    yield from (jumps(n) for n in (1, 62, 63, 64, 65, 126, 127, 128, 129, 254, 255, 256, 300, 511,
                                   512, 2000, 40000))
    for size in (20, 40, 60, 85, 86, 127, 128, 200, 400):
        yield "def f(a):\n    a = " + " + ".join(["a.b(1)"] * min(size, 250)) + "\n    return a\n"
        yield "def f(a):\n    a(" + ",\n".join(["a.b(1)"] * min(size, 250)) + ")\n    return a\n"
        yield "def f(a):\n" + "    a.b(1)\n" * size
        yield "x = [\n" + "\n  [y\n for y in z],\n" * size + "]\n"
    yield "\n" * 70000 + "@a\n@b(\n1)\ndef f(\n a=1,\n b=[c\n for c in d]\n):\n" \
        "    try:\n        with a as b, \\\n c as d:\n            yield b\n" \
        "    except E as e:\n        raise\n    finally:\n        f(\n\n\n\n*a, **b\n\n)\n" \
        "    for x in y:\n        if x and (\n\n y or\n z):\n            continue\n" \
        "        else:\n            break\n    else:\n        return 1\n"
    yield "async def f(a):\n    async with a as b:\n        async for x in b:\n" \
        "            await x\n    return [await y async for y in\n a if\n y]\n"
    yield "class A(B,\n C):\n    '''a\nb'''\n    x: int = 3\n    def m(s): return super(\n).m()\n"
    yield ""
    yield "x = " + "(" * 80 + "\n1\n" + ")" * 80 + "\n"


def random_table(rng):
    """A table that no compiler wrote, though a sound one."""
    if sys.version_info < (3, 10):
        return bytes(rng.randrange(256) for _ in range(2 * rng.randrange(40)))
    if sys.version_info < (3, 11):
        pairs = [(rng.randrange(2, 255, 2), rng.randrange(256)) for _ in range(rng.randrange(40))]
        return bytes(byte for pair in pairs for byte in pair)
    return b"".join(random_location(rng) for _ in range(rng.randrange(40)))


def varint(value):
    out = []
    while value >= 64:
        out.append(64 | value & 63)
        value >>= 6
    return bytes(out + [value])


def random_location(rng):
    code = rng.randrange(16)
    head = bytes([128 | code << 3 | rng.randrange(8)])
    line = varint(rng.choice([rng.randrange(8), rng.randrange(300), rng.randrange(1 << 20)]))
    if code == 14:
        return head + line + varint(rng.randrange(200)) * 3
    if code == 13:
        return head + line
    return head + bytes(rng.randrange(64) for _ in range(0 if code == 15 else code < 10 or 2))


def random_codes():
    rng = random.Random(4)
    source = "def f(a):\n" + "    a.b(1)\n" * 500
    [base] = [c for c in compile(source, "f", "exec").co_consts if isinstance(c, types.CodeType)]
    field = "co_lnotab" if sys.version_info < (3, 10) else "co_linetable"
    for _ in range(300):
        first = rng.choice([0, 1, 100000])
        yield base.replace(**{field: random_table(rng), "co_firstlineno": first})


def all_codes():
    for sources in (library_sources(), hard_sources()):
        for source in sources:
            yield from nested(compile(source, "f", "exec", dont_inherit=True))
    yield from random_codes()


def dump(out):
    find = ctypes.pythonapi.PyCode_Addr2Line
    find.restype = ctypes.c_int
    find.argtypes = [ctypes.py_object, ctypes.c_int]
    for code in all_codes():
        kind, table = table_of(code)
        lines = [max(0, find(code, at)) for at in range(0, len(code.co_code), 2)]
        before = max(0, find(code, -1))
        out.write(struct.pack("=iiIIi", kind, code.co_firstlineno, len(table), len(lines), before))
        out.write(table)
        out.write(struct.pack("=%di" % len(lines), *lines))


def check_interpreter(python, driver):
    """Whether all agree."""
    command = [python, "-I", "-W", "ignore", os.path.abspath(__file__), "--dump"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as dumper:
        done = subprocess.run([driver], stdin=dumper.stdout, stdout=subprocess.PIPE)
        dumper.stdout.close()
    good = done.returncode == 0 and dumper.returncode == 0
    print("%s: %s, %s" % (python, "ok" if good else "FAILED", done.stdout.decode().strip()))
    return good


def version_of(python):
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-I", "-c", code], stdout=subprocess.PIPE)
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else (0, 0)


def check_all(driver):
    sys.path.insert(0, AGENT)
    import generate_offsets
    results = []
    for python in generate_offsets.find_pythons():
        if version_of(python) < OLDEST:
            print("%s: skipped, too old" % python)
        else:
            results.append(check_interpreter(python, driver))
    if not results:
        return 77
    return 0 if all(results) else 1


if __name__ == "__main__":
    if sys.argv[1] == "--dump":
        dump(sys.stdout.buffer)
    else:
        sys.exit(check_all(os.path.abspath(sys.argv[1])))
