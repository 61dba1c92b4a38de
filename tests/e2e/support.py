"""What the end-to-end tests share: finding interpreters, running, reading reports.

Nothing here sleeps: `wait_for` polls a condition with a deadline.
"""
import collections
import functools
import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "programs"
MEMTRACE = pathlib.Path(os.environ.get("MEMTRACE") or ROOT / "build" / "memtrace").resolve()
QUICK = bool(os.environ.get("MEMTRACE_TEST_QUICK"))
FULL = bool(os.environ.get("MEMTRACE_TEST_FULL"))
TIMEOUT = 120

KNOWN = range(8, 16)  # 3.8 to 3.15: memtrace knows their frames

# The start of a program that leaves an orphan behind, and waits until whoever is process 1 has reaped it.
ORPHAN = """
import os, sys
read, write = os.pipe()
if os.fork() == 0:
    orphan = os.fork()
    if orphan == 0:
        os._exit(0)
    os.write(write, b"%d" % orphan)
    os._exit(0)
os.wait()
orphan = os.read(read, 20).decode()
while os.path.exists("/proc/" + orphan):
    pass
"""


def clean_environment(**more):
    """Nothing of the caller's that changes an interpreter or a tracer."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC",
        "HOME": os.environ.get("HOME", "/"), "PYTHONHASHSEED": "0",
    }
    environment.update(more)
    return environment


Interpreter = collections.namedtuple("Interpreter", "path version name")

ASK = ("import sys, os; print(os.path.realpath(sys.executable), hasattr(sys, 'gettotalrefcount'),"
       " *sys.version_info[:3])")


def candidates():
    """Paths; MEMTRACE_TEST_PYTHONS names more of them, separated by colons."""
    yield from filter(None, os.environ.get("MEMTRACE_TEST_PYTHONS", "").split(":"))
    for minor in range(6, 20):
        found = shutil.which("python3.%d" % minor)
        if found:
            yield found
    yield from sorted(glob.glob("/usr/bin/python3*"))
    yield from sorted(glob.glob("/usr/local/bin/python3*"))
    yield from sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")))


@functools.lru_cache(maxsize=None)
def find_interpreters():
    """All CPython 3 of this machine, each once, and those that were left out and why."""
    found, left_out = {}, []
    for path in candidates():
        if path.endswith(("-config", "-dbg")):
            continue
        try:
            answer = subprocess.run([path, "-c", ASK], stdout=subprocess.PIPE, timeout=20,
                                    stderr=subprocess.DEVNULL, env=clean_environment())
            real, _, *version = answer.stdout.decode().split()
            version = tuple(map(int, version))
        except (OSError, ValueError, subprocess.TimeoutExpired):
            left_out.append((path, "does not run"))
            continue
        name = "%d.%d.%d" % version + ("t" if real.endswith("t") else "")
        name += "-system" if real.startswith("/usr/bin") else ""
        if real.endswith("d"):
            continue  # a debug build of Debian's: test_interpreters.py has its tests
        found.setdefault(real, Interpreter(real, version, name))
    return sorted(found.values(), key=lambda i: (i.version, i.path)), left_out


@functools.lru_cache(maxsize=None)
def bytes_header(path):
    """What a bytes object has beside its bytes: 33, more without a GIL."""
    answer = execute([path, "-c", "import sys; print(sys.getsizeof(b''))"])
    assert answer.status == 0, answer
    return int(answer.out)


ASK_FOR_BUILD = ("import sysconfig as s\n"
                 "print(s.get_path('include'), s.get_config_var('LIBDIR'),\n"
                 "      'python' + s.get_config_var('LDVERSION'), s.get_config_var('prefix'))\n")


def embed(python, source, program):
    """Builds a C program with this interpreter in it; its environment, None where that cannot be."""
    answer = execute([python.path, "-c", ASK_FOR_BUILD])
    include, folder, name, home = answer.out.decode().split()
    made = execute(["cc", PROGRAMS / source, "-I", include, "-L", folder, "-l" + name,
                    "-Wl,-rpath," + folder, "-o", program])
    return None if made.status else clean_environment(PYTHONHOME=home)


def has_allocator(path, variables):
    """Whether a build starts with what PYTHONMALLOC says; without a GIL few are left."""
    return execute([path, "-c", ""], env=clean_environment(**variables)).status == 0


def known_interpreters():
    return [i for i in find_interpreters()[0] if i.version[1] in KNOWN]


def unknown_interpreters():
    return [i for i in find_interpreters()[0] if i.version[1] not in KNOWN]


class Result:
    """A finished program: status, output, and its trace if it has one."""

    def __init__(self, process, out, err, trace=None):
        self.status, self.out, self.err, self.trace = process.returncode, out, err, trace

    def __repr__(self):
        return "status %s\nstdout: %r\nstderr: %s" % (
            self.status, self.out[-2000:], self.err.decode(errors="replace")[-4000:])

    @property
    def message(self):
        return self.err.decode(errors="replace")


def execute(command, env=None, input=b"", timeout=TIMEOUT, **options):
    """Runs to the end; a program that does not end is a failed test."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=env or clean_environment(), **options)
    try:
        out, err = process.communicate(input, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("did not end in %d s: %s\n%r" % (
            timeout, command, Result(process, out, err)))
    return Result(process, out, err)


class Traced:
    """Runs programs under memtrace in a directory of the test's own."""

    def __init__(self, directory, python=None, memtrace=MEMTRACE):
        self.directory, self.python, self.memtrace = directory, python, memtrace
        self.count = 0

    @property
    def header(self):
        """What a bytes object has beside its bytes."""
        return bytes_header(self.python.path)

    def command(self, *arguments, options=()):
        """(command line, path of the trace) of `memtrace run`."""
        self.count += 1
        trace = self.directory / ("run%d.mtrace" % self.count)
        words = [self.memtrace, "run", "-o", trace]
        if self.python:
            words += ["--python", self.python.path]
        return words + list(options) + list(arguments), trace

    def run(self, *arguments, options=(), status=0, **more):
        command, trace = self.command(*arguments, options=options)
        result = execute(command, cwd=str(self.directory), **more)
        result.trace = trace
        assert status is None or result.status == status, result
        return result

    def script(self, text, *arguments, **more):
        """Runs a script given as text."""
        path = self.directory / ("script%d.py" % (self.count + 1))
        path.write_text(text)
        return self.run(path, *arguments, **more)

    def report(self, command, trace, *options):
        result = execute([self.memtrace, command, "--format", "json", *options, trace],
                         cwd=str(self.directory))
        assert result.status == 0, result
        return json.loads(result.out.decode("utf-8", "surrogatepass"))

    def rows(self, trace, *options, key="lineno"):
        return self.report("top", trace, "--key", key, "--limit", "0", *options)["rows"]

    def lines(self, trace, file, *options):
        """{line: (size, count)} of one file's lines at the end, Python domains."""
        rows = self.rows(trace, "--at", "end", "--domain", "python", "--include", str(file),
                         *options)
        return {row["lineno"]: (row["size"], row["count"]) for row in rows
                if row["filename"] == str(file)}

    def at(self, trace, mark, *options):
        """What the line of the latest script that is marked with "# mark" holds at the end."""
        path = self.directory / ("script%d.py" % self.count)
        numbers = [n for n, line in enumerate(path.read_text().splitlines(), 1)
                   if line.endswith("# " + mark)]
        assert len(numbers) == 1, "%d lines are marked %r" % (len(numbers), mark)
        return self.lines(trace, path, *options).get(numbers[0], (0, 0))

    def assert_sound(self, trace, unknown_frees=0):
        """No event was lost, doubled or misunderstood, in any process, but so many frees."""
        info = self.report("info", trace)
        assert info["processes"], info
        for process in info["processes"]:
            assert process["unknown_frees"] <= unknown_frees, process
            for name in ("duplicate_allocations", "gap_events", "gap_bytes"):
                assert process[name] == 0, (name, process)
        return info


def wait_for(condition, what, timeout=30):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError("waited %d s for %s" % (timeout, what))


def report_header():
    found, left_out = find_interpreters()
    lines = ["memtrace: %s" % MEMTRACE,
             "interpreters: %s" % ", ".join(i.name for i in found)]
    if left_out:
        lines.append("left out: %s" % ", ".join("%s (%s)" % pair for pair in left_out))
    missing = [m for m in KNOWN if not any(i.version[1] == m for i in found)]
    if missing:
        lines.append("not found here: %s" % ", ".join("3.%d" % m for m in missing))
    return lines
