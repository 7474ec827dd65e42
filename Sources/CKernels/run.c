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

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint64_t longs __attribute__((vector_size(16), aligned(8), may_alias));

/* The first column of four rows of four. */
#define FIRST(a, b, c, d)                                                                            \
    __builtin_shufflevector(__builtin_shufflevector(a, b, 0, 4, -1, -1), __builtin_shufflevector(c, d, 0, 4, -1, -1), 0, 1, 4, 5)

/* Without negatives: records of one nature go four at a time. */
static size_t take_single(fk_batch *batch, const fk_source *source, size_t first, size_t count) {
    const fk_record *const records = source->records;
    const size_t mask = source->mask;
    size_t done = 0;
    while (done < count) {
        /* The nature of the next record is that of those to follow, as a rule. */
        const fk_record *record = records + ((first + done) & mask);
        const uint32_t nature = record->nature;
        const fk_rule *const rule = source->rules + (nature & fk_type_mask);
        const int own = rule->label_from == fk_label_value || (rule->label_from == fk_label_value_or_constant && (nature & fk_value_bit));
        const uint32_t placed = batch->event_count, items = batch->item_count;
        const size_t room = placed + items < batch->limit ? (batch->limit - placed - items + 1) / 2 : 1;
        const size_t left = count - done, together = mask + 1 - ((first + done) & mask);
        size_t most = left < room ? left : room, index = 0;
        most = most < together ? most : together;
        if (is_plain(nature)) {
            const four label = {rule->label, rule->label, rule->label, rule->label};
            for (; index + 4 <= most; index += 4, record += 4) {
                if ((record[0].nature ^ nature) | (record[1].nature ^ nature) | (record[2].nature ^ nature) | (record[3].nature ^ nature))
                    break;
#define ROW(type, field, number) (*(const type *)&record[number].field)
                const words a = ROW(words, user, 0), b = ROW(words, user, 1), c = ROW(words, user, 2), d = ROW(words, user, 3);
                const four weight = FIRST(ROW(four, weight, 0), ROW(four, weight, 1), ROW(four, weight, 2), ROW(four, weight, 3)) *
                                    rule->weight;
                const words none = (words) ~(weight > 0);
                if (none[0] | none[1] | none[2] | none[3]) break;
                const words ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
                const words last_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7), last_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
                *(words *)(batch->users + placed + index) = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
                *(words *)(batch->ordinals + items + index) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
                *(four *)(batch->labels + items + index) = own ? (four)__builtin_shufflevector(last_ab, last_cd, 2, 3, 6, 7) : label;
                *(four *)(batch->weights + items + index) = weight;
                *(words *)(batch->counts + placed + index) = (words){1, 1, 1, 1};
                *(longs *)(batch->positions + placed + index) = (longs){record[0].position, record[1].position};
                *(longs *)(batch->positions + placed + index + 2) = (longs){record[2].position, record[3].position};
#undef ROW
            }
        }
        batch->event_count += (uint32_t)index;
        batch->item_count += (uint32_t)index;
        done += index;
        if (index > 0 && batch->event_count + batch->item_count >= batch->limit) break;
        if (index > 0) continue;
        const uint32_t before = batch->event_count;
        const size_t taken = take(batch, source, first + done, 1, NULL);
        done += taken;
        if (taken == 0 || (batch->event_count > before && batch->event_count + batch->item_count >= batch->limit)) break;
    }
    return done;
}

size_t fk_take(fk_batch *batch, const fk_source *source, size_t first, size_t count) {
    if (source->draws.negatives == 0) return take_single(batch, source, first, count);
    const fk_draws draws = source->draws;
    return take(batch, source, first, count, &draws);
}

void fk_take_one(fk_batch *batch, const fk_source *source, const fk_record *record, float label, float weight) {
    add(batch, record, &source->draws, label, weight);
}

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
