"""The agent as a file, and what has to come with each command."""
import re

import pytest
import support

AGENT = support.MEMTRACE.parent / "agent" / "libmemtrace.so"

EXPORTS = set("""
aligned_alloc calloc cfree free free_aligned_sized free_sized malloc memalign mmap mmap64 mremap
munmap posix_memalign pvalloc realloc reallocarray valloc memtrace_agent_version

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


@pytest.mark.parametrize("line, expected", [
    ("memtrace le", {"leaks"}), ("memtrace top --sort ch", {"churn-size", "churn-count"}),
    ("memtrace top --key = pac", {"package"}), ("memtrace plot --key f", {"filename", "function"}),
    ("memtrace leaks --at p", {"peak"}), ("memtrace tree --inv", {"--inverted"}),
    ("memtrace export --to pp", {"pprof"}), ("memtrace top --units K", {"KiB"})])
def test_completion_of_values(line, expected):
    """What bash offers for the last word; the words are as bash takes them apart."""
    words = line.split()
    script = """
source "$1"; shift
complete() { :; }; compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_memtrace
printf '%s\\n' "${COMPREPLY[@]}"
"""
    completion = support.MEMTRACE.parent / "tools" / "completions" / "memtrace"
    done = support.execute(["bash", "-c", script, "bash", completion, *words],
                           env=support.clean_environment(PATH="%s:/usr/bin:/bin" % support.MEMTRACE.parent))
    assert done.status == 0 and set(done.out.decode().split()) == expected, done
