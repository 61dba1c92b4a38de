/*
 * Modules and packages by the names of their files alone: numpy.core.numeric of
 * .../site-packages/numpy/core/numeric.py, shop.app of a program's own
 * shop/app.py below the directory that it was started in or its script is in.
 */
#ifndef TRACE_MODULES_H
#define TRACE_MODULES_H

#include <stdint.h>

#include "trace/model.h"

struct module {
    uint32_t module, package; /* numbers of the names, from 1: the same for the same name */
    const char *module_name, *package_name;
};

struct modules;

struct modules *modules_new(const struct trace *trace);
/* The number of a library's name among the modules'. */
uint32_t modules_of_library(struct modules *modules, const char *name);
void modules_free(struct modules *modules);
/* Of a file's string; it lives as long as `modules`. */
const struct module *modules_of_file(struct modules *modules, uint32_t file);

#endif
