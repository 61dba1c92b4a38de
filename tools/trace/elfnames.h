/*
 * Names of native code: what the symbols and the debugging information of an
 * object say of an address in it.  Built without libdw it knows none.
 */
#ifndef TRACE_ELFNAMES_H
#define TRACE_ELFNAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELFNAME_INLINED 64
#define ELFNAMES_PATH 192

struct elfname_inlined {
    char *function;
    const char *file; /* of its own line, not of one that was inlined into it; or NULL */
    int line;         /* 0: not known */
};

struct elfname {
    char *function;  /* demangled */
    uint64_t offset; /* in the function */
    const char *file;
    int line;
    struct elfname_inlined inlined[ELFNAME_INLINED]; /* at that place, the outermost first */
    size_t n_inlined;
};

struct elfnames;

/* For so many milliseconds: what would take longer is not looked at.  NULL without libdw. */
struct elfnames *elfnames_new(uint64_t patience_ms);
void elfnames_free(struct elfnames *names);
/* The object of the look-ups that follow.  False unless the file at this absolute path, or one that
   is found by it, has this build id (hexadecimal): a separate debug file, or what a server has that
   DEBUGINFOD_URLS names. */
bool elfnames_open(struct elfnames *names, const char *path, const char *build_id);
/* These addresses will be asked for, which are in their order: all of them then cost what one does.
 */
void elfnames_expect(struct elfnames *names, const uint64_t *addresses, size_t n);
/* What contains the call that is returned from to `address`, as the object's file counts.  False if
   no symbol spans it: in a stripped library the nearest one is a wrong one.  The names are freed by
   elfname_free, the files belong to the object. */
bool elfnames_find(struct elfnames *names, uint64_t address, struct elfname *name);
/* The same by symbols alone, which takes no reading of debugging information: no lines, and nothing
   that was inlined. */
bool elfnames_find_function(struct elfnames *names, uint64_t address, struct elfname *name);
void elfname_free(struct elfname *name);
/* Whether the object has that name for others to bind to. */
bool elfnames_exports(struct elfnames *names, const char *name);
/* Whether the loader binds calls of the object's own to that name, so that another may stand before
   it. */
bool elfnames_binds(struct elfnames *names, const char *name);
bool elfnames_in_time(const struct elfnames *names);
/* Where distributions put the debugging information of an object; false if it has no build id. */
bool elfnames_debug_path(char path[ELFNAMES_PATH], const char *build_id);
/* Has the object debugging information, itself or in a file beside it? */
bool elfnames_has_debug(const char *path);
/* A symbol's name without its version and compilers' suffixes, demangled; the caller frees it. */
char *elfnames_plain(const char *name);

#endif
