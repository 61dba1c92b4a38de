"""Lines that allocate in all ways, the same in every run: what each holds and ever allocated is known
from a run in which every block is recorded.

sampled.py [SCALE]  repeats what comes and goes so many times.
"""
import ctypes
import sys
import threading

SCALE = int(sys.argv[1]) if len(sys.argv) > 1 else 1
libc = ctypes.CDLL(None)
for function in (libc.malloc, libc.calloc, libc.realloc):
    function.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.calloc.argtypes = libc.realloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]


def tiny():
    return [object() for _ in range(60000)]  # tiny


def large():
    return [bytearray(150000 + 1000 * n) for n in range(40)]  # large


def mixed():
    return [bytes(n * n % 40009) for n in range(400)]  # mixed


def churn():
    kept = [None] * 500
    for n in range(20000 * SCALE):
        kept[n * 7919 % 500] = bytes(200 + n % 1500)  # churn
    return kept


def grow():
    rows = []
    for n in range(300):
        rows.append([])
        for k in range(n):
            rows[n].append(k)  # grow
    return rows


def native():
    blocks = [libc.malloc(3000 + n) for n in range(500)]  # malloc
    blocks += [libc.calloc(10, 400) for n in range(200)]  # calloc
    blocks = [libc.realloc(block, 5000) for block in blocks]  # realloc
    for block in blocks[::2]:
        libc.free(block)


class Worker(threading.Thread):
    def run(self):
        self.kept = [None] * 100
        for n in range(4000 * SCALE):
            self.kept[n % 100] = bytes(3000)  # threads
        self.passed = [bytearray(900) for _ in range(800)]  # passed


held = [tiny(), large(), mixed(), churn(), grow(), native()]
workers = [Worker() for _ in range(4)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
for worker in workers[:2]:
    worker.passed = None  # freed by another thread than the one that allocated them
