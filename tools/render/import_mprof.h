/*
 * A .dat file of mprof as a trace: its samples are RSS, its functions regions.
 */
#ifndef RENDER_IMPORT_MPROF_H
#define RENDER_IMPORT_MPROF_H

#include <stdint.h>
#include <stdio.h>

#include "trace/writer.h"

enum import_error {
    IMPORT_OK = 0,
    IMPORT_FOREIGN = -1, /* a line of MEM, CHLD or FUNC without its numbers, `line` */
    IMPORT_EMPTY = -2    /* no sample */
};

struct import {
    unsigned line; /* where it went wrong */
    size_t samples, functions, children;
};

/* Reads all of `file` and writes the chunks of a trace. */
enum import_error import_mprof(struct import *import, FILE *file, struct writer *writer);

#endif
