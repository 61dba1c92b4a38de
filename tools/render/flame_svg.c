/*
 * A flame graph as a picture that needs nothing but a viewer.  Runs in the tools.
 * The outermost frames are at the top; a frame has a tooltip.
 */
#include "render/flame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/gap.h"
#include "render/top.h"
#include "trace/processes.h"

enum { ROW = 18, HEADER = 56, MARGIN = 10, MOST = 20000 };
#define LEAST 0.4  /* pixels: what is thinner is not drawn */
#define LETTER 7.3 /* pixels of a character, about */

struct box {
    uint32_t node, depth;
    double left;
};

struct svg {
    FILE *file;
    const struct flame *flame;
    const struct tree *tree;
    struct box *boxes; /* to be drawn */
    size_t count, capacity;
    double scale; /* pixels of a unit of the metric */
    uint32_t deepest;
};

static char *text_of(
    void (*print)(FILE *, const struct svg *, uint32_t), const struct svg *svg, uint32_t node)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        abort();
    print(memory, svg, node);
    if (fclose(memory) != 0)
        abort();
    return text;
}

/* Text was made printable before; here XML's own characters.  At most `most` characters, the
   last an ellipsis if there are more. */
static void put_text(FILE *file, const char *text, size_t most)
{
    size_t characters = 0, shown = 0;
    for (const char *at = text; *at; at++)
        characters += (*at & 0xc0) != 0x80;
    for (const char *at = text; *at; at++) {
        shown += (*at & 0xc0) != 0x80;
        if (characters > most && shown >= most) {
            fputs("\xe2\x80\xa6", file);
            return;
        }
        const char *entity = *at == '&'   ? "&amp;"
                             : *at == '<' ? "&lt;"
                             : *at == '>' ? "&gt;"
                             : *at == '"' ? "&quot;"
                                          : NULL;
        if (entity)
            fputs(entity, file);
        else
            putc(*at, file);
    }
}

static void print_box_name(FILE *file, const struct svg *svg, uint32_t number)
{
    const struct report *report = svg->flame->report;
    const struct trace *trace = &report->trace;
    const struct tree_node *node = &svg->tree->nodes[number];
    if (!number)
        fputs("all", file);
    else if (node->depth == 1 && svg->flame->shape.split != TREE_TOGETHER) {
        fprintf(file, "%d ", trace->processes[node->process].pid);
        print_command(file, report, node->process);
        if (svg->flame->shape.split == TREE_BY_THREAD && node->thread) {
            fputc(' ', file);
            print_thread_name(file, trace, node->thread);
        }
    } else {
        if (report->options.view.key == VIEW_LINENO && node->node &&
            !report->trace.nodes[node->node].native) {
            print_name(file, report_function(report, node->node));
            fputs("  ", file);
        }
        print_node_name(file, report, node->node);
    }
}

static void print_title(FILE *file, const struct svg *svg, uint32_t number)
{
    const struct view_options *options = &svg->flame->report->options.view;
    const struct tree_node *node = &svg->tree->nodes[number];
    bool bytes = options->sort == VIEW_SIZE || options->sort == VIEW_CHURN_SIZE;
    double whole = (double)svg->tree->nodes[0].metric;
    char amount[FORMAT_SIZE];
    print_box_name(file, svg, number);
    fprintf(file, "\n%s%s, %.1f%%",
        bytes ? format_size(amount, node->metric, svg->flame->report->options.units)
              : format_count(amount, node->metric),
        bytes                         ? ""
        : options->sort == VIEW_COUNT ? " blocks"
                                      : " allocations",
        whole > 0 ? 100 * (double)node->metric / whole : 0);
}

/* One hue for each file. */
static unsigned hue_of(const struct svg *svg, uint32_t number)
{
    const char *file = report_file(svg->flame->report, svg->tree->nodes[number].node);
    unsigned hash = 7;
    for (; *file; file++)
        hash = hash * 31 + (unsigned char)*file;
    return hash % 12;
}

static void put_box(struct svg *svg, const struct box *box)
{
    double width = (double)svg->tree->nodes[box->node].metric * svg->scale;
    double x = MARGIN + box->left, y = HEADER + (double)box->depth * ROW;
    char *name = text_of(print_box_name, svg, box->node);
    char *title = text_of(print_title, svg, box->node);
    bool plain = !svg->tree->nodes[box->node].node;
    fprintf(svg->file, "<g><title>");
    put_text(svg->file, title, SIZE_MAX);
    fprintf(svg->file,
        "</title><rect class=\"%s%.0u\" x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"/>",
        plain ? "plain" : "h", plain ? 0 : hue_of(svg, box->node) + 1, x, y,
        width > 1.5 ? width - 0.6 : width, ROW - 1);
    if (width > 4 * LETTER) {
        fprintf(svg->file, "<text x=\"%.1f\" y=\"%.0f\">", x + 3, y + ROW - 5);
        put_text(svg->file, name, (size_t)((width - 6) / LETTER));
        fputs("</text>", svg->file);
    }
    fputs("</g>\n", svg->file);
    free(name);
    free(title);
}

static void push(struct svg *svg, struct box box)
{
    if (svg->count == svg->capacity) {
        svg->capacity = svg->capacity ? svg->capacity * 2 : 1024;
        svg->boxes = reallocarray(svg->boxes, svg->capacity, sizeof *svg->boxes);
        if (!svg->boxes)
            abort();
    }
    svg->boxes[svg->count++] = box;
    svg->deepest = box.depth > svg->deepest ? box.depth : svg->deepest;
}

/* Level by level, so that of too many the deepest are left out. */
static void find_boxes(struct svg *svg)
{
    const struct tree *tree = svg->tree;
    push(svg, (struct box){0});
    for (size_t i = 0; i < svg->count && svg->count < MOST; i++) {
        struct box box = svg->boxes[i];
        double left = box.left;
        for (uint32_t rank = 0; rank < tree->nodes[box.node].n_children; rank++) {
            uint32_t child = tree_child(tree, box.node, rank);
            double width = (double)tree->nodes[child].metric * svg->scale;
            if (width >= LEAST)
                push(svg, (struct box){child, box.depth + 1, left});
            left += width > 0 ? width : 0;
        }
    }
}

static void put_style(FILE *file)
{
    fputs("<style>\n"
          "svg{background:#fff}text{font:12px 'DejaVu Sans Mono',monospace;fill:#1b1f24}\n"
          ".title{font:bold 16px sans-serif}.about{font:12px sans-serif}.plain{fill:#d1d9e0}\n"
          "g:hover rect{stroke:#1b1f24}\n",
        file);
    for (int hue = 0; hue < 12; hue++)
        fprintf(file, ".h%d{fill:hsl(%d,62%%,78%%)}", hue + 1, hue * 30);
    fputs("\n@media (prefers-color-scheme:dark){svg{background:#14171c}text{fill:#f2f4f6}"
          ".plain{fill:#363d47}g:hover rect{stroke:#fff}\n",
        file);
    for (int hue = 0; hue < 12; hue++)
        fprintf(file, ".h%d{fill:hsl(%d,42%%,34%%)}", hue + 1, hue * 30);
    fputs("}\n</style>\n", file);
}

static void print_command_of(FILE *file, const struct svg *svg, uint32_t process)
{
    if (svg->flame->title)
        print_name(file, svg->flame->title);
    else if (process)
        print_command(file, svg->flame->report, process);
}

static void print_about(FILE *file, const struct svg *svg, uint32_t node)
{
    char lost[GAP_WORDS];
    if (*gap_words(lost, svg->tree->view.trace))
        fprintf(file, "%s: ", lost); /* first: the end may not fit in */
    print_heading(file, svg->flame->report, &svg->tree->view);
}

static void put_header(struct svg *svg)
{
    size_t most = (size_t)(svg->flame->width / 7);
    const struct view *view = &svg->tree->view;
    char *title = text_of(print_command_of, svg, process_of_interest(view->trace, view->processes));
    char *about = text_of(print_about, svg, 0);
    about[strcspn(about, "\n")] = 0;
    fprintf(svg->file, "<text class=\"title\" x=\"%d\" y=\"24\">", MARGIN);
    put_text(svg->file, title, most * 2 / 3);
    fprintf(svg->file, "</text>\n<text class=\"about\" x=\"%d\" y=\"44\">", MARGIN);
    put_text(svg->file, about, most);
    fputs("</text>\n", svg->file);
    free(title);
    free(about);
}

void flame_svg(FILE *file, const struct flame *flame, const struct tree *tree)
{
    struct svg svg = {.file = file, .flame = flame, .tree = tree};
    double whole = (double)tree->nodes[0].metric;
    svg.scale = whole > 0 ? (flame->width - 2 * MARGIN) / whole : 0;
    find_boxes(&svg);
    int height = HEADER + (int)(svg.deepest + 1) * ROW + MARGIN;
    fprintf(file,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
        "width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n",
        flame->width, height, flame->width, height);
    put_style(file);
    put_header(&svg);
    for (size_t i = 0; i < svg.count; i++)
        put_box(&svg, &svg.boxes[i]);
    fputs("</svg>\n", file);
    free(svg.boxes);
}
