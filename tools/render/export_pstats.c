/*
 * What `python -m pstats` reads: functions and who called them, with bytes where
 * it has seconds.  Runs in the tools.  The file is Python's marshal of
 *   {(file, line, name): (cc, nc, tt, ct, {caller: (cc, nc, tt, ct)})}
 * cc and nc are the blocks and tt the bytes of the function's own lines; ct the
 * bytes of what it called as well, once where it calls itself.  Sums are made over
 * the tree of stacks, each node once, and functions written once and referred to.
 */
#include "render/export.h"

#include <stdlib.h>
#include <string.h>

#include "render/surrogates.h"
#include "render/top.h"
#include "trace/group.h"
#include "trace/table.h"
#include "trace/writer.h"

struct sum {
    int64_t count, size; /* its own */
    int64_t all;         /* bytes */
};

struct call { /* from one function to another */
    size_t caller;
    struct sum sum;
    uint32_t active; /* how often it is in the stack that is looked at */
    struct call *next;
};

struct function {
    uint32_t node;
    struct sum sum;
    uint32_t active;
    struct call *callers;
    size_t n_callers;
    uint32_t reference; /* 1 + number of its tuple in the file, 0: it was not written */
};

struct step {       /* a node */
    struct sum sum; /* with what it called */
    bool used;      /* there is something in it or below */
    uint32_t first; /* of the nodes that it called; nodes are numbered after their callers */
    uint32_t next;  /* with the same parent */
    uint32_t function;
    struct call *call; /* from its parent; NULL: it has none */
};

struct pstats {
    const struct report *report;
    const struct trace *trace;
    struct group *group;
    struct step *steps;
    struct table calls; /* 1 + number, by caller and callee */
    struct function *functions;
    struct call **by_number;
    size_t n_functions, capacity, n_calls, calls_capacity;
    uint32_t n_references;
    struct arena arena;
    struct buffer out;
};

/* ---- sums ---- */

/* The number of the function of a node, from 0. */
static uint32_t function_of(struct pstats *pstats, uint32_t node)
{
    bool added;
    size_t number = group_row(pstats->group, group_frame_number(pstats->group, node), &added);
    if (number >= pstats->capacity) {
        pstats->capacity = pstats->capacity ? pstats->capacity * 2 : 256;
        pstats->functions =
            reallocarray(pstats->functions, pstats->capacity, sizeof *pstats->functions);
        if (!pstats->functions)
            abort();
    }
    if (added) {
        pstats->functions[number] = (struct function){.node = node};
        pstats->n_functions = number + 1;
    }
    return (uint32_t)number;
}

/* Its number is from 1. */
static uint32_t add_call(struct pstats *pstats, uint32_t caller, uint32_t callee)
{
    if (pstats->n_calls == pstats->calls_capacity) {
        pstats->calls_capacity = pstats->calls_capacity ? pstats->calls_capacity * 2 : 256;
        pstats->by_number =
            reallocarray(pstats->by_number, pstats->calls_capacity, sizeof *pstats->by_number);
        if (!pstats->by_number)
            abort();
    }
    struct function *function = &pstats->functions[callee];
    struct call *call = arena_need(&pstats->arena, sizeof *call);
    *call = (struct call){.caller = caller, .next = function->callers};
    function->callers = call;
    function->n_callers++;
    pstats->by_number[pstats->n_calls++] = call;
    return (uint32_t)pstats->n_calls;
}

static struct call *find_call(struct pstats *pstats, uint32_t caller, uint32_t callee)
{
    uint32_t *number = table_at(&pstats->calls, (uint64_t)caller << 32 | callee);
    if (!*number)
        *number = add_call(pstats, caller, callee);
    return pstats->by_number[*number - 1];
}

static void add_sites(struct pstats *pstats, const struct view *view)
{
    for (uint32_t i = 1; i < view->trace->n_sites; i++) {
        struct view_amount amount = view_amount_of_site(view, i);
        struct step *step = &pstats->steps[view->trace->sites[i].stack];
        if (!view->sites[i] || (!amount.size && !amount.count))
            continue;
        step->sum.count += amount.count;
        step->sum.size += amount.size;
        step->used = true;
    }
}

/* What a node has goes to those that called it, from the last node to the first. */
static void sum_up(struct pstats *pstats)
{
    for (size_t i = pstats->trace->n_nodes; i-- > 0;) {
        struct step *step = &pstats->steps[i];
        struct step *parent = &pstats->steps[pstats->trace->nodes[i].parent];
        step->sum.all += step->sum.size;
        if (!step->used || i == 0)
            continue;
        parent->sum.all += step->sum.all;
        parent->used = true;
        step->next = parent->first;
        parent->first = (uint32_t)i;
    }
}

/* From the first node to the last, so that a node's parent is there. */
static void name_all(struct pstats *pstats)
{
    for (uint32_t i = 0; i < pstats->trace->n_nodes; i++) {
        struct step *step = &pstats->steps[i];
        uint32_t parent = pstats->trace->nodes[i].parent;
        if (!step->used || (i == 0 && !step->sum.count && !step->sum.size))
            continue;
        step->function = function_of(pstats, i);
        if (parent)
            step->call = find_call(pstats, pstats->steps[parent].function, step->function);
    }
}

/* What is in the stack already has these bytes. */
static void enter(struct sum *sum, uint32_t *active, const struct step *step)
{
    sum->count += step->sum.count;
    sum->size += step->sum.size;
    sum->all += *active ? 0 : step->sum.all;
    ++*active;
}

static void enter_node(struct pstats *pstats, uint32_t node)
{
    struct step *step = &pstats->steps[node];
    struct function *function = &pstats->functions[step->function];
    enter(&function->sum, &function->active, step);
    if (step->call)
        enter(&step->call->sum, &step->call->active, step);
}

static void leave_node(struct pstats *pstats, uint32_t node)
{
    struct step *step = &pstats->steps[node];
    pstats->functions[step->function].active--;
    if (step->call)
        step->call->active--;
}

/* Depth first, without recursion: stacks may be deep. */
static void walk(struct pstats *pstats)
{
    const struct trace_node *nodes = pstats->trace->nodes;
    uint32_t node = pstats->steps[0].first;
    while (node) {
        enter_node(pstats, node);
        if (pstats->steps[node].first) {
            node = pstats->steps[node].first;
            continue;
        }
        while (node && !pstats->steps[node].next) {
            leave_node(pstats, node);
            node = nodes[node].parent;
        }
        if (node) {
            leave_node(pstats, node);
            node = pstats->steps[node].next;
        }
    }
}

static void make_sums(struct pstats *pstats, const struct view *view)
{
    struct step *root = &pstats->steps[0];
    add_sites(pstats, view);
    sum_up(pstats);
    name_all(pstats);
    if (root->sum.count || root->sum.size) {
        root->sum.all = root->sum.size; /* what has no frame has called nothing */
        enter_node(pstats, 0);
    }
    walk(pstats);
}

/* ---- marshal ---- */

static void put_byte(struct pstats *pstats, char byte)
{
    buffer_append(&pstats->out, &byte, 1);
}

static void put_little(struct pstats *pstats, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buffer_append(&pstats->out, bytes, size);
}

/* What does not fit into 32 bits is digits of 15. */
static void put_int(struct pstats *pstats, int64_t value)
{
    uint64_t rest = (uint64_t)llabs(value);
    int digits = 0;
    if (value >= INT32_MIN && value <= INT32_MAX) {
        put_byte(pstats, 'i');
        put_little(pstats, (uint64_t)value, 4);
        return;
    }
    for (uint64_t left = rest; left; left >>= 15)
        digits++;
    put_byte(pstats, 'l');
    put_little(pstats, (uint64_t)(value < 0 ? -digits : digits), 4);
    for (; rest; rest >>= 15)
        put_little(pstats, rest & 0x7fff, 2);
}

static void put_float(struct pstats *pstats, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_byte(pstats, 'g');
    put_little(pstats, bits, 8);
}

static void put_string(struct pstats *pstats, const char *text)
{
    struct buffer utf8 = {0};
    buffer_append_surrogates(&utf8, text, strlen(text));
    put_byte(pstats, 'u');
    put_little(pstats, utf8.size, 4);
    buffer_append(&pstats->out, utf8.data, utf8.size);
    buffer_free(&utf8);
}

static void put_tuple(struct pstats *pstats, int size)
{
    put_byte(pstats, '(');
    put_little(pstats, (uint64_t)size, 4);
}

/* An object with this bit is one that can be referred to: they are numbered as they come. */
enum { REFERABLE = 0x80 };

static void put_function(struct pstats *pstats, struct function *function)
{
    const struct trace *trace = pstats->trace;
    uint32_t node = function->node;
    if (function->reference) {
        put_byte(pstats, 'r');
        put_little(pstats, function->reference - 1, 4);
        return;
    }
    function->reference = ++pstats->n_references;
    put_byte(pstats, (char)('(' | REFERABLE));
    put_little(pstats, 3, 4);
    put_string(pstats, node ? report_file(pstats->report, node) : "~");
    put_int(pstats, node ? trace->functions[trace->nodes[node].function].first_line : 0);
    put_string(pstats, node ? report_function(pstats->report, node) : "<" TOP_NO_FRAME ">");
}

static void put_sum(struct pstats *pstats, const struct sum *sum)
{
    put_int(pstats, sum->count);
    put_int(pstats, sum->count);
    put_float(pstats, (double)sum->size);
    put_float(pstats, (double)sum->all);
}

static void put_entry(struct pstats *pstats, struct function *function)
{
    put_function(pstats, function);
    put_tuple(pstats, 5);
    put_sum(pstats, &function->sum);
    put_byte(pstats, '{');
    for (const struct call *call = function->callers; call; call = call->next) {
        put_function(pstats, &pstats->functions[call->caller]);
        put_tuple(pstats, 4);
        put_sum(pstats, &call->sum);
    }
    put_byte(pstats, '0');
}

void export_pstats(FILE *file, const struct report *report, const struct view *view)
{
    struct pstats pstats = {.report = report, .trace = view->trace};
    pstats.group = group_new(view->trace, VIEW_FUNCTION);
    pstats.steps = arena_need(&pstats.arena, view->trace->n_nodes * sizeof *pstats.steps);
    make_sums(&pstats, view);
    put_byte(&pstats, '{');
    for (size_t i = 0; i < pstats.n_functions; i++)
        put_entry(&pstats, &pstats.functions[i]);
    put_byte(&pstats, '0');
    fwrite(pstats.out.data, 1, pstats.out.size, file);
    group_free(pstats.group);
    table_free(&pstats.calls);
    free(pstats.functions);
    free(pstats.by_number);
    buffer_free(&pstats.out);
    arena_free(&pstats.arena);
}
