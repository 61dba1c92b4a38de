/*
 * Decides which sites a view counts.  Runs in reports.
 */
#include "trace/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/pattern.h"
#include "trace/state.h"

const char *const domain_names[MT_DOMAINS] = {
    "raw", "mem", "obj", "malloc", "mmap", "arena", "inherited", "file"};

/* What the patterns say of a stack. */
enum { MATCH_INCLUDE = 1, MATCH_EXCLUDE = 2 };

static void *append(void *array, size_t count, size_t item)
{
    array = reallocarray(array, count + 1, item);
    if (!array)
        abort();
    return array;
}

void filter_add_pattern(struct filter *filter, char *text, bool exclude)
{
    struct filter_pattern pattern = {.pattern = text, .exclude = exclude};
    char *colon = strrchr(text, ':');
    if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
        pattern.line = (uint32_t)strtoul(colon + 1, NULL, 10);
        *colon = '\0';
    }
    filter->patterns = append(filter->patterns, filter->n_patterns, sizeof pattern);
    filter->patterns[filter->n_patterns++] = pattern;
}

void filter_add_process(struct filter *filter, char *text)
{
    filter->processes = append(filter->processes, filter->n_processes, sizeof text);
    filter->processes[filter->n_processes++] = text;
}

void filter_add_thread(struct filter *filter, char *text)
{
    filter->threads = append(filter->threads, filter->n_threads, sizeof text);
    filter->threads[filter->n_threads++] = text;
}

static bool is_of_group(int domain, const char *text)
{
    return (domain_is_python(domain) && strcmp(text, "python") == 0) ||
           (domain == MT_DOMAIN_MALLOC && strcmp(text, "native") == 0) ||
           (domain_is_mapped(domain) && strcmp(text, "mapped") == 0);
}

bool filter_add_domain(struct filter *filter, const char *text)
{
    bool found = false;
    for (int domain = 0; domain < MT_DOMAINS; domain++) {
        if (strcmp(text, domain_names[domain]) != 0 && !is_of_group(domain, text))
            continue;
        filter->domains |= 1u << domain;
        found = true;
    }
    return found;
}

void filter_free(struct filter *filter)
{
    free(filter->patterns);
    free(filter->processes);
    free(filter->threads);
    memset(filter, 0, sizeof *filter);
}

static bool is_number(const char *text, int number)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%d", number);
    return strcmp(text, digits) == 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* True if the text is the program's name, or that of the script that it runs. */
static bool process_is_called(
    const struct trace *trace, const struct trace_process *process, const char *text)
{
    const struct trace_string *command = &trace->strings[process->command];
    const char *end = command->data + command->size;
    if (strcmp(base_name(trace->strings[process->path].data), text) == 0)
        return true;
    for (const char *word = command->data; word < end; word += strlen(word) + 1) {
        if (strcmp(base_name(word), text) == 0)
            return true;
        if (word != command->data && *word != '-')
            return false;
    }
    return false;
}

size_t filter_processes(const struct filter *filter, const struct trace *trace, bool *selected)
{
    size_t n = 0;
    selected[0] = false;
    for (size_t p = 1; p < trace->n_processes; p++) {
        const struct trace_process *process = &trace->processes[p];
        selected[p] = filter->n_processes == 0;
        for (size_t i = 0; i < filter->n_processes && !selected[p]; i++)
            selected[p] = is_number(filter->processes[i], process->pid) ||
                          process_is_called(trace, process, filter->processes[i]);
        n += selected[p];
    }
    return n;
}

static bool *select_threads(
    const struct filter *filter, const struct trace *trace, struct arena *arena)
{
    bool *selected = arena_need(arena, trace->n_threads);
    selected[0] = filter->n_threads == 0;
    for (size_t t = 1; t < trace->n_threads; t++) {
        const struct trace_thread *thread = &trace->threads[t];
        selected[t] = filter->n_threads == 0;
        for (size_t i = 0; i < filter->n_threads && !selected[t]; i++)
            selected[t] = is_number(filter->threads[i], thread->tid) ||
                          strcmp(filter->threads[i], trace->strings[thread->name].data) == 0;
    }
    return selected;
}

/* What the patterns say of one frame.  `known` has by pattern and file: 0 not asked yet, 1 no,
   2 yes. */
static unsigned match_frame(const struct filter *filter, const struct trace *trace,
    unsigned char *known, uint32_t file, uint32_t line)
{
    unsigned bits = 0;
    for (size_t i = 0; i < filter->n_patterns; i++) {
        const struct filter_pattern *pattern = &filter->patterns[i];
        unsigned char *answer = &known[i * trace->n_strings + file];
        if (!*answer) {
            const char *name = file ? trace->strings[file].data : "<unknown>";
            *answer = pattern_match(pattern->pattern, name) ? 2 : 1;
        }
        if (*answer == 2 && (!pattern->line || pattern->line == line))
            bits |= pattern->exclude ? MATCH_EXCLUDE : MATCH_INCLUDE;
    }
    return bits;
}

/* By node, whether its stack is let through. */
static bool *select_nodes(
    const struct filter *filter, const struct trace *trace, struct arena *arena)
{
    bool *selected = arena_need(arena, trace->n_nodes);
    unsigned char *bits = arena_need(arena, trace->n_nodes);
    unsigned char *known = arena_need(arena, filter->n_patterns * trace->n_strings);
    bool any_include = false;
    for (size_t i = 0; i < filter->n_patterns; i++)
        any_include |= !filter->patterns[i].exclude;
    for (size_t i = 0; i < trace->n_nodes; i++) {
        const struct trace_node *node = &trace->nodes[i];
        uint32_t file = trace->functions[node->function].file;
        bits[i] = (unsigned char)match_frame(filter, trace, known, file, node->line);
        if (filter->all_frames && node->parent)
            bits[i] |= bits[node->parent];
        selected[i] = (!any_include || bits[i] & MATCH_INCLUDE) && !(bits[i] & MATCH_EXCLUDE);
    }
    return selected;
}

bool *filter_sites(const struct filter *filter, const struct trace *trace, struct arena *arena)
{
    bool *selected = arena_need(arena, trace->n_sites);
    const bool *threads = select_threads(filter, trace, arena);
    const bool *nodes = filter->n_patterns ? select_nodes(filter, trace, arena) : NULL;
    for (size_t i = 1; i < trace->n_sites; i++) {
        const struct trace_site *site = &trace->sites[i];
        bool domain =
            filter->domains ? filter->domains >> site->domain & 1 : domain_is_live(site->domain);
        selected[i] = domain && threads[site->thread] && (!nodes || nodes[filter->all_frames ? site->stack : site->node]);
    }
    return selected;
}
