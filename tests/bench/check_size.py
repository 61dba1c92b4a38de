#!/usr/bin/env python3
"""Ten times the time must not be twice the file.

    check_size.py BOUNDARIES [SITES [SECONDS ...]]

Runs the synthetic generator (boundaries.c) for one and for ten minutes of its
virtual clock, or as told, and prints what it says.
"""

import re
import subprocess
import sys

LIMIT_MB = 20.0  # of an hour, at 5 million events a second


def size_of(program, seconds, sites):
    line = subprocess.run([program, str(seconds), str(sites)], check=True, capture_output=True,
                          text=True).stdout
    print(line, end="", flush=True)
    return float(re.search(r"([0-9.]+) MB", line)[1])


def main():
    program = sys.argv[1]
    sites = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    times = [int(text) for text in sys.argv[3:]] or [60, 600]
    sizes = [size_of(program, seconds, sites) for seconds in times]
    grows = any(later > 2 * sooner for sooner, later in zip(sizes, sizes[1:]))
    return 1 if grows or max(sizes) > LIMIT_MB else 0


if __name__ == "__main__":
    sys.exit(main())
