/*
 * Groups the sites of a trace at a moment.  Runs in reports.
 */
#include "trace/view.h"

#include <stdlib.h>
#include <string.h>

#include "trace/best.h"
#include "trace/callers.h"
#include "trace/group.h"
#include "trace/huge.h"
#include "trace/logs.h"
#include "trace/processes.h"
#include "trace/select.h"
#include "trace/touched.h"
#include "trace/weight.h"

const char *const view_key_names[VIEW_KEYS] = {"caller", "lineno", "filename", "function", "module",
    "package", "traceback", "domain", "thread", "process", "native-frame"};

const char *view_key_name(const char *word)
{
    return strcmp(word, "native") == 0 ? view_key_names[VIEW_NATIVE_FRAME] : word;
}
const char *const view_sort_names[VIEW_SORTS] = {"size", "count", "churn-size", "churn-count"};

bool view_key_has_frames(enum view_key key)
{
    return key <= VIEW_PACKAGE;
}

bool view_sorts_churn(enum view_sort sort)
{
    return sort == VIEW_CHURN_SIZE || sort == VIEW_CHURN_COUNT;
}

static void add(int64_t *sum, int64_t more)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)more);
}

void view_amount_add(struct view_amount *sum, const struct view_amount *more)
{
    add(&sum->size, more->size);
    add(&sum->count, more->count);
    add(&sum->python, more->python);
    add(&sum->native, more->native);
    add(&sum->allocated, more->allocated);
    add(&sum->allocations, more->allocations);
    add(&sum->spread, more->spread);
    add(&sum->allocated_spread, more->allocated_spread);
    add(&sum->untouched, more->untouched);
}

/* A site may have given up blocks since somebody looked. */
static int64_t untouched_of(const struct view *view, size_t site, int64_t bytes)
{
    int64_t untouched = view->untouched ? view->untouched[site] : 0;
    return untouched < bytes ? untouched : bytes > 0 ? bytes : 0;
}

struct view_amount view_amount_of_site(const struct view *view, size_t site)
{
    const struct cell *cell = &view->state.cells[site];
    int domain = view->trace->sites[site].domain;
    return (struct view_amount){.size = cell->bytes,
        .count = cell->blocks,
        .python = domain_is_python(domain) ? cell->bytes : 0,
        .native = domain == MT_DOMAIN_MALLOC ? cell->bytes : 0,
        .allocated = cell->allocated_bytes,
        .allocations = cell->allocations,
        .spread = cell->spread,
        .allocated_spread = cell->allocated_spread,
        .untouched = untouched_of(view, site, cell->bytes)};
}

int64_t view_metric(const struct view *view, const struct view_amount *amount)
{
    switch (view->options->sort) {
    case VIEW_COUNT:
        return amount->count;
    case VIEW_CHURN_SIZE:
        return amount->allocated;
    case VIEW_CHURN_COUNT:
        return amount->allocations;
    default:
        return amount->size;
    }
}

/* While the rows are made. */
struct maker {
    struct view *view;
    struct group *group;
    const uint32_t *callers; /* by node */
    uint32_t *last_site;     /* by row: the site that was added last */
    uint32_t *row_of_site;   /* 1 + its row, 0 for none; the last one when cumulative */
    bool *folded;            /* by process: VIEW_PROCESS has one row for these */
    uint32_t n_folded;
    size_t capacity;
};

static struct view_row *row_at(struct maker *maker, uint64_t key, uint32_t node)
{
    struct view *view = maker->view;
    bool added;
    size_t i = group_row(maker->group, key, &added);
    if (i >= maker->capacity) {
        maker->capacity = maker->capacity ? maker->capacity * 2 : view->trace->n_sites + 1ul;
        view->rows = huge_realloc(view->rows, maker->capacity, sizeof *view->rows);
        maker->last_site = huge_realloc(maker->last_site, maker->capacity, sizeof(uint32_t));
        if (!view->rows || !maker->last_site)
            abort();
    }
    if (added) {
        view->rows[i] = (struct view_row){.node = node, .number = (uint32_t)i};
        maker->last_site[i] = 0;
        view->n_rows = i + 1;
    }
    return &view->rows[i];
}

static void add_to_row(struct maker *maker, uint64_t key, uint32_t node, uint32_t site,
    const struct view_amount *amount)
{
    struct view_row *row = row_at(maker, key, node);
    size_t i = (size_t)(row - maker->view->rows);
    int64_t metric = view_metric(maker->view, amount);
    if (maker->last_site[i] == site)
        return; /* a recursion: this line is on the stack more than once */
    maker->last_site[i] = site;
    maker->row_of_site[site] = (uint32_t)i + 1;
    view_amount_add(&row->amount, amount);
    if (!row->site || metric > row->most) {
        row->site = site;
        row->node = node;
        row->most = metric;
    }
}

static void add_rest(struct view *view, uint32_t site, const struct view_amount *amount)
{
    const struct trace_site *at = &view->trace->sites[site];
    const struct trace_process *process = &view->trace->processes[at->process];
    bool python = at->node || process->traced != MT_PYTHON_NONE || process->python;
    enum view_rest rest = python ? VIEW_IMPORTS : VIEW_NATIVE_CODE;
    view_amount_add(&view->rest[rest], amount);
    view->rest_of_site[site] = (uint8_t)(rest + 1);
}

int view_rest_of_site(const struct view *view, uint32_t site)
{
    return (int)view->rest_of_site[site] - 1;
}

/* Blocks without a frame have no module: what is Python's own is start-up, the rest native. */
static bool has_place(const struct view *view, const struct trace_site *at)
{
    bool module = view->options->key == VIEW_MODULE || view->options->key == VIEW_PACKAGE;
    return !module || at->node || !domain_is_python(at->domain);
}

/* Adds the site to the row of each frame of its stack, or of each of its callers. */
static void add_cumulative(struct maker *maker, uint32_t site, const struct view_amount *amount)
{
    const struct view *view = maker->view;
    const struct trace_node *nodes = view->trace->nodes;
    uint32_t node = view->trace->sites[site].node;
    bool caller = view->options->key == VIEW_CALLER;
    if (caller)
        node = maker->callers[node];
    if ((caller && !node) || !has_place(view, &view->trace->sites[site]))
        add_rest(maker->view, site, amount);
    else if (!node)
        add_to_row(maker, group_key_of_node(maker->group, 0), 0, site, amount);
    while (node) {
        add_to_row(maker, group_key_of_node(maker->group, node), node, site, amount);
        node = nodes[node].parent;
        if (caller)
            node = maker->callers[node];
    }
}

static void add_process(struct maker *maker, uint32_t site, const struct view_amount *amount)
{
    uint32_t process = maker->view->trace->sites[site].process;
    bool folded = maker->n_folded && maker->folded[process];
    uint64_t key = folded ? 0 : process;
    add_to_row(maker, key, 0, site, amount);
    row_at(maker, key, 0)->folded = folded ? maker->n_folded : 0;
}

static void add_site(struct maker *maker, uint32_t site, const struct view_amount *amount)
{
    const struct view *view = maker->view;
    const struct trace_site *at = &view->trace->sites[site];
    uint32_t node = at->node;
    if (view->options->cumulative) {
        add_cumulative(maker, site, amount);
        return;
    }
    switch (view->options->key) {
    case VIEW_CALLER:
        node = maker->callers[node];
        if (node)
            add_to_row(maker, group_key_of_node(maker->group, node), node, site, amount);
        else
            add_rest(maker->view, site, amount);
        return;
    case VIEW_DOMAIN:
        add_to_row(maker, (uint64_t)at->domain, 0, site, amount);
        return;
    case VIEW_THREAD:
        add_to_row(maker, (uint64_t)at->process << 32 | at->thread, 0, site, amount);
        return;
    case VIEW_PROCESS:
        add_process(maker, site, amount);
        return;
    case VIEW_NATIVE_FRAME:
        add_to_row(maker, group_key_of_native(maker->group, 0, at->native), 0, site, amount);
        return;
    case VIEW_TRACEBACK: {
        if (view->options->unmerged) {
            add_to_row(maker, at->stack, at->stack, site, amount);
            return;
        }
        uint64_t stack = group_key_of_node(maker->group, at->stack);
        uint64_t key = group_key_of_native(maker->group, stack, at->native);
        add_to_row(maker, key, at->stack, site, amount);
        return;
    }
    case VIEW_MODULE:
        if (at->native) {
            add_to_row(maker, group_key_of_native(maker->group, 0, at->native), 0, site, amount);
            return;
        }
        /* fall through */
    default:
        if (has_place(view, at))
            add_to_row(maker, group_key_of_node(maker->group, node), node, site, amount);
        else
            add_rest(maker->view, site, amount);
    }
}

int64_t view_size_error(const struct trace *trace, const struct view_amount *amount)
{
    return weight_error(amount->spread, trace->sample_bytes);
}

int64_t view_allocated_error(const struct trace *trace, const struct view_amount *amount)
{
    return weight_error(amount->allocated_spread, trace->sample_bytes);
}

bool view_amount_is_zero(const struct view_amount *amount)
{
    return !amount->size && !amount->count && !amount->allocated && !amount->allocations;
}

static void add_inherited(struct view *view, uint32_t process, const struct view_amount *amount)
{
    if (view->processes[process] && !view->processes[view->trace->processes[process].parent])
        view_amount_add(&view->inherited, amount);
}

/* What there is, whatever the key. */
static void sum_up(struct view *view)
{
    const struct trace *trace = view->trace;
    for (uint32_t i = 1; i < trace->n_sites; i++) {
        struct view_amount amount = view_amount_of_site(view, i);
        bool live = domain_is_live(trace->sites[i].domain);
        if (view_amount_is_zero(&amount))
            continue;
        if (domain_is_mapped(trace->sites[i].domain))
            add(&view->mapped, amount.size);
        if (trace->sites[i].domain == MT_DOMAIN_FILE)
            add(&view->files, amount.size);
        if (trace->sites[i].domain == MT_DOMAIN_INHERITED)
            add_inherited(view, trace->sites[i].process, &amount);
        if (live && view->processes[trace->sites[i].process])
            view_amount_add(&view->whole, &amount);
        if (view->sites[i])
            view_amount_add(&view->total, &amount);
        else if (live)
            view_amount_add(&view->excluded, &amount);
    }
}

/* What a process holds beside what it allocated. */
static void add_beside(struct maker *maker, uint32_t site, const struct view_amount *amount)
{
    const struct view *view = maker->view;
    const struct trace_site *at = &view->trace->sites[site];
    if (view->options->key != VIEW_PROCESS || at->domain != MT_DOMAIN_INHERITED ||
        !view->processes[at->process] || maker->folded[at->process])
        return;
    struct view_row *row = row_at(maker, at->process, 0);
    add(&row->inherited, amount->size);
    add(&row->inherited_blocks, amount->count);
}

static void add_sites(struct maker *maker)
{
    for (uint32_t i = 1; i < maker->view->trace->n_sites; i++) {
        struct view_amount amount = view_amount_of_site(maker->view, i);
        if (view_amount_is_zero(&amount))
            continue;
        if (maker->view->sites[i])
            add_site(maker, i, &amount);
        else
            add_beside(maker, i, &amount);
    }
}

static const char *file_of(const struct trace *trace, uint32_t node)
{
    return trace->strings[trace->functions[trace->nodes[node].function].file].data;
}

int view_compare_frames(const struct trace *trace, uint32_t a, uint32_t b)
{
    int order = strcmp(file_of(trace, a), file_of(trace, b));
    if (order)
        return order;
    uint32_t left = trace->nodes[a].line, right = trace->nodes[b].line;
    if (left != right)
        return left < right ? -1 : 1;
    return strcmp(trace->strings[trace->functions[trace->nodes[a].function].name].data,
        trace->strings[trace->functions[trace->nodes[b].function].name].data);
}

int view_compare_stacks(const struct trace *trace, uint32_t a, uint32_t b)
{
    for (; a && b; a = trace->nodes[a].parent, b = trace->nodes[b].parent) {
        int order = view_compare_frames(trace, a, b);
        if (order)
            return order;
    }
    return a ? 1 : b ? -1 : 0;
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct view_row *left = a, *right = b;
    if (left->metric != right->metric)
        return left->metric > right->metric ? -1 : 1;
    if (left->amount.count != right->amount.count)
        return left->amount.count > right->amount.count ? -1 : 1;
    int order = view_compare_stacks(context, left->node, right->node);
    return order ? order : left->site < right->site ? -1 : left->site > right->site;
}

static void drop_empty_rows(struct view *view)
{
    size_t kept = 0;
    for (size_t i = 0; i < view->n_rows; i++) {
        struct view_row *row = &view->rows[i];
        row->metric = view_metric(view, &row->amount);
        if (row->metric || row->amount.size || row->amount.count)
            view->rows[kept++] = *row;
    }
    view->n_rows = kept;
}

static void sort_rows(struct view *view)
{
    size_t limit = view->options->limit;
    drop_empty_rows(view);
    if (!view->n_rows || view->options->unsorted)
        return;
    if (limit && limit < VIEW_SORTED)
        limit = VIEW_SORTED;
    select_sorted(view->rows, view->n_rows, sizeof *view->rows, limit ? limit : view->n_rows,
        compare_rows, (void *)view->trace);
}

/* Finds for each row of callers that will be shown which allocating line contributes most. */
static void find_vias(struct maker *maker)
{
    struct view *view = maker->view;
    size_t limit = view->options->limit, shown = view->n_rows;
    uint32_t *rank = arena_need(&view->arena, maker->capacity * sizeof *rank); /* from 1 */
    struct best *best = best_new(maker->group);
    if (limit && limit < shown)
        shown = limit;
    for (size_t i = 0; i < shown; i++)
        rank[view->rows[i].number] = (uint32_t)i + 1;
    for (uint32_t i = 1; i < view->trace->n_sites; i++) {
        uint32_t row = maker->row_of_site[i];
        if (!row || !rank[row - 1])
            continue;
        struct view_amount amount = view_amount_of_site(view, i);
        best_add(best, rank[row - 1] - 1, view->trace->sites[i].node, view_metric(view, &amount));
    }
    const uint32_t *nodes = best_nodes(best, shown, &view->arena);
    for (size_t i = 0; i < shown; i++) {
        uint64_t own = group_key_of_node(maker->group, view->rows[i].node);
        bool elsewhere = nodes[i] && group_key_of_node(maker->group, nodes[i]) != own;
        view->rows[i].via = elsewhere ? nodes[i] : 0;
    }
    best_free(best);
}

/* From a time that only the log knows on, what was born between the boundary before and it does
   not count. */
static void take_early(struct view *view, uint32_t since)
{
    const struct instant *at = &view->at;
    uint64_t until_us = at->from_log || at->kind == MOMENT_PEAK ? view->state.time_us : 0;
    if (view->from.from_log &&
        !logs_take_early(&view->state, view->trace, until_us, since, view->from.time_us))
        view->state.no_log = true;
}

/* The boundary from which on births are in the interval. */
static uint32_t first_birth(const struct view *view)
{
    uint32_t last = view->from.limit ? (uint32_t)view->from.limit - 1 : 0;
    return view->from.from_log ? view->trace->retained_before[last] : last;
}

/* Finds the moments and the state there. */
static enum view_error find_state(struct view *view)
{
    const struct trace *trace = view->trace;
    const struct view_options *options = view->options;
    uint32_t since = 0;
    view->error = moment_find(&view->at, trace, &options->moment, view->processes);
    if (view->error != MOMENT_OK)
        return VIEW_NO_MOMENT;
    if (options->interval) {
        view->error = moment_find_start(&view->from, trace, &options->from, view->processes);
        if (view->error != MOMENT_OK)
            return VIEW_NO_START;
        since = first_birth(view);
    }
    state_at(&view->state, trace, &view->at, since, view->processes, &view->arena);
    if (options->interval && view->from.time_us > view->state.time_us && !view->state.no_log)
        return VIEW_BACKWARDS;
    if (options->interval && !view->state.no_log)
        take_early(view, since);
    if (view->state.no_log) {
        view->error = MOMENT_NO_LOG;
        return VIEW_NO_MOMENT;
    }
    if (!options->interval)
        view->untouched =
            touched_find(trace, &view->at, view->state.time_us, view->processes, &view->arena);
    return VIEW_OK;
}

/* From the numbers of rows to their ranks. */
static void rank_sites(struct view *view, size_t capacity)
{
    uint32_t *rank = arena_need(&view->arena, (capacity + 1) * sizeof *rank); /* from 1 */
    for (size_t i = 0; i < view->n_rows; i++)
        rank[view->rows[i].number + 1] = (uint32_t)i + 1;
    for (size_t i = 1; i < view->trace->n_sites; i++)
        view->row_of_site[i] = rank[view->row_of_site[i]];
}

static void prepare_processes(struct maker *maker)
{
    struct view *view = maker->view;
    size_t n = view->trace->n_processes;
    maker->folded = arena_need(&view->arena, n * sizeof *maker->folded);
    maker->n_folded = (uint32_t)processes_fold(view->trace, view->processes, maker->folded);
}

static void make_rows(struct view *view)
{
    const struct view_options *options = view->options;
    struct maker maker = {.view = view, .group = group_new(view->trace, options->key)};
    if (options->key == VIEW_CALLER)
        maker.callers = callers_find(view->trace, options->mine, options->n_mine, &view->arena);
    maker.row_of_site = arena_need(&view->arena, view->trace->n_sites * sizeof(uint32_t));
    view->rest_of_site = arena_need(&view->arena, view->trace->n_sites);
    if (options->key == VIEW_PROCESS)
        prepare_processes(&maker);
    add_sites(&maker);
    sort_rows(view);
    if (options->key == VIEW_CALLER && !options->cumulative && !options->unsorted)
        find_vias(&maker);
    view->row_of_site = maker.row_of_site;
    rank_sites(view, maker.capacity);
    group_free(maker.group);
    free(maker.last_site);
}

enum view_error view_open(
    struct view *view, const struct trace *trace, const struct view_options *options)
{
    memset(view, 0, sizeof *view);
    view->trace = trace;
    view->options = options;
    view->processes = arena_need(&view->arena, trace->n_processes);
    view->n_processes = filter_processes(&options->filter, trace, view->processes);
    if (view->n_processes == 0 && options->filter.n_processes)
        return VIEW_NO_PROCESS;
    view->peak = moment_peak(trace, view->processes);
    enum view_error error = find_state(view);
    if (error != VIEW_OK)
        return error;
    view->sites = filter_sites(&options->filter, trace, &view->arena);
    sum_up(view);
    return VIEW_OK;
}

enum view_error view_make(
    struct view *view, const struct trace *trace, const struct view_options *options)
{
    enum view_error error = view_open(view, trace, options);
    if (error == VIEW_OK)
        make_rows(view);
    return error;
}

void view_again(struct view *view, const struct view *first, const struct view_options *options)
{
    *view = *first;
    view->options = options;
    view->arena = (struct arena){0};
    make_rows(view);
}

void view_free(struct view *view)
{
    free(view->rows);
    arena_free(&view->arena);
    memset(view, 0, sizeof *view);
}

struct view_amount view_sum(const struct view *view, size_t first)
{
    struct view_amount sum = {0};
    for (size_t i = first; i < view->n_rows; i++)
        view_amount_add(&sum, &view->rows[i].amount);
    return sum;
}

static int compare_source(const void *a, const void *b)
{
    const struct trace_source *left = a, *right = b;
    if (left->file != right->file)
        return left->file < right->file ? -1 : 1;
    return (left->line > right->line) - (left->line < right->line);
}

const char *view_source(const struct trace *trace, uint32_t file, uint32_t line)
{
    struct trace_source key = {.file = file, .line = line};
    const struct trace_source *found = NULL;
    if (trace->n_sources)
        found =
            bsearch(&key, trace->sources, trace->n_sources, sizeof *trace->sources, compare_source);
    return found ? trace->strings[found->text].data : NULL;
}
