/*
 * The state at the peak against one that copies everything at each new peak:
 * of a process and of the sum of two, through allocations, frees, moves and maps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/accounts.h"
#include "memtrace/ring.h"

#define SITES 12
#define BLOCKS 300

struct model {
    int64_t bytes[2 * SITES + 1], blocks[2 * SITES + 1]; /* by site */
};

struct world {
    struct accounts accounts;
    struct account processes[2];
    uint32_t sites[2][SITES];
    struct model now, at_peak[3]; /* of the processes and of the sum */
    uint64_t best[3];
};

static bool is_live(struct world *world, uint32_t site)
{
    return world->accounts.definitions.sites[site].domain <= MT_DOMAIN_MALLOC;
}

static void start(struct world *world)
{
    memset(world, 0, sizeof(*world));
    accounts_init(&world->accounts);
    for (uint32_t p = 0; p < 2; p++) {
        account_init(&world->processes[p]);
        accounts_process(&world->accounts, p + 1, &world->processes[p]);
        for (uint32_t i = 0; i < SITES; i++) {
            struct site_record site = {.process = p + 1, .domain = i % MT_DOMAINS, .node = i};
            world->sites[p][i] = definitions_site(&world->accounts.definitions, &site);
        }
    }
}

static void stop(struct world *world)
{
    for (int p = 0; p < 2; p++) {
        free(world->processes[p].changed);
    }
    accounts_free(&world->accounts);
}

static uint64_t sum_of(struct world *world, int scope)
{
    int64_t sum = 0;
    for (uint32_t p = 0; p < 2; p++) {
        for (int i = 0; i < SITES; i++) {
            uint32_t site = world->sites[p][i];
            if ((scope == 2 || scope == (int)p) && is_live(world, site)) {
                sum += world->now.bytes[site];
            }
        }
    }
    return (uint64_t)sum;
}

static void note_peaks(struct world *world)
{
    for (int scope = 0; scope < 3; scope++) {
        uint64_t sum = sum_of(world, scope);
        if (sum > world->best[scope]) {
            world->best[scope] = sum;
            world->at_peak[scope] = world->now;
        }
    }
}

static void check(struct world *world)
{
    for (int scope = 0; scope < 3; scope++) {
        struct account *account =
            scope == 2 ? &world->accounts.all : &world->processes[scope];
        assert_int_equal(account->peak.best, world->best[scope]);
        const struct totals *totals = accounts_peak_totals(account);
        assert_int_equal(totals->python + totals->native, world->best[scope]);
        struct model found = {0};
        for (uint32_t i = 1; i < world->accounts.n_cells; i++) {
            struct cell *cell = &world->accounts.cells[i];
            if (!cell->site || cell->merged_into) {
                continue;
            }
            uint32_t process = world->accounts.definitions.sites[cell->site].process - 1;
            if (scope == 2 || (uint32_t)scope == process) {
                struct saved saved = accounts_at_peak(
                    cell, account, scope == 2 ? SCOPE_ALL : SCOPE_PROCESS);
                found.bytes[cell->site] += saved.bytes;
                found.blocks[cell->site] += saved.blocks;
            }
        }
        for (uint32_t p = 0; p < 2; p++) {
            for (int i = 0; i < SITES; i++) {
                uint32_t site = world->sites[p][i];
                if (scope == 2 || (uint32_t)scope == p) {
                    assert_int_equal(found.bytes[site], world->at_peak[scope].bytes[site]);
                    assert_int_equal(found.blocks[site], world->at_peak[scope].blocks[site]);
                }
            }
        }
    }
}

struct entry {
    uint32_t process, site, cell;
    uint64_t size;
};

static void model_change(struct world *world, const struct entry *entry, int sign)
{
    world->now.bytes[entry->site] += sign * (int64_t)entry->size;
    world->now.blocks[entry->site] += sign;
}

static struct entry choose(struct world *world, uint32_t process)
{
    struct entry entry = {.process = process,
        .site = world->sites[process][rand() % SITES],
        .size = (uint64_t)(rand() % 4 ? rand() % 1000 : 0)};
    entry.cell = accounts_cell(&world->accounts, entry.site);
    return entry;
}

/* Boundaries come, are written and go, at random. */
static void step_boundaries(struct world *world, uint32_t now)
{
    struct accounts *accounts = &world->accounts;
    if (rand() % 40 == 0) {
        for (uint32_t i = 1; i < accounts->n_cells; i++) {
            struct cell *cell = &accounts->cells[i];
            cell->is_changed = false;
            cell->written_bytes = cell->bytes;
            cell->written_blocks = cell->blocks;
            accounts_tidy(accounts, i);
        }
        world->processes[0].n_changed = world->processes[1].n_changed = 0;
        accounts_begin(accounts, now);
    } else if (rand() % 40 == 0 && accounts->n_intervals > 1) {
        size_t which = 1 + (size_t)rand() % (accounts->n_intervals - 1);
        accounts_join(accounts, accounts->intervals[which].birth);
    }
}

static void step(struct world *world, struct entry *entry)
{
    struct accounts *accounts = &world->accounts;
    if (!entry->site) {
        *entry = choose(world, (uint32_t)rand() % 2);
        accounts_add(accounts, &world->processes[entry->process], entry->cell, entry->size, 1);
        model_change(world, entry, 1);
    } else if (rand() % 3) {
        accounts_remove(accounts, &world->processes[entry->process], entry->cell, entry->size);
        model_change(world, entry, -1);
        entry->site = 0;
    } else {
        struct entry moved = choose(world, entry->process);
        accounts_move(accounts, &world->processes[entry->process], entry->cell, entry->size,
            moved.cell, moved.size, 1);
        model_change(world, entry, -1);
        model_change(world, &moved, 1);
        *entry = moved;
    }
    note_peaks(world);
}

static void random_against_copies(void **state)
{
    static struct world world;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct entry entries[BLOCKS] = {0};
        srand(seed);
        start(&world);
        for (int i = 0; i < 20000; i++) {
            step(&world, &entries[rand() % (1 + (i / 50) % BLOCKS)]);
            step_boundaries(&world, 1 + (uint32_t)i);
            if (i % 37 == 0) {
                check(&world);
            }
        }
        check(&world);
        stop(&world);
    }
}

/* What is alive of each interval, through merges, against blocks that know their births. */
static void births_are_exact(void **state)
{
    enum { ENTRIES = 400 };
    static struct world world;
    struct entry entries[ENTRIES] = {0};
    uint32_t births[ENTRIES] = {0};
    srand(11);
    start(&world);
    struct accounts *accounts = &world.accounts;
    for (uint32_t i = 1; i < 60000; i++) {
        int at = rand() % ENTRIES;
        if (!entries[at].site) {
            births[at] = accounts->birth;
        }
        uint32_t before = entries[at].cell;
        step(&world, &entries[at]);
        if (entries[at].site && entries[at].cell != before) {
            births[at] = accounts->birth;
        }
        if (i % 100 == 0) {
            accounts_begin(accounts, i);
        }
        if (i % 150 == 0) {
            size_t which = 1 + (size_t)rand() % (accounts->n_intervals - 1);
            uint32_t gone = accounts->intervals[which].birth;
            uint32_t into = accounts->intervals[which - 1].birth;
            accounts_join(accounts, gone);
            for (int k = 0; k < ENTRIES; k++) {
                births[k] = births[k] == gone ? into : births[k];
            }
        }
        if (i % 500 == 0) {
            for (size_t k = 0; k < accounts->n_intervals; k++) {
                int64_t expected = 0, found = 0;
                for (int e = 0; e < ENTRIES; e++) {
                    if (entries[e].site && births[e] == accounts->intervals[k].birth) {
                        expected += (int64_t)entries[e].size;
                    }
                }
                for (uint32_t c = 1; c < accounts->n_cells; c++) {
                    struct cell *cell = &accounts->cells[c];
                    if (cell->site && !cell->merged_into
                        && cell->birth == accounts->intervals[k].birth) {
                        found += cell->bytes;
                    }
                }
                assert_int_equal(found, expected);
            }
        }
    }
    stop(&world);
}

static void cells_are_by_birth(void **state)
{
    struct accounts accounts;
    accounts_init(&accounts);
    struct site_record record = {.process = 1, .node = 1};
    uint32_t site = definitions_site(&accounts.definitions, &record);
    uint32_t first = accounts_cell(&accounts, site);
    assert_int_equal(first, accounts_cell(&accounts, site));
    accounts_begin(&accounts, 1);
    uint32_t second = accounts_cell(&accounts, site);
    assert_int_not_equal(first, second);
    assert_int_equal(accounts.cells[second].birth, 1);
    accounts_free(&accounts);
}

/* As a boundary of all processes that is written, and the end of the interval before it. */
static void write_all(struct accounts *accounts, struct account *account, uint32_t birth)
{
    for (uint32_t i = 1; i < accounts->n_cells; i++) {
        struct cell *cell = &accounts->cells[i];
        cell->is_changed = false;
        cell->written_bytes = cell->bytes;
        cell->written_blocks = cell->blocks;
        accounts_tidy(accounts, i);
    }
    account->n_changed = 0;
    accounts_begin(accounts, birth);
}

static size_t listed(const struct accounts *accounts)
{
    size_t room = 0;
    for (size_t i = 0; i < accounts->n_intervals; i++) {
        room += accounts->intervals[i].capacity;
    }
    return room;
}

/* One after another: each has its peak, holds some of the peak of all, and ends. */
static void processes_that_ended_take_no_cells(void **state)
{
    enum { PROCESSES = 3000, EACH = 20 };
    static struct account ended[PROCESSES + 1];
    struct accounts accounts;
    accounts_init(&accounts);
    for (uint32_t p = 1; p <= PROCESSES; p++) {
        uint32_t cells[EACH];
        account_init(&ended[p]);
        accounts_process(&accounts, p, &ended[p]);
        for (uint32_t i = 0; i < EACH; i++) {
            struct site_record site = {.process = p, .node = i};
            cells[i] = accounts_cell(&accounts, definitions_site(&accounts.definitions, &site));
            accounts_add(&accounts, &ended[p], cells[i], p % 50 + 1, 1);
        }
        write_all(&accounts, &ended[p], p);
        ended[p].is_over = true;
        for (uint32_t i = 0; i < EACH; i++) {
            accounts_remove(&accounts, &ended[p], cells[i], p % 50 + 1);
        }
        write_all(&accounts, &ended[p], PROCESSES + p);
        accounts_join(&accounts, PROCESSES + p);
        accounts_join(&accounts, p);
        free(ended[p].changed);
    }
    assert_true(accounts.n_cells < 100 * EACH);
    assert_true(listed(&accounts) < 200 * EACH);
    accounts_free(&accounts);
}

/* A site that holds nothing has no cell, and the next block makes it one. */
static void a_cell_goes_with_its_last_block(void **state)
{
    static struct world world;
    start(&world);
    struct accounts *accounts = &world.accounts;
    struct account *account = &world.processes[0];
    uint32_t large = accounts_cell(accounts, world.sites[0][0]);
    accounts_add(accounts, account, large, 1000, 1); /* whatever follows is no peak */
    accounts_remove(accounts, account, large, 1000);
    uint32_t site = world.sites[0][1], cell = accounts_cell(accounts, site);
    accounts_add(accounts, account, cell, 10, 2);
    write_all(accounts, account, 1);
    assert_int_equal(accounts->definitions.sites[site].cell, cell);
    accounts_remove(accounts, account, cell, 10);
    write_all(accounts, account, 2);
    assert_int_equal(accounts->definitions.sites[site].cell, 0);
    accounts_add(accounts, account, accounts_cell(accounts, site), 7, 3);
    cell = accounts->definitions.sites[site].cell;
    assert_int_equal(accounts->cells[cell].bytes, 7);
    assert_int_equal(accounts->cells[cell].birth, 2);
    stop(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_copies),
        cmocka_unit_test(births_are_exact),
        cmocka_unit_test(cells_are_by_birth),
        cmocka_unit_test(processes_that_ended_take_no_cells),
        cmocka_unit_test(a_cell_goes_with_its_last_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
