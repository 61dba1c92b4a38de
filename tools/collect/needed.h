/*
 * What a program is linked to, as far as it matters who is loaded first.
 */
#ifndef COLLECT_NEEDED_H
#define COLLECT_NEEDED_H

#include <elf.h>
#include <stdbool.h>

/* True of the names, or a list, of libraries that stop the program unless they come first: the
   runtimes of AddressSanitizer and ThreadSanitizer. */
bool needed_is_insistent(const char *names);
/* Whether a program needs one of these. */
bool needed_insists(int fd, const Elf64_Ehdr *elf);

#endif
