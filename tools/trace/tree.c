/*
 * Call trees from the root down (tree.h).  Runs in reports.  Stacks that were
 * defined twice are one here; the work is that of the stacks' number, not of
 * their depth.
 */
#include "trace/tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trace/callers.h"
#include "trace/group.h"
#include "trace/tree_parts.h"

/* While sites become nodes. */
struct builder {
    struct tree_maker maker;
    const struct trace *trace;
    struct group *group;
    const uint32_t *callers; /* of the key caller */
    bool merges;             /* neighbours with the same key are one frame */
    struct table known;      /* index of a node, by its root and the stack, with a split */
    uint32_t *of_stack;      /* the same by the stack alone, without */
    uint32_t *path;          /* stacks that are not known yet, from the innermost */
    size_t path_capacity;
};

uint32_t tree_add(struct tree_maker *maker, uint32_t parent, uint32_t frame)
{
    struct tree *tree = maker->tree;
    uint32_t *index = table_at(&maker->children, (uint64_t)parent << 32 | frame);
    if (*index)
        return *index;
    if (tree->n_nodes == maker->capacity) {
        maker->capacity *= 2;
        tree->nodes = reallocarray(tree->nodes, maker->capacity, sizeof *tree->nodes);
        maker->frames = reallocarray(maker->frames, maker->capacity, sizeof *maker->frames);
        if (!tree->nodes || !maker->frames)
            abort();
    }
    const struct tree_node *above = &tree->nodes[parent];
    tree->nodes[tree->n_nodes] = (struct tree_node){.parent = parent,
        .depth = above->depth + 1,
        .process = above->process,
        .thread = above->thread};
    maker->frames[tree->n_nodes] = frame;
    *index = (uint32_t)tree->n_nodes++;
    return *index;
}

static void maker_begin(
    struct tree_maker *maker, struct tree *tree, const struct tree_options *shape)
{
    *maker = (struct tree_maker){.tree = tree, .shape = shape, .capacity = 256};
    tree->nodes = calloc(maker->capacity, sizeof *tree->nodes);
    maker->frames = calloc(maker->capacity, sizeof *maker->frames);
    if (!tree->nodes || !maker->frames)
        abort();
    tree->n_nodes = 1;
}

static void maker_end(struct tree_maker *maker)
{
    table_free(&maker->children);
    free(maker->frames);
}

/* ---- from sites to nodes ---- */

/* The stack of the caller of a stack's frame, as the key has frames. */
static uint32_t above(struct builder *builder, uint32_t stack)
{
    const struct trace_node *nodes = builder->trace->nodes;
    uint32_t parent = nodes[stack].parent;
    if (builder->callers)
        return builder->callers[parent];
    if (!builder->merges)
        return parent;
    uint32_t frame = group_frame_number(builder->group, stack);
    while (parent && group_frame_number(builder->group, parent) == frame)
        parent = nodes[parent].parent;
    return parent;
}

static void push(struct builder *builder, size_t at, uint32_t stack)
{
    if (at == builder->path_capacity) {
        builder->path_capacity = at ? at * 2 : 256;
        builder->path = reallocarray(builder->path, builder->path_capacity, sizeof(uint32_t));
        if (!builder->path)
            abort();
    }
    builder->path[at] = stack;
}

static uint32_t node_of_stack(struct builder *builder, uint32_t root, uint32_t stack)
{
    size_t depth = 0;
    uint32_t index = 0;
    for (; stack; stack = above(builder, stack)) {
        index = builder->of_stack ? builder->of_stack[stack]
                                  : table_get(&builder->known, (uint64_t)root << 32 | stack);
        if (index)
            break;
        push(builder, depth++, stack);
    }
    index = index ? index : root;
    while (depth) {
        stack = builder->path[--depth];
        index = tree_add(&builder->maker, index, group_frame_number(builder->group, stack));
        struct tree_node *node = &builder->maker.tree->nodes[index];
        node->node = node->node ? node->node : stack;
        if (builder->of_stack)
            builder->of_stack[stack] = index;
        else
            *table_at(&builder->known, (uint64_t)root << 32 | stack) = index;
    }
    return index;
}

static uint32_t root_of_site(struct builder *builder, const struct trace_site *site)
{
    bool threads = builder->maker.shape->split == TREE_BY_THREAD;
    if (builder->maker.shape->split == TREE_TOGETHER)
        return 0;
    /* Threads of several processes that are not known are one by their number, 0. */
    uint32_t key =
        threads && site->thread ? site->thread : site->process + (threads ? 1u << 31 : 0);
    uint32_t root = tree_add(&builder->maker, 0, key);
    struct tree_node *node = &builder->maker.tree->nodes[root];
    node->process = site->process;
    node->thread = threads ? site->thread : 0;
    return root;
}

static void add_site(struct builder *builder, uint32_t site)
{
    const struct trace_site *at = &builder->trace->sites[site];
    struct tree *tree = builder->maker.tree;
    struct view_amount amount = view_amount_of_site(&tree->view, site);
    uint32_t stack = builder->callers ? builder->callers[at->node] : at->stack;
    if (!tree->view.sites[site] || view_amount_is_zero(&amount))
        return;
    uint32_t root = root_of_site(builder, at);
    uint32_t index =
        stack ? node_of_stack(builder, root, stack) : tree_add(&builder->maker, root, 0);
    view_amount_add(&tree->nodes[index].amount, &amount);
}

static void build(struct tree *tree, struct builder *builder)
{
    const struct trace *trace = tree->view.trace;
    const struct view_options *options = tree->view.options;
    enum view_key key = options->key;
    builder->trace = trace;
    builder->group = group_new(trace, key == VIEW_TRACEBACK ? VIEW_LINENO : key);
    builder->merges = key == VIEW_FILENAME || key == VIEW_MODULE || key == VIEW_PACKAGE;
    if (builder->maker.shape->split == TREE_TOGETHER)
        builder->of_stack = arena_need(&tree->view.arena, trace->n_nodes * sizeof(uint32_t));
    if (key == VIEW_CALLER)
        builder->callers = callers_find(trace, options->mine, options->n_mine, &tree->view.arena);
    for (uint32_t i = 1; i < trace->n_sites; i++)
        add_site(builder, i);
    group_free(builder->group);
    table_free(&builder->known);
    free(builder->path);
}

/* ---- the whole ---- */

static void sum_up(struct tree *tree)
{
    for (size_t i = tree->n_nodes; i-- > 1;)
        view_amount_add(&tree->nodes[tree->nodes[i].parent].amount, &tree->nodes[i].amount);
}

uint32_t tree_frames_above(const struct tree_options *shape)
{
    return shape->split == TREE_TOGETHER ? 0 : 1;
}

bool tree_stops(
    const struct tree_options *shape, const struct tree_node *node, int64_t metric, double least)
{
    uint32_t above = tree_frames_above(shape);
    return node->depth > above &&
           ((shape->depth && node->depth - above >= shape->depth) || (double)metric < least);
}

/* What the shape leaves out of a tree that has everything. */
static void prune(struct tree *tree, const struct tree_options *shape)
{
    uint32_t *place = calloc(tree->n_nodes, sizeof *place); /* of what is kept, else 0 */
    double least = shape->smallest * (double)tree->nodes[0].metric;
    size_t kept = 1;
    if (!place)
        abort();
    for (size_t i = 1; i < tree->n_nodes; i++) {
        const struct tree_node *node = &tree->nodes[i];
        struct tree_node *parent = &tree->nodes[place[node->parent]];
        bool there = !node->parent || place[node->parent];
        if (there && tree_stops(shape, parent, parent->metric, least))
            parent->cut = true;
        else if (there) {
            place[i] = (uint32_t)kept;
            tree->nodes[kept] = *node;
            tree->nodes[kept++].parent = place[node->parent];
        }
    }
    tree->n_nodes = kept;
    free(place);
}

static int compare_children(const void *a, const void *b, void *context)
{
    const struct tree *tree = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct tree_node *left = &tree->nodes[x], *right = &tree->nodes[y];
    if (left->metric != right->metric)
        return left->metric > right->metric ? -1 : 1;
    int order = left->node && right->node
                    ? view_compare_frames(tree->view.trace, left->node, right->node)
                    : (left->node != 0) - (right->node != 0);
    return order ? order : x < y ? -1 : 1;
}

/* Those that are too small to be shown come last, as they are: there may be a million. */
static void sort_siblings(struct tree *tree, uint32_t *children, size_t count, double least)
{
    size_t large = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t child = children[i];
        if ((double)tree->nodes[child].metric < least)
            continue;
        children[i] = children[large];
        children[large++] = child;
    }
    if (large > 1)
        qsort_r(children, large, sizeof *children, compare_children, tree);
}

static void sort_children(struct tree *tree, const struct tree_options *shape)
{
    double least = shape->smallest * (double)tree->nodes[0].metric;
    uint32_t at = 0;
    tree->children = arena_need(&tree->view.arena, tree->n_nodes * sizeof *tree->children);
    for (size_t i = 1; i < tree->n_nodes; i++)
        tree->nodes[tree->nodes[i].parent].n_children++;
    for (size_t i = 0; i < tree->n_nodes; i++) {
        tree->nodes[i].first = at;
        at += tree->nodes[i].n_children;
        tree->nodes[i].n_children = 0;
    }
    for (size_t i = 1; i < tree->n_nodes; i++) {
        struct tree_node *parent = &tree->nodes[tree->nodes[i].parent];
        tree->children[parent->first + parent->n_children++] = (uint32_t)i;
    }
    for (size_t i = 0; i < tree->n_nodes; i++)
        if (tree->nodes[i].n_children > 1)
            sort_siblings(tree, &tree->children[tree->nodes[i].first], tree->nodes[i].n_children,
                shape->smallest > 0 ? least : -INFINITY);
}

static void invert(struct tree *tree, struct tree_maker *down)
{
    struct tree straight = *tree;
    struct tree_maker up;
    down->tree = &straight;
    maker_begin(&up, tree, down->shape);
    tree_invert(&up, down);
    maker_end(&up);
    free(straight.nodes);
}

static void set_metrics(struct tree *tree)
{
    for (size_t i = 0; i < tree->n_nodes; i++)
        tree->nodes[i].metric = view_metric(&tree->view, &tree->nodes[i].amount);
}

enum view_error tree_make(struct tree *tree, const struct trace *trace,
    const struct view_options *options, const struct tree_options *shape)
{
    *tree = (struct tree){0};
    enum view_error error = view_open(&tree->view, trace, options);
    if (error != VIEW_OK)
        return error;
    struct builder builder = {0};
    maker_begin(&builder.maker, tree, shape);
    build(tree, &builder);
    if (shape->inverted)
        invert(tree, &builder.maker);
    else
        sum_up(tree);
    maker_end(&builder.maker);
    set_metrics(tree);
    if (!shape->inverted)
        prune(tree, shape);
    sort_children(tree, shape);
    return VIEW_OK;
}

void tree_free(struct tree *tree)
{
    free(tree->nodes);
    view_free(&tree->view);
    *tree = (struct tree){0};
}

static void subtract(int64_t *sum, int64_t less)
{
    *sum = (int64_t)((uint64_t)*sum - (uint64_t)less);
}

struct view_amount tree_own(const struct tree *tree, uint32_t node)
{
    struct view_amount own = tree->nodes[node].amount;
    for (uint32_t i = 0; i < tree->nodes[node].n_children; i++) {
        const struct view_amount *part = &tree->nodes[tree_child(tree, node, i)].amount;
        subtract(&own.size, part->size);
        subtract(&own.count, part->count);
        subtract(&own.python, part->python);
        subtract(&own.native, part->native);
        subtract(&own.allocated, part->allocated);
        subtract(&own.allocations, part->allocations);
    }
    return own;
}

uint32_t tree_child(const struct tree *tree, uint32_t node, uint32_t rank)
{
    return tree->children[tree->nodes[node].first + rank];
}
