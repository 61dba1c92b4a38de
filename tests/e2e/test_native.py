"""Who called malloc: the library and the function, of C, C++, extensions, and of libraries that
come and go."""
import re
import shutil
import subprocess

import pytest
import support


def build(directory, name, source, *options, compiler="cc"):
    if not shutil.which(compiler):
        pytest.skip("no %s here" % compiler)
    made = support.execute([compiler, "-O1", "-g", "-w", "-fno-builtin", source, "-o",
                            directory / name, *options])
    assert made.status == 0, made
    return directory / name


def frames(traced, trace, *options):
    """{size: native frame} of the rows of --key native-frame."""
    rows = traced.rows(trace, *options, key="native-frame")
    return {row["size"]: row["native_frame"] for row in rows if row["native_frame"]}


def has_symbols():
    """Whether this memtrace was built with libdw."""
    libraries = subprocess.run(["ldd", str(support.MEMTRACE)], stdout=subprocess.PIPE)
    return b"libdw" in libraries.stdout


def assert_called(found, size, library, function):
    assert size in found, (size, sorted(found))
    assert found[size]["library"] == library, found[size]
    if has_symbols():
        assert found[size]["function"] == function, found[size]


def test_the_malloc_family(traced_plain, tmp_path):
    program = build(tmp_path, "callers", support.PROGRAMS / "callers.c", "-ldl")
    trace = traced_plain.run(program, options=["--symbolize"]).trace
    traced_plain.assert_sound(trace)
    found = frames(traced_plain, trace)
    for size, function in [(50001, "by_malloc"), (50002, "by_calloc"), (50003, "by_realloc"),
                           (50004, "by_memalign"), (50005, "by_posix_memalign"),
                           (50048, "by_aligned_alloc")]:
        assert_called(found, size, "callers", function)
    assert found[50007]["library"].startswith("libc")  # strndup's own call
    mapped = frames(traced_plain, trace, "--domain", "mmap")
    assert_called(mapped, 53248, "callers", "by_mmap")


def test_operator_new(traced_plain, tmp_path):
    """The caller of operator new, not operator new."""
    program = build(tmp_path, "callers++", support.PROGRAMS / "callers.cc", compiler="c++")
    trace = traced_plain.run(program, options=["--symbolize"]).trace
    traced_plain.assert_sound(trace)
    found = frames(traced_plain, trace)
    for size, function in [(70001, "by_new"), (70002, "by_new_array"), (70003, "by_nothrow"),
                           (300 * 256, "by_aligned_new"), (70005 + 32, "by_string")]:
        assert_called(found, size, "callers++", function)


LIBRARY = """
#include <stdlib.h>
static void *volatile kept;
static void *__attribute__((noinline)) inner(void) { return kept = malloc(SIZE); }
void *allocate(void) { void *block = inner(); kept = block; return block; }
"""


def build_libraries(directory, *options):
    source = directory / "library.c"
    source.write_text(LIBRARY)
    return [build(directory, "lib%d.so" % n, source, "-fPIC", "-shared", "-DSIZE=%d" % (60000 + n),
                  *options) for n in range(3)]


@pytest.mark.parametrize("options", [[], ["--native"]], ids=["callers", "stacks"])
def test_libraries_at_one_address(traced_plain, tmp_path, options):
    """One is unloaded, the next takes its place: the same return address is another's."""
    program = build(tmp_path, "callers", support.PROGRAMS / "callers.c", "-ldl")
    libraries = build_libraries(tmp_path)
    result = traced_plain.run(program, *libraries, libraries[0],
                              options=options + ["--symbolize"])
    traced_plain.assert_sound(result.trace)
    found = frames(traced_plain, result.trace)
    assert_called(found, 2 * 60000, "lib0.so", "inner")
    for n in (1, 2):
        assert_called(found, 60000 + n, "lib%d.so" % n, "inner")
    if len(set(result.out.split())) > 1:
        pytest.skip("the loader gave the libraries addresses of their own")


def test_stripped(traced_plain, tmp_path):
    """A static function of a stripped library has no name: not that of its neighbour either."""
    program = build(tmp_path, "callers", support.PROGRAMS / "callers.c", "-ldl")
    libraries = build_libraries(tmp_path, "-s")
    found = frames(traced_plain, traced_plain.run(program, libraries[0], options=["--symbolize"]).trace)
    assert found[60000]["library"] == "lib0.so"
    assert "function" not in found[60000], found[60000]
    assert found[60000]["address"] > 0


def test_replaced_while_it_ran(traced_plain, tmp_path):
    """Another file in the place of the one that was loaded: its names are not this one's."""
    library = build_libraries(tmp_path)[0]
    program = tmp_path / "replace.sh"
    caller = build(tmp_path, "callers", support.PROGRAMS / "callers.c", "-ldl")
    program.write_text("%s %s && cp %s %s.new && mv %s.new %s\n" % (
        caller, library, tmp_path / "lib1.so", library, library, library))
    trace = traced_plain.run("/bin/sh", program, options=["--symbolize"]).trace
    found = frames(traced_plain, trace, "--process", "callers")
    assert found[60000]["library"] == "lib0.so"
    assert "function" not in found[60000], found[60000]


def test_under_python(traced):
    """The Python line, and the library that it called."""
    library = build_libraries(traced.directory)[0]
    trace = traced.script("""
import ctypes
allocate = ctypes.CDLL(%r).allocate
allocate()  # here
""" % str(library)).trace
    traced.assert_sound(trace)
    rows = [row for row in traced.rows(trace, key="traceback")
            if row.get("native_frame", {}).get("library") == "lib0.so"]
    assert [row["size"] for row in rows] == [60000]
    assert rows[0]["traceback"][-1]["lineno"] == 4
    modules = {row.get("module"): row["size"] for row in traced.rows(trace, key="module")}
    assert modules["lib0.so"] == 60000


@pytest.mark.parametrize("options", [[], ["--native"]], ids=["callers", "stacks"])
def test_other_threads_after_unloading(traced_plain, tmp_path, options):
    """Each thread learns of it, also of a stack that it had remembered."""
    libraries = build_libraries(tmp_path)
    source = tmp_path / "threads.c"
    source.write_text(THREADS)
    program = build(tmp_path, "threads", source, "-ldl", "-lpthread")
    trace = traced_plain.run(program, *libraries, options=options + ["--symbolize"]).trace
    traced_plain.assert_sound(trace)
    found = frames(traced_plain, trace)
    for n in range(3):
        assert_called(found, 6 * (60000 + n), "lib%d.so" % n, "inner")


SERVER = """
#include <stdlib.h>
#include <string.h>
#include <time.h>
static void *volatile kept;
static void open_session(void)
{
    void **session = malloc(400);
    *session = kept;
    kept = session;
}
static void answer(void)
{
    char *work = malloc(20000);
    static int n;
    memset(work, 1, 20000);
    if (++n % 100 == 0)
        open_session();
    free(work);
}
int main(void)
{
    while (clock() < CLOCKS_PER_SEC) {
        answer();
    }
    return 0;
}
"""


@pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")
@pytest.mark.parametrize("options", [[], ["--native"]], ids=["callers", "stacks"])
def test_reports_of_a_program_without_python(traced_plain, tmp_path, options):
    """Speak of its own lines without being told to."""
    source = tmp_path / "server.c"
    source.write_text(SERVER)
    program = build(tmp_path, "server", source, "-fno-inline")
    trace = traced_plain.run(program, options=options + ["--symbolize"]).trace
    line = SERVER.splitlines().index("    void **session = malloc(400);") + 1
    for command in "top", "leaks":
        out = support.execute([support.MEMTRACE, command, trace]).out.decode()
        assert re.search(r"#1: open_session \(.*server.c:%d\) in server: " % line, out), out
        assert ("Native answer (" in out) == bool(options), out
    tree = support.execute([support.MEMTRACE, "tree", trace]).out.decode()
    assert re.search(r"open_session \(.*server.c:%d\) in server" % line, tree), tree
    plot = support.execute([support.MEMTRACE, "plot", "--key", "native", "--format", "csv",
                            "-o", "-", trace]).out.decode()
    assert "\nserver open_session," in plot, plot[:1000]


GROWS = """
#include <stdlib.h>
#include <string.h>
static void *volatile kept;
static void *checked(size_t size)
{
    kept = malloc(size);
    memset(kept, 1, size);
    return kept;
}
static void open_files(int n)
{
    while (n--)
        checked(1000);
}
static void make_index(int n)
{
    while (n--)
        checked(5000);
}
int main(int argc, char **argv)
{
    open_files(100);
    make_index(100 * argc);
    return 0;
}
"""


@pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")
@pytest.mark.parametrize("edit", ["", "/* another line */\n"], ids=["same", "edited"])
def test_differences_of_programs_without_python(traced_plain, tmp_path, edit):
    """By native stacks, without being told to; --moved also where the program was edited."""
    traces = []
    for text, words in ((GROWS, []), (edit + GROWS, ["more"])):
        (tmp_path / "grows.c").write_text(text)
        program = build(tmp_path, "grows", tmp_path / "grows.c", "-fno-inline")
        traces.append(traced_plain.run(program, *words, options=["--native", "--symbolize"]).trace)
    out = support.execute([support.MEMTRACE, "diff", *(["--moved"] if edit else []),
                           *traces]).out.decode()
    assert re.search(r"\nTop 1 difference\n"
                     r"checked \(.*grows.c:\d+\) in grows: size=977 KiB \(\+488 KiB\), "
                     r"count=200 \(\+100\), average=5000 B\n(  Native .*\n)*"
                     r"  Native make_index .*\n  Native checked .*\n1 unchanged\n", out), out


THREADS = """
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
static pthread_barrier_t turn;
static void *(*allocate)(void);
static void *work(void *n)
{
    for (long i = 0; i < (long)n; i++) {
        pthread_barrier_wait(&turn);
        for (int j = 0; j < 3; j++)
            allocate();
        pthread_barrier_wait(&turn);
    }
    return NULL;
}
int main(int argc, char **argv)
{
    pthread_t threads[2];
    pthread_barrier_init(&turn, NULL, 3);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, (void *)(long)(argc - 1));
    for (int i = 1; i < argc; i++) {
        void *library = dlopen(argv[i], RTLD_NOW);
        if (!library)
            return 1;
        allocate = (void *(*)(void))dlsym(library, "allocate");
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
        dlclose(library);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
"""
