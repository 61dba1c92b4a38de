/*
 * Call trees for programs: a list of nodes that name their parents, as a stack
 * may be deeper than readers of JSON like.  Runs in the tools.
 */
#include "render/tree.h"

#include "render/parts_csv.h"
#include "render/parts_json.h"

static void put_node(struct json *json, const struct tree_report *about, uint32_t index)
{
    const struct tree *tree = about->tree;
    const struct tree_node *node = &tree->nodes[index];
    uint32_t shown = tree_shown(about, index);
    json_open(json, NULL, '{');
    json_number(json, "id", index);
    if (index) {
        json_number(json, "parent", node->parent);
        json_number(json, "depth", node->depth);
        json_frame(json, about->report, node->node);
    }
    json_amount(json, &node->amount);
    if (shown < node->n_children)
        json_number(json, "left_out", node->n_children - shown);
    if (node->cut)
        json_flag(json, "cut", true);
    json_close(json, '}');
}

void tree_json(FILE *file, const struct tree_report *about)
{
    struct json json = {.file = file};
    struct tree_walk walk = {.about = about};
    json_begin_report(&json, about->report, &about->tree->view);
    json_flag(&json, "inverted", about->inverted);
    json_open(&json, "nodes", '[');
    while (tree_next(&walk))
        put_node(&json, about, walk.node);
    json_close(&json, ']');
    json_excluded(&json, &about->tree->view);
    json_close(&json, '}');
    tree_walk_free(&walk);
}

static void put_line(struct csv *csv, const struct tree_report *about, uint32_t index)
{
    const struct tree_node *node = &about->tree->nodes[index];
    csv_number(csv, index);
    csv_number(csv, node->parent);
    csv_number(csv, node->depth);
    csv_frame(csv, about->report, node->node);
    csv_amount(csv, &node->amount);
    csv_end_line(csv);
}

void tree_csv(FILE *file, const struct tree_report *about)
{
    struct csv csv = {.file = file,
        .samples = report_samples(about->report),
        .touched = about->tree->view.untouched};
    struct tree_walk walk = {.about = about};
    csv_text(&csv, "id");
    csv_text(&csv, "parent");
    csv_text(&csv, "depth");
    csv_key_columns(&csv, about->report->options.view.key);
    csv_amount_columns(&csv);
    csv_end_line(&csv);
    while (tree_next(&walk))
        if (walk.node)
            put_line(&csv, about, walk.node);
    tree_walk_free(&walk);
}
