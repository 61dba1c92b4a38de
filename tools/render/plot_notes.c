/*
 * Lines of marks and regions below the axis (plot_notes.h).  Runs in reports.
 * A name that has no room is shortened, or only its place is shown.
 */
#include "render/plot_notes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "render/gnuplot.h"
#include "render/plot_words.h"

enum { SIGN_BYTES = 4, FIRST_LABEL = 20 };

struct notes {
    FILE *script;
    const struct plot *plot;
    bool utf8;
    int left, columns, next_label;
};

/* A line of characters, each a short string. */
struct note_line {
    char (*cells)[SIGN_BYTES + 1];
    int columns;
};

int plot_notes_lines(const struct plot *plot, int most)
{
    int lines = (plot->n_marks > 0) + (int)plot->n_lanes;
    return lines < most ? lines : most > 0 ? most : 0;
}

static int column_of(const struct notes *notes, uint64_t time_us)
{
    const struct plot *plot = notes->plot;
    uint64_t at = time_us < plot->from_us ? plot->from_us : time_us;
    at = at > plot->to_us ? plot->to_us : at;
    return (int)lround((double)(at - plot->from_us) * (notes->columns - 1) /
                       (double)(plot->to_us - plot->from_us));
}

static size_t character_size(const char *text)
{
    size_t size = 1;
    while (size < SIGN_BYTES && ((unsigned char)text[size] & 0xc0) == 0x80)
        size++;
    return size;
}

static int count_characters(const char *text)
{
    int count = 0;
    for (; *text; text += character_size(text))
        count++;
    return count;
}

/* Puts a name into `room` characters from a column on; its end may be dots. */
static void put_name(
    const struct notes *notes, struct note_line *line, int column, int room, const char *name)
{
    int count = count_characters(name), whole = count <= room ? count : room - 2;
    for (int i = 0; i < room && (i < count); i++) {
        size_t size = i < whole ? character_size(name) : 1;
        const char *shown = i >= whole ? "." : !notes->utf8 && (*name & 0x80) ? "?" : name;
        snprintf(
            line->cells[column + i], SIGN_BYTES + 1, "%.*s", shown == name ? (int)size : 1, shown);
        name += i < whole ? size : 0;
    }
}

static bool start_line(struct note_line *line, const struct notes *notes)
{
    line->columns = notes->columns;
    line->cells = calloc((size_t)notes->columns, sizeof *line->cells);
    for (int i = 0; line->cells && i < notes->columns; i++)
        strcpy(line->cells[i], " ");
    return line->cells != NULL;
}

static void write_label(struct notes *notes, const char *text, int column, int row)
{
    fprintf(notes->script, "set label %d ", notes->next_label++);
    gnuplot_string(notes->script, text);
    fprintf(notes->script, " at character %d, %d left\n", column, row);
}

static void end_line(struct notes *notes, struct note_line *line, const char *title, int row)
{
    char *text = calloc((size_t)line->columns + 1, SIGN_BYTES);
    size_t size = 0;
    for (int i = 0; text && i < line->columns; i++) {
        size_t length = strlen(line->cells[i]);
        memcpy(text + size, line->cells[i], length);
        size += length;
    }
    while (size && text[size - 1] == ' ')
        text[--size] = 0;
    write_label(notes, title, 0, row);
    write_label(notes, text ? text : "", notes->left, row);
    free(text);
    free(line->cells);
}

/* Signs where the marks are, and as much of each name as fits before the next sign. */
static void write_marks(struct notes *notes, int row)
{
    const struct plot *plot = notes->plot;
    struct note_line line;
    if (!start_line(&line, notes))
        return;
    for (size_t i = 0; i < plot->n_marks; i++) {
        int at = column_of(notes, plot->marks[i].time_us), end = notes->columns;
        if (i + 1 < plot->n_marks)
            end = column_of(notes, plot->marks[i + 1].time_us) - 1;
        strcpy(line.cells[at], notes->utf8 ? "▲" : "^");
        int room = end - at - 1, needs = count_characters(plot->marks[i].name);
        if (room >= 4 || room >= needs)
            put_name(notes, &line, at + 1, room, plot->marks[i].name);
    }
    end_line(notes, &line, "marks", row);
}

static void put_band(
    const struct notes *notes, struct note_line *line, int from, int to, const char *name)
{
    int inside = to - from - 1, needs = count_characters(name);
    for (int i = from; i <= to; i++)
        strcpy(line->cells[i], notes->utf8 ? "─" : "-");
    strcpy(line->cells[from], to == from ? notes->utf8 ? "│" : "|" : notes->utf8 ? "├" : "[");
    if (to > from)
        strcpy(line->cells[to], notes->utf8 ? "┤" : "]");
    if (inside >= 4 || inside >= needs)
        put_name(notes, line, from + 1, inside, name);
}

/* A region from its first to its last column; what has no place left for it is not shown. */
static void write_lane(struct notes *notes, unsigned lane, int row)
{
    const struct plot *plot = notes->plot;
    struct note_line line;
    int free_from = 0;
    if (!start_line(&line, notes))
        return;
    for (size_t i = 0; i < plot->n_bands; i++) {
        const struct plot_band *band = &plot->bands[i];
        int from = column_of(notes, band->from_us), to = column_of(notes, band->to_us);
        from = from > free_from ? from : free_from;
        if (band->lane != lane || to < from)
            continue;
        put_band(notes, &line, from, to, band->name);
        free_from = to + 1;
    }
    end_line(notes, &line, lane ? "" : "regions", row);
}

void plot_notes_write(FILE *script, const struct plot *plot, const struct plot_terminal *terminal,
    int left, int columns, int lines)
{
    struct notes notes = {script, plot, terminal->utf8, left, columns, FIRST_LABEL};
    int row = lines - 1;
    if (plot->n_marks && row >= 0)
        write_marks(&notes, row--);
    for (unsigned lane = 0; lane < plot->n_lanes && row >= 0; lane++)
        write_lane(&notes, lane, row--);
}
