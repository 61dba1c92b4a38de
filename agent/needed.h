/*
 * Programs that stop where another library comes before the one that they want
 * to be the first.  In the host, perhaps in a child of vfork: reads a file.
 */
#ifndef AGENT_NEEDED_H
#define AGENT_NEEDED_H

#include <link.h>
#include <stdbool.h>

/* Whether the program in this file is linked to AddressSanitizer or ThreadSanitizer. */
bool needed_insists(int fd, const ElfW(Ehdr) * elf);

#endif
