/*
 * The data of the page (flame.h): the stacks as a trie of frames, and what each
 * site holds at some moments; the page makes the trees.  Runs in the tools.
 */
#include "render/flame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "render/gap.h"
#include "render/gnuplot.h"
#include "render/json.h"
#include "render/moments.h"
#include "render/top.h"
#include "trace/callers.h"
#include "trace/cohorts.h"
#include "trace/group.h"
#include "trace/processes.h"
#include "trace/table.h"

enum { MOMENTS = 12, STACKS = 20000, NO_FRAMES = -1 };

/* What the page counts: a stack in a thread, of Python or native. */
struct row {
    int32_t node; /* its number in the page */
    uint32_t thread;
    bool is_native;
};

struct moment_data {
    char *name;
    struct view_amount *amounts; /* by site */
};

struct data {
    struct json json;
    const struct flame *flame;
    const struct report *report;
    const struct trace *trace;
    const struct view *view;
    struct group *group;
    const uint32_t *callers;
    struct moment_data moments[MOMENTS];
    size_t n_moments;
    uint32_t *sites; /* that have anything, the biggest first */
    size_t n_sites;
    struct row *rows;
    uint32_t *row_of_site; /* from 0 */
    size_t n_rows;
    int64_t *rank;   /* by site: the most that it had */
    int32_t *number; /* by node: its number in the page, from 0; -1 if it is not there */
    uint32_t *nodes; /* by number */
    size_t n_nodes;
    uint32_t *frames; /* by number of the frame: a node */
    size_t n_frames;
    struct table numbers; /* 1 + index of a row, by what it is */
    struct arena arena;
};

/* ---- moments ---- */

static char *name_of(const struct view *view)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        abort();
    print_at(file, view);
    if (fclose(file) != 0)
        abort();
    return text;
}

static void take_moment(struct data *data, const struct view *view)
{
    struct moment_data *moment = &data->moments[data->n_moments];
    moment->name = name_of(view);
    for (size_t i = 0; i < data->n_moments; i++) {
        if (strcmp(data->moments[i].name, moment->name) == 0) {
            free(moment->name);
            return;
        }
    }
    moment->amounts = arena_need(&data->arena, data->trace->n_sites * sizeof *moment->amounts);
    for (uint32_t i = 1; i < data->trace->n_sites; i++) {
        if (!view->sites[i])
            continue;
        struct view_amount amount = view_amount_of_site(view, i);
        int64_t churn = amount.allocated / 8; /* what lives is what is looked at */
        int64_t most = amount.size > churn ? amount.size : churn;
        most = most > amount.allocations ? most : amount.allocations; /* of blocks of no bytes */
        moment->amounts[i] = amount;
        data->rank[i] = most > data->rank[i] ? most : data->rank[i];
    }
    data->n_moments++;
}

static void add_moment(struct data *data, const char *text)
{
    struct view_options options = data->report->options.view;
    struct view view;
    if (data->n_moments == MOMENTS || !moment_parse(&options.moment, text))
        return;
    if (view_open(&view, data->trace, &options) == VIEW_OK)
        take_moment(data, &view);
    view_free(&view);
}

/* What was asked for, the end and the peak, and the last marks. */
static void add_moments(struct data *data)
{
    const struct trace *trace = data->trace;
    take_moment(data, data->view);
    add_moment(data, "end");
    add_moment(data, "peak");
    for (size_t i = trace->n_boundaries; i-- > 0;) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        char *text;
        if (boundary->kind != MT_BOUNDARY_MARK || boundary->dropped || !boundary->name)
            continue;
        if (asprintf(&text, "mark:%s", trace->strings[boundary->name].data) < 0)
            abort();
        char *kept = arena_need(&data->arena, strlen(text) + 1); /* a moment is not a copy */
        strcpy(kept, text);
        free(text);
        add_moment(data, kept);
    }
}

/* ---- which stacks ---- */

static int by_rank(const void *a, const void *b, void *context)
{
    const int64_t *rank = context;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    if (rank[left] != rank[right])
        return rank[left] > rank[right] ? -1 : 1;
    return left < right ? -1 : left > right;
}

static void choose_sites(struct data *data)
{
    size_t n = data->trace->n_sites;
    data->sites = arena_need(&data->arena, n * sizeof *data->sites);
    for (uint32_t i = 1; i < n; i++)
        if (data->rank[i] > 0)
            data->sites[data->n_sites++] = i;
    qsort_r(data->sites, data->n_sites, sizeof *data->sites, by_rank, data->rank);
}

static void number_node(struct data *data, uint32_t node)
{
    for (; node && data->number[node] == NO_FRAMES; node = data->trace->nodes[node].parent)
        data->number[node] = 0; /* to be numbered */
}

/* Parents come before their children, as they do in the trace. */
static void number_nodes(struct data *data)
{
    size_t n = data->trace->n_nodes;
    data->number = arena_need(&data->arena, n * sizeof *data->number);
    data->nodes = arena_need(&data->arena, n * sizeof *data->nodes);
    data->frames = arena_need(&data->arena, n * sizeof *data->frames);
    for (size_t i = 0; i < n; i++)
        data->number[i] = NO_FRAMES;
    for (size_t i = 0; i < data->n_sites && i < STACKS; i++)
        number_node(data, data->trace->sites[data->sites[i]].stack);
    for (uint32_t i = 1; i < n; i++) {
        if (data->number[i] == NO_FRAMES)
            continue;
        data->number[i] = (int32_t)data->n_nodes;
        data->nodes[data->n_nodes++] = i;
    }
}

static bool is_native(const struct data *data, uint32_t site)
{
    return !domain_is_python(data->trace->sites[site].domain);
}

/* What is too small for a place of its own counts for the frame that led there. */
static int32_t place_of(const struct data *data, uint32_t site)
{
    uint32_t node = data->trace->sites[site].stack;
    while (node && data->number[node] == NO_FRAMES)
        node = data->trace->nodes[node].parent;
    return node ? data->number[node] : NO_FRAMES;
}

static void make_rows(struct data *data)
{
    data->rows = arena_need(&data->arena, (data->n_sites + 1) * sizeof *data->rows);
    data->row_of_site = arena_need(&data->arena, data->trace->n_sites * sizeof *data->row_of_site);
    for (size_t i = 0; i < data->n_sites; i++) {
        uint32_t site = data->sites[i], thread = data->trace->sites[site].thread;
        struct row row = {place_of(data, site), thread, is_native(data, site)};
        uint64_t key = (uint64_t)(uint32_t)(row.node + 1) << 32 | thread << 1 | row.is_native;
        uint32_t *number = table_at(&data->numbers, key);
        if (!*number) {
            data->rows[data->n_rows] = row;
            *number = (uint32_t)++data->n_rows;
        }
        data->row_of_site[site] = *number - 1;
    }
}

/* ---- what is written ---- */

static void put_nodes(struct data *data)
{
    struct json *json = &data->json;
    json_open(json, "nodes", '{');
    json_open(json, "parents", '[');
    for (size_t i = 0; i < data->n_nodes; i++) {
        uint32_t parent = data->trace->nodes[data->nodes[i]].parent;
        json_number(json, NULL, parent ? data->number[parent] : NO_FRAMES);
    }
    json_close(json, ']');
    json_open(json, "frames", '[');
    for (size_t i = 0; i < data->n_nodes; i++) {
        bool added;
        uint32_t node = data->nodes[i];
        size_t frame = group_row(data->group, group_frame_number(data->group, node), &added);
        if (added)
            data->frames[data->n_frames++] = node;
        json_number(json, NULL, (int64_t)frame);
    }
    json_close(json, ']');
    json_close(json, '}');
}

static bool is_import(const struct trace *trace, uint32_t node)
{
    const char *file = trace->strings[trace->functions[trace->nodes[node].function].file].data;
    return strstr(file, "<frozen importlib") || strstr(file, "/importlib/");
}

/* [name, file, line, is yours, belongs to an import] */
static void put_frame(struct data *data, uint32_t node)
{
    struct json *json = &data->json;
    enum view_key key = data->report->options.view.key;
    bool module = key == VIEW_MODULE || key == VIEW_PACKAGE, file = key == VIEW_FILENAME;
    bool line = !module && !file && key != VIEW_FUNCTION;
    json_open(json, NULL, '[');
    json_name(json, NULL,
        module ? report_module(data->report, node)
        : file ? report_file(data->report, node)
               : report_function(data->report, node));
    json_name(json, NULL, module || file ? "" : report_file(data->report, node));
    json_number(json, NULL, line ? data->trace->nodes[node].line : 0);
    json_number(json, NULL, data->callers[node] == node);
    json_number(json, NULL, is_import(data->trace, node));
    json_close(json, ']');
}

static void put_frames(struct data *data)
{
    json_open(&data->json, "frames", '[');
    for (size_t i = 0; i < data->n_frames; i++)
        put_frame(data, data->frames[i]);
    json_close(&data->json, ']');
}

static void put_process(struct data *data, uint32_t process)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        abort();
    fprintf(file, "%d ", data->trace->processes[process].pid);
    print_command(file, data->report, process);
    if (fclose(file) != 0)
        abort();
    json_text(&data->json, NULL, text, size);
    free(text);
}

/* As print_thread_name prints it; to be freed. */
static char *name_of_thread(const struct trace *trace, uint32_t id)
{
    const struct trace_thread *thread = &trace->threads[id];
    char number[24] = "", *text;
    snprintf(number, sizeof number, thread->name ? " (%d)" : "thread %d", thread->tid);
    if (asprintf(&text, "%s%s", trace->strings[thread->name].data,
            thread->tid || !thread->name ? number : "") < 0)
        abort();
    return text;
}

/* Threads by id; entry 0, and the process of what has no thread, is the first process. */
static void put_threads(struct data *data)
{
    const struct trace *trace = data->trace;
    struct json *json = &data->json;
    json_open(json, "threads", '[');
    for (uint32_t i = 0; i < trace->n_threads; i++) {
        const struct trace_thread *thread = &trace->threads[i];
        json_open(json, NULL, '[');
        put_process(data, i ? thread->process : trace->n_processes > 1);
        char *text = i ? name_of_thread(trace, i) : NULL;
        json_name(json, NULL, text ? text : "no thread");
        free(text);
        json_close(json, ']');
    }
    json_close(json, ']');
}

static void put_rows(struct data *data)
{
    struct json *json = &data->json;
    json_open(json, "rows", '{');
    json_open(json, "node", '[');
    for (size_t i = 0; i < data->n_rows; i++)
        json_number(json, NULL, data->rows[i].node);
    json_close(json, ']');
    json_open(json, "thread", '[');
    for (size_t i = 0; i < data->n_rows; i++)
        json_number(json, NULL, data->rows[i].thread);
    json_close(json, ']');
    json_open(json, "native", '[');
    for (size_t i = 0; i < data->n_rows; i++)
        json_number(json, NULL, data->rows[i].is_native);
    json_close(json, ']');
    json_close(json, '}');
}

static int64_t value_of(const struct view_amount *amount, enum view_sort sort)
{
    return sort == VIEW_SIZE         ? amount->size
           : sort == VIEW_COUNT      ? amount->count
           : sort == VIEW_CHURN_SIZE ? amount->allocated
                                     : amount->allocations;
}

static void put_values(struct data *data, const struct moment_data *moment, enum view_sort sort)
{
    int64_t *sums = calloc(data->n_rows + 1, sizeof *sums);
    if (!sums)
        abort();
    for (size_t i = 0; i < data->n_sites; i++) {
        uint32_t site = data->sites[i];
        sums[data->row_of_site[site]] += value_of(&moment->amounts[site], sort);
    }
    for (size_t i = 0; i < data->n_rows; i++)
        json_number(&data->json, NULL, sums[i]);
    free(sums);
}

static const char *const metrics[VIEW_SORTS] = {"size", "count", "allocated", "allocations"};

static void put_moments(struct data *data)
{
    struct json *json = &data->json;
    json_open(json, "moments", '[');
    for (size_t i = 0; i < data->n_moments; i++) {
        json_open(json, NULL, '{');
        json_name(json, "name", data->moments[i].name);
        for (int sort = 0; sort < VIEW_SORTS; sort++) {
            json_open(json, metrics[sort], '[');
            put_values(data, &data->moments[i], (enum view_sort)sort);
            json_close(json, ']');
        }
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* What is live at the moment that was asked for, in the order of its births. */
static void put_births(struct data *data)
{
    struct json *json = &data->json;
    struct borns borns = {0};
    if (!data->report->options.view.interval)
        borns = borns_make(data->view, &data->arena);
    static const char *const columns[] = {"node", "thread", "native", "birth", "size", "count"};
    json_open(json, "births", '{');
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        json_open(json, columns[c], '[');
        for (size_t i = 0; i < borns.count; i++) {
            const struct born *born = &borns.all[i];
            const struct trace_site *site = &data->trace->sites[born->site];
            const int64_t values[] = {place_of(data, born->site), site->thread,
                is_native(data, born->site), born->birth, born->size, born->count};
            if (born->size > 0 || born->count > 0)
                json_number(json, NULL, values[c]);
        }
        json_close(json, ']');
    }
    json_close(json, '}');
}

static void put_titles(struct data *data)
{
    struct json *json = &data->json;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        abort();
    uint32_t process = process_of_interest(data->trace, data->view->processes);
    if (data->flame->title)
        fputs(data->flame->title, file);
    else if (process)
        print_command(file, data->report, process);
    if (fclose(file) != 0)
        abort();
    json_text(json, "title", text, size);
    free(text);
    file = open_memstream(&text, &size);
    if (!file)
        abort();
    char lost[GAP_WORDS];
    if (*gap_words(lost, data->view->trace))
        fprintf(file, "%s: ", lost);
    print_heading(file, data->report, data->view);
    if (fclose(file) != 0)
        abort();
    json_text(json, "about", text, strcspn(text, "\n"));
    free(text);
}

static void put_all(struct data *data)
{
    static const char *const splits[] = {"no", "process", "thread"};
    const struct view_options *options = &data->report->options.view;
    struct json *json = &data->json;
    json_open(json, NULL, '{');
    json_number(json, "schema", 1);
    put_titles(data);
    json_name(json, "metric", metrics[options->sort]);
    json_flag(json, "inverted", data->flame->shape.inverted);
    json_name(json, "split", splits[data->flame->shape.split]);
    json_flag(json, "mine", options->key == VIEW_CALLER);
    json_flag(json, "merge", options->key == VIEW_FILENAME || options->key >= VIEW_MODULE);
    put_nodes(data);
    put_frames(data);
    put_threads(data);
    put_rows(data);
    put_moments(data);
    put_births(data);
    json_close(json, '}');
}

static void make_data(FILE *file, const struct flame *flame, const struct view *view)
{
    struct data data = {.json = {.file = file},
        .flame = flame,
        .report = flame->report,
        .trace = view->trace,
        .view = view};
    const struct view_options *options = &flame->report->options.view;
    data.group = group_new(view->trace, options->key == VIEW_CALLER ? VIEW_LINENO : options->key);
    data.callers = callers_find(view->trace, options->mine, options->n_mine, &data.arena);
    data.rank = arena_need(&data.arena, view->trace->n_sites * sizeof *data.rank);
    add_moments(&data);
    choose_sites(&data);
    number_nodes(&data);
    make_rows(&data);
    put_all(&data);
    for (size_t i = 0; i < data.n_moments; i++)
        free(data.moments[i].name);
    group_free(data.group);
    table_free(&data.numbers);
    arena_free(&data.arena);
}

/* In JSON a `<` is in a string, and no string may end the script element. */
void flame_data(FILE *file, const struct flame *flame, const struct view *view)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        abort();
    make_data(memory, flame, view);
    if (fclose(memory) != 0)
        abort();
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '<')
            fputs("\\u003c", file);
        else
            putc(text[i], file);
    }
    free(text);
}

bool flame_page(FILE *file, const struct flame *flame, const struct view *view, const char **looked)
{
    static const char place[] = "@DATA@";
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        abort();
    bool good = gnuplot_template(memory, "flame.html", looked);
    if (fclose(memory) != 0)
        abort();
    char *at = good ? strstr(text, place) : NULL;
    if (at) {
        fwrite(text, 1, (size_t)(at - text), file);
        flame_data(file, flame, view);
        fputs(at + strlen(place), file);
    }
    free(text);
    return at != NULL;
}
