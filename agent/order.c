/*
 * The counters that order events (order.h).  In the host.
 */
#include "order.h"

#include "elfsym.h"

const char order_never_single = 0;
struct order_counter order_counters[MT_COUNTERS];

void order_restart(void)
{
    const char *single = elfsym_find("__libc_single_threaded"); /* from glibc 2.32 on */
    atomic_store(&session.single, single ? single : &order_never_single);
    for (uint32_t i = 0; i < MT_COUNTERS; i++) {
        atomic_store_explicit(&order_counters[i].next, 0, memory_order_relaxed);
    }
}
