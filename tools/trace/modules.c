/*
 * Names of modules out of names of files.  Runs in views.
 */
#include "trace/modules.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "trace/arena.h"
#include "trace/callers.h"
#include "trace/meta.h"

struct name {
    uint32_t number;
    UT_hash_handle hh;
};

struct modules {
    const struct trace *trace;
    struct arena arena;
    struct module *of_file; /* by string; number 0: not looked up */
    struct name *names;
    uint32_t n_names;
    char **roots; /* directories that modules are found in */
    size_t n_roots;
};

/* ---- where the program's own modules are ---- */

static void add_root(struct modules *modules, const char *directory, const char *below, size_t size)
{
    bool absolute = size && *below == '/';
    size_t prefix = absolute ? 0 : strlen(directory);
    char *root = arena_need(&modules->arena, prefix + size + 3);
    memcpy(root, directory, prefix);
    if (prefix && size)
        root[prefix++] = '/';
    memcpy(root + prefix, below, size);
    for (size = strlen(root); size > 1 && root[size - 1] == '/'; size--)
        root[size - 1] = 0;
    modules->roots = reallocarray(modules->roots, modules->n_roots + 1, sizeof *modules->roots);
    if (!modules->roots)
        abort();
    modules->roots[modules->n_roots++] = root;
}

/* The script's directory is the first place that Python looks in; a directory may be a program. */
static void add_script(
    struct modules *modules, const char *cwd, const struct trace_process *process)
{
    const struct trace_string *command = &modules->trace->strings[process->command];
    const char *end = command->data + command->size, *word = command->data;
    if (!process->python || word >= end)
        return;
    word += strlen(word) + 1;
    while (word < end && *word == '-')
        word += strlen(word) + 1;
    if (word >= end)
        return;
    const char *slash = strrchr(word, '/');
    add_root(modules, cwd, word, slash ? (size_t)(slash - word) : 0);
    add_root(modules, cwd, word, strlen(word));
}

struct modules *modules_new(const struct trace *trace)
{
    struct modules *modules = calloc(1, sizeof *modules);
    struct meta meta;
    if (!modules)
        abort();
    modules->trace = trace;
    modules->of_file = arena_need(&modules->arena, trace->n_strings * sizeof(struct module));
    meta_read(&meta, trace);
    add_root(modules, meta.cwd, "", 0);
    for (size_t p = 1; p < trace->n_processes && p < 64; p++)
        add_script(modules, meta.cwd, &trace->processes[p]);
    return modules;
}

void modules_free(struct modules *modules)
{
    if (!modules)
        return;
    HASH_CLEAR(hh, modules->names);
    arena_free(&modules->arena);
    free(modules->roots);
    free(modules);
}

/* ---- names ---- */

/* What of a name lies below the longest root that it is in, NULL if it is in none. */
static const char *below_root(const struct modules *modules, const char *name)
{
    size_t longest = 0;
    for (size_t i = 0; i < modules->n_roots; i++) {
        size_t size = strlen(modules->roots[i]);
        if (size > longest && strncmp(name, modules->roots[i], size) == 0 && name[size] == '/')
            longest = size;
    }
    return longest ? name + longest + 1 : NULL;
}

static const char *behind_slash(const char *name, size_t size)
{
    while (size && name[size - 1] != '/')
        size--;
    return name + size;
}

/* The part of a file's name that tells its module. */
static const char *significant_part(const struct modules *modules, const char *name)
{
    const char *part = callers_library_part(name);
    if (part != name) {
        size_t first = strcspn(part, "/");
        bool egg = first > 4 && memcmp(part + first - 4, ".egg", 4) == 0 && part[first];
        return egg ? part + first + 1 : part;
    }
    part = below_root(modules, name);
    if (part)
        return strncmp(part, "src/", 4) == 0 ? part + 4 : part;
    const char *base = behind_slash(name, strlen(name));
    if (strcmp(base, "__init__.py") == 0 && base > name + 1)
        return behind_slash(name, (size_t)(base - name) - 1);
    return base;
}

static char *copy(struct modules *modules, const char *text, size_t size)
{
    char *made = arena_need(&modules->arena, size + 1);
    memcpy(made, text, size);
    return made;
}

static bool drop_end(char *text, const char *end)
{
    size_t size = strlen(text), cut = strlen(end);
    bool has = size > cut && strcmp(text + size - cut, end) == 0;
    if (has)
        text[size - cut] = 0;
    return has;
}

/* <frozen importlib._bootstrap> is a module; other names in angle brackets stand for themselves. */
static char *dotted(struct modules *modules, const char *name)
{
    size_t size = strlen(name);
    if (strncmp(name, "<frozen ", 8) == 0 && name[size - 1] == '>')
        return copy(modules, name + 8, size - 9);
    if (*name == '<')
        return copy(modules, name, size);
    const char *part = significant_part(modules, name);
    char *module = copy(modules, part, strlen(part));
    if (!drop_end(module, ".py"))
        drop_end(module, ".pyc");
    drop_end(module, "/__init__");
    for (char *at = module; *at; at++)
        if (*at == '/')
            *at = '.';
    return module;
}

static uint32_t number_of(struct modules *modules, const char *text)
{
    struct name *name;
    HASH_FIND_STR(modules->names, text, name);
    if (!name) {
        name = arena_need(&modules->arena, sizeof *name);
        name->number = ++modules->n_names;
        HASH_ADD_KEYPTR(hh, modules->names, text, strlen(text), name);
    }
    return name->number;
}

const struct module *modules_of_file(struct modules *modules, uint32_t file)
{
    struct module *module = &modules->of_file[file];
    if (!module->module) {
        char *name = dotted(modules, file ? modules->trace->strings[file].data : "<unknown>");
        size_t first = *name == '<' ? strlen(name) : strcspn(name, ".");
        module->module_name = name;
        module->package_name = copy(modules, name, first ? first : strlen(name));
        module->module = number_of(modules, module->module_name);
        module->package = number_of(modules, module->package_name);
    }
    return module;
}

uint32_t modules_of_library(struct modules *modules, const char *name)
{
    return number_of(modules, copy(modules, name, strlen(name)));
}
