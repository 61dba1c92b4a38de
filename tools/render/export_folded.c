/*
 * Stacks as text, one a line, the outermost frame first: what flamegraph.pl reads.
 * Runs in the tools.
 */
#include "render/export.h"

#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/export_stacks.h"
#include "render/format.h"
#include "render/progress.h"
#include "render/top.h"
#include "trace/huge.h"
#include "trace/writer.h"

enum { AT_ONCE = 1 << 18 }; /* bytes that are written in one go, and a stack more */

struct step { /* of a path */
    uint32_t frame;
    size_t end; /* of its text and what follows it */
};

struct folded {
    FILE *file;
    const struct report *report;
    struct export_stacks *stacks;
    struct buffer words; /* the texts of frames, one behind the other, with a `;` behind each */
    size_t *ends;        /* by number of a frame: where in these its own ends */
    struct step *path;   /* the stack that was put last, from the outermost frame on */
    struct buffer text;  /* of the path */
    size_t depth, depths;
    struct buffer out;
};

/* What frames of a function begin with, made once for each function. */
struct beginnings {
    char *text;
    size_t size;
    struct place {
        size_t begin, end;
    } * places; /* by function, and behind them by frame of what has no function of Python's */
};

static bool is_python(const struct folded *folded, uint32_t frame)
{
    uint32_t node = folded->stacks->nodes[frame];
    return node && !folded->report->trace.nodes[node].native;
}

static struct place *place_of(
    const struct folded *folded, const struct beginnings *beginnings, uint32_t frame)
{
    const struct trace *trace = &folded->report->trace;
    uint32_t function = trace->nodes[folded->stacks->nodes[frame]].function;
    return &beginnings->places[is_python(folded, frame) ? function : trace->n_functions + frame];
}

static void print_beginning(FILE *file, const struct folded *folded, uint32_t frame)
{
    uint32_t node = folded->stacks->nodes[frame];
    if (!node) {
        fputs(TOP_NO_FRAME, file);
    } else if (!is_python(folded, frame)) {
        print_native_frame(file, folded->report, node, false);
    } else {
        print_name(file, report_function(folded->report, node));
        fputs(" (", file);
        print_name(file, report_file(folded->report, node));
    }
}

/* In a line of folded stacks `;` has a meaning. */
static struct beginnings make_beginnings(const struct folded *folded)
{
    struct beginnings made = {0};
    size_t n = folded->stacks->n_frames;
    FILE *memory = open_memstream(&made.text, &made.size);
    made.places = huge_calloc(folded->report->trace.n_functions + n, sizeof *made.places);
    if (!memory || !made.places)
        abort();
    for (uint32_t i = 0; i < n; i++) {
        struct place *place = place_of(folded, &made, i);
        if (place->end)
            continue;
        place->begin = (size_t)ftello(memory);
        print_beginning(memory, folded, i);
        place->end = (size_t)ftello(memory);
    }
    if (fclose(memory) != 0)
        abort();
    for (char *at = made.text; (at = memchr(at, ';', made.text + made.size - at)); at++)
        *at = ',';
    return made;
}

static void put_number(struct buffer *buffer, int64_t number)
{
    char digits[FORMAT_INTEGER];
    buffer_append(buffer, digits, format_integer(digits, number));
}

static void make_words(struct folded *folded)
{
    const struct export_stacks *stacks = folded->stacks;
    struct beginnings beginnings = make_beginnings(folded);
    folded->ends = huge_calloc(stacks->n_frames + 1, sizeof *folded->ends);
    if (!folded->ends)
        abort();
    for (uint32_t i = 0; i < stacks->n_frames; i++) {
        const struct place *place = place_of(folded, &beginnings, i);
        buffer_append(&folded->words, beginnings.text + place->begin, place->end - place->begin);
        if (is_python(folded, i)) {
            buffer_append(&folded->words, ":", 1);
            put_number(&folded->words, folded->report->trace.nodes[stacks->nodes[i]].line);
            buffer_append(&folded->words, ")", 1);
        }
        buffer_append(&folded->words, ";", 1);
        folded->ends[i] = folded->words.size;
    }
    free(beginnings.text);
    free(beginnings.places);
}

static void flush(struct folded *folded)
{
    if (folded->out.size)
        fwrite(folded->out.data, 1, folded->out.size, folded->file);
    folded->out.size = 0;
}

/* Makes the path that of the stack in stacks->frames, which goes from its leaf outwards.  A stack
   has most of its callers in common with the one before: only the others are copied. */
static void set_path(struct folded *folded, size_t depth)
{
    const uint32_t *leaf = &folded->stacks->frames[depth - 1];
    size_t same = 0;
    while (same < depth && same < folded->depth && folded->path[same].frame == leaf[-(ssize_t)same])
        same++;
    folded->text.size = same ? folded->path[same - 1].end : 0;
    if (depth > folded->depths) {
        folded->depths = depth * 2;
        folded->path = reallocarray(folded->path, folded->depths, sizeof *folded->path);
        if (!folded->path)
            abort();
    }
    for (size_t i = same; i < depth; i++) {
        uint32_t frame = leaf[-(ssize_t)i];
        size_t begin = frame ? folded->ends[frame - 1] : 0;
        buffer_append(&folded->text, folded->words.data + begin, folded->ends[frame] - begin);
        folded->path[i] = (struct step){frame, folded->text.size};
    }
    folded->depth = depth;
}

static void put_row(struct folded *folded, const struct view_row *row)
{
    set_path(folded, export_stacks_read(folded->stacks, row->node));
    buffer_append(&folded->out, folded->text.data, folded->text.size - 1);
    buffer_append(&folded->out, " ", 1);
    put_number(&folded->out, row->metric);
    buffer_append(&folded->out, "\n", 1);
    if (folded->out.size >= AT_ONCE)
        flush(folded);
}

void export_folded(FILE *file, const struct report *report, const struct view *view)
{
    struct folded folded = {.file = file, .report = report, .stacks = export_stacks_new(view)};
    make_words(&folded);
    for (size_t i = 0; i < view->n_rows; i++) {
        progress_at(i, view->n_rows);
        if (view->rows[i].metric > 0)
            put_row(&folded, &view->rows[i]);
    }
    flush(&folded);
    export_stacks_free(folded.stacks);
    buffer_free(&folded.words);
    buffer_free(&folded.text);
    free(folded.path);
    buffer_free(&folded.out);
    free(folded.ends);
}
