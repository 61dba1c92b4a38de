/*
 * A driver for the fuzzers where libFuzzer is not: each file of the corpus as it
 * is, then ROUNDS deterministic changes of them.  The seeds are 1 to ROUNDS, so
 * that a failure can be had again.
 *
 *     fuzz_NAME ROUNDS FILE-OR-DIRECTORY...
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 16, FILES_MAX = 1024, CHANGES_MAX = 6 };

struct input {
    uint8_t *data;
    size_t size;
};

static struct input inputs[FILES_MAX];
static size_t n_inputs;
static uint64_t random_state;

static uint32_t random_below(size_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return limit ? (uint32_t)(random_state >> 33) % (uint32_t)limit : 0;
}

static void add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || n_inputs == FILES_MAX)
        return;
    struct input *input = &inputs[n_inputs++];
    input->data = malloc(INPUT_MAX);
    input->size = fread(input->data, 1, INPUT_MAX, file);
    fclose(file);
}

static void add(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        add_file(path);
        return;
    }
    for (int i = 0; i < n; i++) {
        char name[4096];
        if (entries[i]->d_name[0] != '.') {
            snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
            add_file(name);
        }
        free(entries[i]);
    }
    free(entries);
}

/* Takes the place of a piece of the input: bytes of another one, or of its own elsewhere. */
static size_t splice(uint8_t *data, size_t size, const struct input *other)
{
    size_t from = random_below(other->size), at = random_below(size);
    size_t count = random_below(other->size - from) + 1;
    count = count < INPUT_MAX - at ? count : INPUT_MAX - at;
    count = count < other->size - from ? count : other->size - from;
    memmove(data + at, other->data + from, count);
    return at + count > size ? at + count : size;
}

/* One of the changes that decoders are afraid of; returns the new size. */
static size_t change(uint8_t *data, size_t size)
{
    static const uint8_t odd[] = {0, 1, 2, 0x7f, 0x80, 0xfe, 0xff};
    size_t at = random_below(size), count = random_below(9);
    count = count < size - at ? count : size - at;
    switch (random_below(8)) {
    case 0:
        data[at] = odd[random_below(sizeof odd)];
        return size;
    case 1:
        data[at] ^= (uint8_t)(1u << random_below(8));
        return size;
    case 2:
        data[at] = (uint8_t)(data[at] + random_below(9) - 4);
        return size;
    case 3:
        return at ? at : size;
    case 4:
        memmove(data + at, data + at + count, size - at - count);
        return size > count ? size - count : size;
    case 5:
        memset(data + at, odd[random_below(sizeof odd)], count);
        return size;
    case 6:
        if (size + count > INPUT_MAX)
            return size;
        memmove(data + at + count, data + at, size - at);
        return size + count;
    default:
        return splice(data, size, &inputs[random_below(n_inputs)]);
    }
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* its end is where a sanitizer sees it */
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_changed(uint64_t seed)
{
    static uint8_t data[INPUT_MAX];
    random_state = seed;
    const struct input *input = &inputs[random_below(n_inputs)];
    size_t size = input->size;
    memcpy(data, input->data, size);
    for (uint32_t i = random_below(CHANGES_MAX) + 1; i && size; i--)
        size = change(data, size);
    run(data, size);
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    for (int i = 2; i < argc; i++)
        add(argv[i]);
    if (!n_inputs)
        return 2;
    for (size_t i = 0; i < n_inputs; i++)
        run(inputs[i].data, inputs[i].size);
    for (unsigned long seed = 1; seed <= rounds; seed++)
        run_changed(seed);
    printf("%zu files, %lu changes of them\n", n_inputs, rounds);
    for (size_t i = 0; i < n_inputs; i++)
        free(inputs[i].data);
    return 0;
}
