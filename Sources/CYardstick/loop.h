/* What the plain loops share. */
#ifndef YARD_LOOP_H
#define YARD_LOOP_H
#include "CYardstick.h"

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t mix(uint64_t z) {
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

INLINE float clamp(float x, float cap) { return x > cap ? cap : x < -cap ? -cap : x; }

INLINE void fetch(const float *row, const yard_state *state, size_t k) {
    for (size_t f = 0; f < k; f += 16) __builtin_prefetch(row + f, 1, 3);
    __builtin_prefetch(state, 1, 3);
}

/* The item of an event's negative. */
INLINE uint32_t draw(const yard_model *m, size_t event, int number) {
    return (uint32_t)(((mix(m->seed ^ (event * 64 + (size_t)number)) >> 32) * m->item_count) >> 32);
}

#endif
