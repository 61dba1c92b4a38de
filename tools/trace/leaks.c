/*
 * Tells what grows from what has grown (leaks.h).  Runs in reports.
 */
#include "trace/leaks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTS = 8,       /* of the time after warm-up; old is what is older than one of them */
    LEAST_PARTS = 5, /* that must have a point */
    RECENT = 3,      /* of them: here a leak goes on */
    SLOPE_POINTS = 100,
    LEAST_GROWTH = 1024,
    LEAST_BLOCKS = 4
};

/* ---- the warm-up ---- */

/* The error of the line that fits best through points [from, to) of a growing sum, weighted by the
   time that each stands for. */
static double misfit(
    const struct births *births, const double *sums, size_t from, size_t to, double end)
{
    double w = 0, t = 0, tt = 0, y = 0, ty = 0, yy = 0;
    double origin = (double)births->times_us[from];
    for (size_t i = from; i < to; i++) {
        double next = i + 1 < births->count ? (double)births->times_us[i + 1] : end;
        double weight = (next - (double)births->times_us[i]) / 1e6;
        double x = (next - origin) / 1e6;
        w += weight, t += weight * x, tt += weight * x * x;
        y += weight * sums[i], ty += weight * x * sums[i], yy += weight * sums[i] * sums[i];
    }
    double spread = w * tt - t * t, common = w * ty - t * y;
    double error = w > 0 ? yy - y * y / w : 0;
    return spread > 0 ? error - common * common / spread / w : error;
}

static double pace(const struct births *births, const double *sums, size_t from, size_t to)
{
    double time = (double)(births->times_us[to] - births->times_us[from]);
    return time > 0 ? (sums[to] - sums[from]) / time : 0;
}

/* Where what survives is allocated at another pace than before: two lines fit better than one.
   In the first half, and only if the pace falls to less than half. */
static uint64_t find_warm_up(const struct view *view, uint64_t end_us)
{
    struct arena arena = {0};
    struct births births = births_make(view, &arena);
    double *sums = arena_need(&arena, births.count * sizeof *sums), sum = 0, least = 0;
    uint64_t found = 0;
    for (size_t i = 0; i < births.count; i++)
        sums[i] = sum += (double)births.sizes[i];
    for (size_t k = 1; k + 1 < births.count && births.times_us[k] <= end_us / 2; k++) {
        double error = misfit(&births, sums, 0, k, (double)end_us) +
                       misfit(&births, sums, k, births.count, (double)end_us);
        double after = pace(&births, sums, k, births.count - 1);
        if ((found && error >= least) || pace(&births, sums, 0, k) < 2 * after)
            continue;
        least = error;
        found = births.times_us[k];
    }
    arena_free(&arena);
    return found;
}

/* ---- one row ---- */

/* Bytes and blocks: a container that grows gives up its old table now and then, which is many
   bytes but one block; a single list that grows is few blocks. */
enum metric { SIZE, COUNT };

static int64_t old_of(const struct cohort_point *point, enum metric metric)
{
    return metric == SIZE ? point->old_size : point->old_count;
}

/* What a row holds that is old, at the least, in each part of its time. */
struct lows {
    int64_t least[PARTS];
    size_t count; /* of parts that have a point */
};

static struct lows find_lows(
    const struct cohort_row *row, uint64_t from_us, uint64_t to_us, enum metric metric)
{
    struct lows lows = {0};
    size_t last = PARTS;
    for (size_t p = 0; p < row->n_points; p++) {
        const struct cohort_point *point = &row->points[p];
        if (point->time_us < from_us || point->time_us > to_us)
            continue;
        double gone = (double)(point->time_us - from_us) / ((double)(to_us - from_us) + 1);
        size_t part = (size_t)(gone * PARTS); /* times are in order: so are the parts */
        part = part < PARTS ? part : PARTS - 1;
        int64_t old = old_of(point, metric);
        if (part != last)
            lows.least[lows.count++] = old;
        else if (old < lows.least[lows.count - 1])
            lows.least[lows.count - 1] = old;
        last = part;
    }
    return lows;
}

/* True if it rises in most parts and hardly ever falls, and still in the last ones. */
static bool keeps_rising(const struct lows *lows, int64_t least_growth)
{
    double least[PARTS], falls = 0;
    size_t last = lows->count - 1, rises = 0;
    if (lows->count < LEAST_PARTS)
        return false;
    for (size_t i = 0; i <= last; i++)
        least[i] = (double)lows->least[i];
    double growth = least[last] - least[0];
    if (growth < (double)least_growth)
        return false;
    for (size_t i = 1; i <= last; i++) {
        rises += least[i] - least[i - 1] > growth / 64;
        falls += least[i] < least[i - 1] ? least[i - 1] - least[i] : 0;
    }
    double recent = (least[last] - least[last - RECENT]) * (double)last / RECENT;
    return rises * 2 > last && falls < growth / 5 && recent > growth * 2 / 5;
}

/* Moves the value of a rank to its place, with smaller ones before it and larger ones behind
   (Hoare's selection): there are thousands for each row, and only the middle is wanted. */
static double value_of_rank(double *values, size_t count, size_t rank)
{
    size_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        ptrdiff_t i = (ptrdiff_t)low, k = (ptrdiff_t)high;
        while (i <= k) {
            while (values[i] < pivot)
                i++;
            while (values[k] > pivot)
                k--;
            if (i > k)
                break;
            double value = values[i];
            values[i++] = values[k];
            values[k--] = value;
        }
        if ((ptrdiff_t)rank <= k)
            high = (size_t)k;
        else if ((ptrdiff_t)rank >= i)
            low = (size_t)i;
        else
            break;
    }
    return values[rank];
}

static double median(double *values, size_t count)
{
    if (!count)
        return 0;
    double upper = value_of_rank(values, count, count / 2);
    return count % 2 ? upper : (upper + value_of_rank(values, count, count / 2 - 1)) / 2;
}

/* The median of the slopes between any two points: what comes in bursts does not bend it. */
static double slope(const struct cohort_row *row, uint64_t from_us, enum metric metric)
{
    size_t n = row->n_points, count = 0, step = n / SLOPE_POINTS + 1;
    double *slopes = calloc((n / step + 1) * (n / step + 1), sizeof *slopes);
    if (!slopes)
        abort();
    for (size_t i = 0; i < n; i += step) {
        for (size_t k = i + step; k < n && row->points[i].time_us >= from_us; k += step) {
            double time = (double)(row->points[k].time_us - row->points[i].time_us) / 1e6;
            if (time > 0)
                slopes[count++] = ((double)old_of(&row->points[k], metric) -
                                      (double)old_of(&row->points[i], metric)) /
                                  time;
        }
    }
    double middle = median(slopes, count);
    free(slopes);
    return middle;
}

struct finder {
    struct leaks *leaks;
    uint64_t age_us;
};

/* Hostile traces may overflow: then the sum wraps. */
static void add(int64_t *sum, int64_t more)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)more);
}

/* Adds up what was born after `from_us`. */
static void add_births(const struct leaks *leaks, struct leak *leak, uint64_t from_us)
{
    const struct cohorts *cohorts = &leaks->cohorts;
    uint64_t end_us = leak->history->points[leak->history->n_points - 1].time_us;
    for (size_t b = 0; b < cohorts->n_births; b++) {
        const struct cohort *cohort = &leak->history->births[b];
        if (cohorts->births_us[b] < from_us)
            continue;
        add(&leak->allocated, cohort->allocated);
        add(&leak->allocations, cohort->allocations);
        add(&leak->kept, cohort->size);
        add(&leak->kept_count, cohort->count);
        if (cohort->count > 0 && !leak->oldest_us && end_us > cohorts->births_us[b])
            leak->oldest_us = end_us - cohorts->births_us[b];
    }
}

static int64_t size_at(const struct cohort_row *row, uint64_t time_us)
{
    int64_t size = 0;
    for (size_t p = 0; p < row->n_points && row->points[p].time_us <= time_us; p++)
        size = row->points[p].size;
    return size;
}

/* When it came near to what it holds now, and has stayed since; 0 if it did not. */
static uint64_t stopped_at(const struct cohort_row *row)
{
    size_t last = row->n_points - 1, p = last;
    double size = (double)row->points[last].size, slack = size / 16;
    while (p && fabs((double)row->points[p - 1].size - size) <= slack)
        p--;
    return row->points[p].time_us;
}

/* Something that is worth a word, came after the warm-up, and has been the same for a good while.
 */
static bool has_stopped(const struct leaks *leaks, struct leak *leak, uint64_t from_us)
{
    uint64_t end_us = leak->history->points[leak->history->n_points - 1].time_us;
    double grown = (double)leak->size - (double)size_at(leak->history, from_us);
    if (leak->size < leaks->view.total.size / 200 || grown < (double)leak->size / 4)
        return false;
    leak->stopped_us = stopped_at(leak->history);
    return leak->stopped_us > from_us && end_us - leak->stopped_us >= (end_us - from_us) / 4;
}

/* In bytes, at the size that those which stay have, but no more than it grew altogether. */
static double pace_of_blocks(const struct leak *leak, uint64_t from_us, uint64_t to_us)
{
    double average = (double)leak->kept / (double)leak->kept_count;
    double grown = (double)leak->size - (double)size_at(leak->history, from_us);
    double all = grown * 1e6 / (double)(to_us - from_us);
    return all < leak->count_per_s * average ? all : leak->count_per_s * average;
}

/* Sets the pace too: the bytes' own, or where these come and go that of the blocks. */
static bool is_growing(struct leak *leak, uint64_t from_us, uint64_t to_us)
{
    const struct cohort_row *row = leak->history;
    struct lows sizes = find_lows(row, from_us, to_us, SIZE);
    struct lows counts = find_lows(row, from_us, to_us, COUNT);
    bool by_size = keeps_rising(&sizes, LEAST_GROWTH) && leak->kept_count >= LEAST_BLOCKS;
    bool by_count = keeps_rising(&counts, LEAST_BLOCKS) && leak->kept >= LEAST_GROWTH;
    if (!by_size && !by_count)
        return false;
    leak->count_per_s = slope(row, from_us, COUNT);
    leak->size_per_s = by_size ? slope(row, from_us, SIZE) : pace_of_blocks(leak, from_us, to_us);
    return leak->size_per_s > 0;
}

enum verdict { NEITHER, GROWING, STOPPED };

static enum verdict judge(const struct finder *finder, struct leak *leak)
{
    const struct cohort_row *row = leak->history;
    if (row->n_points < 2)
        return NEITHER;
    const struct cohort_point *end = &row->points[row->n_points - 1];
    uint64_t begin_us = row->points[0].time_us, from_us = finder->leaks->warm_up_us;
    if (begin_us > from_us) /* a process that came later has a warm-up of its own */
        from_us = begin_us + (end->time_us - begin_us) / PARTS;
    leak->size = end->size;
    leak->count = end->count;
    if (from_us + finder->age_us >= end->time_us)
        return NEITHER;
    add_births(finder->leaks, leak, from_us);
    if (is_growing(leak, from_us + finder->age_us, end->time_us))
        return GROWING;
    return has_stopped(finder->leaks, leak, from_us) ? STOPPED : NEITHER;
}

/* ---- all of them ---- */

static int by_pace(const void *a, const void *b)
{
    const struct leak *left = a, *right = b;
    if (left->size_per_s != right->size_per_s)
        return left->size_per_s > right->size_per_s ? -1 : 1;
    return (left->row > right->row) - (left->row < right->row);
}

static int by_size(const void *a, const void *b)
{
    const struct leak *left = a, *right = b;
    if (left->size != right->size)
        return left->size > right->size ? -1 : 1;
    return (left->row > right->row) - (left->row < right->row);
}

int64_t leaks_size_error(const struct leaks *leaks, const struct leak *leak)
{
    const struct view *view = &leaks->view;
    bool is_rest = leak->row >= view->n_rows;
    return view_size_error(view->trace,
        is_rest ? &view->rest[leak->row - view->n_rows] : &view->rows[leak->row].amount);
}

/* Of a few samples nobody can tell whether there are more of them. */
static bool is_certain(const struct leaks *leaks, const struct leak *leak)
{
    return leaks_size_error(leaks, leak) < leak->kept || !leaks->view.trace->sample_bytes;
}

static void judge_all(struct finder *finder)
{
    struct leaks *leaks = finder->leaks;
    struct cohorts *cohorts = &leaks->cohorts;
    size_t n = cohorts->n_rows, shown = n - VIEW_RESTS, most = 0;
    leaks->growing = arena_need(&cohorts->arena, n * sizeof *leaks->growing);
    leaks->stopped = arena_need(&cohorts->arena, n * sizeof *leaks->stopped);
    for (size_t r = 0; r < n; r++) {
        struct leak leak = {.history = &cohorts->rows[r]};
        leak.row = r < shown ? r : leaks->view.n_rows + r - shown;
        enum verdict verdict = judge(finder, &leak);
        if (leak.history->n_points > most)
            most = leak.history->n_points;
        if (verdict == GROWING && is_certain(leaks, &leak))
            leaks->growing[leaks->n_growing++] = leak;
        else if (verdict == STOPPED)
            leaks->stopped[leaks->n_stopped++] = leak;
    }
    leaks->short_trace = most < PARTS + 2;
    qsort(leaks->growing, leaks->n_growing, sizeof *leaks->growing, by_pace);
    qsort(leaks->stopped, leaks->n_stopped, sizeof *leaks->stopped, by_size);
}

static enum leaks_error find_start(struct leaks *leaks, const struct leaks_options *options)
{
    struct view *view = &leaks->view;
    if (!options->warm_up_given) {
        leaks->warm_up_us = find_warm_up(view, leaks->end_us);
        return LEAKS_OK;
    }
    struct moment warm_up = options->warm_up;
    warm_up.retained = true; /* as what is looked at is */
    view->error = moment_find_start(&view->from, view->trace, &warm_up, view->processes);
    if (view->error != MOMENT_OK)
        return LEAKS_WARM_UP;
    leaks->warm_up_us = view->from.time_us;
    return leaks->warm_up_us < leaks->end_us ? LEAKS_OK : LEAKS_LATE;
}

static void count_marks(struct leaks *leaks, const char *name)
{
    const struct trace *trace = leaks->view.trace;
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        bool named = boundary->name && strcmp(trace->strings[boundary->name].data, name) == 0;
        leaks->marks +=
            named && boundary->time_us > leaks->warm_up_us && boundary->time_us <= leaks->end_us;
    }
}

enum leaks_error leaks_make(struct leaks *leaks, const struct trace *trace,
    const struct view_options *view, const struct leaks_options *options,
    enum view_error *view_error)
{
    *leaks = (struct leaks){0};
    *view_error = view_make(&leaks->view, trace, view);
    if (*view_error != VIEW_OK)
        return LEAKS_VIEW;
    if (leaks->view.at.kind == MOMENT_PEAK)
        return LEAKS_PEAK;
    leaks->end_us = leaks->view.state.time_us;
    enum leaks_error error = find_start(leaks, options);
    if (error != LEAKS_OK)
        return error;
    if (options->per)
        count_marks(leaks, options->per);
    if (options->per && !leaks->marks)
        return LEAKS_NO_MARK;
    struct finder finder = {leaks, (leaks->end_us - leaks->warm_up_us) / PARTS};
    cohorts_make(&leaks->cohorts, &leaks->view, LEAKS_ROWS, finder.age_us);
    judge_all(&finder);
    return LEAKS_OK;
}

void leaks_free(struct leaks *leaks)
{
    cohorts_free(&leaks->cohorts);
    view_free(&leaks->view);
}
