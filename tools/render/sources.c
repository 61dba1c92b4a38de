/*
 * Looks for source lines (sources.h).  Runs in reports.  A trace names any file
 * that it likes: without a word from the user only *.py is opened.
 */
#include "render/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <uthash.h>

#include "trace/source.h"
#include "trace/view.h"

enum { FILES_OPENED = 256 }; /* in one report: what is shown of more is not compared */

struct opened {
    uint32_t file; /* string */
    struct source *source;
    bool is_newer; /* changed after the trace ended */
    UT_hash_handle hh;
};

struct sources {
    const struct trace *trace;
    const struct source_map *maps;
    size_t n_maps, n_opened;
    struct opened *opened;
};

struct sources *sources_new(const struct trace *trace, const struct source_map *maps, size_t n_maps)
{
    struct sources *sources = calloc(1, sizeof *sources);
    if (!sources)
        abort();
    *sources = (struct sources){.trace = trace, .maps = maps, .n_maps = n_maps};
    return sources;
}

void sources_free(struct sources *sources)
{
    struct opened *opened, *next;
    if (!sources)
        return;
    HASH_ITER(hh, sources->opened, opened, next)
    {
        HASH_DEL(sources->opened, opened);
        source_close(opened->source);
        free(opened);
    }
    free(sources);
}

/* Where a file is here; the caller frees it.  NULL if it is not to be looked for. */
static char *local_path(const struct sources *sources, const char *name)
{
    char *path = NULL;
    for (size_t i = 0; i < sources->n_maps; i++) {
        const struct source_map *map = &sources->maps[i];
        size_t size = strlen(map->from);
        if (strncmp(name, map->from, size) != 0)
            continue;
        const char *rest = name + size;
        bool joined = !size || map->from[size - 1] == '/' || *rest == '/';
        if (!joined || !*rest)
            continue;
        rest += strspn(rest, "/");
        return asprintf(&path, "%s/%s", *map->to ? map->to : ".", rest) < 0 ? NULL : path;
    }
    size_t size = strlen(name);
    bool python = *name == '/' && size > 3 && strcmp(name + size - 3, ".py") == 0;
    return python ? strdup(name) : NULL;
}

static bool is_newer(const struct trace *trace, const char *path)
{
    struct stat file, written;
    return stat(path, &file) == 0 && stat(trace->path, &written) == 0 &&
           file.st_mtim.tv_sec > written.st_mtim.tv_sec;
}

static struct opened *open_file(struct sources *sources, uint32_t file)
{
    struct opened *opened;
    HASH_FIND(hh, sources->opened, &file, sizeof file, opened);
    if (opened || sources->n_opened == FILES_OPENED)
        return opened;
    char *path = local_path(sources, sources->trace->strings[file].data);
    opened = calloc(1, sizeof *opened);
    if (!opened)
        abort();
    *opened = (struct opened){.file = file, .source = path ? source_open(path) : NULL};
    opened->is_newer = opened->source && is_newer(sources->trace, path);
    free(path);
    sources->n_opened++;
    HASH_ADD(hh, sources->opened, file, sizeof opened->file, opened);
    return opened;
}

/* Traces of older versions have lines with the blanks around them. */
static void trim(struct source_text *found)
{
    size_t before = strspn(found->text, " \t\f");
    found->text += before;
    found->size -= before;
    while (found->size && strchr(" \t\r\n\f", found->text[found->size - 1]))
        found->size--;
}

struct source_text sources_of_node(struct sources *sources, uint32_t node)
{
    const struct trace *trace = sources->trace;
    const struct trace_node *at = &trace->nodes[node];
    uint32_t file = trace->functions[at->function].file;
    struct source_text found = {.text = view_source(trace, file, at->line)};
    size_t size = 0;
    if (!file || !at->line)
        return found;
    struct opened *opened = open_file(sources, file);
    const char *here =
        opened && opened->source ? source_line(opened->source, at->line, &size) : NULL;
    if (found.text) {
        found.size = strlen(found.text);
        trim(&found);
        if (here && (size != found.size || memcmp(here, found.text, size) != 0))
            found.note = "source differs";
    } else if (here && size) {
        found.text = here;
        found.size = size;
        found.note = opened->is_newer ? "source is newer than the trace" : NULL;
    }
    return found;
}

struct source *sources_file(struct sources *sources, const char *name)
{
    for (uint32_t file = 1; file < sources->trace->n_strings; file++) {
        if (strcmp(sources->trace->strings[file].data, name) != 0)
            continue;
        struct opened *opened = open_file(sources, file);
        return opened ? opened->source : NULL;
    }
    return NULL;
}
