/*
 * Writing of histograms (sizes.h).  In the collector.
 */
#include "collect/sizes.h"

static uint64_t buckets_used(const struct sizes *sizes, int domain)
{
    uint64_t n = SIZES_BUCKETS;
    while (n && !sizes->counts[n - 1][domain]) {
        n--;
    }
    return n;
}

void sizes_put(struct buffer *body, const struct sizes *sizes)
{
    buffer_varint(body, SIZES_DOMAINS);
    for (int domain = 0; domain < SIZES_DOMAINS; domain++) {
        uint64_t n = buckets_used(sizes, domain);
        buffer_varint(body, sizes->temporary[domain]);
        buffer_varint(body, n);
        for (uint64_t i = 0; i < n; i++) {
            buffer_varint(body, sizes->counts[i][domain]);
        }
    }
}
