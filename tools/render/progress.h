/*
 * A line on a terminal while a report takes long: what is done, and for how many
 * seconds already.  Nothing for the first second, nothing where stderr is no
 * terminal; the line is gone before the report comes.
 */
#ifndef RENDER_PROGRESS_H
#define RENDER_PROGRESS_H

/* `what` is printed as it is, with no more than 200 bytes of it. */
void progress_begin(const char *what, const char *path);
void progress_end(void);

#endif
