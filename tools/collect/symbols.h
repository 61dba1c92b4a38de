/*
 * Names for native callers, so that a trace that is read elsewhere has them.
 */
#ifndef COLLECT_SYMBOLS_H
#define COLLECT_SYMBOLS_H

#include "collect/session.h"

/* Looks up what the symbols and the debugging information of each module say and writes it; what
   is not found within a few seconds stays an address. */
void symbols_write(struct collector *collector);

#endif
