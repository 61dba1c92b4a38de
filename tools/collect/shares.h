/*
 * What processes share: their proportional and unique set sizes, read from
 * outside.  The sum of these over several processes counts each page once, as
 * the sum of their resident set sizes does not.
 */
#ifndef COLLECT_SHARES_H
#define COLLECT_SHARES_H

#include "collect/session.h"

/* Reads that of the process for which it is due, if any: in its first moments, then at each second
   (rarely in a long run), and when its RSS has changed.  The kernel walks the process's pages for
   it: that takes at most a hundredth of the time. */
void shares_take(struct collector *collector);
/* What of this RSS others count as well, as last read. */
uint64_t shares_elsewhere(const struct image *image, uint64_t rss);
/* Appends the body of a SHARES chunk; false if there is nothing new. */
bool shares_put(struct image *image, struct buffer *body);

#endif
