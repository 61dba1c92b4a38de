/*
 * What `python -m pstats` reads: functions and who called them, with bytes where
 * it has seconds.  Runs in the tools.  The file is Python's marshal of
 *   {(file, line, name): (cc, nc, tt, ct, {caller: (cc, nc, tt, ct)})}
 * cc and nc are the blocks and tt the bytes of the function's own lines; ct the
 * bytes of what it called as well, once where it calls itself.
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
    uint32_t stack; /* the last one that was added to it */
    struct call *next;
};

struct function {
    uint32_t node;
    struct sum sum;
    uint32_t stack;
    struct call *callers;
    size_t n_callers;
};

struct step {          /* of a stack, by its node; 0: not looked up */
    uint32_t function; /* 1 + number of its function */
    uint32_t call;     /* 1 + number of the call from the node's parent to it */
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
    struct arena arena;
    struct buffer out;
};

/* ---- sums ---- */

static uint32_t find_function(struct pstats *pstats, uint32_t node)
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
    return (uint32_t)number + 1;
}

/* The number of the function of a node, from 0.  This may move all functions. */
static uint32_t function_of(struct pstats *pstats, uint32_t node)
{
    struct step *step = &pstats->steps[node];
    if (!step->function)
        step->function = find_function(pstats, node);
    return step->function - 1;
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

static uint32_t find_call(struct pstats *pstats, uint32_t caller, uint32_t callee)
{
    uint32_t *number = table_at(&pstats->calls, (uint64_t)caller << 32 | callee);
    if (!*number)
        *number = add_call(pstats, caller, callee);
    return *number;
}

/* From the parent of a node to it. */
static struct call *call_of(struct pstats *pstats, uint32_t node)
{
    struct step *step = &pstats->steps[node];
    if (!step->call) {
        uint32_t caller = function_of(pstats, pstats->trace->nodes[node].parent);
        step->call = find_call(pstats, caller, function_of(pstats, node));
    }
    return pstats->by_number[step->call - 1];
}

/* `stack` is the last one that was added. */
static void add(
    struct sum *sum, uint32_t *stack, uint32_t site, bool own, const struct view_amount *amount)
{
    sum->count += own ? amount->count : 0;
    sum->size += own ? amount->size : 0;
    sum->all += *stack != site ? amount->size : 0;
    *stack = site;
}

/* From the frame that allocates on outwards: own memory is the first one's. */
static void add_stack(
    struct pstats *pstats, uint32_t leaf, uint32_t site, const struct view_amount *amount)
{
    const struct trace_node *nodes = pstats->trace->nodes;
    for (uint32_t node = leaf;; node = nodes[node].parent) {
        uint32_t number = function_of(pstats, node);
        struct function *function = &pstats->functions[number];
        add(&function->sum, &function->stack, site, node == leaf, amount);
        if (!nodes[node].parent)
            return;
        struct call *call = call_of(pstats, node);
        add(&call->sum, &call->stack, site, node == leaf, amount);
    }
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

static void put_function(struct pstats *pstats, uint32_t node)
{
    const struct trace *trace = pstats->trace;
    put_tuple(pstats, 3);
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

static void put_entry(struct pstats *pstats, const struct function *function)
{
    put_function(pstats, function->node);
    put_tuple(pstats, 5);
    put_sum(pstats, &function->sum);
    put_byte(pstats, '{');
    for (const struct call *call = function->callers; call; call = call->next) {
        put_function(pstats, pstats->functions[call->caller].node);
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
    for (uint32_t i = 1; i < view->trace->n_sites; i++) {
        struct view_amount amount = view_amount_of_site(view, i);
        if (view->sites[i] && (amount.size || amount.count))
            add_stack(&pstats, view->trace->sites[i].stack, i, &amount);
    }
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
