/*
 * Making the files of rings (ringfile.h).  In the host, inside malloc.
 *
 * Pages are allocated when the file is made: a full shared-memory file system is
 * an error then, not a SIGBUS later.  Containers often have 64 MB of it, for any
 * number of processes and threads: a ring takes a small part of what is left, and
 * where too little is left the file goes to the session's other directory.  Where
 * there is much, many rings are still kept from taking it.
 */
#include "ringfile.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "loan.h"
#include "session.h"
#include "sys.h"

#define SHARE 256u               /* a ring takes at most a 256th of the room that is left */
#define FIRST_SHARE 4u           /* all but the first have a 4th of the full size */
#define FULL_RINGS 128u          /* rings of that size at a time: of more each has less */
#define SPARE_BYTES (256u << 10) /* at most, of one that may be on a disk */

static uint64_t mapped_size(uint64_t bytes)
{
    return MT_RING_HEADER + 2 * bytes;
}

static struct mt_ring *map_twice(int fd, uint64_t bytes)
{
    uint8_t *start = sys_reserve(mapped_size(bytes));
    if (!start) {
        return NULL;
    }
    if (!sys_map(start, MT_RING_HEADER + bytes, MAP_SHARED | MAP_FIXED, fd, 0) ||
        !sys_map(
            start + MT_RING_HEADER + bytes, bytes, MAP_SHARED | MAP_FIXED, fd, MT_RING_HEADER)) {
        sys_unmap(start, mapped_size(bytes));
        return NULL;
    }
    return (struct mt_ring *)start;
}

/* The first one's has room for what the program's main thread does while the collector writes.
   However many there are, all that are larger than the least take twice what FULL_RINGS take. */
static uint64_t fair_bytes(uint64_t bytes)
{
    struct mt_control *control = session.control;
    uint64_t rings = atomic_load(&control->rings_used) - atomic_load(&control->rings_gone);
    bytes = rings > 1 ? bytes / FIRST_SHARE : bytes;
    return rings > FULL_RINGS ? bytes * FULL_RINGS / rings * FULL_RINGS / rings : bytes;
}

/* Bytes that the file has got, 0 if there is no room. */
static uint64_t allocate(int fd, uint64_t bytes)
{
    uint64_t share = sys_free_space(fd) / SHARE, fair = fair_bytes(bytes);
    share = share < fair ? share : fair;
    while (bytes > share && bytes > MT_RING_LEAST) {
        bytes /= 2;
    }
    while (bytes >= MT_RING_LEAST && sys_allocate_file(fd, MT_RING_HEADER + bytes) != 0) {
        bytes /= 2;
    }
    return bytes >= MT_RING_LEAST ? bytes : 0;
}

static struct mt_ring *make(const char *path, uint64_t *bytes)
{
    long fd = sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return NULL;
    }
    *bytes = allocate((int)fd, *bytes);
    struct mt_ring *ring = *bytes ? map_twice((int)fd, *bytes) : NULL;
    sys_close((int)fd);
    return ring;
}

static bool spare_path(char path[SESSION_PATH_MAX], const char *name)
{
    const char *spare = session.control->spare;
    size_t length = strlen(spare), more = strlen(name);
    if (!length || length + 1 + more >= SESSION_PATH_MAX) {
        return false;
    }
    memcpy(path, spare, length);
    path[length] = '/';
    memcpy(path + length + 1, name, more + 1);
    return true;
}

struct mt_ring *ringfile_make(uint32_t number, uint64_t *bytes)
{
    char path[SESSION_PATH_MAX];
    char name[32] = MT_RING_NAME;
    struct mt_ring *ring = NULL;
    sys_decimal(name + sizeof(MT_RING_NAME) - 1, number);
    *bytes = session.control->ring_bytes;
    if (session_path(path, name)) {
        ring = make(path, bytes);
    }
    if (!ring && spare_path(path, name)) {
        *bytes = SPARE_BYTES;
        ring = make(path, bytes);
    }
    return ring ? ring : loan_take(number, bytes);
}

void ringfile_unmap(struct mt_ring *ring, uint64_t bytes)
{
    sys_unmap(ring, mapped_size(bytes));
}
