/*
 * The trace file, version 1.  docs/format.md describes it in full, with a worked example.
 *
 * A file is a header and then chunks, only ever appended.  A reader takes all
 * complete chunks: a file cut at any byte gives everything before the cut.
 * Fixed-size integers are little-endian; a varint is unsigned LEB128 of at most
 * 64 bits; an svarint is a zigzag-encoded signed varint ((n << 1) ^ (n >> 63)).
 */
#ifndef MEMTRACE_FORMAT_H
#define MEMTRACE_FORMAT_H

#include <stdint.h>

/* Header, 16 bytes: magic (8), major u16, minor u16, reserved u32 = 0.
   A reader refuses another major version; a newer minor one adds chunks it may skip. */
#define MT_TRACE_MAGIC "\x89MTR\r\n\x1a\n"
#define MT_TRACE_MAGIC_SIZE 8
#define MT_TRACE_HEADER_SIZE 16
#define MT_TRACE_MAJOR 1
#define MT_TRACE_MINOR 5

/* Chunk: mark u32, stored size u32, raw size u32, then `stored` bytes: one zstd frame with a
   content checksum.  Uncompressed: kind (1 byte), sequence number of the chunk from 0 (varint),
   body. */
#define MT_CHUNK_MARK 0x4b43544du /* "MTCK" */
#define MT_CHUNK_HEADER_SIZE 12
#define MT_CHUNK_MAX (64u << 20) /* largest raw size */

/* No amount is larger, nor the sum of all changes of a column of rows without their signs, nor a time:
   a reader takes more for damage, and adds and subtracts the rest without a thought. */
#define MT_AMOUNT_MOST ((1ull << 62) - 1)
#define MT_TIME_MOST (1ull << 53) /* microseconds, 285 years */

/*
 * Kinds and bodies.  Ids count up from 1 in the order of definition, over all chunks of a kind;
 * 0 is "none" (the empty string, no function, the empty stack, ...).  A definition refers only
 * to ids already defined.  Times are microseconds since the session began, sizes are bytes.
 */
enum mt_chunk {
    MT_CHUNK_META = 1, /* UTF-8 JSON object: see docs/format.md; first chunk of a file */
    MT_CHUNK_STRINGS = 2,
    /* n, then n of: length varint, bytes (any bytes) */
    MT_CHUNK_FUNCTIONS = 3,
    /* n, then n of: file string, name string, first line (varints) */
    MT_CHUNK_NODES = 4,
    /* n, then n of: parent node, function, line (varints).  A node is a Python stack: its own
       frame is the innermost; line 0 is unknown */
    MT_CHUNK_PROCESSES = 5,
    /* n, then n of: pid, parent process id (this file's, 0 for the first), start time, origin
       (enum mt_origin), path string, command string (arguments joined by NUL), Python version
       string ("3.11.2"; none if not Python), traced (enum mt_python of ring.h) */
    MT_CHUNK_THREADS = 6,
    /* n, then n of: process, tid, name string, start time */
    MT_CHUNK_SITES = 7,
    /* n, then n of: process, thread, domain (enum mt_domain), node, native (0: not known) */
    MT_CHUNK_TIMELINE = 8,
    /* process, n, then n samples, each as svarint differences to the sample before (the first
       of a chunk to zero): time, rss, python, native, mapped (live bytes; mapped without
       arenas), arenas, high (largest python + native since the sample before) */
    MT_CHUNK_BOUNDARY = 9,
    /* kind (enum mt_boundary), process (0: all), time, name string, n, then n rows sorted by
       (site, birth), column by column: n times the difference of the site to that of the row
       before (varints), n births (varints: ordinal of the boundary after which the blocks were
       allocated), and svarint changes since the last boundary that gave this (site, birth): n
       of bytes, n of blocks, n of allocated bytes, n of allocations (the last two ever
       increase: all that was allocated) */
    MT_CHUNK_PEAK = 10,
    /* process (0: the sum of all), time, python, native (bytes), blocks, n, then n rows as in
       BOUNDARY but with the columns of bytes and blocks only, against the state after the boundary
       before this chunk: the state at the highest peak so far.  Replaces earlier ones of the
       same process */
    MT_CHUNK_LINES = 11,
    /* n, then n of: file string, line, text string: source text as it was when the trace ended */
    MT_CHUNK_PROCESS_END = 12,
    /* process, time, status (as of waitpid; or enum mt_no_status), unknown frees, duplicate
       allocations, frees of inherited blocks, gap events, gap bytes, events, max rss, and, if
       it was ever paused, frees of blocks that were allocated then (status svarint, the others
       varints) */
    MT_CHUNK_END = 13,
    /* UTF-8 JSON object: the trace is complete */
    MT_CHUNK_REGIONS = 14,
    /* n, then n of: process, thread, name string, start time, duration, live bytes (python +
       native of the process) at the start, at the end, the most in between.  In order of their
       ends; those still open when the process ended, end with it */
    MT_CHUNK_THIN = 15,
    /* n, then n of: ordinal of a boundary (a difference to the one before) that is not retained
       any more: its changes count for the next one, and what was born after it counts as born
       after the retained one before it */
    MT_CHUNK_SIZES = 16,
    /* process, n, then for each domain below n: allocations that were temporary, m, and m counts of
       allocations: of blocks whose size has so many bits (0; 1; 2 and 3; 4 to 7; ...) */
    MT_CHUNK_MODULES = 17,
    /* n, then n of: path string, build id string (hexadecimal; none if it has none): objects that
       native code was loaded from */
    MT_CHUNK_NATIVES = 18,
    /* n, then n of: parent native, module, address: where native code is returned to, as the
       object's own file counts addresses; without a module as the process did.  A parent is what
       called it */
    MT_CHUNK_SYMBOLS = 19,
    /* n, then n of: native, function string, how far in it the address is, file string, line (none
       and 0 if not known): what its module's symbols said when the trace ended */
    MT_CHUNK_SAMPLING = 20,
    /* interval: blocks are samples, one in so many bytes on average; amounts are estimates */
    MT_CHUNK_SAMPLED_BOUNDARY = 21,
    /* as BOUNDARY, with two more columns: changes of the spread of bytes and of that of allocated
       bytes.  A spread is a variance, in 65536ths of the interval's square */
    MT_CHUNK_SAMPLED_PEAK = 22,
    /* as PEAK, with one more column: changes of the spread of bytes */
    MT_CHUNK_ANCHORS = 23,
    /* n, then n of: native, node.  The native is no frame: its parent was called from the Python
       stack `node`, and the Python frames of a site above that node were called from its parent */
    MT_CHUNK_THREAD_NAMES = 24,
    /* n, then n of: thread, name string: what it is called from now on */
    MT_CHUNK_PYTHONS = 25,
    /* n, then n of: process, Python version string, traced: the interpreter came after the process
       was defined */
    MT_CHUNK_SHARES = 26,
    /* process, n, then n samples, each as svarint differences to the sample before (the first of a
       chunk to zero): time, RSS, PSS, USS */
    MT_CHUNK_LOG = 27,
    /* process, n, least time, largest time less that, and n events column by column: see
       docs/format.md.  With --full all events of each process are there, in order; the events of a
       BOUNDARY's state come before it */
    MT_CHUNK_INLINED = 28,
    /* n, then n of: native, function string, file string, line (none and 0 if not known): functions
       that were inlined at the native's place, of one native the outermost first.  A line is where
       the next one was inlined, of the last one the place itself; that of SYMBOLS, where the first
       was */
    MT_CHUNK_ALLOCATORS = 29,
    /* n, then n of: module, name string: it has an allocator of its own inside, whose blocks are
       not in the trace; what that maps is */
    MT_CHUNK_UNTOUCHED = 30,
    /* n, then n of: process, time, known (0: its pages could not be looked at), m, and m of: site
       (the difference to the one before), bytes of its blocks of MT_LARGE bytes and more that had
       no page then.  Of each process until its next one */
    MT_CHUNK_FILES = 31,
    /* n, then n of: site (svarint, the difference to the one before): of domain mmap, and what it
       maps are files */
    MT_CHUNK_KINDS /* one more than the last */
};

/* Why a process has no status: not ours to wait for; it was running when the trace ended; it became
   another program by exec (and ended with nothing: its memory was gone). */
enum mt_no_status { MT_STATUS_UNKNOWN = -1, MT_STATUS_RUNNING = -2, MT_STATUS_EXEC = -3 };

#define MT_LARGE (1u << 20) /* bytes of blocks whose pages are looked at */

enum mt_origin { MT_ORIGIN_EXEC = 0, MT_ORIGIN_FORK = 1 };

/* Moments.  Boundaries have ordinals, from 0 in the order of the file; blocks born after an
   ordinal were allocated between that boundary and the next one of all processes.  START: all
   zero.  END: the process at its own end, before its interpreter tears
   itself down, or when it was last seen.  LAST: what was left at the very last.  DROPPED: a place that a boundary
   had, without rows: it keeps the ordinals. */
enum mt_boundary {
    MT_BOUNDARY_START = 0,
    MT_BOUNDARY_TICK = 1,
    MT_BOUNDARY_END = 2,
    MT_BOUNDARY_MARK = 3,
    MT_BOUNDARY_LAST = 4,
    MT_BOUNDARY_DROPPED = 5
};

#endif
