/*
 * Spreads added up over the boundaries (errors.h).  Runs in reports.
 */
#include "trace/errors.h"

#include <stdlib.h>

#include "trace/state.h"
#include "trace/weight.h"

static int64_t spread_of(
    const struct trace *trace, const struct trace_boundary *boundary, const bool *selected)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < boundary->count && boundary->spreads; k++) {
        const struct trace_site *site = &trace->sites[boundary->rows[k].site];
        if (selected[site->process] && domain_is_live(site->domain))
            sum += (uint64_t)boundary->spreads[k].live;
    }
    return (int64_t)sum;
}

struct errors errors_make(const struct trace *trace, const bool *selected)
{
    struct errors errors = {0};
    uint64_t spread = 0, last = 0;
    if (!trace->sample_bytes)
        return errors;
    errors.times_us = calloc(trace->n_boundaries + 1, sizeof *errors.times_us);
    errors.values = calloc(trace->n_boundaries + 1, sizeof *errors.values);
    if (!errors.times_us || !errors.values)
        abort();
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        spread += (uint64_t)spread_of(trace, boundary, selected);
        if (boundary->dropped || boundary->time_us < last)
            continue; /* not retained; or a damaged trace goes back */
        last = errors.times_us[errors.count] = boundary->time_us;
        errors.values[errors.count++] = weight_error((int64_t)spread, trace->sample_bytes);
    }
    return errors;
}

int64_t errors_at(const struct errors *errors, uint64_t time_us)
{
    size_t low = 0, high = errors->count;
    while (low < high) { /* the first boundary that is not before */
        size_t middle = (low + high) / 2;
        if (errors->times_us[middle] < time_us)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == errors->count)
        return errors->count ? errors->values[errors->count - 1] : 0;
    if (!low || errors->times_us[low] == time_us)
        return errors->values[low];
    double a = (double)errors->values[low - 1], b = (double)errors->values[low];
    double part = (double)(time_us - errors->times_us[low - 1]) /
                  (double)(errors->times_us[low] - errors->times_us[low - 1]);
    return (int64_t)(a + part * (b - a));
}

void errors_free(struct errors *errors)
{
    free(errors->times_us);
    free(errors->values);
    *errors = (struct errors){0};
}
