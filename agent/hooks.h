/*
 * What the interposed functions share: setting up, once.  In the host.
 */
#ifndef AGENT_HOOKS_H
#define AGENT_HOOKS_H

#include <stdbool.h>

/* Finds the functions that ours stand before, joins the session and finds the interpreter.
   Runs in the first interposed call or in the constructor, whichever comes first. */
void hooks_start(void);

void hooks_malloc_resolve(void);
void hooks_map_resolve(void);
void hooks_exec_resolve(void);
void hooks_shell_resolve(void);
/* Of an allocator with doors of its own: operator new, mallocx. */
void hooks_doors_resolve(void);
/* The same of what an object has under its own name; `allocator` is in it.  `itself`: it is also
   what calls these. */
void hooks_named_resolve(const void *allocator, bool itself);
void hooks_new_resolve(const void *allocator, bool itself);
/* Looks whether objects have an allocator of their own: all that are loaded, or this one. */
void hooks_prefixed_resolve(void);
struct loaded;
void hooks_prefixed_note(const struct loaded *object);
/* From now on the sampling hooks (sampled_malloc.h) stand in for those of the malloc family. */
void hooks_malloc_sample(void);
/* False where the program, or what is preloaded before us, has a malloc of its own. */
bool hooks_malloc_is_first(void);

#endif
