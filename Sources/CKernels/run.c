/* Batches of events: filled and emptied. Nothing here reads or writes a row. */
#include "CKernels.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Whether a record is an interaction without context features. */
INLINE int is_plain(uint32_t nature) { return nature >> fk_kind_shift == fk_kind_interaction; }

INLINE uint64_t mix(uint64_t value) {
    uint64_t z = value + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

INLINE uint32_t draw(const fk_draws *draws, uint64_t bits, uint64_t catalogue) {
    const uint64_t drawn = ((bits >> 32) * catalogue) >> 32;
    if (drawn >= draws->covered) return (uint32_t)drawn;
    const fk_column *column = draws->columns + drawn;
    return (uint32_t)bits < column->threshold ? (uint32_t)drawn : column->other;
}

INLINE int is_hole(const fk_draws *draws, uint32_t ordinal) {
    return ordinal < draws->reach && (draws->holes[ordinal >> 6] >> (ordinal & 63) & 1);
}

INLINE void add(fk_batch *batch, const fk_record *record, const fk_draws *draws, const float label, const float weight) {
    const uint32_t first = batch->item_count, event = batch->event_count;
    uint32_t next = first + 1;
    batch->labels[first] = label;
    batch->weights[first] = weight;
    batch->ordinals[first] = record->item;
    if (draws && label > 0) {
        const uint64_t word = mix(draws->seed ^ record->position);
        for (uint32_t number = 0; number < draws->negatives; ++number) {
            const uint32_t drawn = draw(draws, mix(word + number), record->catalogue);
            if (drawn == record->item || is_hole(draws, drawn)) continue;
            batch->labels[next] = 0;
            batch->weights[next] = weight;
            batch->ordinals[next++] = drawn;
        }
    }
    batch->users[event] = record->user;
    batch->counts[event] = next - first;
    batch->positions[event] = record->position;
    batch->event_count = event + 1;
    batch->item_count = next;
}

INLINE size_t take(fk_batch *batch, const fk_source *source, size_t first, size_t count, const fk_draws *draws) {
    /* In registers while the loop runs. */
    fk_batch local = *batch;
    const fk_record *const records = source->records;
    const fk_rule *const rules = source->rules;
    const size_t mask = source->mask;
    size_t done = 0;
    while (done < count) {
        const fk_record *record = records + ((first + done) & mask);
        const uint32_t nature = record->nature;
        if (!is_plain(nature)) break;
        ++done;
        const fk_rule *rule = rules + (nature & fk_type_mask);
        const float weight = rule->weight * record->weight;
        if (!(weight > 0)) continue;
        const int own = rule->label_from == fk_label_value || (rule->label_from == fk_label_value_or_constant && (nature & fk_value_bit));
        add(&local, record, draws, own ? record->value : rule->label, weight);
        if (local.event_count + local.item_count >= local.limit) break;
    }
    *batch = local;
    return done;
}

size_t fk_take(fk_batch *batch, const fk_source *source, size_t first, size_t count) {
    const fk_draws draws = source->draws;
    return take(batch, source, first, count, draws.negatives ? &draws : NULL);
}

void fk_take_one(fk_batch *batch, const fk_source *source, const fk_record *record, float label, float weight) {
    add(batch, record, &source->draws, label, weight);
}

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
            memmove(to, from, rest * sizeof *to);                                         \
    } while (0)

INLINE void copy(char *restrict to, const char *from, size_t bytes) {
    size_t i = 0;
    for (; i + 16 <= bytes; i += 16) *(words *)(to + i) = *(const words *)(from + i);
    for (; i < bytes; i += 4) memcpy(to + i, from + i, 4);
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
