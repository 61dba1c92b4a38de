"""A thousand distinct stacks a round, each with a list that is made in it.

    many_stacks.py ROUNDS KEPT      ROUNDS up to 1000; the last KEPT rounds stay

Prints its own anonymous memory in bytes, as the kernel has it.
"""
import collections
import sys

LINES, names = 1000, {}


def body(name, call):
    text = "def %s(n):\n" % name + "".join(
        " if n == %d: return %s\n" % (n, call) for n in range(LINES))
    return compile(text, name + ".py", "exec")


exec(body("inner", "[n]"), names)
exec(body("outer", "[inner(m) for m in range(1000)]"), names)
held = collections.deque((names["outer"](n) for n in range(int(sys.argv[1]))), int(sys.argv[2]))
with open("/proc/self/status") as status:
    fields = dict(line.split(":", 1) for line in status)
print(int(fields["RssAnon"].split()[0]) * 1024)
