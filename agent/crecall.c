/*
 * Stacks that were seen lately (crecall.h).  In the host, inside malloc.
 *
 * A walk reads where each frame returns to and, where frames are found by it, the
 * frame pointers that were saved.  While those words are what they were, it would
 * find the same.  They are compared from the innermost out, which is also the order
 * in which the walk would read them: what is no more there is not looked at.
 *
 * The words of all stacks are in one buffer, the newest in place of the oldest.  A stack
 * that is seen for the first time leaves its key alone: most never come again.
 */
#include "crecall.h"

#include <string.h>

#include "cstack.h"
#include "peek.h"

#define WORD sizeof(uintptr_t)
#define STEP_WORDS 3u /* at most */

static uint32_t set_of(const struct crecall_key *key)
{
    uint64_t hash = (key->caller.address ^ key->caller.stack << 20 ^ (uint64_t)key->parent << 40) *
                    0x9e3779b97f4a7c15ull;
    return (uint32_t)(hash >> 40) % CRECALL_SETS;
}

/* Are all the words what they were? */
static bool holds(const struct crecall *recall, const struct crecall_entry *entry)
{
    const struct crecall_word *word = &recall->words[entry->start % CRECALL_WORDS];
    const struct crecall_word *end = word + entry->n;
    if (!entry->n || recall->written - entry->start > CRECALL_WORDS) {
        return false;
    }
    while (word < end && peek64(word->at) == word->value) {
        word++;
    }
    return word == end;
}

uint32_t crecall_find(struct cstack *stack, const struct crecall_key *key)
{
    const struct crecall_set *set = &stack->recall.sets[set_of(key)];
    for (uint32_t i = 0; i < CRECALL_WAYS; i++) {
        const struct crecall_entry *entry = &set->ways[i];
        if (crecall_is_same(&entry->key, key) && holds(&stack->recall, entry) &&
            (!entry->needs_bp || cstack_caller_bp(stack, key->caller) == entry->bp)) {
            return entry->node;
        }
    }
    return 0;
}

static struct crecall_word *put(struct crecall_word *next, uintptr_t at, uintptr_t value)
{
    *next = (struct crecall_word){at, value};
    return next + 1;
}

/* What a step from this level to its caller reads; NULL if that cannot be told. */
static struct crecall_word *put_step(
    struct unwind *unwind, const struct cstack_level *level, struct crecall_word *next)
{
    const struct unwind_frame *caller = &level[-1].frame;
    if (level->kind == CFI_OTHER) {
        return NULL;
    }
    if (level->kind == CFI_SAVED) {
        int32_t offset = unwind_rule(unwind, &level->frame)->offset;
        next = put(next, level->frame.bp + (uintptr_t)(intptr_t)offset, caller->sp);
    }
    next = put(next, caller->sp - WORD, caller->ip);
    return level[-1].needs_bp && caller->bp_at ? put(next, caller->bp_at, caller->bp) : next;
}

static void put_words(struct cstack *stack, struct crecall_entry *entry)
{
    struct crecall *recall = &stack->recall;
    uint64_t start = recall->written, room = CRECALL_WORDS - start % CRECALL_WORDS;
    start += room < STEP_WORDS * stack->n ? room : 0; /* all are in a row */
    struct crecall_word *first = &recall->words[start % CRECALL_WORDS], *next = first;
    recall->written = start + STEP_WORDS * stack->n; /* what was there is no more */
    for (uint32_t i = stack->n - 1; i > 0 && next; i--) {
        next = put_step(&stack->unwind, &stack->levels[i], next);
    }
    if (!next) {
        return;
    }
    entry->start = start;
    entry->n = (uint32_t)(next - first);
    recall->written = start + entry->n;
}

/* Where a stack is to be noted, and whether one that began so has been there. */
static struct crecall_entry *choose(
    struct crecall *recall, const struct crecall_key *key, bool *is_known)
{
    uint32_t at = set_of(key);
    struct crecall_entry *ways = recall->sets[at].ways;
    *is_known = false;
    for (uint32_t i = 0; i < CRECALL_WAYS; i++) {
        bool is_one = crecall_is_same(&ways[i].key, key);
        if (is_one && !ways[i].n) {
            *is_known = true;
            return &ways[i];
        }
        *is_known |= is_one;
    }
    return &ways[recall->turns[at]++ % CRECALL_WAYS];
}

void crecall_note(struct cstack *stack, const struct crecall_key *key, uint32_t node)
{
    bool is_known;
    if (stack->n < 2 || stack->n > CRECALL_WORDS / 8 / STEP_WORDS) {
        return;
    }
    const struct cstack_level *top = &stack->levels[stack->n - 1];
    struct crecall_entry *entry = choose(&stack->recall, key, &is_known);
    *entry = (struct crecall_entry){
        .key = *key, .bp = top->frame.bp, .node = node, .needs_bp = top->needs_bp};
    if (is_known) {
        put_words(stack, entry);
    }
}

void crecall_forget(struct crecall *recall)
{
    memset(recall->sets, 0, sizeof(recall->sets));
}
