"""A trace cut at any byte, or with any byte changed, is read up to there and no further.

    test_cut.py MEMTRACE ASSEMBLE

Every command ends with status 0 or 1 and without a sanitizer's report.  What a
cut trace holds never shrinks as it grows.  Prints TAP.
"""
import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
MEMTRACE, ASSEMBLE = map(os.path.abspath, sys.argv[1:3])
COMMANDS = [["info"], ["top"], ["top", "--at", "peak", "--key", "traceback"]]
number = 0


def result(good, name):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} {name}", flush=True)
    return good


def run(path, *arguments):
    done = subprocess.run([MEMTRACE, *arguments, path], timeout=60, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


def is_clean(path, commands):
    for arguments in commands:
        status, _, errors = run(path, *arguments)
        if status not in (0, 1) or len(errors.splitlines()) > 1 or b"ERROR" in errors:
            print(f"# {arguments}: status {status}: {errors[:2000]!r}")
            return False
    return True


def chunk_ends(data):
    """The offsets at which a cut leaves whole chunks."""
    ends = [16]
    while ends[-1] < len(data):
        stored, = struct.unpack_from("<I", data, ends[-1] + 4)
        ends.append(ends[-1] + 12 + stored)
    return ends


def check_cuts(data, path):
    """Cuts everywhere: `info` must say how much could be read."""
    ends = chunk_ends(data)
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        status, output, errors = run(path, "info", "--format", "json")
        whole = max((end for end in ends if end <= size), default=0)
        if size < ends[1]:
            good = status == 1 and not output and len(errors.splitlines()) == 1
        else:
            seen = json.loads(output)
            good = (status == 0 and seen["readable"] == whole and not seen["damaged"]
                    and seen["sealed"] == (size == len(data)))
        if not good:
            print(f"# cut at {size}: status {status}, {output!r}, {errors!r}")
            return False
    return True


def check_commands(data, path):
    """Cuts at and beside the ends of chunks: every command reports what is there."""
    for end in chunk_ends(data):
        for size in (end - 1, end, end + 5):
            path.write_bytes(data[:size])
            if not is_clean(path, COMMANDS):
                print(f"# cut at {size}")
                return False
    return True


def check_changes(data, path):
    """One byte changed, every few bytes: damage is seen, and what is before it is read."""
    for offset in range(0, len(data), 3):
        changed = bytearray(data)
        changed[offset] ^= 0x41
        path.write_bytes(changed)
        if not is_clean(path, COMMANDS[1:2]):
            print(f"# changed at {offset}")
            return False
        status, output, _ = run(path, "info", "--format", "json")
        if status == 0 and offset >= 16 and json.loads(output)["readable"] > offset:
            print(f"# changed at {offset}: not seen")
            return False
    return True


def check_header(data, path):
    """Another major version is refused with a word, another minor one is read."""
    path.write_bytes(data[:8] + struct.pack("<HH", 2, 0) + data[12:])
    status, _, errors = run(path, "top")
    newer = status == 1 and b"newer memtrace" in errors
    path.write_bytes(data[:8] + struct.pack("<HH", 1, 9) + data[12:])
    status, _, errors = run(path, "top")
    return newer and status == 0 and not errors


def check_bombs(data, path):
    """Sizes and counts that are not true cost no memory."""
    for raw in (0, 1, 0x7fffffff, 0xffffffff, 64 << 20):
        for stored in (0, 1, 0x7fffffff, 0xffffffff):
            path.write_bytes(data[:16] + b"MTCK" + struct.pack("<II", stored, raw) + data[28:])
            if not is_clean(path, COMMANDS[:1]):
                return False
    return True


def check_claims(directory):
    """Small chunks that are sound and stand for millions of records: read in bounded memory."""
    text, path = directory / "claims.txt", directory / "claims.mtrace"
    empty = 1 << 22
    strings = "80808002" + "00" * empty  # so many strings of no bytes
    text.write_text("meta {}\n" + ("chunk 2 " + strings + "\n") * 6 + "end {}\n")
    subprocess.run([ASSEMBLE, text, path], check=True)
    process = subprocess.Popen([MEMTRACE, "info", "--format", "json", path],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seen = json.loads(output)
    if status or not seen["damaged"] or not seen["definitions"]["strings"]:
        print(f"# claims: status {status}, {output[:300]!r}")
        return False
    if usage.ru_maxrss > 700 << 10 and "ASAN_OPTIONS" not in os.environ:
        print(f"# claims: {usage.ru_maxrss} KiB of memory for a file of {path.stat().st_size} bytes")
        return False
    return True


def little_memory():
    if "ASAN_OPTIONS" not in os.environ:  # it takes addresses for terabytes
        resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))


def check_sparse(data, path):
    """A file that is a terabyte long on paper is read as far as there is something in it."""
    ends = chunk_ends(data)
    for kept in (len(data), ends[-2], ends[-2] + 30):
        path.write_bytes(data[:kept])
        os.truncate(path, 1 << 40)
        done = subprocess.run([MEMTRACE, "info", "--format", "json", path], preexec_fn=little_memory,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        seen = json.loads(done.stdout) if done.stdout else {}
        if done.returncode or (seen["size"], seen["readable"], seen["damaged"]) != (
                1 << 40, ends[-1] if kept == len(data) else ends[-2], True):
            print(f"# {kept} bytes: {done}")
            return False
    return True


def check_pipe(data, path):
    """From a pipe it is what it is from a file."""
    path.write_bytes(data)
    for command in (["top"], ["tree"]):
        _, whole, _ = run(path, *command)
        done = subprocess.run([MEMTRACE, *command, "/dev/stdin"], input=data, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        named = done.stdout.replace(b"/dev/stdin", path.name.encode())
        if done.returncode or not whole or named != whole[whole.index(path.name.encode()):]:
            print(f"# {command}: {done.returncode}, {done.stdout!r}, {done.stderr!r}")
            return False
    return True


def check_endless():
    """What never ends is no trace, and that is said before it has been read."""
    status, output, errors = run("/dev/zero", "top")
    return status == 1 and not output and len(errors.splitlines()) == 1


def check_bodies(directory):
    """Chunks whose frame is good but whose body is not are damage."""
    bodies = {
        "count": (2, "ffffffffffffffffff01"), "long varint": (2, "80808080808080808080808000"),
        "string": (2, "01ff01"), "function": (3, "01010100"), "node": (4, "01010000"),
        "own parent": (4, "01010000"), "process": (5, "0101010000000000"),
        "thread": (6, "0101010000"), "site": (7, "0100000000"), "domain": (7, "0101000900 00"),
        "rows": (9, "000000000101000000 0000"), "kind": (9, "0600000000"),
        "timeline": (8, "0101ff"), "peak": (10, "000000000001"), "line": (11, "01010101"),
        "end": (12, "01"), "trailing": (2, "0000"), "empty": (4, ""),
    }
    for name, (kind, body) in bodies.items():
        text = directory / "body.txt"
        path = directory / "body.mtrace"
        text.write_text('meta {}\nchunk %d %s\nend {}\n' % (kind, body.replace(" ", "") or "-"))
        subprocess.run([ASSEMBLE, text, path], check=True)
        status, output, errors = run(path, "info", "--format", "json")
        if status or not json.loads(output)["damaged"] or b"damaged" not in errors:
            print(f"# {name}: status {status}, {errors!r}")
            return False
    return True


def main():
    good = True
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        path = directory / "t.mtrace"
        whole = directory / "whole"
        subprocess.run([ASSEMBLE, HERE / "traces" / "tree.txt", whole], check=True)
        data = whole.read_bytes()
        print("1..10")
        good &= result(check_cuts(data, path), "cut at each byte")
        good &= result(check_commands(data, path), "cut beside the ends of chunks")
        good &= result(check_changes(data, path), "one byte changed")
        good &= result(check_header(data, path), "versions")
        good &= result(check_bombs(data, path), "untrue sizes")
        good &= result(check_bodies(directory), "bodies that cannot be")
        good &= result(check_claims(directory), "claims of millions")
        good &= result(check_endless(), "a file without end")
        good &= result(check_sparse(data, path), "a terabyte on paper")
        good &= result(check_pipe(data, path), "a pipe")
    return not good


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C.UTF-8"
    sys.exit(main())
