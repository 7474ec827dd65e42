/* One record into a batch: its label and importance, and its negatives; included by kernel_body.h for each instruction set. */

typedef uint64_t FK_NAME(four_words) __attribute__((vector_size(32), aligned(8), may_alias));

/* SplitMix64: a word for each state (Steele, Lea and Flood, 2014). */
#define FK_MIX(z)                              \
    (z) += 0x9E3779B97F4A7C15u;                \
    (z) = ((z) ^ ((z) >> 30)) * 0xBF58476D1CE4E5B9u; \
    (z) = ((z) ^ ((z) >> 27)) * 0x94D049BB133111EBu; \
    (z) ^= (z) >> 31

FK_INLINE int FK_NAME(is_hole)(const fk_draws *draws, uint32_t ordinal) {
    return ordinal < draws->reach && (draws->holes[ordinal >> 6] >> (ordinal & 63) & 1);
}

/* Places what four words draw, as far as `left` of them, behind `next`; answers what comes after. */
FK_INLINE uint32_t FK_NAME(place_drawn)(fk_batch *batch, const fk_record *record, const fk_draws *draws,
                                        const FK_NAME(four_words) words, const uint32_t left, const float weight, uint32_t next) {
    const FK_NAME(four_words) drawn = ((words >> 32) * (uint64_t)record->catalogue) >> 32;
    for (uint32_t number = 0; number < left; ++number) {
        uint32_t ordinal = (uint32_t)drawn[number];
        if (ordinal < draws->covered) {
            const fk_column *column = draws->columns + ordinal;
            ordinal = (uint32_t)words[number] < column->threshold ? ordinal : column->other;
        }
        batch->labels[next] = 0;
        batch->weights[next] = weight;
        batch->ordinals[next] = ordinal;
        next += !(ordinal == record->item || FK_NAME(is_hole)(draws, ordinal));
    }
    return next;
}

/* A label within the limits of the source. */
FK_INLINE float FK_NAME(limited)(const fk_source *source, float label) {
    label = label < source->lowest_label ? source->lowest_label : label;
    return label > source->highest_label ? source->highest_label : label;
}

FK_INLINE void FK_NAME(place)(fk_batch *batch, const fk_record *record, const fk_draws *draws, const float label, const float weight) {
    const uint32_t first = batch->item_count, event = batch->event_count;
    uint32_t next = first + 1;
    batch->labels[first] = label;
    batch->weights[first] = weight;
    batch->ordinals[first] = record->item;
    if (draws && label > 0) {
        uint64_t state = draws->seed ^ record->position;
        FK_MIX(state);
        for (uint32_t number = 0; number < draws->negatives; number += 4) {
            FK_NAME(four_words) words = state + (FK_NAME(four_words)){number, number + 1, number + 2, number + 3};
            FK_MIX(words);
            const uint32_t left = draws->negatives - number;
            /* Four as a rule, in a loop without a count. */
            next = left < 4 ? FK_NAME(place_drawn)(batch, record, draws, words, left, weight, next)
                            : FK_NAME(place_drawn)(batch, record, draws, words, 4, weight, next);
        }
    }
    batch->users[event] = record->user;
    batch->counts[event] = next - first;
    batch->positions[event] = record->position;
    batch->event_count = event + 1;
    batch->item_count = next;
}
#undef FK_MIX

static void FK_NAME(take_one)(fk_batch *batch, const fk_source *source, const fk_record *record, float label, float weight) {
    FK_NAME(place)(batch, record, &source->draws, FK_NAME(limited)(source, label), weight);
}

/* Records one by one. */
FK_INLINE size_t FK_NAME(take_any)(fk_batch *batch, const fk_source *source, size_t first, size_t count, const fk_draws *draws) {
    /* In registers while the loop runs. */
    fk_batch local = *batch;
    const fk_record *const records = source->records;
    const fk_rule *const rules = source->rules;
    const size_t mask = source->mask;
    size_t done = 0;
    while (done < count) {
        const fk_record *record = records + ((first + done) & mask);
        const uint32_t nature = record->nature;
        /* An interaction without context features. */
        if (nature >> fk_kind_shift != fk_kind_interaction) break;
        ++done;
        const fk_rule *rule = rules + (nature & fk_type_mask);
        const float weight = rule->weight * record->weight;
        if (!(weight > 0)) continue;
        const int own = rule->label_from == fk_label_value || (rule->label_from == fk_label_value_or_constant && (nature & fk_value_bit));
        FK_NAME(place)(&local, record, draws, FK_NAME(limited)(source, own ? record->value : rule->label), weight);
        if (local.event_count + local.item_count >= local.limit) break;
    }
    *batch = local;
    return done;
}
