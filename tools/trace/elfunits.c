/*
 * Units by their addresses with libdw (elfunits.h).  Runs in the collector when
 * the program has ended, and in reports.
 */
#if MEMTRACE_LIBDW

#include "trace/elfunits.h"

#include <stdlib.h>

#include "trace/arena.h"

static void add_unit(struct elfunits *units, Dwarf_Die *unit)
{
    Dwarf_Addr base, start, end;
    ptrdiff_t at = 0;
    while ((at = dwarf_ranges(unit, at, &base, &start, &end)) > 0) {
        if (!start || start >= end) /* code that the linker left out is at 0 */
            continue;
        units->ranges =
            array_need(units->ranges, &units->capacity, units->n, sizeof *units->ranges);
        units->ranges[units->n++] = (struct elfunits_range){start, end, *unit};
    }
}

static int by_start(const void *one, const void *other)
{
    const struct elfunits_range *a = one, *b = other;
    return a->start < b->start ? -1 : a->start > b->start;
}

static void read_units(struct elfunits *units, Dwfl_Module *module)
{
    Dwarf_Die *unit = NULL;
    while ((unit = dwfl_module_nextcu(module, unit, &units->bias)) != NULL)
        add_unit(units, unit);
    if (units->n)
        qsort(units->ranges, units->n, sizeof *units->ranges, by_start);
    units->is_read = true;
}

/* The last range that begins there or before. */
static const struct elfunits_range *range_of(const struct elfunits *units, Dwarf_Addr at)
{
    size_t low = 0, high = units->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (units->ranges[middle].start <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low && at < units->ranges[low - 1].end ? &units->ranges[low - 1] : NULL;
}

bool elfunits_find(
    struct elfunits *units, Dwfl_Module *module, GElf_Addr at, Dwarf_Die *unit, Dwarf_Addr *bias)
{
    Dwarf_Die *listed = dwfl_module_addrdie(module, at, bias);
    /* libdw reads the list as if a unit went on to where the next one of it begins. */
    if (listed && dwarf_haspc(listed, at - *bias) != 0) {
        *unit = *listed;
        return true;
    }
    if (!units->is_read)
        read_units(units, module);
    const struct elfunits_range *range = range_of(units, at - units->bias);
    if (!range)
        return false;
    *unit = range->unit;
    *bias = units->bias;
    return true;
}

void elfunits_free(struct elfunits *units)
{
    free(units->ranges);
    *units = (struct elfunits){0};
}

#endif
