#include "CYardstick.h"
#include <stdlib.h>
#include <string.h>

void *yard_allocate(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

void yard_free(void *memory) { free(memory); }

uint64_t yard_read(const void *memory, size_t bytes) {
    const uint64_t *words = memory;
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes / 8; ++i) sum += words[i];
    return sum;
}

void yard_copy(void *to, const void *from, size_t bytes) { memcpy(to, from, bytes); }

void yard_update(float *memory, size_t count, float factor) {
    for (size_t i = 0; i < count; ++i) memory[i] *= factor;
}

static inline __attribute__((always_inline)) void scan(const float *query, const float *rows, const yard_state *states,
                                                       size_t count, const size_t k, uint32_t *best, size_t n) {
    float top[64];
    size_t held = 0;
    for (size_t i = 0; i < count; ++i) {
        float s = states[i].weight;
        for (size_t f = 0; f < k; ++f) s += query[f] * rows[i * k + f];
        if (held == n && s <= top[n - 1]) continue;
        size_t at = held < n ? held++ : n - 1;
        for (; at > 0 && top[at - 1] < s; --at) {
            top[at] = top[at - 1];
            best[at] = best[at - 1];
        }
        top[at] = s;
        best[at] = (uint32_t)i;
    }
}

void yard_scan(const float *query, const float *rows, const yard_state *states, size_t count, size_t rank, uint32_t *best,
               size_t n) {
    if (n > 64) n = 64;
    switch (rank) {
    case 32: scan(query, rows, states, count, 32, best, n); return;
    case 64: scan(query, rows, states, count, 64, best, n); return;
    default: scan(query, rows, states, count, rank, best, n);
    }
}
