/*
 * Memory of which a part is touched: a block, an anonymous map and a map of a file, named by its
 * argument.  Each line that it reads makes it touch more; it ends with its input.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MIB (1u << 20)

static char *volatile kept[3];

static void *map(size_t size, int flags, int fd)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, fd, 0);
    if (memory == MAP_FAILED) {
        exit(1);
    }
    return memory;
}

int main(int argc, char **argv)
{
    int fd = open(argv[argc - 1], O_RDONLY);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    kept[0] = malloc(64 * MIB);
    kept[1] = map(32 * MIB, MAP_ANONYMOUS, -1);
    kept[2] = map(16 * MIB, 0, fd);
    memset(kept[0], 1, 16 * MIB);
    memset(kept[1], 1, 8 * MIB);
    memset(kept[2], 1, 4 * MIB);
    while (getchar() == '\n') {
        memset(kept[0] + 32 * MIB, 1, 8 * MIB);
    }
    free(kept[0]);
    return 0;
}
