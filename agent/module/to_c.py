"""Writes a file as C string literals, a line each: to_c.py INPUT OUTPUT.  Runs in the build."""
import sys

with open(sys.argv[1]) as text, open(sys.argv[2], "w") as out:
    for line in text.read().splitlines():
        out.write('"%s\\n"\n' % line.replace("\\", "\\\\").replace('"', '\\"'))
