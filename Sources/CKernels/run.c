/* Batches of events: emptied (kernel_take.h fills them). Nothing here reads or writes a row. */
#include "CKernels.h"

#define INLINE static inline __attribute__((always_inline))

typedef uint32_t words __attribute__((vector_size(16), aligned(4), may_alias));

/* What is left is little, as a rule, and seldom meets the place that it goes to: then a loop is sooner done than a call. */
#define DROP(type, column, count, of)                                                     \
    do {                                                                                  \
        const size_t rest = (of) - (count);                                               \
        type *const to = batch->column;                                                   \
        type *const from = to + (count);                                                  \
        if (rest <= (count))                                                              \
            copy((char *restrict)to, (const char *)from, rest * sizeof *to);              \
        else                                                                              \
            __builtin_memmove(to, from, rest * sizeof *to);                               \
    } while (0)

INLINE void copy(char *restrict to, const char *from, size_t bytes) {
    size_t i = 0;
    for (; i + 16 <= bytes; i += 16) *(words *)(to + i) = *(const words *)(from + i);
    for (; i < bytes; i += 4) __builtin_memcpy(to + i, from + i, 4);
}

typedef float *float_row;
typedef fk_row_state *state_row;

void fk_drop(fk_batch *batch, size_t count, size_t items) {
    const size_t events = batch->event_count, all = batch->item_count;
    DROP(uint32_t, users, count, events);
    DROP(uint32_t, counts, count, events);
    DROP(uint64_t, positions, count, events);
    DROP(float_row, queries, count, events);
    DROP(state_row, query_states, count, events);
    DROP(uint32_t, ordinals, items, all);
    DROP(float, labels, items, all);
    DROP(float, weights, items, all);
    DROP(float_row, factors, items, all);
    DROP(state_row, states, items, all);
    batch->event_count -= (uint32_t)count;
    batch->item_count -= (uint32_t)items;
}
