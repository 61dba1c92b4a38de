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

struct folded {
    FILE *file;
    const struct report *report;
    struct export_stacks *stacks;
    struct buffer words; /* the texts of frames, one behind the other */
    size_t *ends;        /* by number of a frame: where in these its own ends */
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
static void append_frame(struct folded *folded, uint32_t node)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        abort();
    print_frame(memory, folded->report, node);
    if (fclose(memory) != 0)
        abort();
    for (char *at = text; (at = strchr(at, ';')); at++)
        *at = ',';
    buffer_append(&folded->words, text, size);
    free(text);
}

static void make_words(struct folded *folded)
{
    folded->ends = calloc(folded->stacks->n_frames + 1, sizeof *folded->ends);
    if (!folded->ends)
        abort();
    for (size_t i = 0; i < folded->stacks->n_frames; i++) {
        append_frame(folded, folded->stacks->nodes[i]);
        folded->ends[i] = folded->words.size;
    }
}

static void flush(struct folded *folded)
{
    fwrite(folded->out.data, 1, folded->out.size, folded->file);
    folded->out.size = 0;
}

static void put_row(struct folded *folded, const struct view_row *row)
{
    char number[32];
    size_t depth = export_stacks_read(folded->stacks, row->node);
    while (depth--) {
        uint32_t frame = folded->stacks->frames[depth];
        size_t begin = frame ? folded->ends[frame - 1] : 0;
        buffer_append(&folded->out, folded->words.data + begin, folded->ends[frame] - begin);
        buffer_append(&folded->out, depth ? ";" : " ", 1);
    }
    int size = snprintf(number, sizeof number, "%" PRId64 "\n", row->metric);
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
    buffer_free(&folded.words);
    buffer_free(&folded.out);
    free(folded.ends);
}
