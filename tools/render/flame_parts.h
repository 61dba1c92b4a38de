/*
 * What the files that make the page's data share.  Only for flame_data.c,
 * flame_stacks.c and flame_births.c.
 */
#ifndef RENDER_FLAME_PARTS_H
#define RENDER_FLAME_PARTS_H

#include "render/flame.h"
#include "render/json.h"
#include "trace/table.h"

enum { MOMENTS = 12, NO_FRAMES = -1, SMALL_STACKS = -2 };

/* What the page counts: a stack in a thread, of Python or native. */
struct row {
    int32_t node;    /* its number in the page */
    uint32_t thread; /* n_threads: of several, small ones */
    bool is_native;
};

struct site_values {
    uint32_t site;
    int64_t values[VIEW_SORTS];
};

struct moment_data {
    char *name;
    struct site_values *values; /* of sites that have anything, by id */
    size_t count, capacity;
};

struct data {
    struct json json;
    const struct flame *flame;
    const struct report *report;
    const struct trace *trace;
    const struct view *view;
    struct group *group;
    const uint32_t *callers;
    struct moment_data moments[MOMENTS];
    size_t n_moments;
    struct row *rows;
    uint32_t *row_of_site; /* from 0 */
    size_t n_rows, capacity;
    bool merged_threads; /* there are rows of several */
    int64_t *rank;       /* by site: the most that it had */
    int32_t *number; /* by node: its number in the page, from 0, or that of the nearest frame that
                        led there; or one of the two above */
    uint32_t *nodes; /* by number */
    size_t n_nodes;
    uint32_t *frames; /* by number of the frame: a node */
    size_t n_frames;
    struct table numbers; /* 1 + index of a row, by what it is */
    struct arena arena;
};

/* Chooses the nodes that the page has, and makes the rows. */
void flame_stacks(struct data *data);
/* The number of a row, from 0; it is made if it is not there. */
uint32_t flame_row(struct data *data, struct row row);

/* What `rank` of the values are larger than, or nearly so; they are moved. */
double flame_value_at(double *values, size_t count, size_t rank);

/* What is live at the moment that was asked for, by row and interval of births. */
struct page_births {
    struct page_birth {
        uint32_t row, birth;
        int64_t size, count;
    } * all; /* in the order of the births */
    size_t count;
};
struct page_births flame_births(struct data *data);

#endif
