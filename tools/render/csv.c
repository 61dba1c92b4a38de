/*
 * A CSV writer.  Runs in the tools.
 */
#include "render/csv.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "render/escape.h"

static void separate(struct csv *csv)
{
    if (csv->fields++)
        fputc(',', csv->file);
}

/* Spreadsheets take these for formulas, whatever the quotes. */
static bool is_formula(const char *text)
{
    char *end;
    if (!*text || !strchr("=+-@", *text))
        return false;
    strtod(text, &end);
    return end == text || *end;
}

void csv_text(struct csv *csv, const char *text)
{
    bool quoted = text[strcspn(text, ",\"")];
    separate(csv);
    if (quoted)
        fputc('"', csv->file);
    if (is_formula(text))
        fputc('\'', csv->file);
    while (*text) {
        size_t size = strcspn(text, "\"");
        print_data(csv->file, text, size);
        text += size;
        if (*text) {
            fputs("\"\"", csv->file);
            text++;
        }
    }
    if (quoted)
        fputc('"', csv->file);
}

void csv_number(struct csv *csv, int64_t number)
{
    separate(csv);
    fprintf(csv->file, "%" PRId64, number);
}

void csv_end_line(struct csv *csv)
{
    fputs("\r\n", csv->file);
    csv->fields = 0;
}
