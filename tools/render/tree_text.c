/*
 * Call trees for people (tree.h).  Runs in the tools.
 *
 * A child that has all of its parent, but for what is too small to be shown,
 * stands below it and not to its right: that is no branch, and it has the same
 * amounts.  Of such a chain the frames that are not yours become one line.
 */
#include "render/tree.h"

#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/fit.h"
#include "render/look.h"
#include "render/output.h"
#include "render/packages.h"
#include "render/top.h"
#include "trace/callers.h"

enum {
    INDENTED = 40, /* branches to the left: of more the number is said */
    COLUMNS = 31,
    ERROR_COLUMN = 7,
    LEAST_WIDTH = 72 /* of a terminal that lines are cut for */
};

struct level { /* of the tree, on the way to the node that is printed */
    uint32_t node;
    uint32_t branches; /* to its left */
    bool last;         /* nothing follows on its branch */
};

struct painter {
    FILE *file;
    const struct tree_report *about;
    struct look look;
    const uint32_t *callers; /* by node of the trace: itself if it is yours */
    struct level *levels;
    size_t n_levels, capacity;
    struct packages run; /* frames of a chain that are not printed yet */
    uint32_t in_run;     /* one of them */
};

/* ---- what kind of line ---- */

static bool is_straight(const struct tree_report *about, uint32_t index)
{
    return index && tree_is_chain(about, about->tree->nodes[index].parent);
}

/* In the middle of a chain, and not yours. */
static bool is_folded(const struct painter *painter, uint32_t index)
{
    uint32_t node = painter->about->tree->nodes[index].node;
    return !painter->about->unfolded && node && painter->callers[node] != node &&
           is_straight(painter->about, index) && tree_is_chain(painter->about, index);
}

/* ---- columns ---- */

/* Of a trace of samples: " ±0.4", of which some characters are more than one byte. */
static void print_error_column(FILE *file, const struct view *view,
    const struct view_amount *amount, bool churn, enum units units)
{
    char error[FORMAT_SIZE];
    int64_t bytes = churn ? amount->allocated : amount->size;
    if (!view->trace->sample_bytes)
        return;
    format_error(error,
        churn ? view_allocated_error(view->trace, amount) : view_size_error(view->trace, amount),
        bytes, units);
    fprintf(file, "%-*s", ERROR_COLUMN + (error[0] && output_utf8()), error);
}

static void print_columns(struct painter *painter, const struct view_amount *amount, int64_t metric)
{
    const struct view *view = &painter->about->tree->view;
    enum units units = painter->about->report->options.units;
    bool churn = view_sorts_churn(view->options->sort);
    int64_t total = painter->about->tree->nodes[0].metric;
    double share = total ? (double)metric / (double)total : 0;
    char size[FORMAT_SIZE], count[FORMAT_SIZE];
    enum paint paint = look_heat(share);
    fprintf(
        painter->file, "%10s", format_size(size, churn ? amount->allocated : amount->size, units));
    print_error_column(painter->file, view, amount, churn, units);
    fprintf(painter->file, "  %s%5.1f%%%s  %9s  ", look_paint(&painter->look, paint), 100 * share,
        look_end(&painter->look, paint),
        format_count(count, churn ? amount->allocations : amount->count));
}

static int columns_of(const struct painter *painter)
{
    return COLUMNS + (painter->about->tree->view.trace->sample_bytes ? ERROR_COLUMN : 0);
}

/* "native", or "62% native" where a good part of it is. */
static void print_native(struct painter *painter, const struct view_amount *amount)
{
    if (!amount->native || view_sorts_churn(painter->about->tree->view.options->sort))
        return;
    int percent = (int)(100 * (double)amount->native / (double)amount->size + 0.5);
    if (percent >= 100)
        fputs("  native", painter->file);
    else if (percent >= 5)
        fprintf(painter->file, "  %d%% native", percent);
}

/* ---- the lines to the left ---- */

static const char *glyph(const struct painter *painter, bool here, bool last)
{
    if (painter->look.utf8)
        return here   ? last ? "\xe2\x94\x94\xe2\x94\x80 " : "\xe2\x94\x9c\xe2\x94\x80 "
               : last ? "   "
                      : "\xe2\x94\x82  ";
    return here ? last ? "`- " : "|- " : last ? "   " : "|  ";
}

/* The branches to the left of the innermost level, or of what is left of it (`rest`). */
static void print_branches(struct painter *painter, bool hangs, bool rest)
{
    const struct level *levels = painter->levels;
    uint32_t printed = 0;
    fputs(look_paint(&painter->look, PAINT_DIM), painter->file);
    for (size_t i = 1; i < painter->n_levels && printed < INDENTED; i++) {
        if (levels[i].branches == levels[i - 1].branches)
            continue; /* a chain */
        bool here = hangs && !rest && i + 1 == painter->n_levels;
        fputs(glyph(painter, here, levels[i].last), painter->file);
        printed++;
    }
    if (rest)
        fputs(glyph(painter, true, true), painter->file);
    if (levels[painter->n_levels - 1].branches > INDENTED)
        fprintf(painter->file, "(%u) ", levels[painter->n_levels - 1].branches);
    fputs(look_end(&painter->look, PAINT_DIM), painter->file);
}

/* ---- lines ---- */

static void print_frame(struct painter *painter, const struct tree_node *node)
{
    const struct report *report = painter->about->report;
    bool yours = node->node && painter->callers[node->node] == node->node;
    enum paint paint = yours ? PAINT_BOLD : PAINT_NONE;
    fputs(look_paint(&painter->look, paint), painter->file);
    print_node_name(painter->file, report, node->node);
    if (node->node && report->options.view.key == VIEW_LINENO &&
        !report->trace.nodes[node->node].native) {
        fputc(' ', painter->file);
        print_name(painter->file, report_function(report, node->node));
    }
    fputs(look_end(&painter->look, paint), painter->file);
    print_native(painter, &node->amount);
    if (node->cut)
        fprintf(painter->file, "  %s", painter->look.utf8 ? "\xe2\x80\xa6" : "...");
}

/* The text of the line that allocates. */
static void print_source(struct painter *painter, const struct tree_node *node, bool leaf)
{
    const struct report *report = painter->about->report;
    bool lines = report->options.view.key <= VIEW_LINENO;
    struct source_text source = {0};
    if (leaf && lines && node->node)
        source = sources_of_node(report->sources, node->node);
    if (!source.text)
        return;
    fprintf(painter->file, "    %s", look_paint(&painter->look, PAINT_DIM));
    print_escaped(painter->file, source.text, source.size);
    if (source.note)
        fprintf(painter->file, "    (%s)", source.note);
    fputs(look_end(&painter->look, PAINT_DIM), painter->file);
}

static void print_node(struct painter *painter, uint32_t index)
{
    const struct tree_report *about = painter->about;
    const struct tree_node *node = &about->tree->nodes[index];
    bool leaf = about->inverted ? node->depth == 1 : node->n_children == 0 && !node->cut;
    bool straight = is_straight(about, index);
    if (straight)
        fprintf(painter->file, "%*s", columns_of(painter), "");
    else
        print_columns(painter, &node->amount, node->metric);
    print_branches(painter, !straight, false);
    if (index) {
        print_frame(painter, node);
        print_source(painter, node, leaf);
    } else
        fputs("all", painter->file);
    fputc('\n', painter->file);
}

/* What of a node is in no branch that is shown. */
static void print_rest(struct painter *painter, uint32_t index)
{
    const struct tree *tree = painter->about->tree;
    struct view_amount sum = {0};
    uint32_t shown = tree_shown(painter->about, index), n = tree->nodes[index].n_children;
    for (uint32_t i = shown; i < n; i++)
        view_amount_add(&sum, &tree->nodes[tree_child(tree, index, i)].amount);
    print_columns(painter, &sum, view_metric(&tree->view, &sum));
    print_branches(painter, false, true);
    fprintf(painter->file, "%u smaller\n", n - shown);
}

/* ---- the walk ---- */

/* Leaves levels until `depth` are left. */
static void close_levels(struct painter *painter, size_t depth)
{
    for (; painter->n_levels > depth; painter->n_levels--) {
        uint32_t node = painter->levels[painter->n_levels - 1].node;
        if (tree_has_rest(painter->about, node))
            print_rest(painter, node);
    }
}

static void open_level(struct painter *painter, const struct tree_walk *walk)
{
    const struct tree_report *about = painter->about;
    uint32_t parent = about->tree->nodes[walk->node].parent;
    struct level level = {.node = walk->node};
    if (painter->n_levels == painter->capacity) {
        painter->capacity = painter->capacity ? painter->capacity * 2 : 64;
        painter->levels = reallocarray(painter->levels, painter->capacity, sizeof level);
        if (!painter->levels)
            abort();
    }
    if (walk->node) {
        level.branches =
            painter->levels[painter->n_levels - 1].branches + !is_straight(about, walk->node);
        level.last = walk->ranks[walk->level - 1] == tree_shown(about, parent) &&
                     !tree_has_rest(about, parent);
    }
    painter->levels[painter->n_levels++] = level;
}

static void print_run(struct painter *painter)
{
    if (!painter->run.frames)
        return;
    fprintf(painter->file, "%*s", columns_of(painter), "");
    print_branches(painter, false, false);
    if (painter->run.frames > 1)
        packages_print(painter->file, &painter->run);
    else
        print_frame(painter, &painter->about->tree->nodes[painter->in_run]);
    fputc('\n', painter->file);
    painter->run = (struct packages){0};
}

static void visit(struct painter *painter, const struct tree_walk *walk)
{
    const struct trace *trace = painter->about->tree->view.trace;
    const struct tree_node *node = &painter->about->tree->nodes[walk->node];
    if (is_folded(painter, walk->node)) {
        uint32_t file = trace->functions[trace->nodes[node->node].function].file;
        painter->in_run = walk->node;
        packages_add(&painter->run, trace->nodes[node->node].native
                                        ? report_library(painter->about->report, node->node)
                                        : trace->strings[file].data);
        open_level(painter, walk);
        return;
    }
    print_run(painter);
    close_levels(painter, node->depth);
    open_level(painter, walk);
    print_node(painter, walk->node);
}

void tree_text(FILE *file, const struct tree_report *about)
{
    const struct view *view = &about->tree->view;
    struct arena arena = {0};
    struct painter painter = {.about = about, .look = look_of(file)};
    struct tree_walk walk = {.about = about};
    char size[FORMAT_SIZE];
    painter.callers = callers_find(view->trace, view->options->mine, view->options->n_mine, &arena);
    print_heading(file, about->report, view);
    FILE *rows = fit_open(file, painter.look.width, LEAST_WIDTH);
    painter.file = rows;
    fprintf(rows, "\n%10s%*s  %6s  %9s\n",
        view_sorts_churn(view->options->sort) ? "allocated" : "size",
        columns_of(&painter) - COLUMNS, "", "", "blocks");
    while (tree_next(&walk))
        visit(&painter, &walk);
    close_levels(&painter, 0);
    fit_close(rows, file);
    if (view->excluded.count)
        fprintf(file, "excluded: %s\n",
            format_total(size, view->excluded.size, about->report->options.units));
    tree_walk_free(&walk);
    free(painter.levels);
    arena_free(&arena);
}
