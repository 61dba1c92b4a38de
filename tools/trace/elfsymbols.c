/*
 * Symbols in one pass (elfsymbols.h).  Runs in the collector when the program has
 * ended, and in reports.
 *
 * A library of 100 MB has a hundred thousand symbols in no order.  libdwfl goes through
 * all of them for each address; here each of them goes to the addresses that it spans.
 */
#if MEMTRACE_LIBDW

#include "trace/elfsymbols.h"

static int rank_of(const GElf_Sym *symbol)
{
    switch (GELF_ST_BIND(symbol->st_info)) {
    case STB_GLOBAL:
        return 3;
    case STB_WEAK:
        return 2;
    case STB_LOCAL:
        return 1;
    default:
        return 0;
    }
}

static bool names_code(const GElf_Sym *symbol, const char *name)
{
    int type = GELF_ST_TYPE(symbol->st_info);
    return name && *name && symbol->st_size && symbol->st_shndx != SHN_UNDEF &&
           type != STT_SECTION && type != STT_FILE && type != STT_TLS;
}

/* The nearest start, or what is known more widely; of two that begin together the shorter one. */
static bool is_better(const struct elfsymbol *best, GElf_Addr value, GElf_Xword size, int rank)
{
    if (!best->name || best->value < value || best->rank < rank) {
        return true;
    }
    return best->value == value && best->size > size && best->rank <= rank;
}

/* The first of them that is at the address or behind. */
static size_t first_from(const struct elfsymbol *wanted, size_t n, GElf_Addr at)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (wanted[middle].at < at) {
            low = middle + 1;
        } else {
            n = middle;
        }
    }
    return low;
}

/* Locals count only where no global was found. */
static void look_through(
    Dwfl_Module *module, int from, int to, bool locals, struct elfsymbol *wanted, size_t n)
{
    for (int i = from; i < to; i++) {
        GElf_Sym symbol;
        GElf_Addr value;
        const char *name = dwfl_module_getsym_info(module, i, &symbol, &value, NULL, NULL, NULL);
        if (!names_code(&symbol, name) || value > wanted[n - 1].at ||
            value + symbol.st_size <= wanted[0].at) {
            continue;
        }
        int rank = rank_of(&symbol);
        for (size_t j = first_from(wanted, n, value);
             j < n && wanted[j].at - value < symbol.st_size; j++) {
            if (is_better(&wanted[j], value, symbol.st_size, rank) &&
                !(locals && wanted[j].is_global)) {
                wanted[j] =
                    (struct elfsymbol){wanted[j].at, name, value, symbol.st_size, rank, !locals};
            }
        }
    }
}

void elfsymbols_find(Dwfl_Module *module, struct elfsymbol *wanted, size_t n)
{
    int all = dwfl_module_getsymtab(module);
    int globals = dwfl_module_getsymtab_first_global(module);
    if (n && globals >= 0) {
        look_through(module, globals ? globals : 1, all, false, wanted, n);
        look_through(module, 1, globals, true, wanted, n);
    }
}

const struct elfsymbol *elfsymbols_at(const struct elfsymbol *wanted, size_t n, GElf_Addr at)
{
    size_t i = first_from(wanted, n, at);
    return i < n && wanted[i].at == at ? &wanted[i] : NULL;
}

#endif
