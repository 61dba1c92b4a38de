/*
 * For check_rules.py: reads addresses in a library (hexadecimal, as its file counts) and prints
 * what the agent takes the frame there to be: "END", "NONE", "OTHER", or "SP offset bp", "BP offset
 * bp", where bp is where the frame pointer is saved, 0 if it is not.
 *
 *     print_rules LIBRARY
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>

#include "cfi.h"
#include "loaded.h"

int main(int argc, char **argv)
{
    static const char *const kinds[] = {
        [CFI_NONE] = "NONE", [CFI_END] = "END", [CFI_SAVED] = "OTHER", [CFI_OTHER] = "OTHER"};
    struct link_map *map = dlopen(argv[1], RTLD_NOW);
    uint64_t address;
    if (!map) {
        return 77;
    }
    loaded_setup();
    while (scanf("%" SCNx64, &address) == 1) {
        struct loaded object;
        struct cfi cfi = {.kind = CFI_NONE};
        if (loaded_find(map->l_addr + address, &object)) {
            cfi_find(&object, map->l_addr + address, &cfi);
        }
        if (cfi.kind == CFI_SP || cfi.kind == CFI_BP) {
            printf("%s %d %d\n", cfi.kind == CFI_SP ? "SP" : "BP", cfi.offset, cfi.bp);
        } else {
            puts(kinds[cfi.kind]);
        }
    }
    return 0;
}
