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
FK_INLINE void FK_NAME(add_to_sum)(uint64_t *sum, uint64_t value) {
    __atomic_store_n(sum, __atomic_load_n(sum, __ATOMIC_RELAXED) + value, __ATOMIC_RELAXED);
}

FK_INLINE size_t FK_NAME(block)(uint32_t ordinal) {
    return (ordinal >> (fk_shard_bits + fk_block_bits) << fk_shard_bits) | (ordinal & ((1u << fk_shard_bits) - 1));
}

static void FK_NAME(witness)(uint64_t *users, uint64_t *items, const fk_record *records, size_t mask, size_t first, size_t count) {
    enum { most = 64 };
    uint64_t words[2 * most], pairs[most];
    for (size_t part; count > 0; first += part, count -= part) {
        part = count < most ? count : most;
        uint64_t all = 0;
        uint32_t kinds = 0;
        /* Numbers that lie so far apart are sooner fetched one by one. */
        _Pragma("clang loop vectorize(disable) unroll_count(4)") for (size_t i = 0; i < part; ++i) {
            const fk_record *const record = records + ((first + i) & mask);
            const uint64_t place = record->position * 0x9E3779B97F4A7C15u, pair = record->user | (uint64_t)record->item << 32;
            words[2 * i] = place + (uint32_t)pair;
            words[2 * i + 1] = place + (pair >> 32);
            pairs[i] = pair;
            all |= pair;
            kinds |= record->kind;
        }
        FK_NAME(finalized)(words, 2 * most);
        const uint64_t beyond = ~(uint64_t)0 << (fk_shard_bits + fk_block_bits) & 0xFFFFFFFFu;
        if (kinds == fk_kind_interaction && (all & (beyond | beyond << 32)) == 0) {
            /* The first block of each shard. */
            const uint64_t shard = (1u << fk_shard_bits) - 1;
            for (size_t i = 0; i < part; ++i) {
                FK_NAME(add_to_sum)(users + (pairs[i] & shard), words[2 * i]);
                FK_NAME(add_to_sum)(items + (pairs[i] >> 32 & shard), words[2 * i + 1]);
            }
            continue;
        }
        for (size_t i = 0; i < part; ++i) {
            if (records[(first + i) & mask].kind != fk_kind_interaction) continue;
            FK_NAME(add_to_sum)(users + FK_NAME(block)((uint32_t)pairs[i]), words[2 * i]);
            FK_NAME(add_to_sum)(items + FK_NAME(block)((uint32_t)(pairs[i] >> 32)), words[2 * i + 1]);
        }
    }
}
