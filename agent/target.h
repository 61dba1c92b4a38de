/*
 * Whether the loader would put the agent into a program that is about to be
 * started.  In the host, perhaps in a child of vfork: reads files, keeps nothing.
 */
#ifndef AGENT_TARGET_H
#define AGENT_TARGET_H

#include <stdbool.h>

/* Not into what is static, of another C library, 32-bit, privileged or refuses it; of a script its interpreter
   counts.  What cannot be read is taken for a program like most. */
bool target_loads(const char *path);
/* The same of what execvp would find. */
bool target_of_path_loads(const char *file);
/* Of a program that would not run with the agent in it. */
bool target_refuses(const char *path);
bool target_of_path_refuses(const char *file);
bool target_of_descriptor_loads(int fd);
/* Of what execveat would; an empty path is the descriptor itself. */
bool target_at_loads(int directory, const char *path);

#endif
