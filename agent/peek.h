/*
 * Reads and writes of the interpreter's memory at a computed address.  In the
 * host; the caller knows that the address is valid.
 */
#ifndef AGENT_PEEK_H
#define AGENT_PEEK_H

#include <stdint.h>

static inline uint64_t peek64(uintptr_t address)
{
    return *(const volatile uint64_t *)address;
}

static inline uint32_t peek32(uintptr_t address)
{
    return *(const volatile uint32_t *)address;
}

static inline uint8_t peek8(uintptr_t address)
{
    return *(const volatile uint8_t *)address;
}

static inline void poke64(uintptr_t address, uint64_t value)
{
    *(volatile uint64_t *)address = value;
}

static inline void poke32(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline void poke8(uintptr_t address, uint8_t value)
{
    *(volatile uint8_t *)address = value;
}

#endif
