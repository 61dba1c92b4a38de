/*
 * What a trace defines: strings, functions, nodes, processes, threads, sites,
 * each once, with its id.  New ones wait in their arrays until they are flushed,
 * definitions before uses.  Used by the collector.
 *
 * A definition is made by the step of its count alone, when all of it is in its
 * place: a collector that is killed in between leaves arrays that are whole.
 * Sites are by far the most of what a short process leaves behind: theirs are
 * forgotten, once they are written, and their places used again.
 */
#ifndef COLLECT_DEFINITIONS_H
#define COLLECT_DEFINITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/index.h"
#include "memtrace/format.h"
#include "trace/writer.h"

struct string_record {
    char *bytes;
    uint32_t size;
};
struct function_record {
    uint32_t file, name, first_line;
};
struct node_record {
    uint32_t parent, function, line;
};
struct module_record {
    uint32_t path, build_id;
    bool maps; /* it called mmap */
};
struct native_record {
    uint32_t parent, module;
    uint64_t address;
    uint32_t anchor;  /* 1 + a node: no frame, Python frames come between (MT_CHUNK_ANCHORS) */
    uint32_t process; /* whose code it is, where it is in no module; else 0 */
};
struct site_record {
    uint32_t process, thread, domain, node, native;
    uint32_t cell; /* the cell of blocks that are born now, 0 if there is none yet */
    uint32_t id;   /* the trace's; 0: this place is free */
};

struct process_record {
    int pid;
    uint32_t parent;
    uint64_t start_us;
    int origin; /* enum mt_origin */
    uint32_t path, command, python;
    int traced; /* enum mt_python */
    bool is_over; /* no event of it will come */
};
struct thread_record {
    uint32_t process, tid, name, renames;
    uint64_t start_us;
};
struct thread_name_record {
    uint32_t thread, name;
};
struct python_record {
    uint32_t process, python;
    int traced; /* enum mt_python */
};

/* The chunk that is being written: whether it was is known by the writer's sequence. */
struct flush {
    uint64_t sequence;
    uint32_t kind, count;
};

struct definitions {
    struct string_record *strings; /* [0] is the empty one, in each of these */
    struct function_record *functions;
    struct node_record *nodes;
    struct module_record *modules;
    struct native_record *natives;
    struct site_record *sites;
    struct process_record *processes;
    struct thread_record *threads;
    struct thread_name_record *thread_names;
    struct python_record *pythons;
    uint32_t n_thread_names, n_pythons;
    size_t thread_names_capacity, pythons_capacity;
    uint32_t n_strings, n_functions, n_nodes, n_modules, n_natives, n_sites, n_processes, n_threads;
    size_t strings_capacity, functions_capacity, nodes_capacity, modules_capacity, natives_capacity, sites_capacity, processes_capacity,
        threads_capacity;
    struct index string_index, function_index, node_index, module_index, native_index, site_index;
    uint32_t written[MT_CHUNK_KINDS]; /* of each kind, by enum mt_chunk */
    /* Sites come and go with their processes: n_sites is of places, and this is the next id. */
    uint32_t next_site;
    uint32_t *new_sites; /* places of those that are not written, by id from written on */
    uint32_t *free_sites;
    size_t n_free_sites, new_sites_capacity, free_sites_capacity;
    bool has_files; /* a site of MT_DOMAIN_FILE is not in a chunk FILES yet */
    struct flush flush;
};

void definitions_init(struct definitions *definitions);
uint32_t definitions_string(struct definitions *definitions, const void *bytes, uint32_t size);
uint32_t definitions_function(
    struct definitions *definitions, const struct function_record *function);
uint32_t definitions_node(struct definitions *definitions, const struct node_record *node);
uint32_t definitions_module(struct definitions *definitions, const struct module_record *module);
uint32_t definitions_native(struct definitions *definitions, const struct native_record *native);
/* Returns its place in sites.  When its process is over and no cell of it is left, another site may
   take that place. */
uint32_t definitions_site(struct definitions *definitions, const struct site_record *site);
uint32_t definitions_process(struct definitions *definitions, const struct process_record *process);
uint32_t definitions_thread(
    struct definitions *definitions, uint32_t process, int tid, uint32_t name, uint64_t start_us);
/* Another name for a thread, another Python in a process than what they were defined with. */
void definitions_name_thread(struct definitions *definitions, uint32_t thread, uint32_t name);
void definitions_python(
    struct definitions *definitions, uint32_t process, uint32_t python, int traced);
/* Writes what is new. */
void definitions_flush(struct definitions *definitions, struct writer *writer);
/* After the death of the collector that made them: what it was in the middle of is undone. */
void definitions_reopen(struct definitions *definitions, const struct writer *writer);
void definitions_free(struct definitions *definitions);

#endif
