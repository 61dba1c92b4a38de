/*
 * What a fuzzer is made of: one function that takes any bytes.  libFuzzer calls
 * it (run.sh), or driver.c where there is none.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
