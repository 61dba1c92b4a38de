/*
 * Names of native code: what the symbols and the debugging information of an
 * object say of an address in it.  Built without libdw it knows none.
 */
#ifndef TRACE_ELFNAMES_H
#define TRACE_ELFNAMES_H

#include <stdbool.h>
#include <stdint.h>

struct elfname {
    char *function;   /* demangled; the caller frees it */
    uint64_t offset;  /* in the function */
    const char *file; /* of the function's own line, not of one that was inlined there; or NULL */
    int line;         /* 0: not known */
};

struct elfnames;

/* For so many milliseconds: what would take longer is not looked at.  NULL without libdw. */
struct elfnames *elfnames_new(uint64_t patience_ms);
void elfnames_free(struct elfnames *names);
/* The object of the look-ups that follow.  False unless the file at this absolute path, or one that
   holds what is known of it, has this build id (hexadecimal). */
bool elfnames_open(struct elfnames *names, const char *path, const char *build_id);
/* What contains the call that is returned from to `address`, as the object's file counts.  False if
   no symbol spans it: in a stripped library the nearest one is a wrong one. */
bool elfnames_find(struct elfnames *names, uint64_t address, struct elfname *name);
bool elfnames_in_time(const struct elfnames *names);

#endif
