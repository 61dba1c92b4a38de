/*
 * Memory straight from the kernel, in every way.  Says of each step "name pages of-files", how many
 * more pages it has than before the first one and how many of these are files', and sets a mark of
 * that name; asks the kernel whether the pages are there or gone.
 *
 *     maps FILE    of eleven pages, the last one not full
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memtrace/memtrace.h"

#define PAGE 4096l
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static long pages, of_files;
static char line[100]; /* nothing here asks malloc */

static void expect(const char *what, int is_right)
{
    if (!is_right) {
        int size = snprintf(line, sizeof(line), "%s: not as expected, errno %d\n", what, errno);
        exit(write(2, line, (size_t)size) > 0 ? 3 : 4);
    }
}

static void step(const char *name, long more)
{
    pages += more;
    memtrace_mark(name);
    int size = snprintf(line, sizeof(line), "%s %ld %ld\n", name, pages, of_files);
    expect(name, write(1, line, (size_t)size) == size);
}

static int is_mapped(const char *start, long count)
{
    unsigned char there[2048];
    return mincore((void *)start, (size_t)(count * PAGE), there) == 0;
}

static int is_gone(const char *start, long count)
{
    for (long i = 0; i < count; i++) {
        if (is_mapped(start + i * PAGE, 1)) {
            return 0;
        }
    }
    return 1;
}

static char *map(void *at, long count, int protection, int flags)
{
    char *memory = mmap(at, (size_t)(count * PAGE), protection, flags | MAP_ANONYMOUS, -1, 0);
    expect("map", memory != MAP_FAILED && is_mapped(memory, count));
    return memory;
}

static char *plain(long count)
{
    return map(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static char *over(char *at, long count)
{
    return map(at, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED);
}

static void unmap(char *start, long bytes)
{
    expect("unmap", munmap(start, (size_t)bytes) == 0 && is_gone(start, (bytes + PAGE - 1) / PAGE));
}

/* ---- parts ---- */

static void parts(void)
{
    char *whole = plain(64);
    step("whole", 64);
    unmap(whole + 8 * PAGE, 4 * PAGE);
    step("middle", -4);
    unmap(whole, PAGE);
    unmap(whole + 63 * PAGE, PAGE);
    step("ends", -2);
    unmap(whole + 20 * PAGE, 100);
    step("begun page", -1);
    expect("nothing there", munmap(whole + 20 * PAGE, PAGE) == 0);
    expect("not a page", munmap(whole + 30 * PAGE + 1, PAGE) == -1 && errno == EINVAL);
    step("nothing", 0);
    expect("all", munmap(whole, 64 * PAGE) == 0);
    step("with holes", -(64 - 7));
}

static void several(void)
{
    char *area = map(NULL, 32, PROT_NONE, MAP_PRIVATE);
    step("reserved", 32);
    over(area, 8);
    over(area + 8 * PAGE, 8);
    over(area + 16 * PAGE, 8);
    step("over it", 0);
    unmap(area + 4 * PAGE, 16 * PAGE);
    step("over three", -16);
    over(area, 32);
    step("filled", 16);
    expect("protection", mprotect(area, 16 * PAGE, PROT_NONE) == 0);
    step("protected", 0);
    unmap(area, 32 * PAGE);
    step("several", -32);
}

/* ---- other sizes and places ---- */

static char *move(char *old, long count, long wanted, int flags, char *to)
{
    return mremap(old, (size_t)(count * PAGE), (size_t)(wanted * PAGE), flags, to);
}

static char *moved(char *old, long count, long wanted, int flags, char *to)
{
    char *memory = move(old, count, wanted, flags, to);
    expect("move", memory != MAP_FAILED && is_mapped(memory, wanted));
    return memory;
}

static void sizes(void)
{
    char *area = plain(32);
    over(area + 16 * PAGE, 16);
    step("area", 32);
    expect("in the way", move(area, 16, 20, 0, NULL) == MAP_FAILED && errno == ENOMEM);
    step("could not grow", 0);
    expect("no room", move(area, 16, 1l << 40, MREMAP_MAYMOVE, NULL) == MAP_FAILED);
    expect("there still", is_mapped(area, 16));
    step("could not move", 0);
    expect("no room", move(area + 4 * PAGE, 4, 1l << 40, MREMAP_MAYMOVE, NULL) == MAP_FAILED);
    step("nor a part", 0);
    unmap(area + 16 * PAGE, 16 * PAGE);
    expect("in place", moved(area, 16, 20, 0, NULL) == area);
    step("grown in place", -16 + 4);
    area = moved(area, 20, 1500, MREMAP_MAYMOVE, NULL);
    step("grown", 1480);
    expect("smaller", moved(area, 1500, 10, MREMAP_MAYMOVE, NULL) == area);
    expect("gone", is_gone(area + 10 * PAGE, 1490));
    step("shrunk", -1490);
    char *place = plain(30);
    step("place", 30);
    expect("there",
        moved(area, 10, 10, MREMAP_MAYMOVE | MREMAP_FIXED, place + 5 * PAGE) == place + 5 * PAGE);
    step("moved over another", -10);
    unmap(place, 30 * PAGE);
    step("sizes", -30);
}

static void twice(void)
{
    char *shared = map(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *other = moved(shared, 0, 5, MREMAP_MAYMOVE, NULL);
    expect("two", other != shared && is_mapped(shared, 5));
    step("twice", 10);
    char *old = plain(7);
    char *anew = move(old, 7, 7, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    expect("both", anew == MAP_FAILED || (is_mapped(old, 7) && is_mapped(anew, 7)));
    step("not unmapped", anew == MAP_FAILED ? 7 : 14); /* kernels before 5.7 cannot */
}

static void files(const char *name)
{
    int file = open(name, O_RDONLY);
    char *memory = mmap(NULL, 10 * PAGE + 100, PROT_READ, MAP_PRIVATE, file, 0);
    expect("file", memory != MAP_FAILED && is_mapped(memory, 11));
    of_files += 11;
    step("file", 11);
    unmap(memory + PAGE, 2 * PAGE);
    of_files -= 2;
    step("parts of it", -2);
    moved(memory + 3 * PAGE, 8, 6, MREMAP_MAYMOVE, NULL);
    of_files -= 2;
    step("less of it", -2);
    char *place = plain(1);
    char *there = mremap(memory, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    expect("there", there == place && is_mapped(there, 1));
    step("another place", 0);
    unmap(there, PAGE);
    of_files--;
    step("its first page", -1);
}

/* ---- the end of the data segment ---- */

static void data_segment(void)
{
    char *begin = sbrk(0);
    expect("to a page", sbrk(-(intptr_t)begin & (PAGE - 1)) == begin);
    begin = sbrk(0);
    step("aligned", 0); /* the page was there */
    expect("more", sbrk(10 * PAGE) == begin && is_mapped(begin, 10));
    step("more", 10);
    expect("a little", sbrk(100) == begin + 10 * PAGE && is_mapped(begin, 11));
    step("a little", 1);
    expect("still", sbrk(100) == begin + 10 * PAGE + 100);
    step("a little more", 0);
    expect("set", brk(begin + 20 * PAGE) == 0 && is_mapped(begin, 20));
    step("set", 9);
    expect("less", sbrk(-15 * PAGE) == begin + 20 * PAGE && is_gone(begin + 5 * PAGE, 15));
    step("less", -15);
    expect("no", brk((void *)16) == -1 || sbrk(0) == begin + 5 * PAGE); /* glibc says it did */
    step("could not", 0);
}

int main(int argc, char **argv)
{
    expect("usage", argc == 2);
    step("start", 0);
    parts();
    several();
    sizes();
    twice();
    files(argv[1]);
    data_segment();
    return 0;
}
