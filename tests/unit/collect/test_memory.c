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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_grow_at_the_end_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
