"""Does to stacks what a tracer may get wrong: each part by its name, or all of them."""
import sys
import threading

if __name__ != "__main__":
    raise ImportError("a program, not a module")


def on_big_stack(function):
    """Runs it in a thread whose C stack has room for any recursion."""
    failures = []

    def run():
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threading.stack_size(1 << 30)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    threading.stack_size(0)
    if failures:
        raise failures[0]


def deep(depth=10000):
    """Down and up again.  What is allocated at few levels only is seen from all of them."""
    def down(levels):
        for kind in levels:
            if kind:
                held = [kind], bytes(kind % 50)
            if kind is None:
                return held_below.append(bytes(1000))
            down(levels)
            if kind:
                held = None
            return held if kind else None

    def descend():
        for levels in ([n % 500 == 0 and n for n in range(depth)],
                       [n % 500 == 7 and n for n in range(depth // 2)],
                       [n for n in range(1, 500)]):
            down(iter(levels + [None] * 3))

    held_below = []
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 1000)
    try:
        on_big_stack(descend)
    finally:
        sys.setrecursionlimit(limit)


def deepest():
    deep(100000)


def work(n):
    """A little of everything, as something to trace."""
    rows = [{"key%d" % i: [i, str(i), (i, float(i))]} for i in range(n)]
    rows.sort(key=lambda row: str(sorted(row)), reverse=True)
    return sum(len(str(row)) for row in rows)


def trace_functions():
    """Each event of a trace or profile function allocates, inside and outside of it."""
    seen = {}

    def trace(frame, event, argument):
        key = (frame.f_code.co_name, frame.f_lineno, event)
        seen[key] = seen.get(key, 0) + 1
        return trace

    def trace_opcodes(frame, event, argument):
        frame.f_trace_opcodes = True
        return trace(frame, event, argument) and trace_opcodes

    def profile(frame, event, argument):
        seen[(frame.f_code.co_name, event)] = [str(event)]

    for install, function in ((sys.settrace, trace), (sys.settrace, trace_opcodes),
                              (sys.setprofile, profile)):
        install(function)
        for _ in range(60):
            work(20)
        install(None)
        work(20)


def jumps():
    """A debugger's jumps: frames move to other lines, running or below others."""
    def jumper(n):
        rows = []
        turn = 0
        rows.append(str(n) * 3)   # line 4 of the function
        turn += 1
        rows.append([turn, n])
        helper(rows)
        rows.append(bytes(turn))
        return rows

    def helper(rows):
        rows.append({n: str(n) for n in range(5)})
        return len(rows)

    first = jumper.__code__.co_firstlineno
    left = [0]

    def trace(frame, event, argument):
        if frame.f_code is jumper.__code__ and event == "line":
            if left[0] and frame.f_lineno == first + 7:
                left[0] -= 1
                frame.f_lineno = first + 3
        return trace if frame.f_code in (jumper.__code__, helper.__code__) else None

    for turn in range(2000):
        left[0] = turn % 4
        sys.settrace(trace)
        jumper(turn)
        sys.settrace(None)
        jumper(turn)


def churn():
    """Codes that die young: others are made at their addresses, and run in the same frames."""
    held = []
    for n in range(6000):
        space = {}
        exec("def f(x):\n%s    y = [x, str(x)]\n    return y if x else f(1)\n" % ("\n" * (n % 9)),
             space)
        for x in range(4):
            space["f"](x)
        space["f"].__globals__.clear()
        if n % 50 == 0:
            held.append(eval("lambda: [%d, %d]" % (n, n)))
        for function in held[-3:]:
            function()


def generators():
    """Resumed from other places, thrown into, closed, delegated to, left to the collector."""
    def numbers(n):
        try:
            for i in range(n):
                try:
                    got = yield [i, str(i)]
                except KeyError as error:
                    got = yield str(error) * 2
                if got:
                    yield from numbers(n - 1)
        finally:
            [str(x) for x in range(3)]

    def drive(generator, how):
        try:
            for turn in range(12):
                if how == 1 and turn % 3 == 2:
                    generator.throw(KeyError("thrown"))
                elif how == 2 and turn % 4 == 3:
                    generator.send([1])
                else:
                    next(generator)
        except (StopIteration, KeyError):
            pass

    def deeper(n, generator, how):
        return deeper(n - 1, generator, how) if n else drive(generator, how)

    for turn in range(3000):
        generator = numbers(turn % 6 + 2)
        drive(generator, turn % 3)
        deeper(turn % 15, generator, (turn + 1) % 3)
        if turn % 2:
            generator.close()


def coroutines():
    import asyncio

    async def leaf(n):
        await asyncio.sleep(0)
        return [str(n)] * 3

    async def source(n):
        for i in range(n):
            yield await leaf(i)

    async def branch(n):
        rows = [row async for row in source(n)]
        return rows + await asyncio.gather(*(leaf(i) for i in range(n)))

    async def main():
        for turn in range(60):
            await asyncio.gather(*(branch(n) for n in range(1, 12)))

    asyncio.run(main())


def threads():
    def run(turn):
        for n in range(60):
            work(turn + n % 7)

    for turn in range(15):
        group = [threading.Thread(target=run, args=(n,)) for n in range(6)]
        for thread in group:
            thread.start()
        for thread in group:
            thread.join()


def callbacks():
    """Python under C under Python: sort keys, descriptors, __del__, weak references."""
    import functools
    import re
    import weakref

    class Thing:
        def __init__(self, n):
            self.n = [n, str(n)]

        def __lt__(self, other):
            return str(self.n) < str(other.n)

        def __del__(self):
            gone.append(str(self.n[0]))

        @property
        def doubled(self):
            return self.n * 2

    gone = []
    for turn in range(150):
        things = sorted(Thing(n) for n in range(40))
        references = [weakref.ref(t, lambda r: gone.append([r])) for t in things]
        [t.doubled for t in things]
        functools.reduce(lambda a, b: a + b.n, things, [])
        re.sub("[0-9]", lambda match: match.group() * 2, "a1b2c3d4" * 20)
        del things, references
        gone.clear()


def exceptions():
    def fails(n):
        try:
            if not n:
                raise ValueError([n, "deep"])
            fails(n - 1)
        except ValueError as error:
            held = str(error), [n]
            if n % 3 == 0:
                raise ValueError(held) from error
            raise

    for turn in range(400):
        try:
            fails(turn % 25)
        except ValueError as error:
            error.__traceback__ = None


def greenlets():
    try:
        import greenlet
    except ImportError:
        return

    def body(n):
        while True:
            rows = [str(i) for i in range(n)]
            work(n)
            main.switch(rows)

    main = greenlet.getcurrent()
    group = [greenlet.greenlet(body) for _ in range(6)]
    for turn in range(2000):
        group[turn * 7 % 6].switch(turn % 6)
    del group


PARTS = [callbacks, churn, coroutines, deep, deepest, exceptions, generators, greenlets, jumps,
         threads, trace_functions]
wanted = sys.argv[1:]
for part in PARTS:
    if not wanted or part.__name__ in wanted:
        part()
