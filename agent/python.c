/*
 * Finding the interpreter (python.h).  In the host's constructors and first
 * malloc: symbols are read from hash tables; of the interpreter's functions
 * only those are called that neither allocate nor need it to be initialized.
 */
#include "python.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "elfsym.h"
#include "loaded.h"
#include "ring.h"
#include "session.h"
#include "sys.h"

#define COMMAND_MAX 8192u

struct python python;

static const volatile uintptr_t never_finalizing;

/* "3.8.18 (default, ..." → 0x03081200; no release level: only released versions are known. */
static uint32_t parse_version(const char *text)
{
    uint32_t parts[3] = {0};
    for (int i = 0; i < 3; i++) {
        while (*text >= '0' && *text <= '9') {
            parts[i] = parts[i] * 10 + (uint32_t)(*text++ - '0');
        }
        if (*text != '.') {
            break;
        }
        text++;
    }
    return parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | 0xf0;
}

static uint32_t find_version(void)
{
    const unsigned long *number = elfsym_find("Py_Version");
    if (number) {
        return (uint32_t)*number;
    }
    const char *(*text)(void) = (const char *(*)(void))elfsym_find("Py_GetVersion");
    return text ? parse_version(text()) : 0;
}

static void *any_of(const char *first, const char *second)
{
    void *found = elfsym_find(first);
    return found ? found : elfsym_find(second);
}

/* What it sets up then has its memory from the kernel alone, in all domains from 3.15 on. */
static bool wants_mimalloc(void)
{
    static const char wanted[] = "PYTHONMALLOC=mimalloc";
    for (char **entry = environ; entry && *entry; entry++) {
        if (strncmp(*entry, wanted, sizeof(wanted) - 1) == 0) {
            return true;
        }
    }
    return false;
}

void python_find(void)
{
    python.finalizing = &never_finalizing;
    python.current_at = pycurrent_unknown;
    void *set_allocator = elfsym_find("PyMem_SetAllocator");
    if (!set_allocator) {
        return;
    }
    const uint8_t *runtime = elfsym_find("_PyRuntime");
    python.present = true;
    python.version = find_version();
    python.code_type = (uintptr_t)elfsym_find("PyCode_Type");
    python.current =
        (void *(*)(void))any_of("PyThreadState_GetUnchecked", "_PyThreadState_UncheckedGet");
    python.of_this_thread = (void *(*)(void))elfsym_find("PyGILState_GetThisThreadState");
    python.state_is_own = python.version >= 0x030c0000;
    elfsym_text(set_allocator, &python.text_start, &python.text_end);
    bool traces_references = elfsym_find("_Py_PrintReferences"); /* two more words in an object */
    python.known = !traces_references && python.code_type && python.current &&
                   python.of_this_thread &&
                   pyoffsets_find(&python.offsets, python.version, runtime);
    python.may_drop = python.known && wants_mimalloc();
    if (elfsym_find("_Py_NegativeRefcount")) { /* a debug build looks at what others leave alone */
        python.offsets.mark_kind = PY_MARK_NONE;
    }
}

void python_may_read(bool is_late)
{
    python.is_late = is_late;
    const uint8_t *runtime = elfsym_find("_PyRuntime");
    if (python.known && runtime) {
        python.finalizing =
            (const volatile uintptr_t *)(runtime + python.offsets.runtime_finalizing);
    }
    python.readable = python.known;
}

void python_find_current(void)
{
    if (python.readable) {
        python.current_at = pycurrent_find((const void *)python.current);
    }
}

void python_forget(void)
{
    python = (struct python){.finalizing = &never_finalizing, .current_at = pycurrent_unknown};
    python_forget_hooks();
}

void python_complain(void)
{
    if (python.present && !python.known &&
        !(atomic_fetch_or(&session.control->said, MT_SAID_UNKNOWN_PYTHON) &
            MT_SAID_UNKNOWN_PYTHON)) {
        sys_complain("this version of Python is not known: native allocations only", NULL);
    }
}

/* The thread-local memory of a library that came late is allocated when a thread first uses it:
   not in threads that are none of Python's, and not again for that allocation itself. */
static uintptr_t state_of_late(bool with_gil)
{
    if (thread_self.asks) {
        return 0;
    }
    thread_self.asks = true;
    uintptr_t state = (uintptr_t)python.of_this_thread(), current = 0;
    if (with_gil || (state && python.state_is_own)) {
        current = (uintptr_t)python.current();
    }
    thread_self.asks = false;
    return current ? current : state;
}

uintptr_t python_state(bool with_gil)
{
    if (!python.readable) {
        return 0;
    }
    if (__builtin_expect(python.is_late, 0)) {
        return state_of_late(with_gil);
    }
    if (with_gil || python.state_is_own) {
        uintptr_t state = (uintptr_t)python.current();
        if (state) {
            return state;
        }
    }
    return (uintptr_t)python.of_this_thread();
}

static size_t read_file(const char *path, char *out, size_t size)
{
    long fd = sys_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return 0;
    }
    long got = sys_read((int)fd, out, size);
    sys_close((int)fd);
    return got > 0 ? (size_t)got : 0;
}

static enum mt_python kind_of_python(void)
{
    if (!python.present) {
        return MT_PYTHON_NONE;
    }
    return python.known ? MT_PYTHON_TRACED : MT_PYTHON_UNKNOWN;
}

bool python_announce(struct thread *thread)
{
    static char text[COMMAND_MAX];
    long path = sys_readlink("/proc/self/exe", text, COMMAND_MAX / 2);
    path = path > 0 ? path : 0;
    size_t command = read_file("/proc/self/cmdline", text + path, COMMAND_MAX - (size_t)path);
    uint64_t words[2] = {(uint32_t)sys_parent_pid() | (uint64_t)kind_of_python() << 32,
        python.version | (uint64_t)path << 32};
    return ring_text(thread, text, (size_t)path + command) &&
           ring_meta(thread, MT_META_PROCESS, 0, 0, words, 2);
}

void python_announce_late(void)
{
    uint32_t depth = thread_self.depth++;
    struct thread *thread = thread_self.thread;
    if (session_live.on && (thread || (thread = thread_acquire()))) {
        ring_meta(thread, MT_META_PYTHON, kind_of_python(), python.version, NULL, 0);
    }
    thread_self.depth = depth;
}

void python_note_object(const struct loaded *object)
{
    bool is_ours = python.text_start >= object->start && python.text_start < object->end;
    if (python.present && !is_ours && elfsym_of(object, "PyMem_SetAllocator") &&
        !(atomic_fetch_or(&session.control->said, MT_SAID_SECOND_PYTHON) & MT_SAID_SECOND_PYTHON)) {
        sys_complain("a second Python in one process, ", object->name,
            ": of that one native allocations only", NULL);
    }
}
