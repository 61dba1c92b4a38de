/*
 * Rows of several views by what they are (diff.h).  Runs in reports.
 */
#include "trace/diff.h"

#include <stdlib.h>
#include <string.h>

#include "trace/huge.h"
#include "trace/identity.h"
#include "trace/select.h"
#include "trace/words.h"

struct maker {
    struct diff *diff;
    const struct view *now;
    struct words rows;             /* identities of those that are no stacks */
    uint32_t *row_of_word;         /* 1 + the row, by number of these; 0: none */
    uint32_t *row_of_stack;        /* 1 + the row, by number of a stack; 0: none */
    size_t n_words, n_stacks;      /* that there is room for */
    struct identity_stacks stacks; /* of all views */
    int64_t *metrics;              /* of the old runs, n_old for each row */
    size_t capacity;
    bool moved;
};

/* Hostile traces may overflow: then numbers wrap. */
static int64_t difference(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static void add_row(struct maker *maker)
{
    struct diff *diff = maker->diff;
    if (diff->n_rows == maker->capacity) {
        maker->capacity = maker->capacity ? maker->capacity * 2 : maker->now->n_rows + 64;
        diff->rows = huge_realloc(diff->rows, maker->capacity, sizeof *diff->rows);
        maker->metrics =
            huge_realloc(maker->metrics, maker->capacity, diff->n_old * sizeof *maker->metrics);
        if (!diff->rows || !maker->metrics)
            abort();
    }
    memset(&maker->metrics[diff->n_rows * diff->n_old], 0, diff->n_old * sizeof *maker->metrics);
    diff->rows[diff->n_rows++] = (struct diff_row){.rest = -1};
}

static uint32_t *grow(uint32_t *numbers, size_t *room, size_t wanted)
{
    size_t more = wanted < 64 ? 64 : wanted * 2;
    if (wanted <= *room)
        return numbers;
    numbers = huge_realloc(numbers, more, sizeof *numbers);
    if (!numbers)
        abort();
    memset(numbers + *room, 0, (more - *room) * sizeof *numbers);
    *room = more;
    return numbers;
}

/* `number` is 1 + that of the row, 0 where there is none yet. */
static uint32_t row_at(struct maker *maker, uint32_t *number)
{
    if (!*number) {
        add_row(maker);
        *number = (uint32_t)maker->diff->n_rows;
    }
    return *number - 1;
}

static uint32_t row_of_words(struct maker *maker, const char *identity, size_t size)
{
    uint32_t word = words_number(&maker->rows, identity, size);
    maker->row_of_word = grow(maker->row_of_word, &maker->n_words, word + 1u);
    return row_at(maker, &maker->row_of_word[word]);
}

static uint32_t row_of(
    struct maker *maker, struct identities *identities, const struct view_row *row)
{
    size_t size;
    uint32_t stack = identity_of_stack(identities, row);
    if (!stack) {
        const char *identity = identity_of_row(identities, row, &size);
        return row_of_words(maker, identity, size);
    }
    maker->row_of_stack = grow(maker->row_of_stack, &maker->n_stacks, stack + 1u);
    return row_at(maker, &maker->row_of_stack[stack]);
}

/* `run` is that of the old ones, n_old for the new one. */
static struct diff_row *add_amount(
    struct maker *maker, uint32_t number, size_t run, const struct view_amount *amount)
{
    struct diff *diff = maker->diff;
    struct diff_row *row = &diff->rows[number];
    if (run == diff->n_old) {
        view_amount_add(&row->now, amount);
    } else {
        view_amount_add(&row->before, amount);
        int64_t *metric = &maker->metrics[number * diff->n_old + run];
        *metric = difference(*metric, difference(0, view_metric(maker->now, amount)));
    }
    return row;
}

static void add_view(struct maker *maker, const struct view *view, size_t run)
{
    struct identities *identities = identities_new(view, maker->moved, &maker->stacks);
    for (size_t i = 0; i < view->n_rows; i++) {
        uint32_t number = row_of(maker, identities, &view->rows[i]);
        struct diff_row *row = add_amount(maker, number, run, &view->rows[i].amount);
        /* The biggest of those that are one here. */
        if (row->view != view || !row->row || view->rows[i].metric > row->row->metric) {
            row->view = view;
            row->row = &view->rows[i];
        }
    }
    for (int rest = 0; rest < VIEW_RESTS; rest++) {
        char identity[] = {'r', 'e', 's', 't', (char)rest};
        if (view_amount_is_zero(&view->rest[rest]))
            continue;
        uint32_t number = row_of_words(maker, identity, sizeof identity);
        struct diff_row *row = add_amount(maker, number, run, &view->rest[rest]);
        row->rest = rest;
        row->view = view;
    }
    identities_free(identities);
}

static void divide(struct view_amount *sum, int64_t n)
{
    sum->size /= n;
    sum->count /= n;
    sum->python /= n;
    sum->native /= n;
    sum->allocated /= n;
    sum->allocations /= n;
    sum->spread /= n * n;
    sum->allocated_spread /= n * n;
}

static bool amounts_differ(const struct view_amount *a, const struct view_amount *b)
{
    return a->size != b->size || a->count != b->count;
}

static enum diff_kind kind_of(
    const struct diff_row *row, const struct view *now, size_t n_old, bool there_before)
{
    int64_t range = difference(row->high, row->low);
    bool churn = view_sorts_churn(now->options->sort);
    if (n_old > 1 && difference(row->metric, row->high) <= range &&
        difference(row->low, row->metric) <= range && there_before)
        return row->change || amounts_differ(&row->now, &row->before) ? DIFF_NOISE : DIFF_SAME;
    if (!row->change && (churn || !amounts_differ(&row->now, &row->before)))
        return DIFF_SAME;
    if (!row->now.count && !row->now.size && (!churn || !row->metric))
        return DIFF_GONE;
    return there_before ? DIFF_CHANGED : DIFF_NEW;
}

/* When all views are in. */
static void settle_row(struct maker *maker, struct diff_row *row, const int64_t *metrics)
{
    size_t n_old = maker->diff->n_old;
    bool churn = view_sorts_churn(maker->now->options->sort);
    bool before = row->before.count || row->before.size || (churn && row->before.allocations);
    divide(&row->before, (int64_t)n_old);
    row->low = row->high = metrics[0];
    for (size_t i = 1; i < n_old; i++) {
        row->low = metrics[i] < row->low ? metrics[i] : row->low;
        row->high = metrics[i] > row->high ? metrics[i] : row->high;
    }
    row->metric = view_metric(maker->now, &row->now);
    row->change = difference(row->metric, view_metric(maker->now, &row->before));
    row->kind = kind_of(row, maker->now, n_old, before);
}

static int64_t size_of(int64_t change)
{
    return change < 0 ? difference(0, change) : change;
}

static int compare(int64_t a, int64_t b)
{
    return a > b ? -1 : a < b;
}

/* compare_to's order: change, size, change of the count, count; then the name, from behind. */
static int compare_rows(const void *a, const void *b, void *context)
{
    (void)context;
    const struct diff_row *left = a, *right = b;
    int group = (left->kind >= DIFF_NOISE) - (right->kind >= DIFF_NOISE);
    int order = group ? group : compare(size_of(left->change), size_of(right->change));
    if (!order)
        order = compare(left->metric, right->metric);
    if (!order)
        order = compare(size_of(difference(left->now.count, left->before.count)),
            size_of(difference(right->now.count, right->before.count)));
    if (!order)
        order = compare(left->now.count, right->now.count);
    if (order || left->rest != right->rest || !left->row || !right->row)
        return order ? order : (left->rest > right->rest) - (left->rest < right->rest);
    if (left->view != right->view)
        return left->view < right->view ? -1 : 1; /* they are in one array, the old ones first */
    order = -view_compare_stacks(left->view->trace, left->row->node, right->row->node);
    return order                                ? order
           : left->row->site < right->row->site ? -1
                                                : left->row->site > right->row->site;
}

static void settle(struct maker *maker, size_t limit)
{
    struct diff *diff = maker->diff;
    for (size_t i = 0; i < diff->n_rows; i++) {
        settle_row(maker, &diff->rows[i], &maker->metrics[i * diff->n_old]);
        diff->counts[diff->rows[i].kind]++;
    }
    diff->n_changed = diff->counts[DIFF_CHANGED] + diff->counts[DIFF_NEW] + diff->counts[DIFF_GONE];
    select_sorted(diff->rows, diff->n_rows, sizeof *diff->rows, limit ? limit : diff->n_rows,
        compare_rows, NULL);
}

static void sum_up(struct maker *maker, const struct view *const *old)
{
    struct diff *diff = maker->diff;
    int64_t *metrics = arena_need(&diff->arena, diff->n_old * sizeof *metrics);
    diff->total = (struct diff_row){.rest = -1, .now = maker->now->total};
    for (size_t i = 0; i < diff->n_old; i++) {
        metrics[i] = view_metric(maker->now, &old[i]->total);
        view_amount_add(&diff->total.before, &old[i]->total);
    }
    settle_row(maker, &diff->total, metrics);
}

void diff_make(struct diff *diff, const struct view *const *old, size_t n_old,
    const struct view *now, bool moved, size_t limit)
{
    struct maker maker = {.diff = diff, .now = now, .moved = moved};
    *diff = (struct diff){.n_old = n_old};
    for (size_t i = 0; i < n_old; i++)
        add_view(&maker, old[i], i);
    add_view(&maker, now, n_old);
    settle(&maker, limit);
    sum_up(&maker, old);
    words_free(&maker.rows);
    free(maker.row_of_word);
    free(maker.row_of_stack);
    identity_stacks_free(&maker.stacks);
    free(maker.metrics);
}

void diff_free(struct diff *diff)
{
    free(diff->rows);
    arena_free(&diff->arena);
}
