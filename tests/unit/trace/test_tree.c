/* Call trees against the plain way: for each node, all sites whose stacks go through it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "trace/callers.h"
#include "trace/group.h"
#include "trace/tree.h"

enum { FUNCTIONS = 7, NODES = 120, SITES = 90, PROCESSES = 3, THREADS = 4 };

static struct trace_string strings[] = {{"", 0}, {"/srv/a.py", 9}, {"/srv/b.py", 9},
    {"/usr/lib/python3.11/json.py", 27}, {"f", 1}, {"g", 1}, {"f", 1}};
static struct trace_function functions[FUNCTIONS + 1];
static struct trace_node nodes[NODES + 1];
static struct trace_process processes[PROCESSES + 1];
static struct trace_peak peaks[PROCESSES + 1];
static struct trace_thread threads[THREADS + 1];
static struct trace_site sites[SITES + 1];
static struct trace_row rows[SITES];
static struct trace_boundary boundary = {
    .kind = MT_BOUNDARY_TICK, .time_us = 5, .rows = rows, .count = SITES};
static struct trace trace = {.path = "test",
    .sealed = true,
    .strings = strings,
    .functions = functions,
    .nodes = nodes,
    .processes = processes,
    .threads = threads,
    .sites = sites,
    .boundaries = &boundary,
    .peaks = peaks,
    .n_strings = 7,
    .n_functions = FUNCTIONS + 1,
    .n_nodes = NODES + 1,
    .n_processes = PROCESSES + 1,
    .n_threads = THREADS + 1,
    .n_sites = SITES + 1,
    .n_boundaries = 1};

static uint32_t below(uint32_t n)
{
    static uint32_t seed = 12345;
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

/* Names are defined twice, and so are stacks. */
static void make_trace(void)
{
    for (uint32_t i = 1; i <= FUNCTIONS; i++)
        functions[i] = (struct trace_function){1 + below(3), 4 + below(3), 1};
    for (uint32_t i = 1; i <= NODES; i++)
        nodes[i] = (struct trace_node){below(i), 1 + below(FUNCTIONS), 1 + below(2), 0};
    for (uint32_t i = 1; i <= THREADS; i++)
        threads[i].process = 1 + below(PROCESSES);
    for (uint32_t i = 1; i <= SITES; i++) {
        uint32_t thread = below(THREADS + 1);
        uint32_t process = thread ? threads[thread].process : 1 + below(PROCESSES);
        uint32_t node, domain = below(4);
        node = below(NODES + 1);
        sites[i] = (struct trace_site){process, thread, (int)domain, node, 0, node};
        rows[i - 1] = (struct trace_row){i, 0, below(1000), below(9), 1000 + below(50), below(70)};
    }
}

/* ---- the plain way ---- */

struct names { /* the frames of a stack, by number, the innermost first */
    uint32_t frames[NODES];
    size_t n;
};

static void name_stack(struct names *names, uint32_t node, enum view_key key, struct group *group,
    const uint32_t *callers)
{
    bool merges = key == VIEW_FILENAME || key == VIEW_MODULE || key == VIEW_PACKAGE;
    names->n = 0;
    for (; node; node = nodes[node].parent) {
        if (key == VIEW_CALLER && callers[node] != node)
            continue;
        uint32_t frame = group_frame_number(group, node);
        if (!merges || !names->n || names->frames[names->n - 1] != frame)
            names->frames[names->n++] = frame;
    }
    if (!names->n)
        names->frames[names->n++] = 0;
}

static bool in_split(const struct tree_options *shape, const struct tree_node *node, uint32_t site)
{
    return shape->split == TREE_TOGETHER || node->depth == 0 ||
           (sites[site].process == node->process &&
               (shape->split == TREE_BY_PROCESS || sites[site].thread == node->thread));
}

/* True if the stack of a site goes through that node of the tree. */
static bool goes_through(const struct tree *tree, const struct tree_options *shape, uint32_t index,
    const struct names *names, struct group *group)
{
    uint32_t above = shape->split != TREE_TOGETHER, depth = tree->nodes[index].depth;
    for (; depth > above; depth--, index = tree->nodes[index].parent) {
        size_t i = depth - above - 1; /* of the path, from its begin */
        if (i >= names->n)
            return false;
        uint32_t node = tree->nodes[index].node;
        uint32_t frame = names->frames[shape->inverted ? i : names->n - 1 - i];
        if (frame != (node ? group_frame_number(group, node) : 0))
            return false;
    }
    return true;
}

static struct view_amount amount_through(const struct tree *tree, const struct tree_options *shape,
    uint32_t index, struct group *group, const uint32_t *callers)
{
    struct view_amount sum = {0};
    struct names names;
    for (uint32_t site = 1; site <= SITES; site++) {
        struct view_amount amount = view_amount_of_site(&tree->view, site);
        name_stack(&names, sites[site].node, tree->view.options->key, group, callers);
        if (in_split(shape, &tree->nodes[index], site) &&
            goes_through(tree, shape, index, &names, group))
            view_amount_add(&sum, &amount);
    }
    return sum;
}

static void check_order(const struct tree *tree, uint32_t index)
{
    const struct tree_node *node = &tree->nodes[index];
    for (uint32_t i = 0; i < node->n_children; i++) {
        const struct tree_node *child = &tree->nodes[tree_child(tree, index, i)];
        assert_int_equal(child->parent, index);
        assert_int_equal(child->depth, node->depth + 1);
        if (i)
            assert_true(child->metric <= tree->nodes[tree_child(tree, index, i - 1)].metric);
    }
}

static void check(enum view_key key, const struct tree_options *shape)
{
    struct tree tree;
    struct arena arena = {0};
    struct view_options options = {.key = key};
    struct view_amount own = {0};
    options.filter.domains = (1u << MT_DOMAINS) - 1;
    struct group *group = group_new(&trace, key);
    const uint32_t *callers = callers_find(&trace, NULL, 0, &arena);
    assert_true(moment_parse(&options.moment, "end"));
    assert_int_equal(tree_make(&tree, &trace, &options, shape), VIEW_OK);
    assert_memory_equal(&tree.nodes[0].amount, &tree.view.total, sizeof tree.view.total);
    for (uint32_t i = 0; i < tree.n_nodes; i++) {
        struct view_amount wanted = amount_through(&tree, shape, i, group, callers);
        assert_memory_equal(&tree.nodes[i].amount, &wanted, sizeof wanted);
        wanted = tree_own(&tree, i);
        view_amount_add(&own, &wanted);
        check_order(&tree, i);
    }
    assert_memory_equal(&own, &tree.view.total, sizeof own);
    tree_free(&tree);
    group_free(group);
    arena_free(&arena);
}

static void agrees_with_the_plain_way(void **state)
{
    static const enum view_key keys[] = {
        VIEW_CALLER, VIEW_LINENO, VIEW_FILENAME, VIEW_FUNCTION, VIEW_MODULE};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (int split = TREE_TOGETHER; split <= TREE_BY_THREAD; split++)
            for (int inverted = 0; inverted < 2; inverted++)
                check(keys[k],
                    &(struct tree_options){.inverted = inverted, .split = (enum tree_split)split});
}

static uint32_t deepest(const struct tree *tree)
{
    uint32_t depth = 0;
    for (size_t i = 0; i < tree->n_nodes; i++)
        depth = tree->nodes[i].depth > depth ? tree->nodes[i].depth : depth;
    return depth;
}

static void stops_where_it_is_told_to(void **state)
{
    struct view_options options = {.key = VIEW_LINENO};
    assert_true(moment_parse(&options.moment, "end"));
    for (int inverted = 0; inverted < 2; inverted++) {
        struct tree all, some;
        struct tree_options everything = {.inverted = inverted};
        struct tree_options shape = {.inverted = inverted, .depth = 2, .smallest = 0.05};
        assert_int_equal(tree_make(&all, &trace, &options, &everything), VIEW_OK);
        assert_int_equal(tree_make(&some, &trace, &options, &shape), VIEW_OK);
        assert_true(deepest(&all) > 2);
        assert_int_equal(deepest(&some), 2);
        assert_int_equal(some.nodes[0].n_children, all.nodes[0].n_children);
        size_t cut = 0;
        for (size_t i = 1; i < some.n_nodes; i++) {
            cut += some.nodes[i].cut;
            if (some.nodes[i].parent && !some.nodes[i].cut)
                assert_true(20 * some.nodes[some.nodes[i].parent].metric >= all.nodes[0].metric);
            assert_false(some.nodes[i].cut && some.nodes[i].n_children);
        }
        assert_true(cut > 0);
        tree_free(&all);
        tree_free(&some);
    }
}

static int set_up(void **state)
{
    make_trace();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_plain_way),
        cmocka_unit_test(stops_where_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
