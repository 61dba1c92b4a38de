/*
 * The few raw blocks of the interpreter that are not what its hooks take them for.
 */
#ifndef AGENT_RAWBLOCKS_H
#define AGENT_RAWBLOCKS_H

#include <stdbool.h>

enum rawblock {
    /* Allocated while a hook was missing, recorded as malloc's: the debug layer that had taken
       the hook's place will free it by another address. */
    RAWBLOCK_UNHOOKED = 1,
    /* pymalloc's own books: made inside another hook, so not recorded, yet freed by themselves. */
    RAWBLOCK_BOOKS = 2
};

/* Notes a block, once at an address; beyond some thousands it is forgotten. */
void rawblocks_note(const void *address, enum rawblock kind);
/* Forgets it again; false if none of this kind was noted there. */
bool rawblocks_take(const void *address, enum rawblock kind);

#endif
