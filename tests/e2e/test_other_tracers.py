"""What other tracers have crashed, hung or changed: docs/compatibility.md has the list."""

import pytest
import support


def compile_c(directory, name, *options, source):
    program = directory / name
    built = support.execute(["gcc", "-O1", source, "-o", program, "-ldl", "-lpthread", *options])
    assert built.status == 0, built
    return program


def test_the_loader_and_threads(traced_plain):
    """Thread-local memory that is allocated inside of malloc's callers, the loader's lock taken on
    both ways, sizes asked for while threads end: right, and none of it hangs."""
    source = support.PROGRAMS / "loader.c"
    library = compile_c(traced_plain.directory, "liblate.so", "-shared", "-fPIC", "-DLIBRARY",
                        "-ftls-model=global-dynamic", source=source)
    program = compile_c(traced_plain.directory, "loader", source=source)
    rounds = 10 if support.QUICK else 40
    result = traced_plain.run(program, library, rounds)
    assert result.out == b"%d %d\n" % (8 * rounds, 8 * rounds * 4), result
    traced_plain.assert_sound(result.trace)


def test_where_a_library_looks_for_libraries(traced_plain):
    """dlopen is not stood in front of: the caller's RUNPATH counts."""
    place = traced_plain.directory
    (place / "apart").mkdir()
    inner = place / "inner.c"
    inner.write_text("int answer(void) { return 42; }\n")
    compile_c(place / "apart", "libinner.so", "-shared", "-fPIC", source=inner)
    outer = place / "outer.c"
    outer.write_text(
        "#include <dlfcn.h>\n#include <stdio.h>\nint main(void) {\n"
        "  void *inner = dlopen(\"libinner.so\", RTLD_NOW);\n"
        "  int (*answer)(void) = inner ? (int (*)(void))dlsym(inner, \"answer\") : 0;\n"
        "  printf(\"%d\\n\", answer ? answer() : -1);\n  return 0;\n}\n")
    program = compile_c(place, "outer", "-Wl,-rpath,$ORIGIN/apart", source=outer)
    assert traced_plain.run(program).out == b"42\n"


RAW_FORK = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
held = [bytes(1000) for _ in range(100)]  # parent
sys.stdout.flush()
number, arguments = {"fork": (57, ()), "clone": (56, (signal.SIGCHLD, 0, 0, 0, 0))}[sys.argv[1]]
pid = libc.syscall(number, *arguments)
if pid == 0:
    more = [bytes(2000) for _ in range(50)]  # child
    del held
    os.write(1, b"child %d\\n" % len(more))
    os._exit(3)
print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]), len(held), flush=True)
"""


@pytest.mark.parametrize("call", ["fork", "clone"])
def test_forks_past_every_handler(traced_once, call):
    """The kernel's fork, not the C library's: parent and child are told apart all the same."""
    result = traced_once.script(RAW_FORK, call)
    assert result.out == b"child 50\n3 100\n", result
    info = traced_once.assert_sound(result.trace)
    assert len(info["processes"]) == 2
    assert 100 * 1033 <= traced_once.at(result.trace, "parent")[0] < 100 * 1033 + 1000
    child = [process["pid"] for process in info["processes"] if "parent" in process][0]
    size, _ = traced_once.at(result.trace, "child", "--process", str(child))
    assert 50 * 2033 <= size < 50 * 2033 + 1000


def test_no_thread_of_ours(traced_once):
    """So none can catch the program's signals."""
    result = traced_once.script("""
import os, signal
print(len(os.listdir("/proc/self/task")))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
os.kill(os.getpid(), signal.SIGUSR1)
held = [str(n) for n in range(100000)]
print(signal.sigwait([signal.SIGUSR1]) == signal.SIGUSR1)
""")
    assert result.out == b"1\nTrue\n", result


TIMERS = """
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>
static volatile sig_atomic_t beats;
static void beat(int number) { beats++; }
int main(void)
{
    struct sigaction action = {.sa_handler = beat}; /* no SA_RESTART */
    struct itimerval often = {{0, 1000}, {0, 1000}}, once = {{0, 0}, {0, 50000}};
    int ends[2], wrong = 0;
    char byte;
    sigaction(SIGPROF, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
    while (beats < 200) {
        errno = 77;
        for (int i = 0; i < 1000; i++)
            free(malloc((size_t)i * 16));
        wrong += errno != 77;
    }
    often = (struct itimerval){0};
    setitimer(ITIMER_PROF, &often, NULL);
    if (pipe(ends) != 0)
        return 2;
    setitimer(ITIMER_REAL, &once, NULL);
    ssize_t got = read(ends[0], &byte, 1);
    printf("%d %d %d\\n", wrong, (int)got, got < 0 && errno == EINTR);
    return 0;
}
"""


def test_timers(traced_plain):
    """A profiler's signals arrive, errno stays, what they interrupt is interrupted as ever."""
    source = traced_plain.directory / "timers.c"
    source.write_text(TIMERS)
    program = compile_c(traced_plain.directory, "timers", source=source)
    bare = support.execute([program])
    result = traced_plain.run(program)
    assert result.out == bare.out == b"0 -1 1\n", result
    traced_plain.assert_sound(result.trace)


# Kills children while they write events.
KILLED_CHILDREN = """
import os, signal
for n in range(30):
    pid = os.fork()
    if pid == 0:
        while True:
            x = [str(k) for k in range(50)]
    os.kill(pid, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
held = [bytes(1000) for _ in range(100)]  # kept
print(len(held))
"""


def test_killed_children_hold_nothing(traced_once):
    """There is no lock in shared memory that a killed child could leave closed."""
    result = traced_once.script(KILLED_CHILDREN)
    assert result.out == b"100\n"
    traced_once.assert_sound(result.trace)
    assert 100 * 1033 <= traced_once.at(result.trace, "kept")[0] < 100 * 1033 + 1000


@pytest.mark.parametrize("words", [
    ["java", "-version"], ["perl", "-e", "print 6 * 7, qq(\\n)"], ["awk", "BEGIN { print 6 * 7 }"],
    ["node", "-e", "console.log(6 * 7)"], ["dash", "-c", "echo $((6 * 7))"]],
    ids=lambda words: words[0])
def test_programs_that_are_not_python(traced_plain, words):
    if not support.shutil.which(words[0]):
        pytest.skip("no %s here" % words[0])
    bare = support.execute(words)
    result = traced_plain.run(*words, options=["-q"], status=bare.status)
    assert (result.out, result.err) == (bare.out, bare.err), result
    traced_plain.assert_sound(result.trace)
