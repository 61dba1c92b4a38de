/*
 * Inheritance by fork against a model that copies everything at each fork: trees
 * of processes that allocate, free what they have and what they inherited, fork
 * and end in any order; events that are seen before or after the fork that they
 * belong behind or before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/forks.h"
#include "collect/image.h"

#define SLOTS 200
#define IMAGES 40
#define STEPS 4000
#define ADDRESS(slot) (0x7f0000000000 + (uint64_t)(slot)*16)

struct process {
    struct image *image;
    uint32_t forks;                        /* last number given to a fork */
    uint64_t own[SLOTS], inherited[SLOTS]; /* sizes, 0: nothing there */
};

struct world {
    struct accounts accounts;
    struct process processes[IMAGES];
    int count;
};

static struct world world;

static struct process *add_process(void)
{
    struct process *process = &world.processes[world.count++];
    process->image = calloc(1, sizeof(struct image));
    process->image->process = (uint32_t)world.count;
    account_init(&process->image->account);
    accounts_process(&world.accounts, process->image->process, &process->image->account);
    return process;
}

static uint32_t cell_of(const struct process *process)
{
    struct site_record site = {.process = process->image->process, .domain = MT_DOMAIN_MALLOC};
    return accounts_cell(&world.accounts, definitions_site(&world.accounts.definitions, &site));
}

static void changed(struct process *process, uint32_t after, int64_t bytes, int64_t blocks)
{
    if (after != process->image->forks.seen) {
        forks_note(&world.accounts, process->image, after, bytes, blocks);
    }
}

static void allocate(struct process *process, uint32_t after, int slot)
{
    struct image *image = process->image;
    struct block old, block = {ADDRESS(slot), 1 + (uint64_t)rand() % 1000, cell_of(process),
                          forks_stamp(&image->forks, after)};
    process->own[slot] = block.size;
    assert_true(heapmap_put(&image->blocks, &block, &old));
    accounts_add(&world.accounts, &image->account, block.cell, block.size, 0);
    changed(process, after, (int64_t)block.size, 1);
}

static void release_own(struct process *process, uint32_t after, int slot)
{
    struct image *image = process->image;
    struct block block;
    assert_true(heapmap_take(&image->blocks, ADDRESS(slot), &block));
    assert_int_equal(block.size, process->own[slot]);
    if (forks_care(&image->forks, after)) {
        forks_gone(image, &block, after);
    }
    accounts_remove(&world.accounts, &image->account, block.cell, block.size);
    changed(process, after, -(int64_t)block.size, -1);
    process->own[slot] = 0;
}

/* One event at a slot, as it comes. */
static void event(struct process *process, uint32_t after, int slot)
{
    if (process->own[slot]) {
        release_own(process, after, slot);
    } else if (process->inherited[slot]) {
        assert_true(forks_release(&world.accounts, process->image, ADDRESS(slot), after));
        process->inherited[slot] = 0;
    } else if (rand() % 20 == 0) { /* nobody's */
        assert_false(forks_release(&world.accounts, process->image, ADDRESS(slot), after));
    } else {
        allocate(process, after, slot);
    }
}

static void check(const struct process *process)
{
    int64_t bytes = 0, blocks = 0;
    for (int i = 0; i < SLOTS; i++) {
        bytes += (int64_t)process->inherited[i];
        blocks += process->inherited[i] != 0;
    }
    assert_int_equal(process->image->forks.bytes, bytes);
    assert_int_equal(process->image->forks.blocks, blocks);
    assert_int_equal(process->image->account.now.inherited, bytes);
}

/* What belongs before the fork happens at odd slots, what belongs behind it at even ones: some of
   the first is seen after the fork, some of the second before it. */
static void fork_process(struct process *parent)
{
    struct image *image = parent->image;
    uint32_t before = parent->forks, number = before + 1 + (uint32_t)rand() % 2200, aged;
    struct process *child = add_process();
    struct process early = *parent; /* as it would be without what comes behind */
    bool is_early = rand() % 2;
    for (int i = 0; i < 6 && is_early; i++) {
        event(parent, number, rand() % (SLOTS / 2) * 2);
    }
    forks_begin(image, number, &aged);
    parent->forks = number;
    for (int i = 0; i < 6 && !is_early; i++) {
        event(parent, before, rand() % (SLOTS / 2) * 2 + 1);
    }
    const struct process *then = is_early ? &early : parent;
    for (int i = 0; i < SLOTS; i++) {
        child->inherited[i] = then->own[i] ? then->own[i] : then->inherited[i];
    }
    for (int i = 0; i < 6; i++) {
        event(parent, number, rand() % SLOTS);
    }
    forks_inherit(&world.accounts, child->image, image, number);
    assert_ptr_equal(child->image->forks.parent, image);
    check(child);
}

static void finish(struct process *process)
{
    process->image->finished = true;
    forks_let_go(&world.accounts, process->image);
    forks_leave(process->image, false);
    memset(process->inherited, 0, sizeof(process->inherited));
}

static struct process *any_living(void)
{
    struct process *process;
    do {
        process = &world.processes[rand() % world.count];
    } while (process->image->finished);
    return process;
}

static void run(unsigned seed)
{
    srand(seed);
    memset(&world, 0, sizeof(world));
    accounts_init(&world.accounts);
    add_process();
    int living = 1;
    for (int step = 0; step < STEPS; step++) {
        struct process *process = any_living();
        if (rand() % 50 == 0 && world.count < IMAGES) {
            fork_process(process);
            living++;
        } else if (rand() % 100 == 0 && living > 1) {
            finish(process);
            living--;
            continue;
        } else {
            event(process, process->forks, rand() % SLOTS);
        }
        check(process);
    }
    for (int i = 0; i < world.count; i++) {
        if (!world.processes[i].image->finished) {
            finish(&world.processes[i]);
        }
    }
    for (int i = 0; i < world.count; i++) { /* nothing is kept for nobody */
        assert_int_equal(world.processes[i].image->forks.n_points, 0);
        assert_null(world.processes[i].image->blocks.units);
        assert_null(world.processes[i].image->forks.gone);
        free(world.processes[i].image->account.changed);
        free(world.processes[i].image);
    }
    assert_int_equal(world.accounts.all.now.inherited, 0);
    accounts_free(&world.accounts);
}

static void test_trees(void **state)
{
    for (unsigned seed = 1; seed <= 60; seed++) {
        run(seed);
    }
}

/* A child that is never seen does not keep what its parent knew for ever. */
static void test_unseen(void **state)
{
    uint32_t aged;
    memset(&world, 0, sizeof(world));
    accounts_init(&world.accounts);
    struct process *parent = add_process();
    allocate(parent, 0, 1);
    forks_begin(parent->image, 1, &aged);
    release_own(parent, 1, 1);
    assert_int_equal(parent->image->forks.n_own, 1);
    parent->image->finished = true;
    forks_leave(parent->image, false);
    assert_int_equal(parent->image->forks.n_points, 1);
    forks_leave(parent->image, true);
    assert_int_equal(parent->image->forks.n_points, 0);
    assert_null(parent->image->forks.gone);
    struct process *child = add_process();
    forks_inherit(&world.accounts, child->image, parent->image, 1);
    assert_null(child->image->forks.parent);
    for (int i = 0; i < world.count; i++) {
        free(world.processes[i].image->account.changed);
        free(world.processes[i].image);
    }
    accounts_free(&world.accounts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_unseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
