"""Allocates through every door that CPython has, and keeps a part of it.

Deterministic: the same calls of the allocators in each run (see reference.py,
which runs it).  What counts is what each line still holds at the end.
"""
import sys

held = []
keep = held.append


# --- numbers and text ---------------------------------------------------------

for i in range(40):
    keep(i * 10**9)
    keep(i / 7)
    keep(complex(i, i))
    keep(1 << (i * 37))
    keep("narrow %d" % i)
    keep("l\xe4tin %d" % i)
    keep("w\u20acde %d" % i)
    keep("\U0001f600 %d" % i)
    keep(b"bytes %d" % i)
    keep(("t", i * 1000, i / 3))
    keep("%s" % ("x" * i * 50))

text = ""
for i in range(300):
    text += "grows by concatenation, in place where it can "
keep(text)
keep(text.split(" "))
keep(text.encode("utf-16"))
keep("".join(reversed(text)))
keep(text.upper().replace("GROWS", "shrinks"))
keep(memoryview(b"view" * 1000)[3:77])
keep([int(word) for word in "1 22 333 4444 55555 666666 7777777 88888888".split()])
keep({k: float(k) for k in range(60)})

# --- containers that grow and shrink --------------------------------------------

growing = []
for i in range(5000):
    growing.append(i)
for i in range(4300):
    growing.pop()
del growing[100:200]
growing.extend([None] * 77)
growing.insert(3, "inserted")
keep(growing)
keep(sorted(growing, key=str))
keep(growing[::-1])
keep(growing * 3)

table = {}
for i in range(3000):
    table["key %d" % i] = i
for i in range(2900):
    del table["key %d" % i]
table.update(a=1, b=2, **{"c": 3})
keep(table)
keep(dict(table))
keep(table.copy())
keep(list(table.items()))
keep(set(range(500)) - set(range(490)))
members = set()
for i in range(2000):
    members.add(i * 3)
for i in range(0, 1990):
    members.discard(i * 3)
keep(members)
keep(frozenset(members) | {1, 2})

buffer = bytearray()
for i in range(200):
    buffer += b"0123456789" * i
for i in range(150):
    del buffer[-600:]
keep(buffer)
up_and_down = bytearray(10)
for size in (100, 5000, 300, 700000, 20, 511, 512, 513, 0, 64):
    up_and_down.extend(bytes(size))
    del up_and_down[size // 2:]
keep(up_and_down)
keep([bytearray(n) for n in range(505, 525)])
keep([bytes(n) for n in (1, 470, 480, 600, 70000, 300000)])

# --- functions, frames, recursion -------------------------------------------------


def recurse(depth):
    here = ["frame", depth]
    if depth == 0:
        return [here]
    below = recurse(depth - 1)
    below.append(here)
    return below


keep(recurse(60))
keep(recurse(60))


def outer(n):
    captured = [n] * n

    def inner(m=n, *args, key={"a": n}, **more):
        return captured, m, args, key, more
    return inner


keep([outer(n) for n in range(20)])
keep([outer(n)(1, 2, 3, other=n) for n in range(20)])
keep([(lambda a, b=n: (a, b))(n * 1000) for n in range(20)])


def decorate(function):
    def wrapper(*args, **kwargs):
        result = function(*args, **kwargs)
        return [result, list(args)]
    return wrapper


@decorate
def decorated(a, b):
    return {a: b}


keep([decorated(n, n + 0.5) for n in range(10)])
keep(decorated(*["star", "args"], **{}))
keep(list(map(lambda n: [n] * 3, range(30))))
keep(sorted(range(50), key=lambda n: (-n, str(n))))

# --- classes and instances ---------------------------------------------------------


class Plain:
    shared = ["in the class body", 1.5]

    def __init__(self, n):
        self.n = n
        self.text = "text %d" % n

    def method(self):
        return self

    @property
    def doubled(self):
        return self.n * 2.0


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a
        self.b = [a]


class Child(Plain, dict):
    def __init__(self, n):
        Plain.__init__(self, n)
        super().__init__(n=n)
        for i in range(n):
            setattr(self, "attribute_%d" % i, i * 1.5)


class Meta(type):
    def __new__(meta, name, bases, names):
        names["added"] = [name] * 5
        return super().__new__(meta, name, bases, names)


class Made(metaclass=Meta):
    pass


class Finalized:
    graves = []

    def __init__(self, n):
        self.n = n

    def __del__(self):
        self.graves.append(["buried", self.n, bytes(100 + self.n)])


keep([Plain(n) for n in range(100)])
keep([Slotted(n) for n in range(100)])
keep([Child(n) for n in range(40)])
keep([type("Dynamic%d" % n, (Plain,), {"x": n}) for n in range(5)])
keep([Plain(n).method for n in range(10)])
keep([Plain(n).doubled for n in range(10)])
keep(vars(Plain(3)))
keep(Made())
for i in range(30):
    Finalized(i)
keep(Finalized.graves)
odd = Plain(1)
for i in range(50):
    odd.__dict__["extra %d" % i] = i
for i in range(40):
    del odd.__dict__["extra %d" % i]
keep(odd)

# --- generators, coroutines, comprehensions -----------------------------------------


def generate(n):
    local = ["suspended"] * n
    for i in range(n):
        local.append(bytes(i))
        yield i, local
    yield from (x * 1.5 for x in range(n))


suspended = []
for i in range(15):
    generator = generate(i + 3)
    next(generator)
    next(generator)
    suspended.append(generator)
keep(suspended)
keep(list(generate(30)))
half_done = (str(n) * n for n in range(100))
keep([next(half_done) for _ in range(10)])


class Wait:
    def __await__(self):
        held_here = [1.25] * 9
        yield held_here
        return bytearray(33)


async def coroutine(n):
    kept = [await Wait() for _ in range(2)]
    async for item in numbers(n):
        kept.append(item * 1000)
    async with Context() as context:
        kept.append(context)
    return kept


async def numbers(n):
    for i in range(n):
        await Wait()
        yield i + 0.25


class Context:
    async def __aenter__(self):
        return ["entered"]

    async def __aexit__(self, *exception):
        self.left = [exception]


def drive(c, steps=None):
    try:
        while steps is None or steps:
            c.send(None)
            if steps:
                steps -= 1
    except StopIteration as stop:
        return stop.value
    return c


keep([drive(coroutine(n)) for n in range(8)])
keep([drive(coroutine(n + 5), 4) for n in range(8)])
keep([[m * n for m in range(n)] for n in range(20)])
keep({n: {m for m in range(n)} for n in range(20)})
keep([x for n in range(10) for x in [n / 2, str(n)] if x])

# --- exceptions ------------------------------------------------------------------------


class Failure(Exception):
    def __init__(self, n):
        super().__init__(n)
        self.payload = bytes(n)


def fail(n):
    local = [n] * n
    if n % 3 == 0:
        raise Failure(n)
    if n % 3 == 1:
        return {}["missing %d" % n], local
    try:
        return local[n + 1]
    except IndexError as error:
        raise ValueError("no %d" % n) from error


caught = []
for i in range(30):
    try:
        fail(i)
    except Exception as error:
        caught.append(error)
keep(caught)
for i in range(30):
    try:
        fail(i)
    except Exception:
        pass
keep([sys.exc_info() for _ in range(2)])

# --- code made at run time -----------------------------------------------------------------

for i in range(20):
    names = {}
    exec("def made(a, b=%d):\n    return [a, b, 'made %d']\n" % (i, i), names)
    keep(names["made"](i))
    if i % 4 == 0:
        keep(names["made"])
keep([eval("[%d, 'evaluated', {%d: 2}]" % (n, n)) for n in range(10)])
keep(compile("x = [1, 2, 3]\ny = lambda: x\n", "<made>", "exec"))

# --- the standard library's own doors ---------------------------------------------------------

import array
import collections
import copy
import functools
import gc
import itertools
import json
import operator
import re
import struct
import threading
import weakref

numbers_array = array.array("d")
for i in range(1000):
    numbers_array.append(i / 2)
for i in range(900):
    numbers_array.pop()
keep(numbers_array)
keep(array.array("i", range(500)))
queue = collections.deque()
for i in range(1000):
    queue.append(i)
for i in range(600):
    queue.popleft()
keep(queue)
keep(collections.deque(range(100), 30))
keep(collections.Counter("a long text with letters" * 10))
keep(collections.OrderedDict((n, str(n)) for n in range(100)))
keep(collections.defaultdict(list, {n: [n] for n in range(30)}))
Point = collections.namedtuple("Point", "x y z")
keep([Point(n, n / 2, str(n)) for n in range(50)])
keep(collections.ChainMap({"a": 1}, {"b": 2}))
keep(functools.partial(sorted, key=len))


@functools.lru_cache(maxsize=20)
def cached(n):
    return [n] * n


keep([cached(n) for n in range(60)])
keep(list(itertools.permutations(range(4))))
keep(list(itertools.groupby("aaabbbccd")))
keep(list(itertools.islice(itertools.tee(itertools.count(), 3)[1], 200)))
keep(itertools.cycle([1.5, 2.5]))
document = json.dumps([{"id": n, "name": "name %d" % n, "list": [n / 3, None, True]}
                       for n in range(100)])
keep(json.loads(document))
keep(document)
keep(json.dumps({"nested": [{"deep": [1, 2, {"er": "\u20ac"}]}] * 10}, indent=1))
keep([re.compile(r"(?P<a>\w+)%d (\d*)" % n) for n in range(5)])
keep(re.findall(r"\w+ \w", text))
keep([re.match(r"(\w+) (\w+)", text) for _ in range(5)])
keep(re.sub(r"\bin\b", lambda m: m.group(0).upper(), text))
keep(struct.pack("100d", *range(100)))
keep([struct.Struct("%dsI" % n) for n in range(1, 10)])
keep(copy.deepcopy(json.loads(document)[:20]))
keep(operator.itemgetter(1, 2, 3))
targets = [Plain(n) for n in range(30)]
keep([weakref.ref(t) for t in targets[:20]])
keep([weakref.ref(t, lambda reference: None) for t in targets[:20]])
keep(weakref.WeakValueDictionary((n, t) for n, t in enumerate(targets)))
del targets[5:]
keep(targets)

try:
    import datetime
    import decimal
    import fractions
    keep([datetime.datetime(2020, 1, 1 + n, n, tzinfo=datetime.timezone.utc) for n in range(20)])
    keep([datetime.timedelta(n, n * 1000) for n in range(20)])
    keep([datetime.date(2000 + n, 2, 3).isoformat() for n in range(20)])
    keep([decimal.Decimal(n) / 7 for n in range(20)])
    keep([decimal.Decimal("1." + "3" * n * 20) for n in range(20)])
    keep([fractions.Fraction(n, 7) for n in range(20)])
except ImportError:
    keep("no numbers")
try:
    import zlib
    compressor = zlib.compressobj()
    keep(compressor.compress(text.encode() * 3))
    keep(compressor)
    keep(zlib.compress(document.encode()))
    keep(zlib.decompress(zlib.compress(bytes(200000))))
except ImportError:
    keep("no zlib")
try:
    import sqlite3
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (n INTEGER, s TEXT)")
    database.executemany("INSERT INTO t VALUES (?, ?)", [(n, "s%d" % n) for n in range(300)])
    keep(database.execute("SELECT n, s FROM t ORDER BY s").fetchall())
    keep(database)
except ImportError:
    keep("no sqlite3")
try:
    import io
    import hashlib
    import pickle
    import random
    import textwrap
    import xml.etree.ElementTree as tree
    stream = io.BytesIO()
    for i in range(100):
        stream.write(b"written " * i)
    keep(stream)
    words = io.StringIO()
    words.write(text)
    keep(words)
    keep(words.getvalue())
    keep([hashlib.sha256(b"%d" % n).hexdigest() for n in range(20)])
    keep(pickle.dumps(json.loads(document)))
    keep(pickle.loads(pickle.dumps(json.loads(document))))
    chance = random.Random(5)
    keep([chance.random() for _ in range(100)])
    keep(textwrap.wrap(text, 60))
    keep(tree.fromstring("<a>" + "<b c='1'>text</b>" * 100 + "</a>"))
except ImportError:
    keep("no library")

# --- imports, threads, cycles -----------------------------------------------------------------

import colorsys
import string
import tokenize
keep([colorsys, string, tokenize])
try:
    import there_is_no_such_module
except ImportError as error:
    keep(error)


def in_thread(results, n):
    local = [str(n)] * n
    results.append([bytes(n * 10), local])
    results.append(recurse(n))
    local.clear()


results = []
for i in range(8):
    thread = threading.Thread(target=in_thread, args=(results, i))
    thread.start()
    thread.join()
keep(results)
storage = threading.local()
storage.value = ["local to a thread"]
keep([threading.Lock() for _ in range(10)])
keep([threading.RLock() for _ in range(10)])

for i in range(20):
    ring = [i]
    ring.append({"ring": ring, "payload": bytes(i)})
    if i % 2:
        keep(ring)
del ring
gc.collect()
for i in range(20):
    lost = [i]
    lost.append({"lost": lost, "payload": bytes(i)})

# --- short lives, long lives ------------------------------------------------------------------

for i in range(2000):
    temporary = [i, str(i), {i: float(i)}, (i, i + 1.5), bytes(i % 700)]
    if i % 50 == 0:
        keep(temporary)
keep([held[n] for n in range(0, len(held), 3)])
for i in range(0, 200, 2):
    held[i] = None
del growing, table, buffer, members
