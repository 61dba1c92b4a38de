/*
 * Encoding and decoding of rows (rows.h).  In the collector and in reports.
 */
#include "trace/rows.h"

void rows_put(struct buffer *out, const struct row *rows, size_t count, int values)
{
    buffer_varint(out, count);
    for (size_t i = 0; i < count; i++)
        buffer_varint(out, rows[i].site - (i ? rows[i - 1].site : 0));
    for (size_t i = 0; i < count; i++)
        buffer_varint(out, rows[i].birth);
    for (int value = 0; value < values; value++) {
        for (size_t i = 0; i < count; i++)
            buffer_svarint(out, rows[i].values[value]);
    }
}

void rows_get(struct cursor *body, struct row *rows, size_t count, int values, size_t n_sites,
    size_t n_births)
{
    uint32_t site = 0;
    for (size_t i = 0; i < count && !body->bad; i++)
        rows[i].site = site += cursor_id(body, n_sites - site);
    for (size_t i = 0; i < count && !body->bad; i++) {
        rows[i].birth = cursor_id(body, n_births);
        if (rows[i].site == 0 ||
            (i && rows[i].site == rows[i - 1].site && rows[i].birth <= rows[i - 1].birth))
            body->bad = true;
    }
    for (int value = 0; count && value < values; value++) /* rows may be NULL where there are none */
        cursor_svarints(body, &rows->values[value], sizeof *rows, count);
}
