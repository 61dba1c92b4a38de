/*
 * A list that is sorted, and equal ones made one, whenever it is full (bornlist.h).
 * Both keys are small numbers: they are counted, not compared or looked up.
 */
#include "trace/bornlist.h"

#include <stdlib.h>
#include <string.h>

#include "trace/huge.h"

enum { AT_FIRST = 1 << 15 };

static void *need(size_t count, size_t size)
{
    void *memory = huge_calloc(count ? count : 1, size);
    if (!memory)
        abort();
    return memory;
}

static uint32_t key_of(const struct born *born, bool by_birth)
{
    return by_birth ? born->birth : born->site;
}

/* A stable counting sort. */
static void sort_by(
    const struct bornlist *list, const struct born *from, struct born *to, bool birth)
{
    size_t n_keys = birth ? list->n_births : list->n_sites, sum = 0;
    size_t *places = need(n_keys, sizeof *places);
    for (size_t i = 0; i < list->count; i++)
        places[key_of(&from[i], birth)]++;
    for (size_t key = 0; key < n_keys; key++) {
        size_t count = places[key];
        places[key] = sum;
        sum += count;
    }
    for (size_t i = 0; i < list->count; i++)
        to[places[key_of(&from[i], birth)]++] = from[i];
    free(places);
}

/* Hostile traces may overflow: then numbers wrap. */
static int64_t sum_of(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void merge(struct bornlist *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct born *born = &list->all[i];
        struct born *last = kept ? &list->all[kept - 1] : NULL;
        if (last && last->site == born->site && last->birth == born->birth) {
            last->size = sum_of(last->size, born->size);
            last->count = sum_of(last->count, born->count);
        } else {
            list->all[kept++] = *born;
        }
    }
    list->count = kept;
}

void bornlist_settle(struct bornlist *list)
{
    struct born *other = need(list->count, sizeof *other);
    sort_by(list, list->all, other, false);
    sort_by(list, other, list->all, true);
    free(other);
    merge(list);
}

static void make_room(struct bornlist *list)
{
    bornlist_settle(list);
    if (list->count < list->capacity / 2)
        return;
    if (!list->capacity) /* there is hardly less than one for each site */
        list->capacity = list->n_sites / 2 > AT_FIRST ? list->n_sites / 2 : AT_FIRST;
    list->capacity *= 2;
    list->all = huge_realloc(list->all, list->capacity, sizeof *list->all);
    if (!list->all)
        abort();
}

void bornlist_add(struct bornlist *list, const struct born *born)
{
    if (list->count == list->capacity)
        make_room(list);
    list->all[list->count++] = *born;
}

void bornlist_free(struct bornlist *list)
{
    free(list->all);
    list->all = NULL;
    list->count = list->capacity = 0;
}
