/* Records of a trainer's queue, into the columns of a batch; included by kernel_body.h for each instruction set. */

typedef uint32_t FK_NAME(eight_numbers) __attribute__((vector_size(32), aligned(4), may_alias));
typedef float FK_NAME(eight_floats) __attribute__((vector_size(32), aligned(4), may_alias));
/* Two records. */
typedef uint32_t FK_NAME(two_records) __attribute__((vector_size(64), aligned(4), may_alias));

/* Places those of `count` records, one behind the other, that are like the first, an interaction without negatives, eight at a
 * time; answers how many. */
FK_INLINE size_t FK_NAME(take_alike)(fk_batch *batch, const fk_source *source, const fk_record *record, size_t count) {
    typedef FK_NAME(eight_numbers) numbers;
    typedef FK_NAME(eight_floats) floats;
    typedef FK_NAME(two_records) records;
    _Static_assert(sizeof(fk_record) == 32 && offsetof(fk_record, user) == 8 && offsetof(fk_record, item) == 12 &&
                       offsetof(fk_record, value) == 20 && offsetof(fk_record, weight) == 24 && offsetof(fk_record, nature) == 28,
                   "the columns are words of a record");
    const uint32_t nature = record->nature;
    if (nature >> fk_kind_shift != fk_kind_interaction) return 0;
    const fk_rule *const rule = source->rules + (nature & fk_type_mask);
    const int own = rule->label_from == fk_label_value || (rule->label_from == fk_label_value_or_constant && (nature & fk_value_bit));
    const floats label = (floats){} + FK_NAME(limited)(source, rule->label);
    const floats lowest = (floats){} + source->lowest_label, highest = (floats){} + source->highest_label;
    uint32_t *const users = batch->users + batch->event_count, *const counts = batch->counts + batch->event_count;
    uint64_t *const positions = batch->positions + batch->event_count;
    uint32_t *const ordinals = batch->ordinals + batch->item_count;
    float *const labels = batch->labels + batch->item_count, *const weights = batch->weights + batch->item_count;
    size_t i = 0;
    for (; i + 8 <= count; i += 8, record += 8) {
        const records *const from = (const records *)record;
        const records a = from[0], b = from[1], c = from[2], d = from[3];
/* Users, items, weights and natures of four records; their positions, in two words each, and values. */
#define FK_NAMES(x, y) __builtin_shufflevector(x, y, 2, 10, 18, 26, 3, 11, 19, 27, 6, 14, 22, 30, 7, 15, 23, 31)
#define FK_OTHERS(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 16, 17, 24, 25, 5, 13, 21, 29, -1, -1, -1, -1)
/* A column of eight. */
#define FK_COLUMN(x, y, of) __builtin_shufflevector(x, y, of, of + 1, of + 2, of + 3, of + 16, of + 17, of + 18, of + 19)
        const records names = FK_NAMES(a, b), more_names = FK_NAMES(c, d);
        const floats weight = (floats)FK_COLUMN(names, more_names, 8) * rule->weight;
        if (__builtin_reduce_or((FK_COLUMN(names, more_names, 12) ^ nature) | (numbers) ~(weight > 0))) break;
        const records others = FK_OTHERS(a, b), more_others = FK_OTHERS(c, d);
        *(numbers *)(users + i) = FK_COLUMN(names, more_names, 0);
        *(numbers *)(ordinals + i) = FK_COLUMN(names, more_names, 4);
        const floats value = (floats)FK_COLUMN(others, more_others, 8);
        *(floats *)(labels + i) = own ? __builtin_elementwise_min(__builtin_elementwise_max(value, lowest), highest) : label;
        *(floats *)(weights + i) = weight;
        *(numbers *)(counts + i) = (numbers){} + 1;
        *(records *)(positions + i) =
            __builtin_shufflevector(others, more_others, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
#undef FK_COLUMN
#undef FK_OTHERS
#undef FK_NAMES
    }
    batch->event_count += (uint32_t)i;
    batch->item_count += (uint32_t)i;
    return i;
}

static size_t FK_NAME(take)(fk_batch *batch, const fk_source *source, size_t first, size_t count) {
    if (source->draws.negatives > 0) {
        const fk_draws draws = source->draws;
        return FK_NAME(take_any)(batch, source, first, count, &draws);
    }
    size_t done = 0;
    while (done < count) {
        const uint32_t placed = batch->event_count + batch->item_count;
        const size_t room = placed < batch->limit ? (batch->limit - placed + 1) / 2 : 1, left = count - done;
        /* Up to the ring's end. */
        const size_t together = source->mask + 1 - ((first + done) & source->mask);
        size_t most = left < room ? left : room;
        most = most < together ? most : together;
        size_t some = most < 8 ? 0 : FK_NAME(take_alike)(batch, source, source->records + ((first + done) & source->mask), most);
        if (some == 0) {
            /* Few, or one of them is another's kind. */
            most = most < 8 ? most : 8;
            some = FK_NAME(take_any)(batch, source, first + done, most, NULL);
            if (some < most) return done + some;
        }
        done += some;
        if (batch->event_count + batch->item_count >= batch->limit) break;
    }
    return done;
}
