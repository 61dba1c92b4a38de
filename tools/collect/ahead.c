/*
 * The events to come (ahead.h).  In the collector.
 */
#include "collect/ahead.h"

const struct ahead_shape ahead_shapes[16] = {
    [MT_OP_NONE] = {1, 0},
    [MT_OP_ALLOC] = {2, 1},
    [MT_OP_ALLOC_SEQ] = {2, 1},
    [MT_OP_FREE] = {1, 0},
    [MT_OP_FREE_SEQ] = {2, 0},
    [MT_OP_REALLOC_BEGIN] = {1, 0},
    [MT_OP_REALLOC_BEGIN_SEQ] = {2, 0},
    [MT_OP_REALLOC_END] = {2, 1},
    [MT_OP_REALLOC_END_SEQ] = {2, 1},
    [MT_OP_REALLOC_CANCEL] = {1, 0},
    [MT_OP_SIZE] = {1, 0},
    [MT_OP_TIME] = {1, 0},
    [MT_OP_NODE] = {2, 0},
};
