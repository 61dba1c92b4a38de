/*
 * For check_rules.py: reads addresses in a library (hexadecimal, as its file counts) and prints
 * what the agent takes the frame there to be: "END", "NONE", "OTHER", or "SP offset bp", "BP offset
 * bp", where bp is where the frame pointer is saved, 0 if it is not; and in full, as readelf says
 * it, where each register is that is not left alone, "TOP=7+16 3=c-24 16=c-8".
 *
 *     print_rules LIBRARY
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>

#include "cfi.h"
#include "loaded.h"

static void print_place(unsigned number, struct cfi_place place)
{
    static const char *const forms[] = {[CFI_AT] = " %u=c%+" PRId64,
        [CFI_ABOVE] = " %u=v%+" PRId64,
        [CFI_IN] = " %u=%" PRId64,
        [CFI_EXPRESSION] = " %u=exp",
        [CFI_VALUE] = " %u=vexp",
        [CFI_NOWHERE] = " %u=u"};
    if (place.kind != CFI_SAME) {
        printf(forms[place.kind], number, (int64_t)place.what);
    }
}

static void print_row(const struct cfi_row *row)
{
    if (row->expression) {
        fputs(" TOP=exp", stdout);
    } else {
        printf(" TOP=%" PRIu64 "%+" PRId64, row->base, row->offset);
    }
    for (unsigned i = 0; i < CFI_REGISTERS; i++) {
        print_place(i, row->places[i]);
    }
    putchar('\n');
}

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
        struct cfi_row row = {.base = 0};
        if (loaded_find(map->l_addr + address, &object)) {
            cfi_find(&object, map->l_addr + address, &cfi);
            cfi_find_row(&object, map->l_addr + address, &row);
        }
        if (cfi.kind == CFI_SP || cfi.kind == CFI_BP) {
            printf("%s %d %d", cfi.kind == CFI_SP ? "SP" : "BP", cfi.offset, cfi.bp);
        } else {
            fputs(kinds[cfi.kind], stdout);
        }
        print_row(&row);
    }
    return 0;
}
