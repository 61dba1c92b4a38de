/*
 * The contract between the agent and the collector: a session's shared memory.
 *
 * A session is a directory (0700) that holds one control file and one file for
 * each ring (0600).  The collector makes the directory and the control file;
 * agents make rings.  Both sides map them; neither trusts the other to be alive.
 * Both sides are built from the same source: a version that differs is refused.
 *
 * All integers are in the byte order of the machine.
 */
#ifndef MEMTRACE_RING_H
#define MEMTRACE_RING_H

#include <stdatomic.h>
#include <stdint.h>

#define MT_RING_VERSION 12u
#define MT_CONTROL_MAGIC 0x4c5254434d454d01ull /* "\1MEMCTRL" */
#define MT_RING_MAGIC 0x474e49524d454d01ull    /* "\1MEMRING" */

#define MT_SESSION_ENV "MEMTRACE_SESSION" /* the session's directory, absolute */
/* Which variables were added to the environment that the program's parent gave it. */
#define MT_ADDED_ENV "MEMTRACE_ADDED"
enum mt_added {
    MT_ADDED_SESSION = 's', /* MEMTRACE_SESSION */
    MT_ADDED_PRELOAD = 'p', /* LD_PRELOAD */
    MT_ADDED_AGENT = 'a'    /* the first name in LD_PRELOAD */
};
#define MT_CONTROL_NAME "control"         /* its control file */
#define MT_RING_NAME "ring."              /* its rings: "ring." and the number in decimal */

#define MT_SLOTS 65536u        /* rings that one session can have at a time, a power of two */
#define MT_PROCESS_RINGS 8192u /* that one process can have at a time */
#define MT_RING_HEADER 4096u   /* bytes before a ring's first word */
#define MT_RING_LEAST 16384u  /* data bytes of the smallest ring */
#define MT_SPARE_MAX 256u
#define MT_LOANS 512u          /* rings that the collector lends */
#define MT_LOAN_BYTES (64u << 10) /* data bytes of the largest of these */
#define MT_COUNTERS 1025u      /* order counters of a process: of addresses, and of maps */
#define MT_COUNTER_SHIFT 20    /* a counter serves addresses that agree above this bit */
#define MT_NODE_LIMIT (1u << 19)
#define MT_FORKED 32u        /* children of forks that the collector can look for at the end */
#define MT_ANSWERS 4u         /* numbers that the collector can answer a question with */

/* State of the session, written by the collector, read by agents. */
enum mt_state { MT_STATE_RUNNING = 1, MT_STATE_CLOSED = 2 };

/* Programs start paused: see PAUSE.  Native stacks are wanted as a whole. */
enum mt_session_flags { MT_SESSION_PAUSED = 1, MT_SESSION_NATIVE = 2 };

/*
 * Rings have numbers, 0, 1, 2, ..., which are never used again; ring n has the slot n modulo the
 * number of slots, if an agent finds it EMPTY or VOID, and else there is no ring n.  The agent takes
 * it to CLAIMED, makes the ring's file and takes it to READY, or to VOID if it cannot.  The collector
 * takes it to VOID when it has removed the file.  A slot that is CLAIMED by a dead process stays so.
 */
enum mt_slot_state { MT_SLOT_EMPTY = 0, MT_SLOT_CLAIMED = 1, MT_SLOT_READY = 2, MT_SLOT_VOID = 3 };

enum mt_box_state { MT_BOX_EMPTY = 0, MT_BOX_CLAIMED = 1, MT_BOX_POSTED = 2 };
#define MT_MARK_MAX 256u

struct mt_slot {
    _Atomic uint64_t word; /* state, process id << 2, number of the ring << 32 */
};

static inline uint64_t mt_slot_word(enum mt_slot_state state, int32_t pid, uint32_t number)
{
    return (uint64_t)state | ((uint64_t)pid & 0x3fffffff) << 2 | (uint64_t)number << 32;
}

static inline enum mt_slot_state mt_slot_state(uint64_t word)
{
    return (enum mt_slot_state)(word & 3);
}

static inline int32_t mt_slot_pid(uint64_t word)
{
    return (int32_t)(word >> 2 & 0x3fffffff);
}

static inline uint32_t mt_slot_number(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

/*
 * A process that can make no file any more, because it has become another user, sees other
 * directories or has used up its descriptors, asks for a ring.  Behind the control block the
 * control file has room for MT_LOANS of them, without any memory, which all agents have mapped
 * from the beginning on.  The agent takes one from FREE to ASKED, with the number of the ring, and
 * counts loans_asked; the collector gives it memory and takes it to LENT, or else to REFUSED, from
 * where the agent takes it to FREE.  When the ring is over the collector takes its memory back.
 */
enum mt_loan_state { MT_LOAN_FREE = 0, MT_LOAN_ASKED = 1, MT_LOAN_LENT = 2, MT_LOAN_REFUSED = 3 };

struct mt_loan {
    _Atomic uint64_t word; /* as a slot's; one sleeps on its low half */
    uint64_t bytes;        /* of data, if it is LENT */
};

static inline uint64_t mt_loan_word(enum mt_loan_state state, int32_t pid, uint32_t number)
{
    return mt_slot_word((enum mt_slot_state)state, pid, number);
}

static inline enum mt_loan_state mt_loan_state(uint64_t word)
{
    return (enum mt_loan_state)(word & 3);
}

/* What is said once, not by each process. */
enum mt_said { MT_SAID_UNKNOWN_PYTHON = 1, MT_SAID_SECOND_PYTHON = 2 };

/* Why a thread got no ring, whose process is not traced from there. */
enum mt_off {
    MT_OFF_THREADS = 0, /* more than MT_PROCESS_RINGS at a time */
    MT_OFF_SLOTS = 1,   /* more in the session than it has slots */
    MT_OFF_ROOM = 2,    /* shared memory, descriptors, address space */
    MT_OFF_USER = 3,    /* the session is not this user's */
    MT_OFF_REASONS = 4
};

struct mt_control {
    uint64_t magic;
    uint32_t version;
    int32_t collector_pid;
    uint64_t ring_bytes; /* data bytes of the largest ring; of each a power of two */
    _Atomic uint32_t state;
    uint32_t flags; /* enum mt_session_flags */
    int32_t only_pid; /* of the process that alone is traced, 0: all are */
    _Atomic uint32_t said; /* enum mt_said: what one of the processes has said on stderr */
    uint64_t sample_bytes; /* blocks are samples, one in so many bytes; 0: all are recorded */
    uint64_t sample_seed;  /* of the random numbers that choose them; 0: other ones each time */
    _Alignas(64) _Atomic uint64_t clock_us; /* microseconds since the session began; moves while
                                               the collector lives, at most every millisecond */
    uint64_t pid_space;   /* the collector's, 0: not known */
    uint32_t slots_count; /* of `slots` so many serve, a power of two */
    _Alignas(64) _Atomic uint32_t rings_used; /* numbers given to rings */
    _Atomic uint32_t rings_gone; /* of these, those without a ring, or without one any more */
    _Atomic uint32_t images_used; /* numbers given to program images, from 1 */
    /* Grows with each ring that the collector takes from and each process that it samples: where it
       gets little of a processor clock_us may not move for long. */
    _Atomic uint64_t work;
    /* A mark from outside the traced programs (`memtrace mark`): whoever takes the box from EMPTY
       to CLAIMED writes the name and posts it; the collector empties it. */
    _Alignas(64) _Atomic uint32_t mark_state; /* enum mt_box_state */
    uint32_t mark_size;                       /* bytes of the name, at most MT_MARK_MAX */
    char mark_name[MT_MARK_MAX];
    /* Where rings may be too, if there is no room in the session's directory; empty: nowhere. */
    char spare[MT_SPARE_MAX];
    /* Started where they cannot join: as another user, in another root or mount namespace. */
    _Atomic uint32_t programs_left;
    _Atomic uint32_t processes_off[MT_OFF_REASONS]; /* how many a thread without a ring turned off */
    /* Forks by the C library's functions: how many began, of how many the child has come to be.
       One that failed has only begun.  Process ids of the latest children, as the collector's PID
       namespace has them: n is at n % MT_FORKED. */
    _Alignas(64) _Atomic uint32_t forks_begun;
    _Atomic uint32_t forks_come;
    _Atomic int32_t forked[MT_FORKED];
    _Alignas(64) _Atomic uint32_t loans_asked;
    struct mt_loan loans[MT_LOANS];
    _Alignas(64) struct mt_slot slots[MT_SLOTS];
};

/*
 * A ring: single producer, single consumer.  head and tail count words of 8
 * bytes and never wrap; word i is at data[i & (words - 1)].  The producer
 * publishes head with release order after each event, so that a kill loses at
 * most the event that was being written.
 *
 * A record may ask a question, which it gives a number from 1 up, per ring.  The
 * collector writes its answers, then that number, and wakes the producer.
 */
struct mt_ring {
    uint64_t magic;
    uint32_t version;
    uint32_t number; /* of the ring */
    int32_t pid;
    uint32_t image;        /* number of the program image (a process is one image until it execs) */
    uint32_t parent_image; /* image that forked this one, 0 if it was started by exec */
    uint32_t fork;         /* which fork of that image made this one (MT_META_FORK); 0: not known */
    uint64_t words; /* capacity, a power of two */
    uint64_t pid_space; /* the PID namespace in which `pid` and thread ids are what they say: its
                           inode; 0: not known, as the collector's */
    _Alignas(64) _Atomic uint64_t head;
    _Atomic uint64_t agent_bytes; /* memory of the agent that is resident in the host beside rings */
    _Atomic uint64_t lost_events; /* for want of room, from the beginning on: also those that no */
    _Atomic uint64_t lost_bytes;  /* GAP tells of yet; bytes are of allocations */
    _Alignas(64) _Atomic uint64_t tail;
    _Atomic uint32_t waiting; /* a producer sleeps on it; the consumer clears and wakes it */
    _Atomic uint32_t answered; /* the last question that was answered; a producer sleeps on it */
    _Atomic uint64_t answers[MT_ANSWERS];
};

/*
 * Events.  The low 4 bits of an event's first word are its operation.
 *
 *   ALLOC         w0 = op | domain << 4 | (size & 0xffffff) << 8 | sequence << 32
 *                 w1 = address << 16 | node          (addresses have 48 bits, 3 of them zero;
 *                                                     nodes have 19)
 *   FREE          w0 = op | address << 16
 *   FREE_SEQ      w0 as FREE, w1 = sequence
 *   REALLOC_BEGIN, REALLOC_BEGIN_SEQ    as FREE: the block at that address is being moved.  It
 *                 stays live until the matching end, which is the next one of this ring that
 *                 is not of a begin in between; a process that dies before leaves it live.
 *   REALLOC_END, REALLOC_END_SEQ        as ALLOC: the move is done, both happen here
 *   REALLOC_CANCEL w0 = op: the move failed, the old block stays as it was
 *   REALLOC_GONE  w0 = op: the move is done, and what the block has become is not recorded
 *                 (it is no sample)
 *   SIZE          w0 = op | (size >> 24) << 4: high part of the size of the next event
 *   TIME          w0 = op | clock_us << 4
 *   NODE          w0 = op | node << 4 | parent << 24 | 0
 *                 w1 = code | (instruction & 0xffffffff) << 32
 *                 (instruction: bytes from the start of the code, -1 before the first)
 *                 A native frame, on top of its parent: w1 = MT_NATIVE | address << 32 |
 *                 module << 16 | address >> 32.  The address is where it is returned to; module 0
 *                 is code of no loaded object.  Python frames may lie on top of native ones
 *   META          w0 = op | enum mt_meta << 4 | a << 12 (20 bits) | b << 32
 *
 * Order.  Events of one ring happened in the ring's order.  An event of the
 * _SEQ kind also has a number from the counter of its address: per process and
 * per counter the numbers are 0, 1, 2, ... and give the order in which the
 * events happened.  Events without a number are only written while the process
 * has one thread, in its first ring; the first record of each other ring is
 * DEPEND on that one.
 *
 * Definitions (nodes, codes, modules) hold for one ring, from their record on, until RESET.
 */
enum mt_op {
    MT_OP_NONE = 0, /* never written: a zero word is damage */
    MT_OP_ALLOC = 1,
    MT_OP_ALLOC_SEQ = 2,
    MT_OP_FREE = 3,
    MT_OP_FREE_SEQ = 4,
    MT_OP_REALLOC_BEGIN = 5,
    MT_OP_REALLOC_BEGIN_SEQ = 6,
    MT_OP_REALLOC_END = 7,
    MT_OP_REALLOC_END_SEQ = 8,
    MT_OP_REALLOC_CANCEL = 9,
    MT_OP_SIZE = 10,
    MT_OP_TIME = 11,
    MT_OP_NODE = 12,
    MT_OP_META = 13,
    MT_OP_REALLOC_GONE = 14,
};

enum mt_meta {
    MT_META_BYTES = 1,     /* a = length in bytes; ceil(a / 8) words follow: appended to the
                              ring's scratch text, which the record that uses it empties */
    MT_META_CODE = 2,      /* a = code; 3 words follow: MT_CODE_* below */
    MT_META_RESET = 3,     /* forget the nodes and codes of this ring */
    MT_META_THREAD = 4,    /* b = thread id: the events from here on are of that thread */
    MT_META_DEPEND = 5,    /* 2 words follow: number, position: that ring up to `position`
                              happened before what follows here */
    MT_META_PROCESS = 6,   /* 2 words follow: MT_PROCESS_*; first record of an image, but for a
                              DEPEND on the ring of the thread that forked it */
    MT_META_END = 7,       /* the interpreter begins to finalize: the moment "end" */
    MT_META_GAP = 8,       /* 2 words follow: events lost here, bytes of allocations lost.  What
                              moves, definitions and scratch text were begun before it is void */
    MT_META_MAP = 9,       /* a = node, b = enum mt_map_flags; 3 words: address, length,
                              sequence in counter MT_MAP_COUNTER */
    MT_META_UNMAP = 10,    /* b = MT_MAP_MOVED or 0; 3 words: address, length, sequence */
    MT_META_THREAD_END = 11, /* the thread has left the ring */
    MT_META_MARK = 12,     /* the scratch text is the name of this moment */
    MT_META_REGION_BEGIN = 13, /* b = number of the region, from 1 up in its image; the scratch
                              text is its name.  Regions may overlap */
    MT_META_REGION_END = 14, /* b = number; 1 word: a question, 0 for none.  Answers: live bytes at
                              the begin, at the end, the most in between, microseconds */
    MT_META_PAUSE = 15,    /* b = a question without answers: from when it is answered on
                              allocations are not recorded, frees are, and moves carry
                              MT_DOMAIN_PAUSED */
    MT_META_RESUME = 16,
    MT_META_ASK = 17,      /* b = a question.  Answers: live bytes of the image, its peak */
    MT_META_OWN = 18,      /* a = 1: what this ring allocates from here on is memtrace's own, and
                              its stack is one frame, "<memtrace>"; until a = 0 */
    MT_META_MODULE = 19,   /* a = module, from 1 up, b = bytes of its build id; 3 words: what its
                              addresses are displaced by, its start, bytes of its path.  The scratch
                              text holds path and build id.  No path: the program itself */
    MT_META_FORK = 20,     /* b = which fork of this image, from 1 up: this thread forks.  What the
                              child inherits is what is live here */
    MT_META_FORKED = 21,   /* b: another thread has forked; what follows comes after fork b */
    MT_META_THREAD_NAME = 22, /* the scratch text is what this ring's thread is called now; a = enum
                              mt_name */
    MT_META_PYTHON = 23,   /* a = enum mt_python, b = Py_Version: the interpreter came after PROCESS */
};

/* Who says what a thread is called: the system, as the program is, by which nobody means this thread;
   the system; Python, of which the system knows nothing. */
enum mt_name { MT_NAME_OF_PROGRAM = 0, MT_NAME_OF_SYSTEM = 1, MT_NAME_OF_PYTHON = 2 };

#define MT_NATIVE 0x80000000u /* in the first word half of a NODE: no code, but a native caller */
#define MT_MODULE_LIMIT (1u << 15)

/* Words after CODE: w0 = first line | enum mt_lines << 32 | kinds of text << 40 (8 bits each:
   file, name: bytes per character, 1, 2 or 4; 0 is UTF-8 already);
   w1 = bytes of the file name | bytes of the name << 32;  w2 = bytes of the line table.
   The scratch text holds the three in that order. */
enum mt_lines {
    MT_LINES_LNOTAB = 1,   /* co_lnotab of 3.8 and 3.9 */
    MT_LINES_310 = 2,      /* co_linetable of 3.10 */
    MT_LINES_LOCATIONS = 3 /* co_linetable of 3.11 and later */
};

/* Words after PROCESS: w0 = parent process id (32 bits) | enum mt_python << 32;
   w1 = Py_Version (0xMMmmpp..) | bytes of the program's path << 32.
   The scratch text holds the path, then the command line (NUL-separated). */
enum mt_python { MT_PYTHON_NONE = 0, MT_PYTHON_TRACED = 1, MT_PYTHON_UNKNOWN = 2 };

/* An UNMAP with MOVED comes before an mremap: it stays mapped until the next MAP of this ring with
   MOVED (of what has become of it, of the same kind; nothing if its length is 0) or BACK (it is as it
   was). */
enum mt_map_flags {
    MT_MAP_ANONYMOUS = 1,
    MT_MAP_FILE = 2,
    MT_MAP_ARENA = 4,
    MT_MAP_MOVED = 8,
    MT_MAP_BACK = 16
};

#define MT_MAP_COUNTER (MT_COUNTERS - 1)
#define MT_SEQ_NONE UINT64_MAX /* sequence of MAP and UNMAP when the process has one thread */

/* Through which door a block was allocated.  The numbers are in traces: never change one. */
enum mt_domain {
    MT_DOMAIN_RAW = 0,
    MT_DOMAIN_MEM = 1,
    MT_DOMAIN_OBJ = 2,
    MT_DOMAIN_MALLOC = 3,
    MT_DOMAIN_MMAP = 4, /* anonymous */
    MT_DOMAIN_ARENA = 5,
    MT_DOMAIN_INHERITED = 6, /* never in a ring: what a forked process holds of its parent's */
    MT_DOMAIN_FILE = 7, /* maps of files; never in a trace's SITES, where they are MMAP */
    MT_DOMAINS = 8,
    MT_DOMAIN_PAUSED = 8 /* in REALLOC_END: the old block may be one that was not recorded, and
                            then the new one is not either */
};

static inline struct mt_slot *mt_slot_of(struct mt_control *control, uint32_t number)
{
    return &control->slots[number & (control->slots_count - 1) & (MT_SLOTS - 1)];
}

/* Of the control file, with the rings that are lent; the place of one in it. */
#define MT_LOANS_AT ((sizeof(struct mt_control) + 4095) & ~(uint64_t)4095)
#define MT_CONTROL_BYTES (MT_LOANS_AT + MT_LOANS * (uint64_t)(MT_RING_HEADER + MT_LOAN_BYTES))

static inline uint64_t mt_loan_at(uint32_t loan)
{
    return MT_LOANS_AT + loan * (uint64_t)(MT_RING_HEADER + MT_LOAN_BYTES);
}

/* The counter that orders events at an address; the last one is kept for maps. */
static inline uint32_t mt_counter_of(uint64_t address)
{
    uint64_t unit = address >> MT_COUNTER_SHIFT;
    return (uint32_t)(unit ^ unit >> 10) % (MT_COUNTERS - 1);
}

#endif
