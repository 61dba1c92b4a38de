/*
 * The data of the page (flame.h): the stacks as a trie of frames, and what each
 * site holds at some moments; the page makes the trees.  Runs in the tools.
 */
#include "render/flame_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "render/gap.h"
#include "render/gnuplot.h"
#include "render/moments.h"
#include "render/top.h"
#include "trace/callers.h"
#include "trace/group.h"
#include "trace/huge.h"
#include "trace/processes.h"

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

static void add_values(struct moment_data *moment, uint32_t site, const struct view_amount *amount)
{
    if (moment->count == moment->capacity) {
        moment->capacity = moment->capacity ? moment->capacity * 2 : 1024;
        moment->values = huge_realloc(moment->values, moment->capacity, sizeof *moment->values);
        if (!moment->values)
            abort();
    }
    moment->values[moment->count++] =
        (struct site_values){site, {[VIEW_SIZE] = amount->size,
                                       [VIEW_COUNT] = amount->count,
                                       [VIEW_CHURN_SIZE] = amount->allocated,
                                       [VIEW_CHURN_COUNT] = amount->allocations}};
}

static void take_values(struct data *data, struct moment_data *moment, const struct view *view)
{
    for (uint32_t i = 1; i < data->trace->n_sites; i++) {
        if (!view->sites[i])
            continue;
        struct view_amount amount = view_amount_of_site(view, i);
        int64_t churn = amount.allocated / 8; /* what lives is what is looked at */
        int64_t most = amount.size > churn ? amount.size : churn;
        most = most > amount.allocations ? most : amount.allocations; /* of blocks of no bytes */
        data->rank[i] = most > data->rank[i] ? most : data->rank[i];
        if (!view_amount_is_zero(&amount))
            add_values(moment, i, &amount);
    }
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
    take_values(data, moment, view);
    data->n_moments++;
}

static void add_moment(struct data *data, const char *text)
{
    struct view_options options = data->report->options.view;
    enum moment_kind shown = options.moment.kind;
    struct view view;
    if (data->n_moments == MOMENTS || !moment_parse(&options.moment, text))
        return;
    if (options.moment.kind == shown && (shown == MOMENT_END || shown == MOMENT_PEAK))
        return; /* there already */
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

/* Threads by id; entry 0, and the process of what has no thread, is the first process.  After
   them there may be one for what is of several. */
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
    if (data->merged_threads) {
        json_open(json, NULL, '[');
        json_name(json, NULL, "small parts of others");
        json_name(json, NULL, "small parts of others");
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

static void put_values(struct data *data, const struct moment_data *moment, int sort)
{
    int64_t *sums = calloc(data->n_rows + 1, sizeof *sums);
    if (!sums)
        abort();
    for (size_t i = 0; i < moment->count; i++) {
        const struct site_values *values = &moment->values[i];
        if (data->rank[values->site] > 0)
            sums[data->row_of_site[values->site]] += values->values[sort];
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
            put_values(data, &data->moments[i], sort);
            json_close(json, ']');
        }
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_births(struct data *data)
{
    struct json *json = &data->json;
    struct page_births births = flame_births(data);
    static const char *const columns[] = {"node", "thread", "native", "birth", "size", "count"};
    json_open(json, "births", '{');
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        json_open(json, columns[c], '[');
        for (size_t i = 0; i < births.count; i++) {
            const struct page_birth *birth = &births.all[i];
            const struct row *row = &data->rows[birth->row];
            const int64_t values[] = {
                row->node, row->thread, row->is_native, birth->birth, birth->size, birth->count};
            if (birth->size > 0 || birth->count > 0)
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
    flame_stacks(&data);
    put_all(&data);
    for (size_t i = 0; i < data.n_moments; i++) {
        free(data.moments[i].name);
        free(data.moments[i].values);
    }
    group_free(data.group);
    table_free(&data.numbers);
    free(data.rows);
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
    for (size_t at = 0; at < size; at++) {
        const char *found = memchr(text + at, '<', size - at);
        size_t length = found ? (size_t)(found - text) - at : size - at;
        fwrite(text + at, 1, length, file);
        if (found)
            fputs("\\u003c", file);
        at += length;
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
