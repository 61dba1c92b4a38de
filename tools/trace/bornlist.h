/*
 * What sites hold by the interval of its birth, added up.  Runs in views.  Zeroed
 * but for the two numbers it is empty.  Ends the process when there is no memory.
 */
#ifndef TRACE_BORNLIST_H
#define TRACE_BORNLIST_H

#include "trace/cohorts.h"

struct bornlist {
    size_t n_sites, n_births; /* ids are below */
    struct born *all;
    size_t count, capacity;
};

void bornlist_add(struct bornlist *list, const struct born *born);
/* Afterwards there is one for each site and birth that was added, by birth, then by site. */
void bornlist_settle(struct bornlist *list);
void bornlist_free(struct bornlist *list);

#endif
