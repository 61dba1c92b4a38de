#!/usr/bin/env python3
"""Prints agent/pyoffsets_table.h from the headers of the interpreters found.

    generate_offsets.py [--check] [INCLUDE_DIRECTORY ...]

Compiles and runs a small C program against each include directory (one that
holds Python.h): those of the python3.X on PATH, of pyenv's versions, and the
given ones, which may be in another root (as tests/forky.sh makes one).  The
headers of a build with a GIL are those of one without as well, but for one
macro.  A version found twice must agree with itself.  --check compares with the committed
table instead: it fails if they differ, and names the versions of which no
headers were found.  Needs a C compiler ($CC, or cc).
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pyoffsets_table.h")
# Major, minor, whether without a GIL.
VERSIONS = [(3, minor, False) for minor in range(8, 16)]
VERSIONS += [(3, minor, True) for minor in range(13, 16)]
ALL = (8, 15)
FRAME_OBJECT = "PyFrameObject"
FRAME = "struct _PyInterpreterFrame"

# field, value elsewhere, then for each range of minor versions: a C expression,
# or (type, member) for its offset.
FIELDS = [
    ("instr_kind", None, (8, 9, "1 /* PY_INSTR_LASTI_BYTES */"),
        (10, 10, "2 /* PY_INSTR_LASTI_UNITS */"), (11, 15, "3 /* PY_INSTR_POINTER */")),
    ("lines_kind", None, (8, 9, "1 /* MT_LINES_LNOTAB */"), (10, 10, "2 /* MT_LINES_310 */"),
        (11, 15, "3 /* MT_LINES_LOCATIONS */")),
    ("mark_kind", 0, (8, 10, "1 /* PY_MARK_TRACE_LINES */"), (11, 13, "2 /* PY_MARK_STACK */"),
        (14, 15, "3 /* PY_MARK_OWNER */")),
    ("owner_shim", 255, (12, 13, "FRAME_OWNED_BY_CSTACK"),
        (14, 15, "FRAME_OWNED_BY_INTERPRETER")),
    ("owner_generator", 255, (11, 15, "FRAME_OWNED_BY_GENERATOR")),
    ("code_tag_mask", 0, (14, 15, "Py_TAG_BITS")),
    ("tstate_frame", -1, (8, 10, ("PyThreadState", "frame")),
        (13, 15, ("PyThreadState", "current_frame"))),
    ("tstate_cframe", -1, (11, 12, ("PyThreadState", "cframe"))),
    ("cframe_frame", -1, (11, 12, ("_PyCFrame", "current_frame"))),
    ("cframe_previous", -1, (11, 12, ("_PyCFrame", "previous"))),
    ("tstate_interp", None, ALL + (("PyThreadState", "interp"),)),
    ("tstate_id", None, ALL + (("PyThreadState", "id"),)),
    ("tstate_thread_id", None, ALL + (("PyThreadState", "thread_id"),)),
    ("tstate_tracefunc", None, ALL + (("PyThreadState", "c_tracefunc"),)),
    ("frame_back", None, (8, 10, (FRAME_OBJECT, "f_back")), (11, 15, (FRAME, "previous"))),
    ("frame_code", None, (8, 10, (FRAME_OBJECT, "f_code")), (11, 12, (FRAME, "f_code")),
        (13, 15, (FRAME, "f_executable"))),
    ("frame_instr", None, (8, 10, (FRAME_OBJECT, "f_lasti")), (11, 12, (FRAME, "prev_instr")),
        (13, 15, (FRAME, "instr_ptr"))),
    ("frame_owner", -1, (11, 15, (FRAME, "owner"))),
    ("frame_trace_lines", -1, (8, 10, (FRAME_OBJECT, "f_trace_lines"))),
    ("frame_gen", -1, (8, 10, (FRAME_OBJECT, "f_gen"))),
    ("frame_stacktop", -1, (11, 13, (FRAME, "stacktop"))),
    ("frame_is_entry", -1, (11, 11, (FRAME, "is_entry"))),
    ("frame_localsplus", None, (8, 10, (FRAME_OBJECT, "f_localsplus")),
        (11, 15, (FRAME, "localsplus"))),
    ("frame_copy", -1),
    ("code_copies", -1),
    ("code_filename", None, ALL + (("PyCodeObject", "co_filename"),)),
    ("code_name", None, ALL + (("PyCodeObject", "co_name"),)),
    ("code_qualname", -1, (11, 15, ("PyCodeObject", "co_qualname"))),
    ("code_firstlineno", None, ALL + (("PyCodeObject", "co_firstlineno"),)),
    ("code_lines", None, (8, 9, ("PyCodeObject", "co_lnotab")),
        (10, 15, ("PyCodeObject", "co_linetable"))),
    ("code_adaptive", -1, (11, 15, ("PyCodeObject", "co_code_adaptive"))),
    ("code_firsttraceable", -1, (11, 15, ("PyCodeObject", "_co_firsttraceable"))),
    ("unicode_length", None, ALL + (("PyASCIIObject", "length"),)),
    ("unicode_state", None, ALL + (("PyASCIIObject", "state"),)),
    ("unicode_any", None, ALL + (("PyUnicodeObject", "data"),)),
    ("ascii_data", None, ALL + ("sizeof(PyASCIIObject)",)),
    ("compact_data", None, ALL + ("sizeof(PyCompactUnicodeObject)",)),
    ("kind_shift", None, ALL + ("lowest_bit(bits_kind())",)),
    ("kind_mask", None, ALL + ("bits_kind()",)),
    ("compact_mask", None, ALL + ("bits_compact()",)),
    ("ascii_mask", None, ALL + ("bits_ascii()",)),
    ("ready_mask", 0, (8, 11, "bits_ready()")),
    ("bytes_size", None, ALL + (("PyVarObject", "ob_size"),)),
    ("bytes_data", None, ALL + (("PyBytesObject", "ob_sval"),)),
    ("object_type", None, ALL + (("PyObject", "ob_type"),)),
    ("runtime_finalizing", None, (8, 8, ("_PyRuntimeState", "finalizing")),
        (9, 15, ("_PyRuntimeState", "_finalizing"))),
]

# What differs without a GIL.
FREE_THREADED = [
    ("mark_kind", 0, (13, 13, "2 /* PY_MARK_STACK */"), (14, 15, "4 /* PY_MARK_OWNER_COPIES */")),
    ("frame_copy", -1, (14, 15, (FRAME, "tlbc_index"))),
    ("code_copies", -1, (14, 15, ("PyCodeObject", "co_tlbc"))),
]

# What an interpreter publishes: our field, member of its _Py_DebugOffsets.
PUBLISHED_FROM = (3, 13)
PUBLISHED_HEAD = [
    ("cookie", "cookie"), ("hex", "version"), ("free_threaded", "free_threaded"),
    ("finalizing", "runtime_state.finalizing"),
]
PUBLISHED = [
    ("tstate_interp", "thread_state.interp"),
    ("tstate_frame", "thread_state.current_frame"),
    ("tstate_thread_id", "thread_state.thread_id"),
    ("frame_back", "interpreter_frame.previous"),
    ("frame_code", "interpreter_frame.executable"),
    ("frame_instr", "interpreter_frame.instr_ptr"),
    ("frame_localsplus", "interpreter_frame.localsplus"),
    ("frame_owner", "interpreter_frame.owner"),
    ("code_filename", "code_object.filename"),
    ("code_name", "code_object.name"),
    ("code_qualname", "code_object.qualname"),
    ("code_lines", "code_object.linetable"),
    ("code_firstlineno", "code_object.firstlineno"),
    ("code_adaptive", "code_object.co_code_adaptive"),
    ("object_type", "pyobject.ob_type"),
    ("bytes_size", "bytes_object.ob_size"),
    ("bytes_data", "bytes_object.ob_sval"),
    ("unicode_state", "unicode_object.state"),
    ("unicode_length", "unicode_object.length"),
    ("ascii_data", "unicode_object.asciiobject_size"),
]

PROLOGUE = """\
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#if PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_frame.h>
#endif
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe.h>
#endif
#if PY_VERSION_HEX >= 0x030a0000
#include <internal/pycore_runtime.h>
#else
#include <internal/pycore_pystate.h>
#endif
_Static_assert(sizeof(void *) == 8 && sizeof(long) == 8, "LP64 only");
#define BITS(name)                                                        \\
    static uint32_t bits_##name(void)                                     \\
    {                                                                     \\
        PyASCIIObject o;                                                  \\
        uint32_t word;                                                    \\
        memset(&o, 0, sizeof(o));                                         \\
        o.state.name = ~0u;                                               \\
        memcpy(&word, (char *)&o + offsetof(PyASCIIObject, state), 4);    \\
        return word;                                                      \\
    }
BITS(kind)
BITS(compact)
BITS(ascii)
#if PY_VERSION_HEX < 0x030c0000
BITS(ready)
#endif
static int lowest_bit(uint32_t mask)
{
    return __builtin_ctz(mask);
}
#define SHOW(name, value) printf("%s %lld\\n", name, (long long)(value))
int main(void)
{
"""


class Error(Exception):
    pass


def header_version(include):
    """One of VERSIONS, or like one, of an include directory; None if it holds no Python."""
    try:
        with open(os.path.join(include, "patchlevel.h")) as file:
            text = file.read()
        with open(os.path.join(include, "pyconfig.h")) as file:
            config = file.read()
    except OSError:
        return None
    major, minor = (int(re.search(r"PY_%s_VERSION\s+(\d+)" % word, text).group(1))
                    for word in ("MAJOR", "MINOR"))
    return major, minor, bool(re.search(r"#\s*define\s+Py_GIL_DISABLED\s+1", config))


def version_name(version):
    return "%d.%d%s" % (version[0], version[1], "t" if version[2] else "")


def include_of(python):
    """Include directory of an interpreter, None if it does not run."""
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    result = subprocess.run([python, "-I", "-c", code], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, universal_newlines=True)
    return result.stdout.strip() if result.returncode == 0 else None


def find_pythons():
    """Interpreters of this machine, by path."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    folders += sorted(glob.glob(os.path.join(root, "versions", "*", "bin")))
    found = {}
    for folder in folders:
        if os.path.basename(folder) == "shims":
            continue
        for path in sorted(glob.glob(os.path.join(folder, "python3.*"))):
            if re.fullmatch(r"python3\.\d+t?", os.path.basename(path)) and os.access(path, os.X_OK):
                found[os.path.realpath(path)] = path
    return sorted(found.values())


def find_includes():
    includes = {include_of(python) for python in find_pythons()}
    return sorted(include for include in includes if include)


def expression(field, minor):
    """C expression of a field for a minor version."""
    name, elsewhere = field[:2]
    for low, high, value in field[2:]:
        if low <= minor <= high:
            return value if isinstance(value, str) else "offsetof(%s, %s)" % value
    if elsewhere is None:
        raise Error("%s: no value for 3.%d" % (name, minor))
    return str(elsewhere)


def probe_source(version):
    others = {field[0]: field for field in FREE_THREADED} if version[2] else {}
    fields = [others.get(field[0], field) for field in FIELDS]
    lines = [(field[0], expression(field, version[1])) for field in fields]
    if version[:2] >= PUBLISHED_FROM:
        lines += [("published " + name, "offsetof(_Py_DebugOffsets, %s)" % member)
                  for name, member in PUBLISHED_HEAD + PUBLISHED]
    shows = ['    SHOW("%s", %s);\n' % line for line in lines]
    return PROLOGUE + "".join(shows) + "    return 0;\n}\n"


def probe(include, version):
    """Compiles and runs the probe: field → value."""
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "probe.c")
        program = os.path.join(folder, "probe")
        with open(source, "w") as file:
            file.write(probe_source(version))
        compiler = os.environ.get("CC", "cc").split()
        command = compiler + ["-w", "-O0", "-I", include, "-I", os.path.join(include, "internal")]
        command += ["-idirafter", os.path.dirname(include)]  # Debian's pyconfig.h points there
        command += ["-DPy_GIL_DISABLED=1"] if version[2] else []
        done = subprocess.run(command + [source, "-o", program], stderr=subprocess.PIPE,
                              universal_newlines=True)
        if done.returncode != 0:
            raise Error("%s: the probe does not compile:\n%s" % (include, done.stderr))
        output = subprocess.check_output([program], universal_newlines=True)
    pairs = (line.rsplit(" ", 1) for line in output.splitlines())
    return {name: int(value) for name, value in pairs}


def probe_all(includes):
    """Version → values, of the versions that the table has rows for."""
    rows = {}
    for include in includes:
        found = header_version(include)
        for version in {found, found and found[:2] + (True,)}.intersection(VERSIONS):
            values = probe(include, version)
            if rows.setdefault(version, values) != values:
                raise Error("%s: differs from another %s" % (include, version_name(version)))
    return rows


def wrap(items, indent):
    """Items separated by commas in lines of at most 100 columns."""
    lines = [indent]
    for item in items:
        if len(lines[-1]) + len(item) + 2 > 100:
            lines.append(indent)
        lines[-1] += (" " if lines[-1] != indent else "") + item + ","
    return "\n".join(lines) + "\n"


def format_row(version, values):
    head = ".version = 0x%02x%02x" % version[:2]
    items = [".%s = %s" % (name, hex(values[name]) if name.endswith("_mask") else values[name])
             for name in (field[0] for field in FIELDS)]
    items.insert(0, ".free_threaded = %d" % version[2])
    return "    {\n" + wrap([head] + items, " " * 8) + "    },\n"


def format_published(version, values):
    head = [".version = 0x%02x%02x" % version[:2]]
    head += [".%s = %d" % (name, values["published " + name]) for name, _ in PUBLISHED_HEAD]
    head += [".field_count = %d" % len(PUBLISHED)]
    fields = ["{%d, offsetof(struct pyoffsets, %s)}" % (values["published " + name], name)
              for name, _ in PUBLISHED]
    return ("    {\n" + wrap(head, " " * 8) + "        .fields = {\n" + wrap(fields, " " * 12) +
            "        },\n    },\n")


def parse_table(text):
    """Chunks of a table: (array, version) → its text."""
    chunks, array, version = {}, None, None
    for line in text.splitlines():
        if line.startswith("static const"):
            array = line
        if line == "    {":
            chunk = []
        elif line == "    },":
            threaded = "t" if ".free_threaded = 1," in chunk[0] else ""
            chunks[array, re.search(r"0x03\w\w", chunk[0]).group(0) + threaded] = chunk
        elif line.startswith("     "):
            chunk.append(line)
    return chunks


def format_table(rows):
    published = {version: rows[version] for version in rows
                 if version[:2] >= PUBLISHED_FROM and not version[2]}
    text = "/* Generated by generate_offsets.py from the headers of each version: do not edit. */\n"
    text += "/* clang-format off */\n\nstatic const struct pyoffsets pyoffsets_rows[] = {\n"
    text += "".join(format_row(version, rows[version]) for version in sorted(rows))
    text += "};\n\nstatic const struct published published_rows[] = {\n"
    text += "".join(format_published(*item) for item in sorted(published.items()))
    return text + "};\n"


def check(rows):
    """Compares with the committed table; the number of differences."""
    with open(TABLE) as file:
        committed = parse_table(file.read())
    found = parse_table(format_table(rows))
    differences = 0
    for (array, version), chunk in sorted(found.items()):
        same = committed.get((array, version)) == chunk
        differences += not same
        print("%s %s: %s" % (version, array.split()[3], "same" if same else "DIFFERS"))
        if not same:
            print("  committed: %s\n  headers:   %s" % (committed.get((array, version)), chunk))
    for version in VERSIONS:
        if version not in rows:
            print("%s: skipped, no headers found" % version_name(version))
    return differences


def main(arguments):
    checking = "--check" in arguments
    includes = [argument for argument in arguments if argument != "--check"]
    rows = probe_all(find_includes() + includes)
    if checking:
        if not rows:
            print("no headers found: nothing checked")
            return 77
        return 1 if check(rows) else 0
    missing = [version for version in VERSIONS if version not in rows]
    if missing:
        raise Error("no headers of " + ", ".join(map(version_name, missing)))
    sys.stdout.write(format_table(rows))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Error as error:
        sys.exit("generate_offsets.py: %s" % error)
