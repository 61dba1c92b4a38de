/*
 * The order in which rows of cells are written: by the trace's site, then by birth.  In the
 * collector, at each boundary, while the program waits for room in its rings.
 */
#ifndef COLLECT_CELLSORT_H
#define COLLECT_CELLSORT_H

#include <stddef.h>
#include <stdint.h>

#include "collect/accounts.h"

/* Sorts the numbers of cells. */
void cellsort(uint32_t *numbers, size_t count, const struct cell *cells);

#endif
