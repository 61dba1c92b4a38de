/*
 * `top` for people.  Runs in the tools.
 */
#include "render/top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/fit.h"
#include "render/look.h"
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

/* What is neither Python's nor native. */
static const char *beside(const struct report *report, const struct view_row *row)
{
    if (report->trace.sites[row->site].domain == MT_DOMAIN_INHERITED)
        return "  inherited";
    bool only_files = report->options.view.filter.domains == 1u << MT_DOMAIN_FILE;
    return only_files ? "  mapped files" : "  mapped";
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
        fputs(beside(report, row), file);
    else
        fprintf(file, "  python %s, native %s", format_size(python, amount->python, units),
            format_size(native, amount->native, units));
}

static void print_live(FILE *file, const struct report *report, const struct view *view,
    const struct view_amount *amount)
{
    enum units units = report->options.units;
    char size[FORMAT_SIZE], error[FORMAT_SIZE], count[FORMAT_SIZE], average[FORMAT_SIZE];
    fprintf(file, ": %s%s  %.1f%%", format_size(size, amount->size, units),
        format_error(error, view_size_error(view->trace, amount), amount->size, units),
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
    char size[FORMAT_SIZE], error[FORMAT_SIZE], count[FORMAT_SIZE], live[FORMAT_SIZE];
    fprintf(file, ": %s%s allocated  %.1f%%  %s allocation%s, %s live",
        format_size(size, amount->allocated, units),
        format_error(error, view_allocated_error(view->trace, amount), amount->allocated, units),
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

static void print_python_frame(FILE *file, const struct report *report, uint32_t node)
{
    fputs("  File \"", file);
    print_name(file, report_file(report, node));
    fprintf(file, "\", line %u, in ", report->trace.nodes[node].line);
    print_name(file, report_function(report, node));
    fputc('\n', file);
}

static void print_frame(FILE *file, const struct report *report, uint32_t node)
{
    struct source_text source = sources_of_node(report->sources, node);
    if (report->trace.nodes[node].native) {
        fputs("  Native ", file);
        print_native_frame(file, report, node, true);
        fputc('\n', file);
    } else
        print_python_frame(file, report, node);
    if (source.text) {
        fputs("    ", file);
        print_escaped(file, source.text, source.size);
        print_note(file, &source);
        fputc('\n', file);
    }
}

/* Frames in a row that are not shown. */
static void print_left_out(
    FILE *file, const struct report *report, const uint32_t *stack, size_t depth)
{
    const struct trace *trace = &report->trace;
    struct packages packages = {0};
    for (size_t i = 0; i < depth; i++) {
        const struct trace_node *node = &trace->nodes[stack[i]];
        packages_add(&packages, node->native
                                    ? report_library(report, stack[i])
                                    : trace->strings[trace->functions[node->function].file].data);
    }
    fputs("  ", file);
    packages_print(file, &packages);
    fputc('\n', file);
}

/* What was inlined somewhere is one frame with the function around it. */
static bool is_inlined(const struct report *report, uint32_t node)
{
    return report->trace.natives[report->trace.nodes[node].native].is_inlined;
}

/* Of Python frames and of native ones as many as --frames says, the most recent of each. */
static void print_frames(
    FILE *file, const struct report *report, const uint32_t *stack, size_t depth)
{
    const struct trace_node *nodes = report->trace.nodes;
    size_t limit = report->options.frames, left[2] = {0}, end = depth;
    bool shown = true;
    for (size_t i = 0; i < depth; i++)
        left[nodes[stack[i]].native != 0] += !is_inlined(report, stack[i]);
    for (size_t i = depth; i-- > 0;) {
        if (!is_inlined(report, stack[i]))
            shown = left[nodes[stack[i]].native != 0]-- <= limit || !limit;
        if (!shown)
            continue;
        if (i + 1 < end)
            print_left_out(file, report, stack + i + 1, end - i - 1);
        print_frame(file, report, stack[i]);
        end = i;
    }
    if (end)
        print_left_out(file, report, stack, end);
}

/* The nodes of a stack, the innermost first; the caller frees them. */
static uint32_t *stack_of(const struct trace *trace, uint32_t leaf, size_t *depth)
{
    *depth = 0;
    for (uint32_t node = leaf; node; node = trace->nodes[node].parent)
        ++*depth;
    uint32_t *stack = calloc(*depth + 1, sizeof *stack);
    if (!stack)
        abort();
    for (size_t i = 0; i < *depth; i++, leaf = trace->nodes[leaf].parent)
        stack[i] = leaf;
    return stack;
}

void print_whole_stack(FILE *file, const struct report *report, const struct view_row *row)
{
    size_t depth;
    uint32_t *stack = stack_of(&report->trace, row->node, &depth);
    print_frames(file, report, stack, depth);
    free(stack);
}

static void print_touched(FILE *file, const struct report *report, const struct view *view,
    const struct view_amount *amount)
{
    char text[FORMAT_SIZE];
    if (!view_sorts_churn(view->options->sort))
        fputs(format_touched(text, amount->size, amount->untouched, report->options.units), file);
}

/* Beside what a process allocated itself. */
static void print_inherited(FILE *file, const struct report *report, const struct view_row *row)
{
    char size[FORMAT_SIZE];
    if (row->inherited)
        fprintf(file, ", %s inherited", format_size(size, row->inherited, report->options.units));
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
    print_touched(file, report, view, &row->amount);
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
    char size[FORMAT_SIZE], text[FORMAT_SIZE];
    bool churn = view_sorts_churn(view->options->sort);
    int64_t bytes = churn ? amount->allocated : amount->size;
    int64_t error =
        churn ? view_allocated_error(view->trace, amount) : view_size_error(view->trace, amount);
    fprintf(file, "%s: %s%s%s", name, format_total(size, bytes, report->options.units),
        format_total_error(text, error, bytes, report->options.units), churn ? " allocated" : "");
    print_touched(file, report, view, amount);
    fputc('\n', file);
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

static void print_all(FILE *file, const struct report *report, const struct view *view)
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

void top_text(FILE *file, const struct report *report, const struct view *view)
{
    FILE *lines = fit_wrap(file, look_of(file).width);
    print_all(lines, report, view);
    fit_close(lines, file);
}
