/*
 * A hash index over records that live elsewhere: finds the number of the record
 * that equals a key.  Used by the collector to give each definition one id.
 *
 * Zeroed is empty.  Numbers are from 1; 0 is "not there".  One that is worked
 * out anew after the collector was killed may lie outside the store (memory.h):
 * `is_outside` says so from its beginning on.
 */
#ifndef COLLECT_INDEX_H
#define COLLECT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct index {
    struct index_slot {
        uint32_t hash, number;
    } * slots;
    uint32_t capacity, used;
    bool is_outside;
};

typedef bool index_equal(const void *context, uint32_t number, const void *key);

/* The number of the record that equals key, 0 if there is none. */
uint32_t index_find(const struct index *index, uint32_t hash, index_equal *equal,
    const void *context, const void *key);
/* Adds a record that is not in it. */
void index_add(struct index *index, uint32_t hash, uint32_t number);
/* Takes a record out that is in it. */
void index_remove(struct index *index, uint32_t hash, uint32_t number);
/* It is empty then, and as usable as before. */
void index_free(struct index *index);

/* Hashes of what keys are made of. */
uint32_t index_hash(const void *bytes, uint64_t size);
uint32_t index_hash_numbers(uint64_t a, uint64_t b);

#endif
