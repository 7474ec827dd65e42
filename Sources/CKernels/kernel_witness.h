/* The sums that prove which interactions were applied (Witness.swift); included by kernel_body.h for each instruction set. */

/* SplitMix64's finalizer of many words. */
FK_INLINE void FK_NAME(finalized)(uint64_t *words, const size_t count) {
    for (size_t i = 0; i < count; ++i) {
        uint64_t z = words[i];
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        words[i] = z ^ (z >> 31);
    }
}

/* Only the trainer adds, so no read-modify-write is needed. */
FK_INLINE void FK_NAME(add_to_block)(uint64_t *sums, uint32_t ordinal, uint64_t value) {
    uint64_t *const sum = sums + ((ordinal >> (fk_shard_bits + fk_block_bits) << fk_shard_bits) | (ordinal & ((1u << fk_shard_bits) - 1)));
    __atomic_store_n(sum, __atomic_load_n(sum, __ATOMIC_RELAXED) + value, __ATOMIC_RELAXED);
}

static void FK_NAME(witness)(uint64_t *users, uint64_t *items, const fk_record *records, size_t mask, size_t first, size_t count) {
    enum { most = 64 };
    uint64_t words[2 * most];
    while (count > 0) {
        const size_t part = count < most ? count : most;
        /* Numbers that lie so far apart are sooner fetched one by one. */
        _Pragma("clang loop vectorize(disable) unroll_count(4)") for (size_t i = 0; i < part; ++i) {
            const fk_record *const record = records + ((first + i) & mask);
            const uint64_t place = record->position * 0x9E3779B97F4A7C15u;
            words[2 * i] = place + record->user;
            words[2 * i + 1] = place + record->item;
        }
        FK_NAME(finalized)(words, 2 * most);
        for (size_t i = 0; i < part; ++i) {
            const fk_record *const record = records + ((first + i) & mask);
            if (record->kind != fk_kind_interaction) continue;
            FK_NAME(add_to_block)(users, record->user, words[2 * i]);
            FK_NAME(add_to_block)(items, record->item, words[2 * i + 1]);
        }
        first += part;
        count -= part;
    }
}
