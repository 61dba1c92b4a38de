"""A little of everything that pure.py does, N times: argument N."""
import json
import sys


def tree(depth):
    return [tree(depth - 1), tree(depth - 1)] if depth else [None, None]


def recurse(depth, made):
    local = ["level", depth, {"made": made}]
    return recurse(depth - 1, local) if depth else local


def once():
    tree(9)
    json.loads(json.dumps([{"id": n, "name": "name %d" % n, "tags": [n, None]} for n in range(300)]))
    counts = {}
    for i in range(4000):
        word = "word%d" % (i * 7919 % 503)
        counts[word] = counts.get(word, 0) + 1
    for n in range(40):
        recurse(40, n)


for _ in range(int(sys.argv[1])):
    once()
