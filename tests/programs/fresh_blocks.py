"""Allocates in many ways, but never takes a block from a free list of CPython.

So plain tracemalloc and a tracer of allocators must agree on each line without
any preparation.  Hence what looks odd here: results are kept at once, a Python
function is called from one line only, loops make no numbers (3.14 has a free list
of them), and where an object of a kind that has a free list may have been dropped,
fresh() empties the free lists.  Run by reference.py, which sees to it that nothing
else collects.
"""
import array
import collections
import json
import struct
from gc import collect as fresh
from itertools import islice, repeat

fresh()
held = []
keep = held.append

keep(123456789012)
keep(1 << 5000)
keep(2.5 * len(held))
fresh()
keep(complex(1, len(held)))
fresh()
keep("text " * 100)
keep("w\u20acde " * 100)
keep(b"bytes " * 100)
keep(bytes(1000))
keep(bytes(100000))
keep(bytearray(511))
keep(bytearray(512))
keep(bytearray(513))
keep([None] * 1000)
fresh()
keep(list(range(300, 2000)))
fresh()
keep(tuple(range(300, 330)))
fresh()
keep({})
keep(dict.fromkeys(range(1000)))
fresh()
keep(set(range(1000)))
keep(frozenset(range(100)))
fresh()
keep(object())
keep(memoryview(b"view" * 100))
fresh()
keep(slice(1, 1000000))
fresh()
keep(range(10**12))

numbers = list(range(5000))
fresh()
grows = bytearray()
for _ in repeat(None, 3000):
    grows.append(7)
for _ in repeat(None, 2900):
    grows.pop()
keep(grows)
fresh()
appended = []
for _ in repeat(None, 5000):
    appended.append(None)
for _ in repeat(None, 4000):
    appended.pop()
keep(appended)
table = {}
for i in islice(numbers, 2000):
    table[i] = i
keep(table)
fresh()
members = set()
for i in islice(numbers, 5000):
    members.add(i)
for i in islice(numbers, 4990):
    members.discard(i)
keep(members)
fresh()
words = array.array("q")
for i in islice(numbers, 5000):
    words.append(i)
for _ in repeat(None, 4000):
    words.pop()
keep(words)
fresh()
text = ""
for _ in repeat(None, 1000):
    text += "more "
keep(text)
fresh()
queue = collections.deque()
for i in islice(numbers, 1000):
    queue.append(i)
keep(queue)
fresh()


class Thing:
    attribute = "in the class body"

    def __init__(self):
        self.payload = bytes(2000)


fresh()


class Slotted:
    __slots__ = ("a",)


fresh()
keep(Thing())
fresh()
keep(Slotted())
fresh()


def once():
    local = bytes(3000)
    fresh()
    keep(local)

    def inner():
        return local
    return inner


fresh()


keep(once())
fresh()
keep(struct.Struct("10d"))
fresh()
keep(struct.pack("100d", *range(100)))
fresh()
keep(lambda a, b=bytes(77): a)
fresh()
keep(compile("x = 1\ny = 'text'\n", "<made>", "exec"))
fresh()
keep(type("Dynamic", (), {}))
fresh()
