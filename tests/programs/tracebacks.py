"""Allocates blocks of known sizes and writes down on which stack it did so.

    tracebacks.py OUT

OUT gets a JSON list of {"size", "stack": [[file, line, function], ...]}, most
recent call last, as sys._getframe sees it.  Every block comes from the one
line of block() or of native_block(), which allocate nothing else that stays.
"""
import asyncio
import ctypes
import functools
import gc
import json
import sys
import threading

BYTE = b"x"
HEADER = sys.getsizeof(b"")
libc_malloc = ctypes.CDLL(None).malloc
libc_malloc.restype = ctypes.c_void_p
libc_malloc.argtypes = [ctypes.c_size_t]

blocks = []
records = []


def write_down(size, frame):
    stack = []
    while frame:
        code = frame.f_code
        stack.append([code.co_filename, frame.f_lineno or 0, code.co_name,
                      getattr(code, "co_qualname", code.co_name)])
        frame = frame.f_back
    stack.reverse()
    records.append({"size": size, "stack": stack})


def block():
    n = 1000 + len(records)
    b = BYTE * n
    # Frames are looked at one line later; the innermost one is put right.
    write_down(n + HEADER, sys._getframe())
    records[-1]["stack"][-1][1] = block.__code__.co_firstlineno + 2
    blocks.append(b)
    return b


def native_block():
    n = 100000 + len(records)
    address = libc_malloc(n)
    write_down(n, sys._getframe())
    records[-1]["stack"][-1][1] = native_block.__code__.co_firstlineno + 2
    blocks.append(address)


# One function from two lines, and from one line twice.
def same():
    return block()


a = same()
b = same()
c = (same(), same(),
     same())
for _ in range(5):
    same()
    block(); same()  # noqa: E702


# One slot of the frame stack, other functions, other lines.
def left():
    block()
    block()


def right():
    def nested():
        block()
    nested()
    block()
    nested()


for turn in range(6):
    if turn % 2:
        left()
    else:
        right()


# Deep recursion, with blocks on the way down, at the bottom and on the way up.
def recurse(depth, every):
    if depth % every == 0:
        block()
    if depth:
        recurse(depth - 1, every)
    if depth % every == 1:
        block()


def mutual(depth):
    if depth:
        return tumutual(depth - 1)
    native_block()
    return block()


def tumutual(depth):
    x = mutual(depth)
    return x


recurse(30, 7)
recurse(30, 7)
mutual(100)
sys.setrecursionlimit(30000)
recurse(900, 300)


def deep():
    recurse(20000, 10000)
    mutual(9000)


threading.stack_size(512 * 1024 * 1024)
thread = threading.Thread(target=deep)
thread.start()
thread.join()
threading.stack_size(0)


# Generators: resumed from other places than where they began.
def generate(n):
    for i in range(n):
        block()
        yield i
        left()


def delegate(n):
    block()
    yield from generate(n)
    block()


def advance(generator):
    return next(generator)


first, second = generate(5), delegate(5)
advance(first)
next(second)
advance(second)
recursing = delegate(3)


def advance_deep(depth):
    if depth:
        advance_deep(depth - 1)
    else:
        next(recursing)
        advance(first)
        next(second)


advance_deep(20)
advance_deep(3)
for _ in second:
    block()
del first
list(recursing)


class Awaitable:
    def __await__(self):
        block()
        yield
        block()


async def inner(n):
    await Awaitable()
    block()
    if n:
        await inner(n - 1)


async def numbers(n):
    for i in range(n):
        block()
        await asyncio.sleep(0)
        yield i
        block()


class Context:
    async def __aenter__(self):
        block()

    async def __aexit__(self, *_):
        block()


async def outer(n):
    async with Context():
        await inner(n)
        async for _ in numbers(3):
            block()
        [block() async for _ in numbers(2)]
        return block()


async def gather():
    await asyncio.gather(*[outer(n) for n in range(3)])


asyncio.new_event_loop().run_until_complete(gather())
coroutine = outer(2)
coroutine.send(None)
coroutine.close()


# Comprehensions, lambdas, decorators, callbacks from C.
[block() for _ in range(3)]
{block(): [block() for _ in range(2)] for _ in range(2)}
set(block() for _ in range(3))
(lambda: block())()
pick = [lambda: block(), lambda: [block(),
                                  block()]]
for one in pick:
    one()


def decorate(function):
    @functools.wraps(function)
    def wrapper(*args):
        block()
        return function(*args)
    return wrapper


@decorate
@decorate
def decorated():
    block()


decorated()
sorted([3, 1, 2], key=lambda _: len(block()))
list(map(lambda _: block(), range(3)))
functools.reduce(lambda x, y: block(), range(3))
functools.partial(block)()


@functools.lru_cache(maxsize=None)
def cached(n):
    return block()


cached(1), cached(2), cached(1)


class Thing:
    block()
    in_body = [block() for _ in range(2)]

    def __init__(self):
        block()

    def __del__(self):
        block()

    def __getattr__(self, name):
        return block()

    def __lt__(self, other):
        block()
        return False

    @property
    def value(self):
        return block()

    def __enter__(self):
        block()
        return self

    def __exit__(self, *_):
        block()


thing = Thing()
thing.value, thing.absent
sorted([thing, Thing()])
with thing:
    block()
ring = Thing()
ring.ring = ring
del ring
gc.collect()
del thing


class Meta(type):
    def __new__(meta, name, bases, names):
        block()
        return super().__new__(meta, name, bases, names)


class Made(metaclass=Meta):
    block()


# Exceptions, on the way out and in handlers.
def fail(depth):
    try:
        if depth:
            fail(depth - 1)
        raise ValueError(block())
    except ValueError:
        block()
        if depth % 2:
            raise
    finally:
        block()


fail(6)

# Code that dies and whose address is used again.
for turn in range(300):
    names = {"block": block, "native_block": native_block}
    lines = "\n" * (turn % 11)
    exec(compile("%sdef f%d():\n%s  block()\nf%d()\n" % (lines, turn, "\n" * (turn % 3), turn),
                 "<made %d>" % (turn % 7), "exec"), names)
    if turn % 50 == 0:
        exec("for _ in range(2):\n  native_block()\n", names)
    eval("block()", names)

# Long functions: lines far apart, and backwards.
source = ["def long():"]
for turn in range(8):
    source += [""] * (turn * 140) + ["  block()"]
source += ["  x = [", "    block(),"] + [""] * 300 + ["    block()]"]
names = {"block": block}
exec(compile("\n".join(source), "<long>", "exec"), names)
names["long"]()
names["long"]()

with open(sys.argv[1], "w") as out:
    json.dump(records, out)
