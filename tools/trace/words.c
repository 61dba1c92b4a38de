/*
 * A table of hashes beside the strings themselves (words.h).
 */
#include "trace/words.h"

#include <stdlib.h>
#include <string.h>

#include "trace/weight.h"

static uint64_t hash_of(const char *string, size_t size)
{
    uint64_t hash = size, part;
    for (; size >= sizeof part; string += sizeof part, size -= sizeof part) {
        memcpy(&part, string, sizeof part);
        hash = weight_mix(hash ^ part);
    }
    part = 0;
    memcpy(&part, string, size);
    return weight_mix(hash ^ part);
}

static bool is_string(const struct words *words, uint32_t number, const char *string, size_t size)
{
    size_t begin = number ? words->ends[number - 1] : 0;
    return words->ends[number] - begin == size &&
           memcmp(words->bytes.data + begin, string, size) == 0;
}

static uint32_t add(struct words *words, const char *string, size_t size)
{
    if (words->count == words->capacity) {
        words->capacity = words->capacity ? words->capacity * 2 : 64;
        words->ends = reallocarray(words->ends, words->capacity, sizeof *words->ends);
        if (!words->ends)
            abort();
    }
    buffer_append(&words->bytes, string, size);
    words->ends[words->count] = words->bytes.size;
    return (uint32_t)words->count++;
}

uint32_t words_number(struct words *words, const char *string, size_t size)
{
    for (uint64_t hash = hash_of(string, size);; hash++) {
        uint32_t *number = table_at(&words->numbers, hash);
        if (*number && is_string(words, *number - 1, string, size))
            return *number - 1;
        if (*number)
            continue; /* another one has the same hash */
        *number = (uint32_t)words->count + 1;
        return add(words, string, size);
    }
}

void words_free(struct words *words)
{
    table_free(&words->numbers);
    buffer_free(&words->bytes);
    free(words->ends);
    *words = (struct words){0};
}
