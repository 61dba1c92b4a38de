/*
 * Memory of the collector.  There is nothing sensible to do without it: these
 * end `memtrace` with status 125 and a line on stderr; the traced program goes on.
 *
 * While a store is open everything lies in a file of the session's shared
 * memory, mapped at a fixed address: if the collector is killed, the next one
 * maps it there and goes on where it stopped.  Without a store, and in threads
 * that asked for it, memory is the C library's.
 */
#ifndef COLLECT_MEMORY_H
#define COLLECT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *memory_zeroed(size_t count, size_t size);
/* The same, outside the store: for what the next collector works out anew. */
void *memory_zeroed_outside(size_t count, size_t size);
/* Room for at least `need` elements of an array that grows by doubling, and by a quarter once it is
   large; new ones are zeroed. */
void *memory_grow(void *array, size_t *capacity, size_t need, size_t size);
/* As realloc, without failure.  (For struct buffer.) */
void *memory_resize(void *memory, size_t size);
char *memory_string(const char *text);
/* Of either kind; NULL is no memory. */
void memory_free(void *memory);
/* The calling thread takes the C library's memory from now on. */
void memory_apart(void);

/* Opens the store in an empty file; 0 or an errno, and then memory is the C library's. */
int memory_open_store(int fd);
/* Maps the store of a collector that died.  Its root, or NULL if it is none, is of another
   version or the address is taken. */
void *memory_reopen_store(int fd);
/* What memory_reopen_store will return. */
void memory_set_root(void *root);
/* All that is in the store goes with it. */
void memory_close_store(void);
bool memory_is_stored(void);
/* May be asked in a signal handler. */
bool memory_is_in_store(const void *memory);

#endif
