/*
 * Recording samples (sampled.h).  In the host, inside malloc.
 *
 * A block is known by the address that the hook saw which chose it, so any hook
 * that sees this address freed may record the free, and the ones below it find
 * nothing any more.
 */
#include "sampled.h"

#include "nested.h"

bool sampled_keep(const void *address)
{
    if (sample_take(address)) { /* it was freed where no hook was */
        trace_free(address);
    }
    return session_live.on == 1 && sample_note(address);
}

static void record_free(const void *address)
{
    if (sample_take(address)) {
        trace_free(address);
    }
}

void sampled_release(const void *address)
{
    struct nested outer;
    enum below below = thread_self.below;
    if (trace_enter()) {
        sampled_note_end();
        record_free(address);
        trace_leave();
    } else if (thread_self.depth == 0 || !session_live.on) {
        return; /* nothing is recorded any more */
    } else if (below != BELOW_NOTHING) {
        trace_below(BELOW_NOTHING);
        record_free(address);
        trace_below(below);
    } else if (nested_enter(&outer, NULL)) {
        record_free(address);
        nested_leave(&outer);
    }
}

bool sampled_move(const void *old, bool was, const void *address, bool is_hit)
{
    if (was && !address) {
        sample_note(old); /* in the place that it had: there is room */
        trace_move_end(old, NULL, 0, MT_DOMAIN_MALLOC);
    }
    bool is_sample = address && is_hit && sampled_keep(address);
    if (was && address && !is_sample) {
        trace_move_gone();
    }
    return is_sample;
}
