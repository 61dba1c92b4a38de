/*
 * Names of threads (names.h): the agent tells of a thread's at its start and at
 * its end, the kernel of what it is called meanwhile.
 *
 * The first thread of a process is "main", whatever the program calls itself.
 */
#include "collect/names.h"

#include <stdio.h>

#include "collect/definitions.h"
#include "collect/session.h"

#define RENAMES_MAX 8 /* a program may name its threads after each thing that they do */
#define COMM_MAX 64

static bool may_rename(const struct collector *collector, const struct ring *ring)
{
    const struct thread_record *threads = collector->accounts.definitions.threads;
    return ring->thread && ring->thread != ring->image->other_threads &&
           ring->tid != ring->image->inner_pid && threads[ring->thread].renames < RENAMES_MAX;
}

void names_thread(
    struct collector *collector, struct ring *ring, uint32_t name, enum mt_name kind)
{
    if (kind != MT_NAME_OF_PYTHON) {
        ring->called = name;
    }
    if (kind != MT_NAME_OF_PROGRAM && name && may_rename(collector, ring)) {
        definitions_name_thread(&collector->accounts.definitions, ring->thread, name);
    }
}

static void ask_kernel(struct collector *collector, struct ring *ring)
{
    char path[64], text[COMM_MAX];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", ring->image->pid, ring->tid);
    FILE *file = fopen(path, "re");
    if (!file) {
        return;
    }
    size_t size = fread(text, 1, sizeof(text), file);
    fclose(file);
    if (size > 1 && text[size - 1] == '\n') {
        uint32_t name =
            definitions_string(&collector->accounts.definitions, text, (uint32_t)size - 1);
        names_thread(
            collector, ring, name, name != ring->called ? MT_NAME_OF_SYSTEM : MT_NAME_OF_PROGRAM);
    }
}

void names_look(struct collector *collector)
{
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        if (ring && ring->called && !ring->image->dead && ring->asked_tail != ring->tail) {
            ring->asked_tail = ring->tail;
            ask_kernel(collector, ring);
        }
    }
}
