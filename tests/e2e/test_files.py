"""The agent as a file, and what has to come with each command."""
import re

import pytest
import support

AGENT = support.MEMTRACE.parent / "agent" / "libmemtrace.so"

EXPORTS = set("""
aligned_alloc brk calloc cfree free free_aligned_sized free_sized malloc memalign mmap mmap64 mremap
munmap posix_memalign pvalloc realloc reallocarray sbrk valloc memtrace_agent_version

execl execle execlp execv execve execveat execvp execvpe fexecve popen posix_spawn posix_spawnp
pthread_setname_np system

memtrace_agent_get_traced_memory memtrace_agent_is_tracing memtrace_agent_mark
memtrace_agent_region_begin memtrace_agent_region_end memtrace_agent_start memtrace_agent_stop
""".split())
IMPORTS = set("""
__environ environ __errno_location __register_atfork dl_iterate_phdr memchr memcmp memcpy memmove
memset strcmp strcpy strlen strncmp
""".split())


def symbols(option):
    listing = support.execute(["nm", "-D", option, AGENT])
    assert listing.status == 0, listing
    return listing.out.decode().splitlines()


pytestmark = pytest.mark.skipif(not AGENT.exists(), reason="memtrace does not run from a build tree")


def test_agent_needs_nothing_but_libc():
    dynamic = support.execute(["readelf", "-d", AGENT]).out.decode()
    assert re.findall(r"NEEDED.*\[(.*)\]", dynamic) == ["libc.so.6"]
    assert not re.search(r"RPATH|RUNPATH|TEXTREL", dynamic)


def test_agent_exports_its_hooks_alone():
    assert {line.split()[-1].split("@")[0] for line in symbols("--defined-only")} == EXPORTS


def test_agent_imports():
    """Nothing that allocates, locks, prints or ends the host; nothing newer than glibc 2.17."""
    for line in symbols("--undefined-only"):
        kind, name = line.split()[-2:]
        if kind == "w":
            continue
        name, _, version = name.partition("@")
        assert name in IMPORTS, name
        if version:
            assert tuple(map(int, version[len("GLIBC_"):].split("."))) <= (2, 17), line


def commands():
    text = support.execute([support.MEMTRACE, "--help"]).out.decode()
    return re.findall(r"^  (\w+) ", text, re.M)


def test_each_command_comes_with_a_page_and_completion():
    found = commands()
    assert "run" in found and "top" in found
    completion = (support.MEMTRACE.parent / "tools" / "completions" / "memtrace").read_text()
    for name in found:
        page = support.ROOT / "docs" / "man" / ("memtrace-%s.1" % name)
        assert page.exists(), "docs/man/%s is missing" % page.name
        assert re.search(r"compgen -W '.*\b%s\b" % name, completion)
        usage = support.execute([support.MEMTRACE, name, "--help"]).out.decode()
        text = page.read_text().replace("\\-", "-")
        for option in set(re.findall(r"(?:^|[ ,])--([a-z][a-z-]+)", usage)) - {"help", "usage",
                                                                             "version"}:
            assert re.search(r"\bFl -%s\b" % option, text), "%s: --%s is not there" % (page, option)


def test_pages_are_sound():
    if not support.shutil.which("mandoc"):
        pytest.skip("no mandoc here")
    result = support.execute(["mandoc", "-T", "lint", "-W", "warning",
                              *sorted((support.ROOT / "docs" / "man").glob("*.1"))])
    assert result.status == 0 and not result.out, result


COMPLETIONS = [
    ("memtrace le", {"leaks"}), ("memtrace top --sort ch", {"churn-size", "churn-count"}),
    ("memtrace top --key = pac", {"package"}), ("memtrace plot --key f", {"filename", "function"}),
    ("memtrace leaks --at p", {"peak"}), ("memtrace tree --inv", {"--inverted"}),
    ("memtrace export --to pp", {"pprof"}), ("memtrace top --units K", {"KiB"}),
    ("memtrace top ha", {"has.mtrace"}), ("memtrace import ha", {"has.dat"}),
    ("memtrace run --repeat 2 --off has.", {"has.dat", "has.mtrace"})]


def complete(directory, words, shell, script, name):
    """What a shell offers for the last word, in a directory with two files."""
    if not support.shutil.which(shell):
        pytest.skip("no %s here" % shell)
    for suffix in ("dat", "mtrace"):
        (directory / ("has." + suffix)).touch()
    completion = support.MEMTRACE.parent / "tools" / "completions" / name
    done = support.execute([shell, "-c", script, *([shell] if shell == "bash" else []), completion, *words],
                           env=support.clean_environment(PATH="%s:/usr/bin:/bin" % support.MEMTRACE.parent),
                           cwd=str(directory))
    assert done.status == 0, done
    return {line.split("\t")[0] for line in done.out.decode().splitlines()}


@pytest.mark.parametrize("line, expected", COMPLETIONS)
def test_completion_of_bash(tmp_path, line, expected):
    """The words are as bash takes them apart."""
    script = """
source "$1"; shift
complete() { :; }; compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_memtrace
printf '%s\n' "${COMPREPLY[@]}"
"""
    assert complete(tmp_path, line.split(), "bash", script, "memtrace") == expected


@pytest.mark.parametrize("line, expected", COMPLETIONS)
def test_completion_of_fish(tmp_path, line, expected):
    """Fish offers files of other names too, after those that fit."""
    line = line.replace(" = ", "=")
    found = complete(tmp_path, [line], "fish", "source $argv[1]; complete -C $argv[2]", "memtrace.fish")
    found = {word.split("=")[-1] for word in found}
    assert found == expected or (expected < found <= {"has.dat", "has.mtrace"})


@pytest.mark.parametrize("line, expected", COMPLETIONS)
def test_completion_of_zsh(tmp_path, line, expected):
    """With stand-ins for the functions of zsh's own, which need a terminal."""
    script = """
file=$0; words=("$@"); CURRENT=$#; PREFIX=$words[-1]
offer() { print -rl -- ${(M)@:#$PREFIX*} }
compadd() { if [[ $1 == -a ]]; then offer ${(P)2}; else offer "$@"; fi }
compset() { PREFIX=${PREFIX#*=} }
_describe() { offer ${${(P)2}%%:*} }
_files() { local pattern="$PREFIX${2:-*}"; print -rl -- ${~pattern}(N) }
_alternative() { _files }
source $file
"""
    words = line.replace(" = ", "=").split()
    assert complete(tmp_path, words, "zsh", script, "_memtrace") == expected
