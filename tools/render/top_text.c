/*
 * `top` for people.  Runs in the tools.
 */
#include "render/top.h"

#include <inttypes.h>
#include <string.h>

#include "render/escape.h"
#include "render/packages.h"

const char *const top_rest_names[VIEW_RESTS] = {
    [VIEW_IMPORTS] = "imports and start-up",
    [VIEW_NATIVE_CODE] = "native code, no Python frame",
};

static const char *const titles[VIEW_KEYS][2] = {{"caller", "callers"}, {"line", "lines"},
    {"file", "files"}, {"function", "functions"}, {"module", "modules"}, {"package", "packages"},
    {"traceback", "tracebacks"}, {"domain", "domains"}, {"thread", "threads"},
    {"process", "processes"}, {"native frame", "native frames"}};

bool top_has_rests(enum view_key key)
{
    return key == VIEW_CALLER || key == VIEW_MODULE || key == VIEW_PACKAGE;
}

size_t top_rows(const struct report *report, const struct view *view)
{
    size_t limit = report->options.view.limit;
    return limit && limit < view->n_rows ? limit : view->n_rows;
}

static double percent(int64_t part, int64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static bool is_inherited(const struct report *report, const struct view_row *row)
{
    return report->trace.sites[row->site].domain == MT_DOMAIN_INHERITED;
}

/* Says what a row is made of when it is not just Python's. */
static void print_tag(FILE *file, const struct report *report, const struct view_row *row)
{
    const struct view_amount *amount = &row->amount;
    enum units units = report->options.units;
    char python[FORMAT_SIZE], native[FORMAT_SIZE];
    if (report->options.view.key == VIEW_DOMAIN || amount->python == amount->size)
        return;
    if (amount->native == amount->size)
        fputs("  native", file);
    else if (!amount->native && !amount->python)
        fputs(is_inherited(report, row) ? "  inherited" : "  mapped", file);
    else
        fprintf(file, "  python %s, native %s", format_size(python, amount->python, units),
            format_size(native, amount->native, units));
}

static void print_live(FILE *file, const struct report *report, const struct view *view,
    const struct view_amount *amount)
{
    enum units units = report->options.units;
    char size[FORMAT_SIZE], count[FORMAT_SIZE], average[FORMAT_SIZE];
    fprintf(file, ": %s  %.1f%%", format_size(size, amount->size, units),
        percent(amount->size, view->total.size));
    if (view->options->key == VIEW_CALLER)
        fprintf(file, "  %s block%s", format_count(count, amount->count),
            amount->count == 1 ? "" : "s");
    else
        fprintf(file, "  count=%" PRId64 ", average=%s", amount->count,
            format_average(average, amount->size, amount->count, units));
}

static void print_churn(FILE *file, const struct report *report, const struct view *view,
    const struct view_amount *amount)
{
    enum units units = report->options.units;
    char size[FORMAT_SIZE], count[FORMAT_SIZE], live[FORMAT_SIZE];
    fprintf(file, ": %s allocated  %.1f%%  %s allocation%s, %s live",
        format_size(size, amount->allocated, units),
        percent(amount->allocated, view->total.allocated), format_count(count, amount->allocations),
        amount->allocations == 1 ? "" : "s", format_size(live, amount->size, units));
}

static void print_note(FILE *file, const struct source_text *source)
{
    if (source->note)
        fprintf(file, "    (%s)", source->note);
}

void print_row_source(FILE *file, const struct report *report, const struct view_row *row)
{
    struct source_text source = {0};
    if (row->node)
        source = sources_of_node(report->sources, row->node);
    if (!source.text && !row->via)
        return;
    fputs("    ", file);
    if (source.text)
        print_escaped(file, source.text, source.size);
    if (row->via) {
        fputs(source.text ? "    via " : "via ", file);
        print_place(file, report, row->via);
    }
    print_note(file, &source);
    fputc('\n', file);
}

/* The older frames, from `node` on. */
static void print_left_out(FILE *file, const struct report *report, uint32_t node)
{
    const struct trace *trace = &report->trace;
    struct packages packages = {0};
    for (; node; node = trace->nodes[node].parent)
        packages_add(
            &packages, trace->strings[trace->functions[trace->nodes[node].function].file].data);
    fputs("  ", file);
    packages_print(file, &packages);
    fputc('\n', file);
}

static void print_frame(FILE *file, const struct report *report, uint32_t node)
{
    struct source_text source = sources_of_node(report->sources, node);
    fputs("  File \"", file);
    print_name(file, report_file(report, node));
    fprintf(file, "\", line %u, in ", report->trace.nodes[node].line);
    print_name(file, report_function(report, node));
    fputc('\n', file);
    if (source.text) {
        fputs("    ", file);
        print_escaped(file, source.text, source.size);
        print_note(file, &source);
        fputc('\n', file);
    }
}

static void print_traceback(FILE *file, const struct report *report, uint32_t leaf)
{
    const struct trace_node *nodes = report->trace.nodes;
    uint32_t stack[256];
    size_t depth = 0, shown = report->options.frames;
    for (uint32_t node = leaf; node; node = nodes[node].parent)
        depth++;
    if (shown == 0 || shown > depth)
        shown = depth;
    uint32_t node = leaf;
    for (size_t i = 0; i < shown; i++)
        node = nodes[node].parent;
    if (node)
        print_left_out(file, report, node);
    while (shown) { /* from the oldest on, as many at a time as there is room for */
        size_t many = shown < 256 ? shown : 256, skip = shown - many;
        for (node = leaf; skip; skip--)
            node = nodes[node].parent;
        for (size_t i = 0; i < many; i++, node = nodes[node].parent)
            stack[i] = node;
        for (size_t i = many; i-- > 0;)
            print_frame(file, report, stack[i]);
        shown -= many;
    }
}

/* Beside what a process allocated itself. */
static void print_inherited(FILE *file, const struct report *report, const struct view_row *row)
{
    char size[FORMAT_SIZE];
    if (row->inherited)
        fprintf(file, ", %s inherited",
            format_size(size, row->inherited, report->options.units));
}

/* The native caller lies below the innermost Python frame. */
void print_whole_stack(FILE *file, const struct report *report, const struct view_row *row)
{
    const struct trace *trace = &report->trace;
    uint32_t native = trace->sites[row->site].native;
    print_traceback(file, report, row->node);
    if (!native)
        return;
    fputs("  Native ", file);
    print_native_name(file, report, native);
    const struct trace_native *at = &trace->natives[native];
    if (at->line) {
        fputs(" (", file);
        print_name(file, trace->strings[at->file].data);
        fprintf(file, ":%u)", at->line);
    } else if (at->function)
        fprintf(file, "+0x%" PRIx64, at->offset);
    fputc('\n', file);
}

static void print_row(FILE *file, const struct report *report, const struct view *view, size_t i)
{
    const struct view_row *row = &view->rows[i];
    fprintf(file, "#%zu: ", i + 1);
    print_row_name(file, report, row);
    if (view_sorts_churn(view->options->sort))
        print_churn(file, report, view, &row->amount);
    else
        print_live(file, report, view, &row->amount);
    print_tag(file, report, row);
    print_inherited(file, report, row);
    fputc('\n', file);
    if (view->options->key == VIEW_TRACEBACK)
        print_whole_stack(file, report, row);
    else if (view->options->key <= VIEW_LINENO)
        print_row_source(file, report, row);
}

static void print_sum(FILE *file, const struct report *report, const struct view *view,
    const char *name, const struct view_amount *amount)
{
    char size[FORMAT_SIZE];
    int64_t bytes = view_sorts_churn(view->options->sort) ? amount->allocated : amount->size;
    fprintf(file, "%s: %s%s\n", name, format_total(size, bytes, report->options.units),
        view_sorts_churn(view->options->sort) ? " allocated" : "");
}

static void print_rest(
    FILE *file, const struct report *report, const struct view *view, size_t shown)
{
    struct view_amount other = view_sum(view, shown);
    char name[FORMAT_SIZE];
    if (shown < view->n_rows && view->options->cumulative)
        fprintf(file, "%zu other\n", view->n_rows - shown);
    else if (shown < view->n_rows) {
        snprintf(name, sizeof name, "%zu other", view->n_rows - shown);
        print_sum(file, report, view, name, &other);
    }
    for (int i = 0; i < VIEW_RESTS; i++)
        if (view->rest[i].size || view->rest[i].count ||
            (view_sorts_churn(view->options->sort) && view->rest[i].allocated))
            print_sum(file, report, view, top_rest_names[i], &view->rest[i]);
    if (view->excluded.size || view->excluded.count)
        print_sum(file, report, view, "excluded", &view->excluded);
}

void top_text(FILE *file, const struct report *report, const struct view *view)
{
    size_t shown = top_rows(report, view);
    print_heading(file, report, view);
    if (shown)
        fprintf(file, "\nTop %zu %s%s\n", shown, titles[view->options->key][shown > 1],
            view->options->cumulative ? ", cumulative" : "");
    else
        fprintf(file, "\nNo %s\n", titles[view->options->key][1]);
    for (size_t i = 0; i < shown; i++)
        print_row(file, report, view, i);
    print_rest(file, report, view, shown);
    print_sum(file, report, view,
        view->options->key == VIEW_CALLER || view_sorts_churn(view->options->sort)
            ? "Total"
            : "Total allocated size",
        &view->total);
}
