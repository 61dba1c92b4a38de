/*
 * The collector's store: blocks that grow at the end of the file keep what is in
 * them, whatever part of them has been used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "collect/memory.h"

/* The file ends behind what is used of its last block, which may be in the middle of a block. */
static void blocks_grow_at_the_end_of_the_file(void **state)
{
    enum { BLOCKS = 2000, SMALL = 17000, LARGE = 25000 };
    int fd = memfd_create("store", 0);
    assert_int_equal(memory_open_store(fd), 0);
    for (int n = 0; n < BLOCKS; n++) {
        uint8_t *block = memory_resize(NULL, SMALL);
        memset(block, n, SMALL);
        block = memory_resize(block, LARGE);
        assert_int_equal(block[0], (uint8_t)n);
        assert_int_equal(block[SMALL - 1], (uint8_t)n);
        memory_free(block);         /* for the next one to grow into */
        memory_resize(NULL, SMALL); /* takes the place that became free */
    }
    memory_close_store();
    close(fd);
}

/* Large arrays stay where they are, what is new in them is zero, and they take no more of the file
   than they use. */
static void large_arrays_grow_in_place(void **state)
{
    enum { ARRAYS = 3, MOST = 3 << 20 };
    uint32_t *arrays[ARRAYS] = {NULL};
    size_t capacities[ARRAYS] = {0}, moves = 0;
    struct stat status;
    int fd = memfd_create("store", 0);
    assert_int_equal(memory_open_store(fd), 0);
    for (uint32_t n = 0; n < MOST; n++) {
        for (int i = 0; i < ARRAYS; i++) {
            uint32_t *before = arrays[i];
            arrays[i] = memory_grow(arrays[i], &capacities[i], n + 1, sizeof(**arrays));
            moves += before && before != arrays[i];
            assert_int_equal(arrays[i][n], 0);
            arrays[i][n] = n + (uint32_t)i;
        }
    }
    for (uint32_t n = 0; n < MOST; n++) {
        assert_int_equal(arrays[1][n], n + 1);
    }
    assert_in_range(moves, ARRAYS, 15 * ARRAYS);
    assert_int_equal(fstat(fd, &status), 0);
    assert_in_range(status.st_blocks * 512, ARRAYS * MOST * 4ull, ARRAYS * MOST * 6ull);
    memory_close_store();
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_grow_at_the_end_of_the_file),
        cmocka_unit_test(large_arrays_grow_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
