"""Makes the first inputs of the fuzzers: `seeds.py CORPUS [FUZZ_READER TRACE...]`.

Rings as programs write them, line tables as compilers make them, and of the golden
traces those that are named.  What fuzzing finds to be worth keeping lies beside them.
"""
import os
import pathlib
import struct
import subprocess
import sys

ALLOC, ALLOC_SEQ, FREE, FREE_SEQ, BEGIN, BEGIN_SEQ, END, END_SEQ, CANCEL, SIZE, TIME, NODE, META = \
    range(1, 14)
(BYTES, CODE, RESET, THREAD, DEPEND, PROCESS, FINALIZE, GAP, MAP, UNMAP, THREAD_END, MARK,
 REGION_BEGIN, REGION_END, PAUSE, RESUME, ASK, OWN) = range(1, 19)
ADDRESS = 0x7f0000100000
TABLE = bytes([0x80, 0x00, 0xd8, 0x04, 0x0a, 0x90, 0x21, 0x83])


def meta(kind, a=0, b=0, *words):
    return [META | kind << 4 | a << 12 | b << 32, *words]


def text(data):
    padded = data + bytes(-len(data) % 8)
    return meta(BYTES, len(data)) + list(struct.unpack("<%dQ" % (len(padded) // 8), padded))


def alloc(op, address, size, node, domain=2, sequence=0):
    return [op | domain << 4 | (size & 0xffffff) << 8 | sequence << 32, address << 16 | node]


def move(address, more, *sequences):
    if not sequences:
        return [BEGIN | address << 16] + alloc(END, address + more, 99, 1)
    return [BEGIN_SEQ | address << 16, sequences[0]] + alloc(
        END_SEQ, address + more, 99, 1, 3, sequences[1])


def start(process=True):
    words = []
    if process:
        words += text(b"/usr/bin/python3\0/usr/bin/python3\0app.py\0")
        words += meta(PROCESS, 0, 0, 1 << 32 | 7, 17 << 32 | 0x030b02f0)
    words += meta(THREAD, 0, 77)
    words += text(b"/srv/app.py" + b"function" + TABLE)
    words += meta(CODE, 0, 0, 3 << 32 | 7, 8 << 32 | 11, len(TABLE))
    return words + [NODE | 1 << 4, 4 << 32, NODE | 2 << 4 | 1 << 24, 8 << 32]


def counter(address):
    unit = address >> 20
    return (unit ^ unit >> 10) % 1023


class Ring:
    """Steps for fuzz_drain.c."""

    def __init__(self):
        self.data = b""

    def words(self, ring, words):
        for at in range(0, len(words), 16):
            part = words[at:at + 16]
            self.data += bytes([(len(part) - 1) << 3 | ring])
            self.data += b"".join(struct.pack("<Q", word) for word in part)
        return self

    def round(self):
        self.data += b"\x80"
        return self

    def head(self, ring, position):
        self.data += bytes([0xc0 | ring]) + struct.pack("<Q", position)
        return self


def rings():
    blocks = [word for n in range(6) for word in alloc(ALLOC, ADDRESS + 64 * n, 40 + n, 1 + n % 2, n % 4)]
    some = [TIME | 1000 << 4, SIZE | 3 << 4] + blocks + [FREE | ADDRESS << 16]
    moves = move(ADDRESS + 64, 4096) + [BEGIN | (ADDRESS + 128) << 16, CANCEL] + move(64, 128)
    yield "blocks", Ring().words(0, start()).words(0, some).round().words(0, moves)
    maps = meta(MAP, 1, 1, ADDRESS, 65536, 2**64 - 1) + meta(UNMAP, 0, 0, ADDRESS + 8192, 4096, 2**64 - 1)
    maps += meta(MAP, 2, 4, ADDRESS + 4096, 262144, 2**64 - 1)
    yield "maps", Ring().words(0, start() + maps + meta(MAP, 1, 1, 0, 4096, 1)).round()
    said = text(b"loaded") + meta(MARK) + text(b"step") + meta(REGION_BEGIN, 0, 1) + blocks
    said += meta(REGION_END, 0, 1, 3) + meta(ASK, 0, 4) + meta(PAUSE, 0, 5) + meta(RESUME)
    said += meta(OWN, 1) + blocks[:4] + meta(OWN) + meta(FINALIZE) + meta(THREAD_END)
    yield "said", Ring().words(0, start() + said).round()
    first = alloc(ALLOC_SEQ, ADDRESS, 10, 1, 3, 0) + move(ADDRESS, 64, 2, 3)
    second = start(False) + meta(DEPEND, 0, 0, 0, 4) + alloc(ALLOC_SEQ, ADDRESS + 64, 9, 1, 3, 1)
    second += [FREE_SEQ | ADDRESS << 16, 5]
    yield "order", Ring().words(0, start()).words(1, second).round().words(0, first).round()
    yield "child", Ring().words(0, start() + blocks).words(2, start() + [FREE | ADDRESS << 16]
                                                           + meta(DEPEND, 0, 0, 0, 9)).round()
    gap = meta(GAP, 0, 0, 100, 5000) + meta(RESET) + start(False)[2:] + [FREE | 8 << 16]
    yield "gap", Ring().words(0, start() + blocks + [BEGIN | ADDRESS << 16] + gap).head(0, 60)
    yield "head", Ring().words(0, start()).head(0, 2**63).round().head(1, 3)
    yield "unnamed", Ring().words(0, blocks + meta(MARK) + meta(FINALIZE)).round()


def tables():
    yield "lnotab", bytes([0, 1, 8, 1, 6, 255, 255, 0, 4, 127, 2, 0x80])
    yield "lines310", bytes([4, 1, 6, 0x80, 8, 2, 254, 0, 3, 0xff])
    yield "locations", TABLE + bytes([0xf8, 0x81, 0x01, 0xe8, 0x43, 0x01, 0xf0, 3, 4, 5, 6, 0x87])


def main():
    corpus = pathlib.Path(sys.argv[1])
    for name, ring in rings():
        (corpus / "drain" / name).write_bytes(ring.data)
    for name, table in tables():
        (corpus / "pylines" / name).write_bytes(struct.pack("<i", 10) + table)
    for trace in sys.argv[3:]:
        done = subprocess.run([sys.argv[2], "1", "/dev/null"], stdout=subprocess.PIPE, check=True,
                              env=dict(os.environ, FUZZ_SEED=trace))
        (corpus / "reader" / pathlib.Path(trace).stem).write_bytes(done.stdout)


main()
