"""Many small habits of memory in one program, each on a line of its own that says what it is:
`# leak`, `# no leak`, or `# cannot be told` (in the time that the program runs).

    leaks.py [SECONDS]                 lets all of them happen side by side, in small steps
    leaks.py [SECONDS] --tracemalloc   and prints what tracemalloc.compare_to says of the last 3/4
"""
import collections
import functools
import json
import random
import re
import sqlite3
import sys
import time

STEPS = 3000
chance = random.Random(11)


# ---- what leaks ----

kept = []
log = collections.deque()
seen = {}
listeners = []
compiled = {}
rare = []
batches = []


class Node:
    def __init__(self, parent):
        self.parent, self.children, self.text = parent, [], "node %d" % id(self)


root = Node(None)


def steady(step):
    kept.append(bytes(600))  # leak: every-step


def under_noise(step):
    for _ in range(8):
        block = bytes(chance.randrange(100, 3000))  # leak: one-in-320-blocks
        if step % 40 == 0 and _ == 0:
            rare.append(block)


def mapping(step):
    seen["key %d" % step] = {"step": step}  # leak: dict-entries


def callbacks(step):
    listeners.append(lambda: step)  # leak: listeners


@functools.lru_cache(maxsize=None)
def unbounded(step):
    return json.dumps({"step": step, "text": "x" * 50})  # leak: unbounded-memo


def memoize(step):
    unbounded(step)


def patterns(step):
    if step % 30 == 0:
        compiled[step] = re.compile("a%d+(b|c)*" % step)  # leak: compiled-patterns


def cycles(step):
    if step % 3 == 0:
        root.children.append(Node(root))  # leak: tree-nodes
        root.children[-1].children.append(root)


def in_bursts(step):
    if step % (STEPS // 12) == 0:
        batches.append([bytes(400) for _ in range(100)])  # leak: a-hundred-now-and-then


class Connections:
    def __init__(self):
        self.open = []

    def step(self, step):
        if step % 60 == 0:
            self.open.append(sqlite3.connect(":memory:"))  # leak: native-connections


connections = Connections()

# ---- what does not ----

recent = collections.OrderedDict()
sessions = {}
queue = []
pages = {}
shelf = [None] * 300
history = collections.deque(maxlen=200)
memo = {}
lazily = []
settings = {}
pieces = []


def bounded_cache(step):
    recent[chance.randrange(5000)] = bytes(700)  # no leak: least-recently-used
    if len(recent) > 400:
        recent.popitem(last=False)


@functools.lru_cache(maxsize=256)
def bounded_memo(key):
    return bytes(500)  # no leak: lru_cache


def expiring(step):
    sessions[step] = bytes(900)  # no leak: expiry
    for old in [s for s in sessions if s < step - STEPS // 12]:
        del sessions[old]


def flushed(step):
    queue.append(bytes(300))  # no leak: flushed-in-bursts
    if len(queue) > STEPS // 7:
        queue.clear()


def random_eviction(step):
    pages[chance.randrange(100000)] = bytes(800)  # no leak: random-eviction
    if len(pages) > 300:
        del pages[chance.choice(list(pages))]


def replaced(step):
    shelf[chance.randrange(len(shelf))] = bytes(1000)  # no leak: slots


def ring(step):
    history.append((step, bytes(200)))  # no leak: deque-with-a-bound


def finite_keys(step):
    key = chance.randrange(120)
    if key not in memo:
        memo[key] = bytes(3000)  # no leak: fills-and-stops


def loaded_late(step):
    if step == STEPS // 3:
        lazily.extend(bytes(500) for _ in range(800))  # no leak: loaded-once-late


def reloaded(step):
    if step % 150 == 0:
        settings["all"] = [bytes(300) for _ in range(200)]  # no leak: reloaded


def fragmenting(step):
    pieces.extend(bytes(chance.randrange(16, 500)) for _ in range(6))  # no leak: fragments
    if len(pieces) > 1500:
        del pieces[::2]


def temporary(step):
    text = [str(n) * 20 for n in range(chance.randrange(300))]  # no leak: temporary
    return len(text)


# ---- what no tool can know from one run ----

huge, collected = {}, []


def never_filled(step):
    huge[step % 1000000] = bytes(250)  # cannot be told: a bound that is not reached


def not_yet_flushed(step):
    collected.append(bytes(150))  # cannot be told: emptied after the end
    if len(collected) > 1000000:
        collected.clear()


TABLE = [{"n": n, "text": "row %d" % n} for n in range(4000)]  # no leak: start-up
HABITS = [steady, under_noise, mapping, callbacks, memoize, patterns, cycles, in_bursts,
          connections.step, bounded_cache, lambda step: bounded_memo(chance.randrange(400)),
          expiring, flushed, random_eviction, replaced, ring, finite_keys, loaded_late, reloaded,
          fragmenting, temporary, never_filled, not_yet_flushed]


def steps(seconds, first, last):
    due = time.monotonic()
    for step in range(first, last):
        for habit in HABITS:
            habit(step)
        due = max(due + seconds / STEPS, time.monotonic() - 0.01)  # a machine that stalls is not made up for
        time.sleep(max(0, due - time.monotonic()))


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4
    if "--tracemalloc" not in sys.argv:
        steps(seconds, 0, STEPS)
        return
    import tracemalloc
    tracemalloc.start()
    steps(seconds, 0, STEPS // 4)
    before = tracemalloc.take_snapshot()
    steps(seconds, STEPS // 4, STEPS)
    after = tracemalloc.take_snapshot()
    for line in after.compare_to(before, "lineno"):
        frame = line.traceback[0]
        if frame.filename == __file__:
            print(frame.lineno, line.size_diff, line.count_diff)


main()
