/*
 * The counters that order events (order.h).  In the host.
 */
#include "order.h"

struct order_counter order_counters[MT_COUNTERS];

void order_restart(void)
{
    for (uint32_t i = 0; i < MT_COUNTERS; i++) {
        atomic_store_explicit(&order_counters[i].next, 0, memory_order_relaxed);
    }
}
