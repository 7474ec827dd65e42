/* The sums that prove which interactions were applied (Witness.swift); included by kernel_body.h for each instruction set. */

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

_Static_assert(fk_kind_interaction == 0, "no bit in the kind of any of several says that all are interactions");

FK_INLINE void FK_NAME(witness_one)(uint64_t *users, uint64_t *items, const fk_record *record) {
    if ((record->nature >> fk_kind_shift & fk_kind_mask) != fk_kind_interaction) return;
    const uint64_t place = record->position * 0x9E3779B97F4A7C15u;
    uint64_t user = place + record->user, item = place + record->item;
    FK_FINALIZED(user);
    FK_FINALIZED(item);
    FK_NAME(add_to_sum)(users + FK_BLOCK(record->user), user);
    FK_NAME(add_to_sum)(items + FK_BLOCK(record->item), item);
}

/* Records whose words are made before any is added: a word waits for three products, and those of many wait together. */
enum { fk_witnessed = 64 };

/* The words of eight interactions that lie one after the other, and their blocks: users at even places, items at odd ones. Answers
 * whether that is what they are. */
FK_INLINE int FK_NAME(witness_eight)(const fk_record *record, uint64_t *user_words, uint64_t *item_words, uint32_t *blocks) {
    typedef FK_NAME(eight_words) words;
    /* Two records are eight words: position and ordinals of a record are its first two, its nature is half of the last. */
    _Static_assert(sizeof(fk_record) == 32 && offsetof(fk_record, user) == 8 && offsetof(fk_record, item) == 12 &&
                       offsetof(fk_record, nature) == 28, "position, user and item are two words");
    const words *const from = (const words *)record;
    const words a = from[0], b = from[1], c = from[2], d = from[3];
    const uint64_t kind = (uint64_t)fk_kind_mask << (fk_kind_shift + 32);
    if (__builtin_reduce_or((a | b | c | d) & (words){0, 0, 0, kind, 0, 0, 0, kind}) != 0) return 0;
    const words low = __builtin_shufflevector(a, b, 0, 4, 8, 12, 1, 5, 9, 13), high = __builtin_shufflevector(c, d, 0, 4, 8, 12, 1, 5, 9, 13);
    const words places = __builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11) * 0x9E3779B97F4A7C15u;
    const words pairs = __builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
    words user = places + (pairs & 0xFFFFFFFFu), item = places + (pairs >> 32);
    FK_FINALIZED(user);
    FK_FINALIZED(item);
    *(words *)user_words = user;
    *(words *)item_words = item;
    *(FK_NAME(ordinals) *)blocks = FK_BLOCK((FK_NAME(ordinals))pairs);
    return 1;
}

static void FK_NAME(witness)(uint64_t *users, uint64_t *items, const fk_record *records, size_t mask, size_t first, size_t count) {
    uint64_t user_words[fk_witnessed], item_words[fk_witnessed];
    uint32_t blocks[2 * fk_witnessed];
    while (count > 0) {
        /* Up to the ring's end. */
        const size_t together = mask + 1 - (first & mask), part = count < together ? count : together;
        const fk_record *const record = records + (first & mask);
        size_t some = 0;
        while (some + 8 <= part && some < fk_witnessed &&
               FK_NAME(witness_eight)(record + some, user_words + some, item_words + some, blocks + 2 * some))
            some += 8;
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
