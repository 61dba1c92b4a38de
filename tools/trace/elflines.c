/*
 * Lines with libdw (elflines.h).  Runs in the collector when the program has
 * ended, and in reports.
 */
#if MEMTRACE_LIBDW

#include "trace/elflines.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/elfnames.h"

#define DEPTH_MAX 64 /* of what contains an address */

struct inlinings { /* what was inlined at an address, the outermost first */
    Dwarf_Die dies[ELFNAME_INLINED];
    size_t count;
};

/* What may contain functions and has no addresses itself. */
static bool is_container(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
           tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type || tag == DW_TAG_module;
}

/* False if the address is in nothing below. */
static bool find_inlinings(Dwarf_Die *parent, Dwarf_Addr at, struct inlinings *inlinings, int depth)
{
    Dwarf_Die child;
    int more = depth < DEPTH_MAX ? dwarf_child(parent, &child) : -1;
    for (; more == 0; more = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        bool is_here = !is_container(tag) && dwarf_haspc(&child, at) > 0;
        if (is_here && tag == DW_TAG_inlined_subroutine && inlinings->count < ELFNAME_INLINED)
            inlinings->dies[inlinings->count++] = child;
        if ((is_here || is_container(tag)) &&
            (find_inlinings(&child, at, inlinings, depth + 1) || is_here))
            return true;
    }
    return false;
}

static bool number_of(Dwarf_Die *die, unsigned name, Dwarf_Word *number)
{
    Dwarf_Attribute attribute;
    return dwarf_formudata(dwarf_attr(die, name, &attribute), number) == 0;
}

/* Where it was inlined: a line of the function around it. */
static void find_call(Dwarf_Die *inlined, Dwarf_Files *files, const char **name, int *number)
{
    Dwarf_Word file, line;
    *name = NULL;
    *number = 0;
    if (files && number_of(inlined, DW_AT_call_file, &file) &&
        number_of(inlined, DW_AT_call_line, &line)) {
        *name = dwarf_filesrc(files, file, NULL, NULL);
        *number = *name ? (int)line : 0;
    }
}

static void find_line(Dwarf_Die *unit, Dwarf_Addr at, const char **name, int *number)
{
    Dwarf_Line *line = dwarf_getsrc_die(unit, at);
    bool is_known = line && dwarf_lineno(line, number) == 0 && *number > 0;
    *name = is_known ? dwarf_linesrc(line, NULL, NULL) : NULL;
    *number = *name ? *number : 0;
}

/* ---- names ---- */

/* What a function that was inlined is an instance of, or the declaration of that. */
static Dwarf_Die *origin_of(Dwarf_Die *die, Dwarf_Die *origin)
{
    Dwarf_Attribute attribute;
    *origin = *die;
    for (int i = 0; i < 4; i++) {
        bool more = dwarf_attr(origin, DW_AT_abstract_origin, &attribute) ||
                    dwarf_attr(origin, DW_AT_specification, &attribute);
        if (!more || !dwarf_formref_die(&attribute, origin))
            break;
    }
    return origin;
}

static bool has_scopes(Dwarf_Die *die)
{
    Dwarf_Die unit;
    int language = dwarf_diecu(die, &unit, NULL, NULL) ? dwarf_srclang(&unit) : -1;
    return language > 0 && language != DW_LANG_C && language != DW_LANG_C89 &&
           language != DW_LANG_C99 && language != DW_LANG_C11;
}

/* "shop::fill": a function that no other file sees has no symbol's name to tell its namespace. */
static char *qualified(Dwarf_Die *die, const char *name)
{
    Dwarf_Die origin, *scopes = NULL;
    int count = has_scopes(die) ? dwarf_getscopes_die(origin_of(die, &origin), &scopes) : 0;
    char *whole = strdup(name);
    for (int i = 1; i < count && whole && is_container(dwarf_tag(&scopes[i])); i++) {
        const char *scope = dwarf_diename(&scopes[i]);
        char *longer = NULL;
        if (asprintf(&longer, "%s::%s", scope ? scope : "(anonymous)", whole) < 0)
            longer = NULL;
        free(whole);
        whole = longer;
    }
    free(scopes);
    return whole;
}

/* As its symbol is, if it has one. */
static char *name_of(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
    if (!name)
        name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute));
    if (name && *name)
        return elfnames_plain(name);
    name = dwarf_diename(die);
    return name && *name ? qualified(die, name) : NULL;
}

/* ---- what was inlined ---- */

/* A line that is not known leaves the names. */
static void add_inlinings(struct elfname *name, struct inlinings *inlinings, Dwarf_Files *files,
    const char *file, int line)
{
    for (size_t i = 0; i < inlinings->count; i++) {
        struct elfname_inlined *inlined = &name->inlined[i];
        inlined->function = name_of(&inlinings->dies[i]);
        if (!inlined->function)
            return;
        name->n_inlined++;
        inlined->file = file;
        inlined->line = line;
        if (i + 1 < inlinings->count)
            find_call(&inlinings->dies[i + 1], files, &inlined->file, &inlined->line);
    }
}

/* Of -gsplit-dwarf: the unit in the .dwo file, which has the functions. */
static Dwarf_Die *with_functions(Dwarf_Die *unit, Dwarf_Die *split)
{
    uint8_t type;
    *split = (Dwarf_Die){0};
    bool is_split = dwarf_cu_info(unit->cu, NULL, &type, NULL, split, NULL, NULL, NULL) == 0 &&
                    type == DW_UT_skeleton && split->addr;
    return is_split ? split : unit;
}

void elflines_find(struct elfunits *units, Dwfl_Module *module, GElf_Addr at, struct elfname *name)
{
    struct inlinings inlinings = {.count = 0};
    Dwarf_Addr bias;
    Dwarf_Die found, split, *unit;
    Dwarf_Files *files = NULL;
    if (!elfunits_find(units, module, at, &found, &bias))
        return;
    find_line(&found, at - bias, &name->file, &name->line);
    unit = with_functions(&found, &split);
    if (!find_inlinings(unit, at - bias, &inlinings, 0) || !inlinings.count)
        return;
    if (dwarf_getsrcfiles(unit, &files, NULL) != 0)
        files = NULL;
    add_inlinings(name, &inlinings, files, name->file, name->line);
    find_call(&inlinings.dies[0], files, &name->file, &name->line);
}

#endif
