/*
 * The node of a native stack with the Python frames in their places (cstack.h).  In
 * the host, inside malloc.
 *
 * Frames of the interpreter itself are left out, and so are main and the C library's
 * below its first loop, so that a stack begins with its Python frames; unless code of the
 * program or of a library called into Python there, as from a thread of its own.  The
 * frame that called the allocator stays, whatever it is; but the C++ runtime stands for
 * its caller, as in native.c.
 *
 * Each level keeps the node up to there: only what is new is looked for in the trie.
 */
#include "cstack.h"

#include "intern.h"
#include "modules.h"
#include "python.h"

#define CUT ((uintptr_t)0) /* the address that says that more was below */

void cmerge_setup(void)
{
    cassign_setup();
}

static void add_python(struct thread *thread, struct merge *merge, int32_t top)
{
    if (!merge->differs) {
        merge->node = top >= 0 ? thread->levels[top].node : 0;
        merge->python = top;
        return;
    }
    while (merge->python < top) {
        const struct level *level = &thread->levels[++merge->python];
        if (level->node != (merge->python ? level[-1].node : 0)) {
            uint64_t key = thread->nodes[level->node].key;
            merge->node = intern_node(thread, merge->node, (uint32_t)(key >> 32), (uint32_t)key);
        }
    }
}

static void add_native(
    struct thread *thread, struct cstack *stack, struct merge *merge, const struct cstack_level *at)
{
    struct cstack_module module = cstack_module(thread, stack, at);
    if (module.is_known) {
        merge->node = native_node_in(thread, merge->node, module.number, at->frame.ip);
    }
    merge->differs = true;
}

/* The frame that stands for the call of the allocator. */
static uint32_t find_caller(struct thread *thread, struct cstack *stack, uint32_t begin)
{
    const struct cstack_level *levels = stack->levels;
    uint32_t last = stack->n - 1, i = last;
    uint8_t kind = cstack_module(thread, stack, &levels[i]).kind;
    while (kind == MODULE_CXX_RUNTIME && i > begin && levels[i - 1].python == levels[last].python) {
        kind = cstack_module(thread, stack, &levels[--i]).kind;
    }
    return kind == MODULE_OTHER ? i : last;
}

/* The node below the first level that counts. */
static struct merge merge_begin(struct thread *thread, struct cstack *stack, uint32_t begin)
{
    struct merge merge = {.python = -1};
    if (begin == 0 && cassign_is_cut(thread, stack) && stack->levels[0].python != CSTACK_HIDDEN) {
        add_python(thread, &merge, stack->levels[0].python);
        merge.node = native_make_node(thread, merge.node, CUT);
        merge.differs = true;
    }
    return merge;
}

/* The levels from `from` on, up to and without `end`, which stay what they are while nothing below
   them changes. */
static void merge_levels(
    struct thread *thread, struct cstack *stack, uint32_t from, uint32_t end, struct merge *merge)
{
    uint32_t loop = from > stack->begin ? stack->levels[from - 1].loop
                    : from              ? from - 1
                                        : CSTACK_NO_LOOP;
    for (uint32_t i = from; i < end; i++) {
        struct cstack_level *level = &stack->levels[i];
        if (level->python == CSTACK_HIDDEN) {
            loop = i;
        } else if (!python_calls(level->frame.ip)) {
            add_python(thread, merge, level->python);
            add_native(thread, stack, merge, level);
        }
        level->loop = loop;
        level->above = level->python >= 0 ? thread->levels[level->python].node : 0;
        level->node = *merge;
    }
}

uint32_t cmerge_node(struct thread *thread, struct cstack *stack, uint32_t parent)
{
    bool is_python = parent != 0;
    uint32_t begin = cassign(thread, stack, is_python);
    if (begin != stack->begin || stack->is_partial) {
        stack->begin = begin;
        stack->merged = 0;
    }
    bool has_caller = stack->n > begin;
    uint32_t caller = has_caller ? find_caller(thread, stack, begin) : begin;
    uint32_t from = stack->merged < caller ? stack->merged : caller;
    from = from > begin ? from : begin;
    struct merge merge =
        from > begin ? stack->levels[from - 1].node : merge_begin(thread, stack, begin);
    merge_levels(thread, stack, from, caller, &merge);
    stack->merged = stack->is_partial ? 0 : caller;
    if (has_caller && stack->levels[caller].python != CSTACK_HIDDEN) {
        add_python(thread, &merge, stack->levels[caller].python);
        add_native(thread, stack, &merge, &stack->levels[caller]);
    }
    if (is_python) {
        add_python(thread, &merge, (int32_t)thread->depth - 1);
    }
    return merge.node;
}
