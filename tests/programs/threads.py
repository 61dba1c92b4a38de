"""Eight threads that allocate, and free what another one allocated.

At the end each thread's list holds KEPT blocks of SIZE bytes (printed).
"""
import ctypes
import queue
import threading

THREADS, ROUNDS, KEPT, SIZE = 8, 3000, 50, 10000
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.realloc.restype = ctypes.c_void_p
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

mailboxes = [queue.Queue() for _ in range(THREADS)]
kept = [[] for _ in range(THREADS)]
start = threading.Barrier(THREADS)
done = threading.Barrier(THREADS)


def work(me):
    start.wait()
    for turn in range(ROUNDS):
        native = libc.malloc(500 + turn % 700)
        native = libc.realloc(native, 200 + turn * 7 % 9000)
        mailboxes[(me + 1 + turn % (THREADS - 1)) % THREADS].put(
            ([turn, str(turn)], bytearray(turn % 3000), native))
        try:
            small, large, native = mailboxes[me].get_nowait()
            large.extend(bytes(turn % 600))
            libc.free(native)
        except queue.Empty:
            pass
    for _ in range(KEPT):
        b = b"x" * SIZE
        kept[me].append(b)
    done.wait()
    while not mailboxes[me].empty():
        libc.free(mailboxes[me].get()[2])


threads = [threading.Thread(target=work, args=(n,), name="worker %d" % n) for n in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open(__file__) as source:
    line = next(n for n, text in enumerate(source, 1) if 'b = b"x" * SIZE' in text)
print(line, THREADS * KEPT * (SIZE + len(b"") + bytes.__basicsize__), THREADS * KEPT)
