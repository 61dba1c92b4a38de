/*
 * A CSV writer.  Runs in the tools.
 */
#include "render/csv.h"

#include <inttypes.h>
#include <string.h>

static void separate(struct csv *csv)
{
    if (csv->fields++)
        fputc(',', csv->file);
}

void csv_text(struct csv *csv, const char *text)
{
    separate(csv);
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, csv->file);
        return;
    }
    fputc('"', csv->file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', csv->file);
        fputc(*text, csv->file);
    }
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
