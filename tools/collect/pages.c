/*
 * The page map of a process (pages.h).  In the collector.
 */
#include "collect/pages.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ENTRIES 8192u         /* of the page map, read at once */
#define HAS_PAGE (3ull << 62) /* it is in memory, or swapped out */
#define REGIONS 1024u         /* told at once */

/* As in the kernel's linux/fs.h from 6.7 on. */
struct region {
    uint64_t start, end, categories;
};
struct scan {
    uint64_t size, flags, start, end, walk_end, regions, n_regions, max_pages, inverted, mask,
        any_of, told;
};
#define SCAN _IOWR('f', 16, struct scan)
#define IS_PRESENT (1u << 3)
#define IS_SWAPPED (1u << 4)

static uint64_t page_size(void)
{
    static uint64_t size;
    size = size ? size : (uint64_t)sysconf(_SC_PAGESIZE);
    return size;
}

static uint64_t overlap(uint64_t from, uint64_t to, uint64_t start, uint64_t end)
{
    from = from > start ? from : start;
    to = to < end ? to : end;
    return to > from ? to - from : 0;
}

bool pages_untouched_by_entry(int pagemap, uint64_t start, uint64_t size, uint64_t *untouched)
{
    static uint64_t entries[ENTRIES];
    uint64_t page = page_size(), first = start / page, end = start + size;
    uint64_t left = (end + page - 1) / page - first;
    *untouched = 0;
    while (left) {
        size_t wanted = left < ENTRIES ? left : ENTRIES;
        ssize_t got = pread(pagemap, entries, wanted * 8, (off_t)(first * 8));
        if (got != (ssize_t)(wanted * 8)) {
            return false;
        }
        for (size_t i = 0; i < wanted; i++, first++) {
            if (!(entries[i] & HAS_PAGE)) {
                *untouched += overlap(first * page, (first + 1) * page, start, end);
            }
        }
        left -= wanted;
    }
    return true;
}

bool pages_untouched(int pagemap, uint64_t start, uint64_t size, uint64_t *untouched)
{
    static struct region regions[REGIONS];
    uint64_t page = page_size(), end = start + size;
    struct scan scan = {.size = sizeof(scan),
        .start = start / page * page,
        .end = (end + page - 1) / page * page,
        .regions = (uint64_t)(uintptr_t)regions,
        .n_regions = REGIONS,
        .any_of = IS_PRESENT | IS_SWAPPED,
        .told = IS_PRESENT | IS_SWAPPED};
    *untouched = size;
    while (scan.start < scan.end) {
        int count = ioctl(pagemap, SCAN, &scan);
        if (count < 0) {
            return errno != ESRCH && pages_untouched_by_entry(pagemap, start, size, untouched);
        }
        for (int i = 0; i < count; i++) {
            *untouched -= overlap(regions[i].start, regions[i].end, start, end);
        }
        if (scan.walk_end <= scan.start) {
            return false;
        }
        scan.start = scan.walk_end;
    }
    return true;
}
