#!/usr/bin/env python3
"""The tests that numpy and pandas bring with them, bare and under memtrace, with the same result.

    library_suites.py PYTHON [--quick | --parts MODULE...] [OPTION...]

PYTHON has numpy, pandas, pytest and hypothesis, in a virtual environment for instance:

    python3 -m venv ENVIRONMENT && ENVIRONMENT/bin/pip install numpy pandas pytest hypothesis

Runs pytest for each of the modules and packages of tests below and compares as suites.py says.
--quick: a minute.  The last line is "N passed, N failed", of test cases under memtrace.
"""
import os
import sys

import suites
import support  # suites.py says where it is

QUICK = ["numpy._core.tests.test_mem_overlap", "numpy._core.tests.test_mem_policy",
         "numpy._core.tests.test_nditer", "pandas.tests.frame.methods.test_reindex"]
PARTS = """numpy._core.tests numpy.lib.tests numpy.linalg.tests numpy.ma.tests numpy.fft.tests
    numpy.random.tests
    pandas.tests.frame pandas.tests.groupby pandas.tests.io.parser pandas.tests.io.json
    pandas.tests.reshape pandas.tests.arrays pandas.tests.series pandas.tests.internals
    pandas.tests.libs""".split()

FIND = """
import importlib.util, pathlib, sys
for name in sys.argv[1:]:
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        continue
    if spec and not spec.submodule_search_locations:
        print(name)
    for directory in spec and spec.submodule_search_locations or ():
        for file in sorted(pathlib.Path(directory).glob("**/test_*.py")):
            print(".".join((name, *file.relative_to(directory).with_suffix("").parts)))
"""
ABOUT = """
import importlib.util, pathlib, platform
from importlib.metadata import version
print("numpy %s, pandas %s, %s" % (version("numpy"), version("pandas"),
                                   platform.python_version()))
print(pathlib.Path(importlib.util.find_spec("pandas").origin).parents[1])
"""


def ask(python, program, *words):
    answer = support.execute([python, "-c", program, *words])
    if answer.status:
        sys.exit("%s: %s" % (python, answer.message))
    return answer.out.decode().split("\n")[:-1]


def group(module):
    """A test file of numpy's; of pandas', whose files are small and many, a directory."""
    return module.rpartition(".")[0] if module.startswith("pandas.") else module


def plan(options):
    suite, root = ask(options.python, ABOUT)
    wanted = QUICK if options.quick else options.parts or PARTS
    modules = ask(options.python, FIND, *wanted)
    common = [options.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", root,
              "-m", "not slow and not network and not db and not single_cpu",
              "--junit-xml", "REPORT", "--pyargs"]
    for name in modules if options.quick else dict.fromkeys(map(group, modules)):
        files = [name] if name in modules else [m for m in modules if group(m) == name]
        yield suites.Part(suite, name, common + files, options.timeout, 5, ())


def take_options():
    parser = suites.parser(__doc__.split("\n")[0])
    slices = parser.add_mutually_exclusive_group()
    slices.add_argument("--quick", action="store_true")
    slices.add_argument("--parts", nargs="+", metavar="MODULE")
    parser.add_argument("python", metavar="PYTHON")
    options = parser.parse_args()
    options.python = os.path.abspath(options.python)
    return options


if __name__ == "__main__":
    options = take_options()
    sys.exit(suites.main(plan(options), options))
