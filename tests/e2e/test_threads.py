"""Many threads: no event lost or out of order, and each block where it belongs."""
import support


def test_blocks_freed_by_other_threads(traced):
    program = support.PROGRAMS / "threads.py"
    result = traced.run(program)
    traced.assert_sound(result.trace)
    line, size, count = map(int, result.out.split())
    assert traced.lines(result.trace, program)[line] == (size, count)


def test_threads_that_come_and_go(traced):
    """More threads over time than at once, each with memory left behind."""
    result = traced.script("""
import threading
held = []
def work(n):
    b = b"x" * 4999  # kept
    held.append(b)
for turn in range(60):
    group = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for t in group: t.start()
    for t in group: t.join()
assert len(held) == 300
""")
    traced.assert_sound(result.trace)
    assert traced.at(result.trace, "kept") == (
        300 * (4999 + support.bytes_header(traced.python.path)), 300)


def test_daemon_threads_at_the_end(traced):
    result = traced.script("""
import threading
ready = threading.Barrier(5)
def work():
    ready.wait()
    while True:
        x = [bytes(n * 10) for n in range(100)]
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
ready.wait()
def fill():
    b = b"x" * 77777  # kept
    return b
held = fill()
print("end")
""")
    assert result.out == b"end\n"
    traced.assert_sound(result.trace)
    assert traced.at(result.trace, "kept") == (
        77777 + support.bytes_header(traced.python.path), 1)
