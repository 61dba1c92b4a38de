/*
 * The hooks in the interpreter's allocators for a session that samples.
 */
#ifndef AGENT_SAMPLED_PYTHON_H
#define AGENT_SAMPLED_PYTHON_H

#include "layers.h"

/* The hook (without its context) that a domain has, or is to have, in the pile under `top`. */
const struct allocator *sampled_python_hook(int domain, const struct allocator *top);

#endif
