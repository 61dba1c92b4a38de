/*
 * One pass over the boundaries with a running sum for each row and interval of
 * births (cohorts.h).  Runs in reports.
 */
#include "trace/cohorts.h"

#include <stdlib.h>
#include <string.h>

#include "trace/logs.h"
#include "trace/bornlist.h"

#define NO_ROW UINT32_MAX
#define SEVERAL UINT32_MAX

struct walk {
    struct cohorts *cohorts;
    const struct view *view;
    const struct trace *trace;
    uint64_t age_us;
    uint32_t *row_of_site;
    uint32_t *birth_of;  /* by ordinal of a boundary: the index of its interval */
    uint32_t *owner;     /* by row: the process that all its sites are of, SEVERAL, 0 for none */
    size_t *limits;      /* by process: how many boundaries count */
    size_t n_boundaries; /* that count for anybody */
};

static void add(int64_t *sum, int64_t change)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)change);
}

/* Intervals begin at the retained boundaries of all processes. */
static void number_births(struct walk *walk)
{
    const struct trace *trace = walk->trace;
    struct cohorts *cohorts = walk->cohorts;
    walk->birth_of =
        arena_need(&cohorts->arena, (trace->n_boundaries + 1) * sizeof *walk->birth_of);
    cohorts->births_us =
        arena_need(&cohorts->arena, (trace->n_boundaries + 1) * sizeof *cohorts->births_us);
    cohorts->n_births = 1; /* from the start on */
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        if (i && !boundary->dropped && !boundary->process)
            cohorts->births_us[cohorts->n_births++] = boundary->time_us;
        walk->birth_of[i] = (uint32_t)cohorts->n_births - 1;
    }
}

static void find_limits(struct walk *walk)
{
    const struct trace *trace = walk->trace;
    const struct instant *at = &walk->view->at;
    walk->limits = arena_need(&walk->cohorts->arena, trace->n_processes * sizeof *walk->limits);
    moment_ends(trace, walk->limits);
    walk->limits[0] = 0;
    for (uint32_t p = 1; p < trace->n_processes; p++) {
        if (!walk->view->processes[p]) {
            walk->limits[p] = 0;
            continue;
        }
        if (at->kind != MOMENT_END && at->limit < walk->limits[p])
            walk->limits[p] = at->limit;
        if (walk->limits[p] > walk->n_boundaries)
            walk->n_boundaries = walk->limits[p];
    }
}

/* Sites of rows, and of rests behind the rows. */
static void map_sites(struct walk *walk, size_t limit)
{
    const struct view *view = walk->view;
    struct cohorts *cohorts = walk->cohorts;
    size_t rows = limit && limit < view->n_rows ? limit : view->n_rows;
    cohorts->n_rows = rows + VIEW_RESTS;
    cohorts->rows = arena_need(&cohorts->arena, cohorts->n_rows * sizeof *cohorts->rows);
    walk->owner = arena_need(&cohorts->arena, cohorts->n_rows * sizeof *walk->owner);
    walk->row_of_site =
        arena_need(&cohorts->arena, walk->trace->n_sites * sizeof *walk->row_of_site);
    for (uint32_t i = 0; i < walk->trace->n_sites; i++) {
        uint32_t rank = view->row_of_site[i], process = walk->trace->sites[i].process;
        int rest = view_rest_of_site(view, i);
        size_t row = rest >= 0 ? rows + (size_t)rest : rank && rank <= rows ? rank - 1 : NO_ROW;
        walk->row_of_site[i] = (uint32_t)row;
        if (row == NO_ROW)
            continue;
        uint32_t *owner = &walk->owner[row];
        *owner = *owner && *owner != process ? SEVERAL : process;
    }
}

static void add_row(struct walk *walk, uint32_t to, const struct trace_row *row)
{
    struct cohort *cohort = &walk->cohorts->rows[to].births[walk->birth_of[row->birth]];
    add(&cohort->size, row->bytes);
    add(&cohort->count, row->blocks);
    add(&cohort->allocated, row->allocated_bytes);
    add(&cohort->allocations, row->allocations);
}

static void add_rows(struct walk *walk, size_t i)
{
    const struct trace_boundary *boundary = &walk->trace->boundaries[i];
    for (size_t k = 0; k < boundary->count; k++) {
        const struct trace_row *row = &boundary->rows[k];
        uint32_t to = walk->row_of_site[row->site];
        /* What a process held is given back after its end: that counts unless it is the row's. */
        if (to != NO_ROW && (walk->owner[to] == SEVERAL || i < walk->limits[walk->owner[to]]))
            add_row(walk, to, row);
    }
}

static void add_point(struct walk *walk, struct cohort_row *row, uint64_t time_us)
{
    const struct cohorts *cohorts = walk->cohorts;
    struct cohort_point point = {.time_us = time_us};
    if (row->n_points && row->points[row->n_points - 1].time_us > time_us)
        return; /* a damaged trace goes back */
    for (size_t b = 0; b < cohorts->n_births; b++) {
        add(&point.size, row->births[b].size);
        add(&point.count, row->births[b].count);
        bool ended = b + 1 < cohorts->n_births && cohorts->births_us[b + 1] <= time_us;
        if (!ended || time_us - cohorts->births_us[b + 1] < walk->age_us)
            continue;
        add(&point.old_size, row->births[b].size);
        add(&point.old_count, row->births[b].count);
    }
    row->points[row->n_points++] = point;
}

/* A boundary of all is a point of every row that has not ended; that of one process of its rows. */
static void add_points(struct walk *walk, size_t i)
{
    const struct trace_boundary *boundary = &walk->trace->boundaries[i];
    for (size_t r = 0; r < walk->cohorts->n_rows; r++) {
        uint32_t owner = walk->owner[r];
        size_t limit = owner == SEVERAL ? walk->n_boundaries : walk->limits[owner];
        if (owner && i < limit && (!boundary->process || boundary->process == owner))
            add_point(walk, &walk->cohorts->rows[r], boundary->time_us);
    }
}

/* A process that is over in between has a boundary of its end, and holds here what it held then;
   one that was killed what it had at last. */
static void add_event(void *context, uint32_t process, const struct log_event *event)
{
    struct walk *walk = context;
    uint32_t to = walk->row_of_site[event->site];
    struct trace_row row = logs_row(walk->trace, event);
    (void)process;
    if (event->kind != LOG_OVER && to != NO_ROW)
        add_row(walk, to, &row);
}

/* The moment may be between two boundaries, where every event was kept: then it is a point too, of
   all rows whose process is not over. */
static void add_last(struct walk *walk)
{
    const struct instant *at = &walk->view->at;
    if (!at->from_log)
        return;
    logs_each(walk->trace, at->limit, at->time_us, walk->view->processes, add_event, walk);
    for (size_t r = 0; r < walk->cohorts->n_rows; r++) {
        uint32_t owner = walk->owner[r];
        if (owner && (owner == SEVERAL || walk->limits[owner] >= at->limit))
            add_point(walk, &walk->cohorts->rows[r], at->time_us);
    }
}

/* Room for the points that each row can have: processes that ended are many, of each there are few.
 */
static void prepare_rows(struct walk *walk)
{
    struct cohorts *cohorts = walk->cohorts;
    size_t *boundaries = calloc(walk->trace->n_processes, sizeof *boundaries);
    if (!boundaries)
        abort();
    for (size_t i = 0; i < walk->n_boundaries; i++)
        boundaries[walk->trace->boundaries[i].process]++;
    for (size_t r = 0; r < cohorts->n_rows; r++) {
        struct cohort_row *row = &cohorts->rows[r];
        uint32_t owner = walk->owner[r];
        size_t own = owner && owner != SEVERAL ? boundaries[owner] : 0;
        row->births = arena_need(&cohorts->arena, cohorts->n_births * sizeof *row->births);
        row->points = arena_need(&cohorts->arena, (boundaries[0] + own + 1) * sizeof *row->points);
    }
    free(boundaries);
}

void cohorts_make(struct cohorts *cohorts, const struct view *view, size_t limit, uint64_t age_us)
{
    struct walk walk = {.cohorts = cohorts, .view = view, .trace = view->trace, .age_us = age_us};
    *cohorts = (struct cohorts){0};
    number_births(&walk);
    find_limits(&walk);
    map_sites(&walk, limit);
    prepare_rows(&walk);
    for (size_t i = 0; i < walk.n_boundaries; i++) {
        add_rows(&walk, i);
        if (!walk.trace->boundaries[i].dropped)
            add_points(&walk, i);
    }
    add_last(&walk);
}

void cohorts_free(struct cohorts *cohorts)
{
    arena_free(&cohorts->arena);
    *cohorts = (struct cohorts){0};
}

struct sums { /* of births_make */
    const struct walk *walk;
    struct births *births;
};

static void add_sum(const struct sums *sums, const struct trace_row *row)
{
    const struct view *view = sums->walk->view;
    if (view->row_of_site[row->site] || view_rest_of_site(view, row->site) >= 0)
        add(&sums->births->sizes[sums->walk->birth_of[row->birth]], row->bytes);
}

static void add_event_sum(void *context, uint32_t process, const struct log_event *event)
{
    const struct sums *sums = context;
    struct trace_row row = logs_row(sums->walk->trace, event);
    (void)process;
    if (event->kind != LOG_OVER)
        add_sum(sums, &row);
}

struct births births_make(const struct view *view, struct arena *arena)
{
    struct cohorts cohorts = {0};
    struct walk walk = {.cohorts = &cohorts, .view = view, .trace = view->trace};
    number_births(&walk);
    find_limits(&walk);
    struct births births = {.count = cohorts.n_births};
    births.times_us = arena_need(arena, births.count * sizeof *births.times_us);
    births.sizes = arena_need(arena, births.count * sizeof *births.sizes);
    memcpy(births.times_us, cohorts.births_us, births.count * sizeof *births.times_us);
    struct sums sums = {&walk, &births};
    for (size_t i = 0; i < walk.n_boundaries; i++) {
        const struct trace_boundary *boundary = &walk.trace->boundaries[i];
        for (size_t k = 0; k < boundary->count; k++)
            if (i < walk.limits[walk.trace->sites[boundary->rows[k].site].process])
                add_sum(&sums, &boundary->rows[k]);
    }
    if (view->at.from_log)
        logs_each(
            view->trace, view->at.limit, view->at.time_us, view->processes, add_event_sum, &sums);
    arena_free(&cohorts.arena);
    return births;
}

/* ---- by site ---- */

struct born_maker {
    struct walk *walk;
    struct bornlist list;
};

static void add_born(struct born_maker *maker, const struct trace_row *row)
{
    const struct born born = {
        row->site, maker->walk->birth_of[row->birth], row->bytes, row->blocks};
    bornlist_add(&maker->list, &born);
}

static void add_borns(struct born_maker *maker, const struct trace_peak *peak)
{
    const struct walk *walk = maker->walk;
    const struct trace *trace = walk->trace;
    const struct view *view = walk->view;
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        for (size_t k = 0; k < boundary->count; k++) {
            uint32_t site = boundary->rows[k].site, process = trace->sites[site].process;
            bool counts = peak ? i < peak->after : i < walk->limits[process];
            if (counts && view->sites[site] && view->processes[process])
                add_born(maker, &boundary->rows[k]);
        }
    }
    for (size_t k = 0; peak && k < peak->count; k++)
        if (view->sites[peak->rows[k].site])
            add_born(maker, &peak->rows[k]);
}

static void add_event_born(void *context, uint32_t process, const struct log_event *event)
{
    struct born_maker *maker = context;
    const struct trace *trace = maker->walk->trace;
    struct trace_row row = logs_row(trace, event);
    if (event->kind == LOG_OVER) {
        for (size_t i = 0; i < maker->list.count; i++)
            if (trace->sites[maker->list.all[i].site].process == process)
                maker->list.all[i].size = maker->list.all[i].count = 0;
    } else if (maker->walk->view->sites[event->site])
        add_born(maker, &row);
}

struct borns borns_make(const struct view *view, struct arena *arena)
{
    struct cohorts cohorts = {0};
    struct walk walk = {.cohorts = &cohorts, .view = view, .trace = view->trace};
    struct born_maker maker = {.walk = &walk};
    bool at_peak = view->at.kind == MOMENT_PEAK;
    number_births(&walk);
    find_limits(&walk);
    maker.list = (struct bornlist){.n_sites = view->trace->n_sites, .n_births = cohorts.n_births};
    if (!at_peak || view->peak->present)
        add_borns(&maker, at_peak ? view->peak : NULL);
    if (view->at.from_log)
        logs_each(
            view->trace, view->at.limit, view->at.time_us, view->processes, add_event_born, &maker);
    bornlist_settle(&maker.list);
    size_t count = maker.list.count;
    struct borns borns = {count, arena_need(arena, (count + 1) * sizeof *borns.all)};
    if (count)
        memcpy(borns.all, maker.list.all, count * sizeof *borns.all);
    bornlist_free(&maker.list);
    arena_free(&cohorts.arena);
    return borns;
}
