/* The sums that prove which interactions were applied (Witness.swift); included by kernel_body.h for each instruction set. */

typedef uint64_t FK_NAME(two_words) __attribute__((vector_size(16), aligned(8), may_alias));
typedef uint64_t FK_NAME(eight_words) __attribute__((vector_size(64), aligned(8), may_alias));
typedef uint32_t FK_NAME(ordinals) __attribute__((vector_size(64), aligned(4), may_alias));

/* SplitMix64's finalizer. */
#define FK_FINALIZED(z)                             \
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;      \
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;      \
    z ^= z >> 31

/* Only the trainer adds, so no read-modify-write is needed. */
FK_INLINE void FK_NAME(add_to_sum)(uint64_t *sum, uint64_t value) {
    __atomic_store_n(sum, __atomic_load_n(sum, __ATOMIC_RELAXED) + value, __ATOMIC_RELAXED);
}

/* The block of an ordinal, or of each of many. */
#define FK_BLOCK(ordinal) \
    (((ordinal) >> (fk_shard_bits + fk_block_bits) << fk_shard_bits) | ((ordinal) & ((1u << fk_shard_bits) - 1)))

/* Whether a record is an interaction, or all of several: an interaction's kind has no bit. */
FK_INLINE int FK_NAME(is_interaction)(uint32_t natures) {
    _Static_assert(fk_kind_interaction == 0, "no bit in any of several says that all are interactions");
    return (natures >> fk_kind_shift & fk_kind_mask) == 0;
}

FK_INLINE void FK_NAME(witness_one)(uint64_t *users, uint64_t *items, const fk_record *record) {
    if (!FK_NAME(is_interaction)(record->nature)) return;
    const uint64_t place = record->position * 0x9E3779B97F4A7C15u;
    uint64_t user = place + record->user, item = place + record->item;
    FK_FINALIZED(user);
    FK_FINALIZED(item);
    FK_NAME(add_to_sum)(users + FK_BLOCK(record->user), user);
    FK_NAME(add_to_sum)(items + FK_BLOCK(record->item), item);
}

/* Records whose words are made before any is added: a word waits for three products, and those of many wait together. */
enum { fk_witnessed = 64 };

/* The words of eight interactions that lie one after the other, and their blocks: users at even places, items at odd ones. */
FK_INLINE void FK_NAME(witness_eight)(const fk_record *record, uint64_t *user_words, uint64_t *item_words, uint32_t *blocks) {
    /* Position and ordinals of a record lie side by side. */
    _Static_assert(offsetof(fk_record, user) == 8 && offsetof(fk_record, item) == 12, "position, user and item are two words");
#define FK_PAIR(i) (*(const FK_NAME(two_words) *)(record + (i)))
#define FK_TWO(i) __builtin_shufflevector(FK_PAIR(i), FK_PAIR((i) + 1), 0, 1, 2, 3)
#define FK_FOUR_OF(i) __builtin_shufflevector(FK_TWO(i), FK_TWO((i) + 2), 0, 1, 2, 3, 4, 5, 6, 7)
    const FK_NAME(eight_words) low = FK_FOUR_OF(0), high = FK_FOUR_OF(4);
#undef FK_FOUR_OF
#undef FK_TWO
#undef FK_PAIR
    const FK_NAME(eight_words) places = __builtin_shufflevector(low, high, 0, 8, 2, 10, 4, 12, 6, 14) * 0x9E3779B97F4A7C15u;
    const FK_NAME(eight_words) pairs = __builtin_shufflevector(low, high, 1, 9, 3, 11, 5, 13, 7, 15);
    FK_NAME(eight_words) user = places + (pairs & 0xFFFFFFFFu), item = places + (pairs >> 32);
    FK_FINALIZED(user);
    FK_FINALIZED(item);
    *(FK_NAME(eight_words) *)user_words = user;
    *(FK_NAME(eight_words) *)item_words = item;
    *(FK_NAME(ordinals) *)blocks = FK_BLOCK((FK_NAME(ordinals))pairs);
}

/* How many of `count` records at most, a multiple of eight, begin with interactions alone. */
FK_INLINE size_t FK_NAME(interactions)(const fk_record *record, size_t count) {
    size_t some = 0;
    for (; some + 8 <= count; some += 8) {
        uint32_t natures = 0;
        for (size_t i = 0; i < 8; ++i) natures |= record[some + i].nature;
        if (!FK_NAME(is_interaction)(natures)) break;
    }
    return some;
}

static void FK_NAME(witness)(uint64_t *users, uint64_t *items, const fk_record *records, size_t mask, size_t first, size_t count) {
    uint64_t user_words[fk_witnessed], item_words[fk_witnessed];
    uint32_t blocks[2 * fk_witnessed];
    while (count > 0) {
        /* Up to the ring's end. */
        const size_t together = mask + 1 - (first & mask), part = count < together ? count : together;
        const fk_record *const record = records + (first & mask);
        const size_t some = FK_NAME(interactions)(record, part < fk_witnessed ? part : fk_witnessed);
        for (size_t i = 0; i < some; i += 8) FK_NAME(witness_eight)(record + i, user_words + i, item_words + i, blocks + 2 * i);
        _Pragma("clang loop unroll_count(4)") for (size_t i = 0; i < some; ++i) {
            FK_NAME(add_to_sum)(users + blocks[2 * i], user_words[i]);
            FK_NAME(add_to_sum)(items + blocks[2 * i + 1], item_words[i]);
        }
        if (some == 0) FK_NAME(witness_one)(users, items, record);
        first += some > 0 ? some : 1;
        count -= some > 0 ? some : 1;
    }
}
#undef FK_FINALIZED
#undef FK_BLOCK
