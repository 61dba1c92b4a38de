#!/usr/bin/env python3
"""Proves the rows of offsets in the interpreters found.

    walk_check.py LIBRARY              every interpreter found
    walk_check.py --inside LIBRARY     this one

LIBRARY holds pyoffsets_find.  Inside an interpreter its row is read through
raw memory: the chain of frames, their code objects and names, and must say what
sys._getframe says.
"""

import ctypes
import dis
import gc
import os
import re
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(HERE, os.pardir, os.pardir, os.pardir, "agent")
UNKNOWN = 3  # exit status: the interpreter's version has no row
NO_OWNER = 255
BY_BYTES, BY_UNITS, BY_POINTER = 1, 2, 3


def row_type():
    """struct pyoffsets as ctypes sees it, from the header."""
    with open(os.path.join(AGENT, "pyoffsets.h")) as file:
        body = re.search(r"struct pyoffsets \{(.*?)\n\};", file.read(), re.S).group(1)
    fields = re.findall(r"^\s+(u?int(?:\d+|ptr))_t (\w+);", body, re.M)
    types = [(name, ctypes.c_ssize_t if kind == "intptr" else getattr(ctypes, "c_" + kind))
             for kind, name in fields]
    return type("Row", (ctypes.Structure,), {"_fields_": types})


def runtime_address():
    try:
        return ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    except ValueError:  # before 3.7
        return None


def find_row(library):
    find = ctypes.CDLL(library).pyoffsets_find
    find.restype = ctypes.c_bool
    find.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p]
    row = row_type()()
    return row if find(ctypes.byref(row), sys.hexversion, runtime_address()) else None


def pointer(address):
    return ctypes.c_void_p.from_address(address).value or 0


def integer(address):
    return ctypes.c_int32.from_address(address).value


def byte(address):
    return ctypes.c_uint8.from_address(address).value


def api(name, result=ctypes.c_void_p):
    function = getattr(ctypes.pythonapi, name)
    function.restype = result
    function.argtypes = []
    return function


def first_start(code):
    """Index of the instruction from which on Python shows the frame."""
    before = 4 if sys.version_info >= (3, 15) else None  # RESUME_AT_GEN_EXPR_START
    return next(i for i, (name, argument) in enumerate(zip(code[::2], code[1::2]))
                if name == dis.opmap["RESUME"] and argument & 7 != before)


class Reader:
    """Reads objects by a row's offsets."""

    def __init__(self, row):
        self.row = row
        self.incomplete = self.shims = self.frames = 0

    def text(self, address):
        row = self.row
        length = ctypes.c_ssize_t.from_address(address + row.unicode_length).value
        state = ctypes.c_uint32.from_address(address + row.unicode_state).value
        kind = (state & row.kind_mask) >> row.kind_shift
        assert not row.ready_mask or state & row.ready_mask
        if not state & row.compact_mask:
            data = pointer(address + row.unicode_any)
        elif state & row.ascii_mask:
            data = address + row.ascii_data
        else:
            data = address + row.compact_data
        codec = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[kind]
        return ctypes.string_at(data, length * kind).decode(codec, "surrogatepass")

    def bytes(self, address):
        size = ctypes.c_ssize_t.from_address(address + self.row.bytes_size).value
        return ctypes.string_at(address + self.row.bytes_data, size)

    def code_of(self, frame):
        return pointer(frame + self.row.frame_code) & ~self.row.code_tag_mask

    def current_frame(self):
        """The frame of the caller: the one below this function's own, which is gone soon."""
        row = self.row
        holder = get_state() + (row.tstate_frame if row.tstate_frame >= 0 else row.tstate_cframe)
        if row.tstate_frame < 0:
            holder = ctypes.c_void_p.from_address(holder).value + row.cframe_frame
        frame = ctypes.c_void_p.from_address(holder).value  # no call of Python's: it is ours
        return pointer(frame + row.frame_back)

    def instruction(self, frame, code):
        """Bytes from the start of the code."""
        if self.row.instr_kind == BY_BYTES:
            return integer(frame + self.row.frame_instr)
        if self.row.instr_kind == BY_UNITS:
            lasti = integer(frame + self.row.frame_instr)
            return lasti * 2 if lasti >= 0 else lasti
        return pointer(frame + self.row.frame_instr) - code - self.row.code_adaptive

    def is_hidden(self, frame):
        """A shim of the C stack, or not complete."""
        row = self.row
        if row.frame_owner < 0:
            return False
        owner = byte(frame + row.frame_owner)
        if owner >= row.owner_shim and row.owner_shim != NO_OWNER:
            self.shims += 1
            return True
        code = self.code_of(frame)
        first = 2 * integer(code + row.code_firsttraceable)
        hidden = owner != row.owner_generator and self.instruction(frame, code) < first
        self.incomplete += hidden
        return hidden

    def check_frame(self, frame, expected, is_top):
        row = self.row
        code = self.code_of(frame)
        f_code = expected.f_code
        assert code == id(f_code), (hex(code), f_code)
        assert pointer(code + row.object_type) == id(type(f_code))
        if not is_top:  # its instruction moves while it is read
            got = self.instruction(frame, code)
            assert got == expected.f_lasti, (f_code, got, expected.f_lasti)
        assert self.text(pointer(code + row.code_filename)) == f_code.co_filename
        assert self.text(pointer(code + row.code_name)) == f_code.co_name
        if row.code_qualname >= 0:
            assert self.text(pointer(code + row.code_qualname)) == f_code.co_qualname
        assert integer(code + row.code_firstlineno) == f_code.co_firstlineno
        lines = f_code.co_lnotab if sys.version_info < (3, 10) else f_code.co_linetable
        assert self.bytes(pointer(code + row.code_lines)) == lines
        if row.code_firsttraceable >= 0:
            first = integer(code + row.code_firsttraceable)
            assert first == first_start(f_code.co_code)
        self.frames += 1

    def check_stack(self):
        """The whole stack, from the frame of this function up."""
        expected = sys._getframe(0)
        frame = self.current_frame()
        is_top = True
        while frame:
            if not self.is_hidden(frame):
                assert expected is not None, "more frames than sys._getframe shows"
                self.check_frame(frame, expected, is_top)
                expected = expected.f_back
                is_top = False
            frame = pointer(frame + self.row.frame_back)
        assert expected is None, "fewer frames than sys._getframe shows"


get_state = api("PyThreadState_Get")


def run_shapes(check):
    """Calls check() under every kind of frame."""
    class Sortable:
        def __lt__(self, other):
            check()
            return False

    class Built:
        def __init__(self):
            check()

    def generator():
        yield check()
        yield from (check() for _ in range(2))

    async def coroutine():
        check()

    def recurse(depth):
        return recurse(depth - 1) if depth else check()

    def closure():
        kept = 1
        return lambda: (kept, check())

    def make():
        return Built()

    recurse(200)
    sorted([Sortable(), Sortable()])
    list(map(lambda _: check(), range(3)))
    for _ in range(100):  # long enough to be specialized
        make()
        list(generator())
        closure()()
    [check() for _ in range(2)]
    try:
        coroutine().send(None)
    except StopIteration:
        pass
    exec(compile("class A:\n    check()\n", "<class>", "exec"), {"check": check})
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()


class Name(str):
    pass


def run_file_names(check):
    source = "def f():\n    check()\n"
    for name in ("ascii.py", "caf\xe9.py", "\u4e2d\u6587.py", "\U0001f600\xe9.py", "\udcff.py", ""):
        space = {"check": check}
        exec(compile(source, name, "exec"), space)
        space["f"]()
        function = space["f"]
        function.__code__ = function.__code__.replace(co_name=name, co_filename=Name(name))
        assert function.__code__.co_filename == name
        function()


def run_collections(check):
    """The collector may run while a frame is being set up: such frames are incomplete."""
    errors = []

    def callback(phase, info):
        try:
            check()
        except AssertionError as error:
            errors.append(error)

    def inner(cell):
        return lambda: cell

    before = gc.get_threshold()
    gc.callbacks.append(callback)
    gc.set_threshold(1)
    for _ in range(50):
        inner([])
    gc.set_threshold(*before)
    gc.callbacks.remove(callback)
    assert not errors, errors[0]


def check_state(row):
    state = get_state()
    assert ctypes.c_ulong.from_address(state + row.tstate_thread_id).value == threading.get_ident()
    name = "PyInterpreterState_Get" if sys.version_info >= (3, 9) else "_PyInterpreterState_Get"
    assert pointer(state + row.tstate_interp) == api(name)()
    if sys.version_info >= (3, 9):
        get_id = ctypes.pythonapi.PyThreadState_GetID
        get_id.restype, get_id.argtypes = ctypes.c_uint64, [ctypes.c_void_p]
        assert ctypes.c_uint64.from_address(state + row.tstate_id).value == get_id(state)
    assert pointer(state + row.tstate_tracefunc) == 0
    sys.settrace(lambda *arguments: None)
    traced = pointer(state + row.tstate_tracefunc)
    sys.settrace(None)
    assert traced != 0


def check_marks(reader):
    row = reader.row

    def frame_of_caller(local):
        """The frames of this function and of its caller."""
        top = reader.current_frame()
        assert pointer(top + row.frame_localsplus) & ~row.code_tag_mask == id(local)
        if row.frame_trace_lines >= 0:
            assert byte(top + row.frame_trace_lines) == 1
        if row.frame_stacktop >= 0:
            # By C calls alone: a call of Python's would suspend this frame.
            assert ctypes.c_int32.from_address(top + row.frame_stacktop).value == -1
        return top, pointer(top + row.frame_back)

    def direct():
        local = object()
        top, back = frame_of_caller(local)
        if row.frame_stacktop >= 0:
            # Suspended in a call: all that it has on its stack is below this.
            assert integer(back + row.frame_stacktop) >= 2
        if row.frame_is_entry >= 0:
            assert byte(top + row.frame_is_entry) == 0
        if row.frame_gen >= 0:
            assert pointer(back + row.frame_gen) == 0

    def generator():
        top, back = frame_of_caller(object())
        if row.frame_gen >= 0:
            assert pointer(back + row.frame_gen) == id(made)
        yield

    for _ in range(100):
        direct()
    made = generator()
    next(made)
    [(top, _)] = map(frame_of_caller, [object()])
    entries = []

    def entry(local):
        top = reader.current_frame()
        entries.append(byte(top + row.frame_is_entry))

    if row.frame_is_entry >= 0:
        list(map(entry, [0]))
        assert entries == [1]


class AtShutdown:
    """Dies with its module, while the interpreter finalizes."""

    def __init__(self, row):
        self.row = row
        self.tools = pointer, runtime_address() + row.runtime_finalizing, os.write
        assert pointer(self.tools[1]) == 0

    def __del__(self):
        read, address, write = self.tools
        write(1, b"finalizing: seen\n" if read(address) else b"finalizing: NOT seen\n")


def check_inside(library):
    row = find_row(library)
    if row is None:
        return UNKNOWN
    reader = Reader(row)
    check_state(row)
    check_marks(reader)
    run_shapes(reader.check_stack)
    run_file_names(reader.check_stack)
    run_collections(reader.check_stack)
    assert reader.frames > 2000
    if row.owner_shim != NO_OWNER:
        assert reader.shims > 0
    # In 3.12 only an allocator sees them.
    if row.frame_owner >= 0 and sys.version_info[:2] != (3, 12):
        assert reader.incomplete > 0
    print("%d frames agree, %d incomplete and %d shims skipped" %
          (reader.frames, reader.incomplete, reader.shims), flush=True)
    global at_shutdown
    at_shutdown = AtShutdown(row)
    return 0


def check_interpreter(python, library):
    """True, False or None (skipped)."""
    command = [python, "-I", os.path.abspath(__file__), "--inside", library]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode == UNKNOWN:
        print("%s: skipped, no row for it" % python)
        return None
    good = done.returncode == 0 and output.endswith("finalizing: seen")
    print("%s: %s\n  %s" % (python, "ok" if good else "FAILED", output.replace("\n", "\n  ")))
    return good


def check_all(library):
    sys.path.insert(0, AGENT)
    import generate_offsets
    results = [check_interpreter(python, library) for python in generate_offsets.find_pythons()]
    if False in results:
        return 1
    return 0 if True in results else 77


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        sys.exit(check_inside(sys.argv[2]))
    sys.exit(check_all(os.path.abspath(sys.argv[1])))
