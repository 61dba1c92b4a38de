"""Checks rules that the compiler does not know.

Agent and tools share the contracts in include/ alone; the agent needs nothing
but libc, no symbol newer than GLIBC_2.17, only functions that may be called
inside malloc; it exports its hooks and nothing else.

    check_house.py SOURCE_ROOT libmemtrace.so
"""

import re
import subprocess
import sys
from pathlib import Path

# May be called in the host at any moment: none allocates, locks or blocks.
IMPORTS = {
    "__environ", "environ", "__errno_location", "__register_atfork", "dl_iterate_phdr",
    "memcmp", "memcpy", "memset", "memmove", "strcmp", "strcpy", "strlen", "strncmp",
    # of every shared library
    "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__cxa_finalize",
    "__gmon_start__",
}
EXPORTS = {
    "malloc", "calloc", "realloc", "reallocarray", "free", "cfree", "free_sized",
    "free_aligned_sized", "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc",
    "execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe", "fexecve",
    "posix_spawn", "posix_spawnp", "execveat", "system", "popen", "pthread_setname_np",
    "mmap", "mmap64", "munmap", "mremap", "brk", "sbrk", "memtrace_agent_version",
    # for include/memtrace/memtrace.h
    "memtrace_agent_mark", "memtrace_agent_region_begin", "memtrace_agent_region_end",
    "memtrace_agent_start", "memtrace_agent_stop", "memtrace_agent_is_tracing",
    "memtrace_agent_get_traced_memory",
}
# What a file of tools/ may include beside its own folder.
ALLOWED = {
    "agent": {"memtrace"},
    "tools/trace": {"memtrace", "trace"},
    "tools/render": {"memtrace", "trace", "render"},
    # Compaction reads the file that the collector writes; source files are read as reports do; no
    # model, no view.
    "tools/collect": {"memtrace", "trace/writer.h", "trace/chunk.h", "trace/cursor.h", "trace/rows.h", "trace/source.h", "trace/elfnames.h",
                      "trace/weight.h", "trace/log.h", "collect"},
    "tools": {"memtrace", "trace", "render", "collect", "commands"},
}

problems = []


def check_includes(root):
    for folder, allowed in ALLOWED.items():
        for path in sorted((root / folder).glob("*.[ch]")):
            for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
                if "/" not in name:
                    continue
                if name not in allowed and name.split("/")[0] not in allowed:
                    problems.append(f"{path.relative_to(root)} includes {name}")
                if name.startswith("collect/") and path.name.startswith("cmd_"):
                    if path.name not in ("cmd_run.c", "cmd_recover.c", "cmd_mark.c"):
                        problems.append(f"{path.relative_to(root)}: only run, recover and mark collect")


def symbols(library):
    output = subprocess.run(["nm", "-D", library], check=True, capture_output=True, text=True)
    for line in output.stdout.splitlines():
        kind, name = line.split()[-2:]
        yield kind, *(name.split("@")[0::len(name.split("@")) - 1] if "@" in name else (name, ""))


def check_agent(library):
    exports = set()
    for kind, name, version in symbols(library):
        if kind in "Uw":
            if name not in IMPORTS:
                problems.append(f"the agent imports {name}, which is not on the list")
            number = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version)
            if number and (int(number[1]), int(number[2])) > (2, 17):
                problems.append(f"the agent needs {name}@{version}: newer than GLIBC_2.17")
        else:
            exports.add(name)
    for name in exports ^ EXPORTS:
        word = "exports" if name in exports else "does not export"
        problems.append(f"the agent {word} {name}")
    needed = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True)
    for name in re.findall(r"NEEDED.*\[(.*)\]", needed.stdout):
        if not name.startswith("libc.so"):
            problems.append(f"the agent needs {name}")


def main():
    root, library = Path(sys.argv[1]), sys.argv[2]
    check_includes(root)
    check_agent(library)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
