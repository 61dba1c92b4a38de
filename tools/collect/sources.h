/*
 * The source lines that reports of a trace can show, as they were when it
 * ended, so that a trace can be read where the program is not.
 */
#ifndef COLLECT_SOURCES_H
#define COLLECT_SOURCES_H

#include "collect/session.h"

/* Begins to read the lines of every frame under a site that was in any boundary or peak. */
struct reading *sources_read(struct collector *collector);
/* Waits for them, writes them and frees what they are in. */
void sources_write(struct collector *collector, struct reading *reading);

#endif
