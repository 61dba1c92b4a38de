"""Other allocators, other preloaded libraries, other C libraries: the program runs as it does
without us, and what it keeps is known to the byte."""
import glob
import json
import shutil

import pytest
import support

ALLOCATORS = {
    "jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    "mimalloc": ("libmimalloc.so.2", "libmimalloc2.0"),
}
OWN_MALLOC = "memtrace: this program brings a malloc of its own"


def library(name, package):
    found = sorted(glob.glob("/usr/lib/*-linux-gnu/" + name) + glob.glob("/usr/lib*/" + name))
    if not found:
        pytest.skip("no %s here: Debian's package %s" % (name, package))
    return found[0]


def of_allocator(name):
    return library(*ALLOCATORS[name])


def compiled(directory, *options, compiler="gcc", source="family.c"):
    if not shutil.which(compiler):
        pytest.skip("no %s here" % compiler)
    program = directory / "program"
    made = support.execute([compiler, "-O1", "-w", "-fno-builtin", "-D_GNU_SOURCE", "-I",
                            support.ROOT / "include", support.PROGRAMS / source, "-o", program,
                            "-pthread", *options])
    assert made.status == 0, made
    return program


def same(traced, program, *arguments, **variables):
    """Runs it bare and traced, with the same result; what it printed, and its trace."""
    environment = support.clean_environment(**variables)
    bare = support.execute([program, *arguments], env=environment)
    result = traced.run(program, *arguments, options=["-q"], status=bare.status, env=environment)
    assert result.out == bare.out and bare.status == 5, (bare, result)
    return [int(n) for n in result.out.split()], result


def kept(traced, trace):
    total = traced.report("top", trace, "--from", "mark:before", "--to", "mark:after")["total"]
    return [total["size"], total["count"]]


# ---- C programs ----

@pytest.mark.parametrize("name", ALLOCATORS)
def test_preloaded(traced_plain, name):
    program = compiled(traced_plain.directory)
    (size, count, wrong), result = same(traced_plain, program, LD_PRELOAD=of_allocator(name))
    traced_plain.assert_sound(result.trace)
    assert wrong == 0 and kept(traced_plain, result.trace) == [size, count]
    assert not result.err


@pytest.mark.parametrize("name", ALLOCATORS)
def test_linked(traced_plain, name):
    program = compiled(traced_plain.directory, "-Wl,--no-as-needed", of_allocator(name))
    (size, count, wrong), result = same(traced_plain, program)
    traced_plain.assert_sound(result.trace)
    assert wrong == 0 and kept(traced_plain, result.trace) == [size, count]
    assert not result.err


@pytest.mark.parametrize("preloaded", [None] + list(ALLOCATORS))
def test_own_malloc_that_asks_the_next(traced_plain, preloaded):
    program = compiled(traced_plain.directory, "-DFORWARDS")
    variables = {"LD_PRELOAD": of_allocator(preloaded)} if preloaded else {}
    (size, count, wrong), result = same(traced_plain, program, **variables)
    traced_plain.assert_sound(result.trace)
    assert wrong == 0 and kept(traced_plain, result.trace) == [size, count]
    assert result.message.startswith(OWN_MALLOC) and result.message.count("\n") == 1


def test_own_malloc(traced_plain):
    """A pool that we cannot see: also functions that it does not define find their blocks there."""
    program = compiled(traced_plain.directory, "-DPOOL")
    (size, _, wrong), result = same(traced_plain, program)
    traced_plain.assert_sound(result.trace)
    assert size > 10**7 and wrong == 0 and kept(traced_plain, result.trace) == [0, 0]
    assert result.message.startswith(OWN_MALLOC) and result.message.count("\n") == 1


def test_own_malloc_in_a_child(traced_plain):
    """It is said once for a program, not for its forks."""
    program = compiled(traced_plain.directory, "-DPOOL")
    result = traced_plain.run("sh", "-c", '"$0"; (exit 3) || "$0"', program, options=["-q"],
                              status=5)
    assert result.message.count(OWN_MALLOC) == 2


# ---- C++ ----

@pytest.mark.parametrize("binding", ["now", "lazy"])
@pytest.mark.parametrize("name", [None] + list(ALLOCATORS))
def test_operator_new(traced_plain, name, binding):
    """Allocators have their own, which does not call malloc: each block counts, and once."""
    flags = ["-std=c++17", "-Wl,-z," + binding, "-ldl"]
    plugin = compiled(traced_plain.directory, *flags, "-DLATE", "-shared", "-fPIC",
                      compiler="g++", source="operators.cc")
    plugin = plugin.rename(traced_plain.directory / "liblate.so")
    program = compiled(traced_plain.directory, *flags, compiler="g++", source="operators.cc")
    variables = {"LD_PRELOAD": of_allocator(name)} if name else {}
    letters = {None: "fr", "mimalloc": ""}.get(name, "f")  # mimalloc, built as C, aborts
    (size, count, wrong), result = same(traced_plain, program, plugin, letters, **variables)
    traced_plain.assert_sound(result.trace)
    assert wrong == 0 and kept(traced_plain, result.trace) == [size, count]
    assert not result.err and not result.message


def test_own_operator_new(traced_plain):
    """The program's own comes first, also where an allocator has one."""
    source = traced_plain.directory / "own.cc"
    source.write_text(OWN_NEW)
    program = traced_plain.directory / "own"
    if not shutil.which("g++"):
        pytest.skip("no g++ here")
    made = support.execute(["g++", "-O1", "-fno-builtin", source, "-o", program])
    assert made.status == 0, made
    result = traced_plain.run(program, options=["-q"], status=5, env=support.clean_environment(
        LD_PRELOAD=of_allocator("jemalloc")))
    traced_plain.assert_sound(result.trace)
    assert result.out == b"1000\n"


OWN_NEW = r"""
#include <cstdio>
#include <cstdlib>
#include <new>
static int calls;
void *operator new(std::size_t size) { calls++; return std::malloc(size); }
void operator delete(void *block) noexcept { std::free(block); }
void operator delete(void *block, std::size_t) noexcept { std::free(block); }
int main()
{
    for (int i = 0; i < 1000; i++) { delete new long; }
    std::printf("%d\n", calls);
    return 5;
}
"""


# ---- Python ----

@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize("name", [None] + list(ALLOCATORS))
def test_python(traced, name, debug):
    path = support.PROGRAMS / "family.py"
    variables = {"LD_PRELOAD": of_allocator(name)} if name else {}
    if debug:
        variables["PYTHONMALLOC"] = "malloc_debug" if name == "tcmalloc" else "debug"
        if not support.has_allocator(traced.python.path, variables):
            pytest.skip("this build has no such allocator")
    environment = support.clean_environment(**variables)
    bare = support.execute([traced.python.path, path], env=environment)
    result = traced.run(path, options=["-q"], env=environment)
    assert bare.status == 0 and (result.out, result.err) == (bare.out, bare.err), (bare, result)
    traced.assert_sound(result.trace)
    expected = json.loads(result.out.splitlines()[1].decode())
    marked = {line.rsplit("# ", 1)[1]: n for n, line in enumerate(path.read_text().split("\n"), 1)
              if "  # " in line}
    native, python = ({row["lineno"]: (row["size"], row["count"]) for row in traced.rows(
        result.trace, "--at", "end", "--domain", domain, "--include", path)}
        for domain in ("native", "python"))
    assert {kind: native.get(marked[kind], (0, 0)) for kind in marked if kind != "bytes"} == {
        kind: (expected.get(kind, 0), 50 if kind in expected else 0)
        for kind in marked if kind != "bytes"}
    # From 3.14 on integers have a free list: addresses that are kept may be in what this line allocated
    # for its own.
    size, count = python[marked["bytes"]]
    more = count - 50 if traced.python.version >= (3, 14) else 0
    assert (size, count) == (expected["bytes"] + more * 32, 50 + more)


@pytest.mark.parametrize("name,options", [
    ("mimalloc", ["-DNAME(x)=mi_##x", "-DMIMALLOC"]), ("tcmalloc", ["-DNAME(x)=tc_##x", "-DTCMALLOC"])])
def test_under_its_own_name(traced_plain, name, options):
    program = compiled(traced_plain.directory, *options, of_allocator(name), source="named.c")
    (size, count, wrong), result = same(traced_plain, program)
    traced_plain.assert_sound(result.trace)
    assert wrong == 0 and kept(traced_plain, result.trace) == [size, count]
    assert not result.err


# ---- an allocator inside of an extension ----

INSIDE = r"""
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.give.restype = ctypes.c_void_p
held = [library.give(100000) for n in range(100)]  # kept
print(len(held))
"""
HIDDEN = ["-l:libjemalloc_pic.a", "-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic", "-lm"]


@pytest.mark.parametrize("stripped", [False, True], ids=["symbols", "stripped"])
def test_an_allocator_that_nobody_sees(traced_once, stripped):
    """What it serves is not traced, what it maps is, and each report says so."""
    source = traced_once.directory / "inside.c"
    source.write_text("#include <stdlib.h>\nvoid *give(int n) { return malloc(n); }\n")
    extension = traced_once.directory / "libinside.so"
    made = support.execute(["gcc", "-shared", "-fPIC", source, "-o", extension, *HIDDEN]
                           + ["-s"] * stripped)
    if made.status and "libjemalloc_pic" in made.message:
        pytest.skip("no libjemalloc_pic.a here: Debian's package libjemalloc-dev")
    assert made.status == 0, made
    # Loaded at the start, since jemalloc's thread-locals may be too large for dlopen.
    result = traced_once.script(INSIDE, extension, options=["-q"], env=support.clean_environment(
        LD_PRELOAD=str(extension)))
    traced_once.assert_sound(result.trace)
    assert result.out == b"100\n"
    line = INSIDE.split("\n").index([x for x in INSIDE.split("\n") if "# kept" in x][0]) + 1
    path = traced_once.directory / "script1.py"
    mapped = {row["lineno"]: row["size"] for row in traced_once.rows(
        result.trace, "--at", "end", "--domain", "mmap", "--include", path)}
    assert mapped[line] > 10**7
    information = traced_once.report("info", result.trace)
    assert information.get("allocators") == [{"module": str(extension), "name": "jemalloc"}]
    said = "libinside.so has its own jemalloc: its blocks are not traced, what it maps is"
    for command in (["top"], ["tree"], ["stats"], ["leaks"], ["lines"], ["info"]):
        shown = support.execute([support.MEMTRACE] + command + [result.trace])
        assert shown.out.decode().count(said) == 1, shown


def test_an_allocator_that_everybody_sees(traced_plain):
    """It is traced: there is nothing to say."""
    program = compiled(traced_plain.directory)
    result = traced_plain.run(program, options=["-q"], status=5, env=support.clean_environment(
        LD_PRELOAD=of_allocator("jemalloc")))
    assert "allocators" not in traced_plain.report("info", result.trace)


PREFIXED = r"""
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.keep.restype, library.keep.argtypes = ctypes.c_size_t, [ctypes.c_size_t]
library.keep(1)  # it may have begun only now
print(sum(library.keep(n) for n in range(100, 200)))
"""
PUBLIC = ("malloc calloc realloc free posix_memalign aligned_alloc memalign valloc pvalloc mallocx "
          "rallocx xallocx dallocx sdallocx nallocx sallocx malloc_usable_size").split()


def jemalloc_with_a_prefix(directory, prefix):
    """Debian's, with its functions renamed; without operator new."""
    found = support.execute(["gcc", "-print-file-name=libjemalloc_pic.a"]).out.decode().strip()
    if "/" not in found:
        pytest.skip("no libjemalloc_pic.a here: Debian's package libjemalloc-dev")
    archive = directory / "libprefixed.a"
    renamed = ["--redefine-sym=%s=%s%s" % (name, prefix, name) for name in PUBLIC]
    renamed += ["--redefine-sym=__libc_%s=%slibc_%s" % (name, prefix, name) for name in PUBLIC]
    made = support.execute(["objcopy", *renamed, found, archive])
    assert made.status == 0, made
    support.execute(["ar", "d", archive, "jemalloc_cpp.pic.o", "jemalloc_cpp.o"])
    return archive


@pytest.mark.parametrize("name,prefix,early,bound", [
    ("jemalloc", "je_", True, False), ("jemalloc", "_rjem_", False, False),
    ("jemalloc", "je_", False, True), ("mimalloc", "mi_", False, False)])
def test_a_prefixed_allocator(traced_once, name, prefix, early, bound):
    """Of an extension, loaded at the start or later; also where the linker has bound all calls."""
    extension = traced_once.directory / "libprefixed.so"
    options = ["-DNAME(x)=%s##x" % prefix]
    if name == "jemalloc":
        archive = jemalloc_with_a_prefix(traced_once.directory, prefix)
        options += ["-DJEMALLOC", archive, "-lm"] + ["-Wl,-Bsymbolic"] * bound
    else:
        options += [of_allocator(name)]
    made = support.execute(["gcc", "-shared", "-fPIC", "-o", extension,
                            support.PROGRAMS / "prefixed.c", *options])
    assert made.status == 0, made
    # jemalloc's thread-locals need room in those of the program.
    variables = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"}
    if early:
        variables["LD_PRELOAD"] = str(extension)
    result = traced_once.script(PREFIXED, extension, options=["-q"],
                                env=support.clean_environment(**variables))
    traced_once.assert_sound(result.trace)
    path, line = traced_once.directory / "script1.py", PREFIXED.count("\n")
    rows = {row["lineno"]: (row["size"], row["count"]) for row in traced_once.rows(
        result.trace, "--at", "end", "--domain", "native", "--include", path)}
    blocks = 100 * (6 if name == "jemalloc" else 4)
    assert rows.get(line, (0, 0)) == ((0, 0) if bound else (int(result.out), blocks))
    assert ("allocators" in traced_once.report("info", result.trace)) == bound


# ---- libraries that are preloaded already ----

FILES = r"""
import os
with open("made", "w") as out:
    out.write("x" * 100000)
    os.fsync(out.fileno())
print(os.getuid(), [os.path.basename(p) for p in os.environ["LD_PRELOAD"].split(":")
                    if "libmemtrace" not in p])
held = bytearray(123456)  # kept
"""


def test_eatmydata(traced_once):
    preload = library("libeatmydata.so", "libeatmydata1")
    environment = support.clean_environment(LD_PRELOAD=preload)
    result = traced_once.script(FILES, options=["-q"], env=environment)
    assert not result.err and result.out.endswith(b"['libeatmydata.so']\n"), result
    traced_once.assert_sound(result.trace)
    assert traced_once.at(result.trace, "kept")[0] > 123456


@pytest.mark.parametrize("outside", [True, False], ids=["around", "within"])
def test_fakeroot(traced_once, outside):
    if not shutil.which("fakeroot"):
        pytest.skip("no fakeroot here: Debian's package of that name")
    (traced_once.directory / "script1.py").write_text(FILES + (
        "os.chown('made', 12, 34)\nstatus = os.stat('made')\n"
        "print(status.st_uid, status.st_gid)\n"))
    words, trace = traced_once.command(options=["-q"])
    program = [traced_once.python.path, "script1.py"]
    words = ["fakeroot"] + words + program if outside else words + ["fakeroot"] + program
    result = support.execute(words, cwd=str(traced_once.directory))
    assert result.status == 0 and not result.err, result
    assert result.out.splitlines()[0].startswith(b"0 ['libfakeroot"), result
    assert result.out.splitlines()[1] == b"12 34"
    traced_once.assert_sound(trace)
    assert traced_once.at(trace, "kept")[0] > 123456


# ---- libraries that do not ask us, C libraries that we do not know ----

DEEP = r"""
import ctypes, os, sys
mode = os.RTLD_DEEPBIND if sys.argv[1] == "deep" else os.RTLD_LOCAL
library = ctypes.CDLL(os.path.abspath("libdeep.so"), mode=mode | os.RTLD_NOW)
library.give.restype = ctypes.c_void_p
library.take.argtypes = [ctypes.c_void_p]
for n in range(1000):
    library.take(library.give(n))
held = [library.give(1000) for n in range(10)]  # kept
print(len(held))
"""


@pytest.mark.parametrize("deep", [False, True], ids=["normal", "deep"])
def test_deepbind(traced_once, deep):
    """What a library gets that was loaded with RTLD_DEEPBIND passes us by, and does no harm."""
    source = traced_once.directory / "deep.c"
    source.write_text("#include <stdlib.h>\nvoid *give(int n) { return malloc(n); }\n"
                      "void take(void *block) { free(block); }\n")
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    made = support.execute(["gcc", "-shared", "-fPIC", source, "-o",
                            traced_once.directory / "libdeep.so"])
    assert made.status == 0, made
    result = traced_once.script(DEEP, "deep" if deep else "normal", options=["-q"])
    assert result.out == b"10\n" and not result.err, result
    traced_once.assert_sound(result.trace)
    path = traced_once.directory / "script1.py"
    line = DEEP.split("\n").index([x for x in DEEP.split("\n") if "# kept" in x][0]) + 1
    rows = {row["lineno"]: (row["size"], row["count"]) for row in traced_once.rows(
        result.trace, "--at", "end", "--domain", "native", "--include", path)}
    assert rows.get(line, (0, 0)) == ((0, 0) if deep else (10000, 10))


MUSL = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 7; }\n"


@pytest.mark.parametrize("child", [False, True], ids=["main", "child"])
def test_musl(traced_plain, child):
    """It runs as it does bare, and one line says that it is not traced."""
    if not shutil.which("musl-gcc"):
        pytest.skip("no musl-gcc here: Debian's package musl-tools")
    source = traced_plain.directory / "musl.c"
    source.write_text(MUSL)
    program = traced_plain.directory / "musl"
    made = support.execute(["musl-gcc", source, "-o", program])
    assert made.status == 0, made
    words = ["sh", "-c", '"$0"; exit $?', program] if child else [program]
    result = traced_plain.run(*words, options=["-q"], status=7)
    assert result.out == b"hello\n", result
    assert result.message.count("\n") == 1 and "C library" in result.message, result


# ---- sanitizers ----

SANITIZED = """
#include <stdio.h>
#include <stdlib.h>
int main(void) { char *block = malloc(100); int got = block != NULL; free(block); printf("%d\\n", got); return 5; }
"""


@pytest.mark.parametrize("sanitizer", ["address", "thread", "undefined"])
def test_sanitizers(traced_plain, sanitizer):
    """Those that must be the first library end a program where they are not: we stay out."""
    source = traced_plain.directory / "sanitized.c"
    source.write_text(SANITIZED)
    program = traced_plain.directory / "sanitized"
    made = support.execute(["gcc", "-fsanitize=" + sanitizer, source, "-o", program])
    if made.status or support.execute([program]).status != 5:
        pytest.skip("no programs with this sanitizer can be made here")
    result = traced_plain.run(program, status=5, options=["-q"])
    assert result.out == b"1\n", result
    assert ("linked to a sanitizer" in result.message) == (sanitizer != "undefined"), result


STARTS = r"""
import os, subprocess, sys
program = [sys.argv[1]]
print(subprocess.call(program), subprocess.call(program, close_fds=False),
      subprocess.call(program, env={"A": "1", "LD_PRELOAD": os.environ["LD_PRELOAD"]}),
      subprocess.call(["sh", "-c", '"$0"; exit $?'] + program),
      os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(program[0], program, os.environ), 0)[1]),
      os.spawnv(os.P_WAIT, program[0], program), flush=True)
os.execv(program[0], program)
"""


def test_a_sanitizer_below(traced_once):
    """Where the environment has the agent: such programs are started without it."""
    source = traced_once.directory / "sanitized.c"
    source.write_text(SANITIZED.replace("got)", 'getenv("LD_PRELOAD") != NULL)'))
    program = traced_once.directory / "sanitized"
    made = support.execute(["gcc", "-fsanitize=address", source, "-o", program])
    if made.status or support.execute([program]).status != 5:
        pytest.skip("no programs with this sanitizer can be made here")
    result = traced_once.script(STARTS, program, status=5, options=["-q"])
    assert result.out.split() == 6 * [b"0"] + 6 * [b"5"] + [b"0"] and not result.message, result
    traced_once.assert_sound(result.trace)


def test_a_sanitizer_that_is_preloaded(traced_once):
    """As for an extension that was built with it: it comes before the agent."""
    found = support.execute(["gcc", "-print-file-name=libasan.so"]).out.decode().strip()
    variables = {"LD_PRELOAD": found, "ASAN_OPTIONS": "detect_leaks=0"}
    if "/" not in found or support.execute([traced_once.python.path, "-c", ""],
                                           env=support.clean_environment(**variables)).status:
        pytest.skip("no libasan for this interpreter")
    result = traced_once.script("held = bytes(100000)  # held\nprint(1)\n", options=["-q"],
                                env=support.clean_environment(**variables))
    assert result.out == b"1\n", result
    traced_once.assert_sound(result.trace)
