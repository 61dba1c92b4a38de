/*
 * Tells the user's own files from the interpreter's and from installed packages,
 * by name alone: the trace may have come from another machine.
 */
#include "trace/callers.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "trace/pattern.h"

enum class { CLASS_UNKNOWN = 0, CLASS_MINE, CLASS_LIBRARY, CLASS_PROGRAM_TEXT };

/* Behind "python3.N/", "python3.Nt/" or "python3N.zip/", NULL if that is not at `at`. */
static const char *behind_version(const char *at)
{
    if (strncmp(at, "python3", 7) != 0)
        return NULL;
    at += 7;
    at += *at == '.';
    if (!isdigit((unsigned char)*at))
        return NULL;
    while (isdigit((unsigned char)*at))
        at++;
    while (islower((unsigned char)*at))
        at++;
    if (strncmp(at, ".zip", 4) == 0)
        at += 4;
    return *at == '/' ? at + 1 : NULL;
}

/* Behind the last directory of the given name, NULL if there is none. */
static const char *behind_directory(const char *name, const char *directory)
{
    const char *found = NULL;
    for (const char *at = name; (at = strstr(at, directory)); at++)
        found = at + strlen(directory);
    return found;
}

static const char *behind_library(const char *name)
{
    for (const char *at = name; (at = strstr(at, "/lib")); at++) {
        const char *directory = at + 4;
        if (strncmp(directory, "64", 2) == 0)
            directory += 2;
        const char *found = *directory == '/' ? behind_version(directory + 1) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

const char *callers_library_part(const char *name)
{
    const char *found = behind_directory(name, "/site-packages/");
    if (!found)
        found = behind_directory(name, "/dist-packages/");
    if (!found)
        found = behind_library(name);
    return found ? found : name;
}

static enum class classify(const char *name, char **mine, size_t n_mine) {
    for (size_t i = 0; i < n_mine; i++) if (pattern_match(mine[i], name)) return CLASS_MINE;
    if (n_mine) return CLASS_LIBRARY;
    if (strcmp(name, "<string>") == 0 || strcmp(name, "<stdin>") == 0) return CLASS_PROGRAM_TEXT;
    size_t size = strlen(name);
    if (size == 0 || (name[0] == '<' && name[size - 1] == '>')) return CLASS_LIBRARY;
    return callers_library_part(name) == name ? CLASS_MINE : CLASS_LIBRARY;
}

uint32_t *callers_find(const struct trace *trace, char **mine, size_t n_mine, struct arena *arena)
{
    unsigned char *classes = arena_need(arena, trace->n_strings);
    uint32_t *callers = arena_need(arena, trace->n_nodes * sizeof *callers);
    uint32_t *outermost = arena_need(arena, trace->n_nodes * sizeof *outermost); /* file */
    for (uint32_t i = 1; i < trace->n_nodes; i++) {
        const struct trace_node *node = &trace->nodes[i];
        uint32_t file = trace->functions[node->function].file;
        outermost[i] = node->parent ? outermost[node->parent] : file;
        if (classes[file] == CLASS_UNKNOWN)
            classes[file] = (unsigned char)classify(trace->strings[file].data, mine, n_mine);
        bool yours = !node->native && (classes[file] == CLASS_MINE ||
                     (classes[file] == CLASS_PROGRAM_TEXT && outermost[i] == file));
        callers[i] = yours ? i : callers[node->parent];
    }
    return callers;
}
