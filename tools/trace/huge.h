/*
 * Large memory of the tools.  A trace with a million sites takes hundreds of
 * megabytes: in huge pages, or the kernel's part is a third of a report's time.
 */
#ifndef TRACE_HUGE_H
#define TRACE_HUGE_H

#include <stddef.h>

/* From this size on it is worth a call. */
enum { HUGE_FROM = 4 << 20 };

/* Asks for huge pages where memory is large enough; where there are none, small ones do. */
void huge_advise(void *memory, size_t size);
/* calloc and reallocarray of what may be large. */
void *huge_calloc(size_t count, size_t item);
void *huge_realloc(void *memory, size_t count, size_t item);

#endif
