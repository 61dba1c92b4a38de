/*
 * Which rows of a view are one: keys that are equal where names are equal, though
 * ids may differ.  Runs in views.
 */
#ifndef TRACE_GROUP_H
#define TRACE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/model.h"
#include "trace/view.h"

struct group *group_new(const struct trace *trace, enum view_key key);
void group_free(struct group *group);

/* The key of a frame or, for VIEW_TRACEBACK, a stack. */
uint64_t group_key_of_node(struct group *group, uint32_t node);
/* The number of a frame by the key, from 1: of a line also by its function's name. */
uint32_t group_frame_number(struct group *group, uint32_t node);
/* The key of a native caller on top of the key of a stack: its address, for VIEW_NATIVE_FRAME
   its function where that is known, for VIEW_MODULE its library. */
uint64_t group_key_of_native(struct group *group, uint64_t stack, uint32_t native);
/* The number of the line of a node's frame, from 1: the same for the same line. */
uint32_t group_line_number(struct group *group, uint32_t node);
/* The number of the key's row, from 0 in the order of their first use. */
size_t group_row(struct group *group, uint64_t key, bool *added);

#endif
