/*
 * Stacks as text, one a line, the outermost frame first: what flamegraph.pl reads.
 * Runs in the tools.
 */
#include "render/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/export_stacks.h"
#include "render/progress.h"
#include "render/top.h"
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
    char *words; /* the texts of frames, one behind the other */
    size_t size;
    size_t *ends;       /* by number of a frame: where in these its own ends */
    struct step *path;  /* the stack that was put last, from the outermost frame on */
    struct buffer text; /* of the path, with a `;` behind each frame */
    size_t depth, depths;
    struct buffer out;
};

static void print_frame(FILE *file, const struct report *report, uint32_t node)
{
    if (!node) {
        fputs(TOP_NO_FRAME, file);
        return;
    }
    if (report->trace.nodes[node].native) {
        print_native_frame(file, report, node, false);
        return;
    }
    print_name(file, report_function(report, node));
    fputs(" (", file);
    print_place(file, report, node);
    fputc(')', file);
}

/* In a line of folded stacks `;` has a meaning. */
static void make_words(struct folded *folded)
{
    size_t n = folded->stacks->n_frames;
    FILE *memory = open_memstream(&folded->words, &folded->size);
    folded->ends = calloc(n + 1, sizeof *folded->ends);
    if (!memory || !folded->ends)
        abort();
    for (size_t i = 0; i < n; i++) {
        print_frame(memory, folded->report, folded->stacks->nodes[i]);
        folded->ends[i] = (size_t)ftello(memory);
    }
    if (fclose(memory) != 0)
        abort();
    for (char *at = folded->words; (at = memchr(at, ';', folded->words + folded->size - at)); at++)
        *at = ',';
}

static void flush(struct folded *folded)
{
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
        buffer_append(&folded->text, folded->words + begin, folded->ends[frame] - begin);
        buffer_append(&folded->text, ";", 1);
        folded->path[i] = (struct step){frame, folded->text.size};
    }
    folded->depth = depth;
}

static void put_row(struct folded *folded, const struct view_row *row)
{
    char number[32];
    set_path(folded, export_stacks_read(folded->stacks, row->node));
    buffer_append(&folded->out, folded->text.data, folded->text.size - 1);
    int size = snprintf(number, sizeof number, " %" PRId64 "\n", row->metric);
    buffer_append(&folded->out, number, (size_t)size);
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
    free(folded.words);
    buffer_free(&folded.text);
    free(folded.path);
    buffer_free(&folded.out);
    free(folded.ends);
}
