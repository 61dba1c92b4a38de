/*
 * The processes of a trace as a tree, for people.  Runs in the tools.
 */
#include "render/info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "render/escape.h"
#include "trace/processes.h"

enum { SHOWN_MOST = 40, DEPTH_MOST = 8, KINDS_MOST = 6 };

struct tree {
    FILE *file;
    const struct report *report;
    bool *folded;           /* by process: small, where there are many of these */
    bool *hidden;           /* that, or one too many */
    uint32_t *parent;       /* the nearest ancestor that is shown */
    uint32_t *first, *next; /* its children, in the order of their start */
    struct inheritance *inherited;
    size_t n_folded, too_many;
};

static void print_status(FILE *file, const struct trace_process *process)
{
    if (!process->ended)
        fputs("its end was not seen", file);
    else if (process->status == MT_STATUS_RUNNING)
        fputs("it ran on", file);
    else if (process->status == MT_STATUS_EXEC)
        fputs("it became another program", file);
    else if (process->status < 0)
        fputs("exit status not known", file);
    else if (WIFSIGNALED(process->status))
        fprintf(file, "killed by signal %d (%s)", WTERMSIG(process->status),
            strsignal(WTERMSIG(process->status)));
    else
        fprintf(file, "exit status %d", WEXITSTATUS(process->status));
}

static void print_python(FILE *file, const struct trace *trace, const struct trace_process *process)
{
    static const char *const traced[] = {
        [MT_PYTHON_NONE] = "not Python",
        [MT_PYTHON_TRACED] = "traced",
        [MT_PYTHON_UNKNOWN] = "this version is not known: no Python frames",
    };
    if (process->python) {
        fputs("Python ", file);
        print_name(file, trace->strings[process->python].data);
        if (process->traced != MT_PYTHON_TRACED)
            fprintf(file, " (%s)", traced[process->traced]);
    } else
        fputs(traced[process->traced], file);
}

/* The blanks before a line, by how deep it is in the tree. */
static int indent(unsigned depth)
{
    return 2 + 2 * (int)(depth < DEPTH_MOST ? depth : DEPTH_MOST);
}

static void print_origin(FILE *file, const struct trace *trace, uint32_t id)
{
    const struct trace_process *process = &trace->processes[id];
    const struct trace_process *parent = &trace->processes[process->parent];
    char start[FORMAT_SIZE];
    const char *how = process->origin == MT_ORIGIN_FORK ? "forked by"
                      : parent->pid == process->pid     ? "by exec in"
                                                        : "started by";
    if (process->parent)
        fprintf(file, "%s %d", how, parent->pid);
    else
        fputs("first", file);
    fprintf(file, " at %s, ", format_time(start, process->start_us));
}

static void print_inherited(struct tree *tree, uint32_t id, int blanks)
{
    const struct inheritance *inherited = &tree->inherited[id];
    const struct trace_process *process = &tree->report->trace.processes[id];
    char size[FORMAT_SIZE], count[FORMAT_SIZE], held[FORMAT_SIZE], blocks[FORMAT_SIZE];
    if (inherited->blocks)
        fprintf(tree->file, "%*sinherited %s in %s blocks, held at its end %s in %s\n", blanks, "",
            format_size(size, inherited->bytes, tree->report->options.units),
            format_count(count, inherited->blocks),
            format_size(held, inherited->held_bytes, tree->report->options.units),
            format_count(blocks, inherited->held_blocks));
    else if (process->inherited_frees)
        fprintf(tree->file, "%*s%" PRIu64 " frees of blocks that it inherited\n", blanks, "",
            process->inherited_frees);
}

/* Of what is resident the part that is this process's: with its share of common pages, and alone.
 */
static void print_share(struct tree *tree, uint32_t id)
{
    enum units units = tree->report->options.units;
    char pss[FORMAT_SIZE], uss[FORMAT_SIZE], time[FORMAT_SIZE];
    const struct trace_share *share = info_share(&tree->report->trace, id);
    if (share)
        fprintf(tree->file, " (PSS %s, USS %s at %s)", format_size(pss, (int64_t)share->pss, units),
            format_size(uss, (int64_t)share->uss, units), format_time(time, share->time_us));
}

static void print_process(struct tree *tree, uint32_t id, unsigned depth)
{
    FILE *file = tree->file;
    const struct trace *trace = &tree->report->trace;
    const struct trace_process *process = &trace->processes[id];
    char end[FORMAT_SIZE], rss[FORMAT_SIZE], events[FORMAT_SIZE];
    int blanks = indent(depth);
    fprintf(file, "%*s%d: ", blanks, "", process->pid);
    print_command(file, tree->report, id);
    fprintf(file, "\n%*s", blanks += 2, "");
    print_python(file, trace, process);
    fputs(", ", file);
    print_origin(file, trace, id);
    if (process->ended)
        fprintf(file, "%s at %s, ", process->status == MT_STATUS_RUNNING ? "last seen" : "ended",
            format_time(end, process->end_us));
    print_status(file, process);
    fputc('\n', file);
    print_inherited(tree, id, blanks);
    if (!process->ended)
        return;
    fprintf(file, "%*smax RSS %s", blanks, "",
        format_size(rss, (int64_t)process->max_rss, tree->report->options.units));
    print_share(tree, id);
    fprintf(file, ", %s events\n", format_count(events, (int64_t)process->events));
    if (process->was_paused)
        fprintf(file, "%*spaused at times: %" PRIu64 " frees of blocks allocated then\n", blanks,
            "", process->paused_frees);
}

/* ---- which ones ---- */

struct ranked {
    uint64_t held;
    uint32_t process;
};

static int by_held(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    if (left->held != right->held)
        return left->held > right->held ? -1 : 1;
    return left->process < right->process ? -1 : left->process > right->process;
}

/* The smallest ones do not fit. */
static void hide_too_many(struct tree *tree)
{
    const struct trace *trace = &tree->report->trace;
    struct ranked *ranked = calloc(trace->n_processes, sizeof *ranked);
    size_t n = 0;
    if (!ranked)
        abort();
    for (uint32_t i = 1; i < trace->n_processes; i++)
        if (!tree->hidden[i])
            ranked[n++] = (struct ranked){process_most_held(trace, i), i};
    qsort(ranked, n, sizeof *ranked, by_held);
    for (size_t i = SHOWN_MOST; i < n; i++)
        tree->hidden[ranked[i].process] = true;
    tree->too_many = n > SHOWN_MOST ? n - SHOWN_MOST : 0;
    free(ranked);
}

static void *by_process(const struct tree *tree, size_t item)
{
    void *memory = calloc(tree->report->trace.n_processes, item);
    if (!memory)
        abort();
    return memory;
}

/* Parents come before their children, so their own ancestors are known. */
static void plant(struct tree *tree)
{
    const struct trace *trace = &tree->report->trace;
    for (uint32_t i = 1; i < trace->n_processes; i++) {
        uint32_t parent = trace->processes[i].parent;
        tree->parent[i] = parent && tree->hidden[parent] ? tree->parent[parent] : parent;
    }
    for (uint32_t i = (uint32_t)trace->n_processes; i-- > 1;) {
        if (tree->hidden[i])
            continue;
        tree->next[i] = tree->first[tree->parent[i]];
        tree->first[tree->parent[i]] = i;
    }
}

/* From the first one on: its children, then the next one, without a call for each generation. */
static void print_tree(struct tree *tree)
{
    unsigned depth = 0;
    uint32_t at = tree->first[0];
    while (at) {
        print_process(tree, at, depth);
        if (tree->first[at]) {
            at = tree->first[at];
            depth++;
            continue;
        }
        while (at && !tree->next[at]) {
            at = tree->parent[at];
            depth -= at != 0;
        }
        at = tree->next[at];
    }
}

struct kind { /* of small processes: those of one program */
    const char *name;
    size_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct kind *left = a, *right = b;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return strcmp(left->name, right->name);
}

static size_t count_kinds(const struct tree *tree, struct kind *kinds)
{
    const struct trace *trace = &tree->report->trace;
    size_t n = 0;
    for (uint32_t i = 1; i < trace->n_processes; i++) {
        size_t k = 0;
        if (!tree->folded[i])
            continue;
        const char *name = program_name(trace, i);
        while (k < n && strcmp(kinds[k].name, name) != 0)
            k++;
        kinds[k].name = name;
        kinds[k].count++;
        n += k == n;
    }
    qsort(kinds, n, sizeof *kinds, by_count);
    return n;
}

/* "41 small processes: bash 30, git 11" */
static void print_folded(const struct tree *tree)
{
    struct kind *kinds = by_process(tree, sizeof *kinds);
    size_t n = count_kinds(tree, kinds);
    fprintf(tree->file, "  %zu small processes: ", tree->n_folded);
    for (size_t k = 0; k < n && k < KINDS_MOST; k++) {
        fputs(k ? ", " : "", tree->file);
        print_name(tree->file, kinds[k].name);
        fprintf(tree->file, " %zu", kinds[k].count);
    }
    fputs(n > KINDS_MOST ? ", and others\n" : "\n", tree->file);
    free(kinds);
}

void info_processes(FILE *file, const struct report *report)
{
    struct tree tree = {.file = file, .report = report};
    const struct trace *trace = &report->trace;
    tree.folded = by_process(&tree, sizeof *tree.folded);
    tree.hidden = by_process(&tree, sizeof *tree.hidden);
    tree.parent = by_process(&tree, sizeof *tree.parent);
    tree.first = by_process(&tree, sizeof *tree.first);
    tree.next = by_process(&tree, sizeof *tree.next);
    tree.inherited = processes_inherited(trace);
    tree.n_folded = processes_fold(trace, NULL, tree.folded);
    if (tree.n_folded + 1 == trace->n_processes) /* there is nothing else */
        tree.n_folded = 0;
    else
        memcpy(tree.hidden, tree.folded, trace->n_processes * sizeof *tree.hidden);
    hide_too_many(&tree);
    plant(&tree);
    fprintf(file, "processes: %zu\n", trace->n_processes - 1);
    print_tree(&tree);
    if (tree.too_many)
        fprintf(file, "  %zu more that held less\n", tree.too_many);
    if (tree.n_folded)
        print_folded(&tree);
    free(tree.folded);
    free(tree.hidden);
    free(tree.parent);
    free(tree.first);
    free(tree.next);
    free(tree.inherited);
}
