/*
 * A line on a terminal while a report takes long: what is done, for how many seconds
 * already and, where that is known, how far it is.  Nothing for the first second,
 * nothing where stderr is no terminal; the line is gone before the report comes there.
 */
#ifndef RENDER_PROGRESS_H
#define RENDER_PROGRESS_H

#include <stddef.h>

/* `what` is printed as it is, with no more than 200 bytes of it. */
void progress_begin(const char *what, const char *path);
/* So much of it is done; cheap enough for a loop. */
void progress_at(size_t done, size_t total);
void progress_end(void);

#endif
