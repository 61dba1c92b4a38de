/*
 * The module `memtrace` in the traced program (module/memtrace.py.in).
 */
#ifndef AGENT_MODULE_H
#define AGENT_MODULE_H

/* Arranges that every interpreter of the process offers it, without a trace in one that does not
   ask for it.  In the constructor, before the interpreter is initialized. */
void module_offer(void);

#endif
