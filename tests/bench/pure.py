"""Does nothing but allocate: trees, JSON, word counts, a recursion 40 deep."""
import json


def tree(depth):
    return [tree(depth - 1), tree(depth - 1)] if depth else [None, None]


def size(node):
    return 1 + sum(size(n) for n in node if n)


def words(count):
    counts = {}
    for i in range(count):
        word = "word%d" % (i * 7919 % 5003)
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def recurse(depth, made):
    local = ["level", depth, {"made": made}]
    return recurse(depth - 1, local) if depth else local


def main():
    total = 0
    for _ in range(18):
        total += size(tree(14))
        document = json.dumps([{"id": n, "name": "name %d" % n, "tags": [n, str(n), None]}
                               for n in range(12000)])
        total += len(json.loads(document))
        total += len(words(120000))
        for n in range(2500):
            total += len(recurse(40, n))
    print(total)


main()
