/*
 * Symbols at the time of a report (naming.h).  Runs in reports that show native
 * frames: the run may not have had the time, or the debugging information has
 * been installed since.
 */
#include "render/naming.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/arena.h"
#include "trace/elfnames.h"
#include "trace/stacks.h"

#define PATIENCE_MS 20000u

struct naming {
    struct trace *trace;
    struct elfnames *names;
    size_t strings_capacity, inlined_capacity;
    const bool *wanted; /* by native; NULL: all are */
    bool functions;     /* are wanted, no lines */
    uint32_t *firsts,
        *others; /* of each module its last native, of each native another one of its */
};

static uint32_t add_string(struct naming *naming, const char *text)
{
    struct trace *trace = naming->trace;
    size_t size = strlen(text);
    char *copy = arena_need(trace->arena, size + 1);
    memcpy(copy, text, size);
    trace->strings = array_need(
        trace->strings, &naming->strings_capacity, trace->n_strings, sizeof *trace->strings);
    trace->strings[trace->n_strings] = (struct trace_string){copy, size};
    trace->n_merged_strings++;
    return (uint32_t)trace->n_strings++;
}

static void add_inlined(struct naming *naming, uint32_t native, const struct elfname_inlined *named)
{
    struct trace *trace = naming->trace;
    struct trace_inlined inlined = {.native = native, .line = (uint32_t)named->line};
    inlined.function = add_string(naming, named->function);
    inlined.file = named->line ? add_string(naming, named->file) : 0;
    trace->inlined = array_need(
        trace->inlined, &naming->inlined_capacity, trace->n_inlined, sizeof *trace->inlined);
    trace->inlined[trace->n_inlined++] = inlined;
}

static void name_native(struct naming *naming, uint32_t id, const struct elfname *name,
    uint32_t function, uint32_t file)
{
    struct trace_native *native = &naming->trace->natives[id];
    if (native->function && !name->line)
        return;
    native->function = function;
    native->offset = name->offset;
    native->line = (uint32_t)name->line;
    native->file = file;
    for (size_t i = 0; i < name->n_inlined; i++)
        add_inlined(naming, id, &name->inlined[i]);
}

/* Whether a function that is known has a name that would take the place of the one it came with, if
   there is a line for it. */
static bool has_other_name(const struct naming *naming, const struct trace_native *native)
{
    struct elfname name;
    if (!elfnames_find_function(naming->names, native->address, &name))
        return false;
    bool is_other = strcmp(name.function, naming->trace->strings[native->function].data) != 0;
    elfname_free(&name);
    return is_other;
}

static bool find(
    const struct naming *naming, const struct trace_native *native, struct elfname *name)
{
    if (!naming->functions)
        return elfnames_find(naming->names, native->address, name);
    if (!native->function)
        return elfnames_find_function(naming->names, native->address, name);
    return has_other_name(naming, native) && elfnames_find(naming->names, native->address, name);
}

/* All natives at one place, whose numbers are given. */
static void name_place(struct naming *naming, const uint32_t *natives, size_t n)
{
    struct elfname name;
    if (!find(naming, &naming->trace->natives[*natives], &name))
        return;
    uint32_t function = add_string(naming, name.function);
    uint32_t file = name.line ? add_string(naming, name.file) : 0;
    for (size_t i = 0; i < n; i++)
        name_native(naming, natives[i], &name, function, file);
    elfname_free(&name);
}

static const char *build_id(const struct naming *naming, uint32_t module)
{
    return naming->trace->strings[naming->trace->modules[module].build_id].data;
}

/* Is there debugging information that the run may not have had, or no time for? */
static bool has_more(const struct naming *naming, uint32_t module)
{
    const char *servers = getenv("DEBUGINFOD_URLS");
    char path[ELFNAMES_PATH];
    return (servers && *servers && *build_id(naming, module)) ||
           (elfnames_debug_path(path, build_id(naming, module)) && access(path, R_OK) == 0) ||
           elfnames_has_debug(naming->trace->strings[naming->trace->modules[module].path].data);
}

/* The file itself, or what may be found by its build id. */
static bool may_open(const struct naming *naming, uint32_t module)
{
    const char *path = naming->trace->strings[naming->trace->modules[module].path].data;
    return *build_id(naming, module) && (access(path, R_OK) == 0 || has_more(naming, module));
}

/* Without a build id nothing says that the file is the one that was loaded. */
static bool open_module(struct naming *naming, uint32_t module)
{
    const struct trace *trace = naming->trace;
    if (!naming->names)
        naming->names = elfnames_new(PATIENCE_MS);
    return naming->names && *build_id(naming, module) &&
           elfnames_open(naming->names, trace->strings[trace->modules[module].path].data,
               build_id(naming, module));
}

/* A name that is known, without a line, is looked for again where that may help. */
static bool lacks_name(const struct trace_native *native, bool lines)
{
    return !native->is_anchor && (!native->function || (!native->line && lines));
}

static int by_place(const void *one, const void *other, void *trace)
{
    const uint32_t *a = one, *b = other;
    uint64_t x = ((struct trace *)trace)->natives[*a].address;
    uint64_t y = ((struct trace *)trace)->natives[*b].address;
    return x < y ? -1 : x > y ? 1 : (*a > *b) - (*a < *b);
}

static bool is_wanted(const struct naming *naming, uint32_t native)
{
    return !naming->wanted || naming->wanted[native];
}

/* The natives of a module that lack one, by their places; the caller frees them. */
static uint32_t *nameless(struct naming *naming, uint32_t module, size_t *n)
{
    struct trace *trace = naming->trace;
    bool lines = naming->firsts[module] && has_more(naming, module);
    uint32_t *found = NULL;
    size_t capacity = 0;
    *n = 0;
    for (uint32_t i = naming->firsts[module]; i; i = naming->others[i])
        if (is_wanted(naming, i) && lacks_name(&trace->natives[i], lines)) {
            found = array_need(found, &capacity, *n, sizeof *found);
            found[(*n)++] = i;
        }
    if (*n)
        qsort_r(found, *n, sizeof *found, by_place, trace);
    return found;
}

/* How many of them are at the first one's place. */
static size_t count_same(const struct naming *naming, const uint32_t *found, size_t n)
{
    const struct trace_native *natives = naming->trace->natives;
    size_t same = 1;
    while (same < n && natives[found[same]].address == natives[*found].address)
        same++;
    return same;
}

static void expect(struct naming *naming, const uint32_t *found, size_t n)
{
    uint64_t *addresses = NULL;
    size_t capacity = 0, count = 0;
    for (size_t i = 0; i < n; i += count_same(naming, &found[i], n - i)) {
        addresses = array_need(addresses, &capacity, count, sizeof *addresses);
        addresses[count++] = naming->trace->natives[found[i]].address;
    }
    elfnames_expect(naming->names, addresses, count);
    free(addresses);
}

static void name_module(struct naming *naming, uint32_t module)
{
    size_t n, same;
    uint32_t *found = nameless(naming, module, &n);
    bool is_open = n && open_module(naming, module);
    if (is_open)
        expect(naming, found, n);
    for (size_t i = 0; is_open && i < n && elfnames_in_time(naming->names); i += same) {
        same = count_same(naming, &found[i], n - i);
        name_place(naming, &found[i], same);
    }
    free(found);
}

static void list_natives(struct naming *naming)
{
    const struct trace *trace = naming->trace;
    naming->firsts = calloc(trace->n_modules + 1ul, sizeof *naming->firsts);
    naming->others = calloc(trace->n_natives + 1ul, sizeof *naming->others);
    if (!naming->firsts || !naming->others)
        abort();
    for (uint32_t i = 1; i < trace->n_natives; i++) {
        uint32_t *first = &naming->firsts[trace->natives[i].module];
        naming->others[i] = *first;
        *first = i;
    }
}

static void end(struct naming *naming)
{
    elfnames_free(naming->names);
    free(naming->firsts);
    free(naming->others);
}

static void complete_by(struct naming naming)
{
    list_natives(&naming);
    for (uint32_t module = 1; module < naming.trace->n_modules; module++)
        name_module(&naming, module);
    end(&naming);
}

static void complete(struct trace *trace, const bool *wanted)
{
    complete_by((struct naming){.trace = trace, .wanted = wanted});
}

void naming_complete(struct trace *trace)
{
    complete(trace, NULL);
}

void naming_complete_functions(struct trace *trace)
{
    bool *wanted = calloc(trace->n_natives + 1ul, sizeof *wanted);
    if (!wanted)
        abort();
    for (size_t i = 1; i < trace->n_sites; i++)
        wanted[trace->sites[i].native] = true;
    complete_by((struct naming){.trace = trace, .wanted = wanted, .functions = true});
    free(wanted);
}

/* ---- what a tree shows ---- */

/* What is below each native: callers are defined before what they call. */
static void sum_natives(const struct view *view, double *sums)
{
    const struct trace *trace = view->trace;
    for (uint32_t i = 1; i < trace->n_sites; i++) {
        struct view_amount amount = view_amount_of_site(view, i);
        if (view->sites[i])
            sums[trace->sites[i].native] += fabs((double)view_metric(view, &amount));
    }
    for (uint32_t i = trace->n_natives; i-- > 1;)
        sums[trace->natives[i].parent] += sums[i];
}

/* Natives of functions that hold that much. A tree has one node for all places in a function that
   are on one line, so what no name is known of counts for its module. */
static void choose(const struct trace *trace, const double *sums, double least, bool *wanted)
{
    double *functions = calloc(trace->n_strings + trace->n_modules + 1ul, sizeof *functions);
    if (!functions)
        abort();
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 1; i < trace->n_natives; i++) {
            const struct trace_native *native = &trace->natives[i];
            size_t at = native->function ? native->function : trace->n_strings + native->module;
            if (pass == 0)
                functions[at] += sums[i];
            else
                wanted[i] = functions[at] >= least;
        }
    free(functions);
}

void naming_complete_large(struct trace *trace, const struct view_options *options, double share)
{
    struct view view;
    double *sums = calloc(trace->n_natives + 1ul, sizeof *sums);
    bool *wanted = calloc(trace->n_natives + 1ul, sizeof *wanted);
    if (!sums || !wanted)
        abort();
    if (view_open(&view, trace, options) == VIEW_OK) {
        sum_natives(&view, sums);
        choose(trace, sums, share * (double)view_metric(&view, &view.total), wanted);
        complete(trace, wanted);
    }
    view_free(&view);
    free(sums);
    free(wanted);
}

/* ---- what another report shows ---- */

/* Is there a file to read? */
static bool has_nameless(struct trace *trace)
{
    struct naming naming = {.trace = trace};
    bool found = false;
    list_natives(&naming);
    for (uint32_t module = 1; module < trace->n_modules && !found; module++) {
        size_t n;
        free(nameless(&naming, module, &n));
        found = n && may_open(&naming, module);
    }
    end(&naming);
    return found;
}

static int by_path(const void *one, const void *other, void *trace)
{
    const struct trace *in = trace;
    const uint32_t *a = one, *b = other;
    return strcmp(in->strings[in->modules[*a].path].data, in->strings[in->modules[*b].path].data);
}

/* Places in two files of one path are one until names tell what was inlined there. */
static bool has_path_twice(struct trace *trace)
{
    uint32_t *modules = calloc(trace->n_modules + 1ul, sizeof *modules);
    bool found = false;
    if (!modules)
        abort();
    for (uint32_t i = 0; i < trace->n_modules; i++)
        modules[i] = i;
    qsort_r(modules, trace->n_modules, sizeof *modules, by_path, trace);
    for (uint32_t i = 1; i < trace->n_modules && !found; i++)
        found = by_path(&modules[i - 1], &modules[i], trace) == 0;
    free(modules);
    return found;
}

void naming_complete_chosen(struct trace *trace, naming_choice *mark, const void *context)
{
    if (!has_nameless(trace))
        return;
    if (has_path_twice(trace)) {
        complete(trace, NULL);
        return;
    }
    bool *wanted = calloc(trace->n_natives + trace->n_inlined + 1ul, sizeof *wanted);
    if (!wanted)
        abort();
    stacks_merge(trace);
    mark(trace, context, wanted);
    stacks_unmerge(trace);
    complete(trace, wanted);
    free(wanted);
}

void naming_want_stack(const struct trace *trace, uint32_t stack, bool *wanted)
{
    for (; stack; stack = trace->nodes[stack].parent)
        wanted[trace->nodes[stack].native] = true;
}

static bool is_equal(const struct view_row *one, const struct view_row *other)
{
    return one->metric == other->metric && one->amount.count == other->amount.count;
}

static void want_row(const struct view *view, const struct view_row *row, bool *wanted)
{
    naming_want_stack(view->trace, row->node, wanted);
    wanted[view->trace->sites[row->site].native] = true;
}

void naming_want_last(const struct view *view, size_t n, bool *wanted)
{
    if (n >= view->n_rows)
        return;
    for (size_t i = 0; i < view->n_rows; i++)
        if (is_equal(&view->rows[i], &view->rows[n - 1]))
            want_row(view, &view->rows[i], wanted);
}

void naming_want_rows(const struct view *view, bool *wanted)
{
    size_t limit = view->options->limit;
    for (size_t i = 0; i < view->n_rows && (!limit || i < limit); i++)
        want_row(view, &view->rows[i], wanted);
    if (limit)
        naming_want_last(view, limit, wanted);
}
