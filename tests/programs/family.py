"""Blocks through the malloc family and through Python's allocators, a kind a line.

Prints what a forked child ended with, {kind: bytes} of what it keeps, and what the C library
says of itself.
"""
import ctypes
import json
import os
import sys
import threading

C = ctypes.CDLL(None)
for name in ("malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "memalign", "valloc"):
    getattr(C, name).restype = ctypes.c_void_p
C.malloc_usable_size.restype = ctypes.c_size_t
C.free.argtypes = [ctypes.c_void_p]
C.malloc_usable_size.argtypes = [ctypes.c_void_p]
S = ctypes.c_size_t
N = 50
held = [None] * (8 * N)
moved = [C.malloc(S(10)) for _ in range(N)]

for n in range(N):
    held[0 * N + n] = C.malloc(S(n * 100 + 1))  # malloc
    held[1 * N + n] = C.calloc(S(n + 1), S(24))  # calloc
    held[2 * N + n] = C.realloc(ctypes.c_void_p(moved[n]), S(n * 1000 + 1))  # realloc
    held[3 * N + n] = C.reallocarray(None, S(n + 1), S(56))  # reallocarray
    held[4 * N + n] = C.aligned_alloc(S(64), S(n * 64 + 64))  # aligned_alloc
    held[5 * N + n] = C.memalign(S(256), S(n * 10 + 1))  # memalign
    held[6 * N + n] = C.valloc(S(n * 5 + 1))  # valloc
    C.free(C.malloc(S(n)))  # nothing
    held[7 * N + n] = b"x" * (n * 40 + 400)  # bytes
    if C.malloc_usable_size(held[n]) < n * 100 + 1:
        print("too small")

pid = os.fork()
if pid == 0:
    again = [C.malloc(S(100)) for _ in range(10)]
    for address in again + held[:N]:
        C.free(address)
    os._exit(9)
print(os.waitpid(pid, 0)[1] >> 8)


def work():
    for n in range(300):
        C.free(C.malloc(S(n)))
        bytearray(n)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

kept = {
    "malloc": sum(n * 100 + 1 for n in range(N)), "calloc": sum((n + 1) * 24 for n in range(N)),
    "realloc": sum(n * 1000 + 1 for n in range(N)),
    "reallocarray": sum((n + 1) * 56 for n in range(N)),
    "aligned_alloc": sum(n * 64 + 64 for n in range(N)),
    "memalign": sum(n * 10 + 1 for n in range(N)), "valloc": sum(n * 5 + 1 for n in range(N)),
    "bytes": sum(n * 40 + 400 + sys.getsizeof(b"") for n in range(N)),
}
print(json.dumps(kept))
print([bool(C.malloc_trim(S(0))) in (True, False), C.mallopt(-3, 1 << 20),
       hasattr(C, "mallinfo2"), hasattr(C, "__malloc_hook"), hasattr(C, "malloc_info")])
