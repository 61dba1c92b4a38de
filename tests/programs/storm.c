/*
 * Threads that allocate by every door, free each other's blocks at once and
 * resize them; says what it holds at last: "bytes blocks".  Arguments: threads,
 * steps of each.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MAILBOXES 61

struct block {
    void *address;
    size_t size;
};
static struct mailbox {
    pthread_mutex_t lock;
    struct block block;
} mailboxes[MAILBOXES];
static long steps;

static struct block make(uint32_t n)
{
    struct block block = {NULL, n % 5 ? n % 300 + 1 : n % 70000 + 1};
    switch (n / 7 % 6) {
    case 0:
        block.address = calloc(1, block.size);
        break;
    case 1:
        if (posix_memalign(&block.address, 64, block.size)) {
            abort();
        }
        break;
    case 2:
        block.size = (block.size + 31) & ~31ul;
        block.address = aligned_alloc(32, block.size);
        break;
    case 3:
        block.address = memalign(128, block.size);
        break;
    default:
        block.address = malloc(block.size);
    }
    return block;
}

/* Puts a block in, and does something with the one that was there: mostly another thread's. */
static void *run(void *start)
{
    uint32_t n = (uint32_t)(uintptr_t)start * 7919;
    for (long i = 0; i < steps; i++) {
        n = n * 1664525 + 1013904223;
        struct mailbox *mailbox = &mailboxes[(n >> 8) % MAILBOXES];
        struct block mine = make(n >> 12), other;
        pthread_mutex_lock(&mailbox->lock);
        other = mailbox->block;
        mailbox->block = mine;
        pthread_mutex_unlock(&mailbox->lock);
        if (n >> 30 == 0 && other.address) {
            other.address = realloc(other.address, (n >> 10) % 5000 + 1);
        }
        free(other.address);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int n = atoi(argv[1]);
    pthread_t threads[64];
    size_t bytes = 0, blocks = 0;
    steps = atol(argv[2]);
    for (int i = 0; i < MAILBOXES; i++) {
        pthread_mutex_init(&mailboxes[i].lock, NULL);
    }
    for (int i = 0; i < n; i++) {
        pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)(i + 1));
    }
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < MAILBOXES; i++) {
        bytes += mailboxes[i].block.address ? mailboxes[i].block.size : 0;
        blocks += mailboxes[i].block.address != NULL;
    }
    printf("%zu %zu\n", bytes, blocks);
    return 0;
}
