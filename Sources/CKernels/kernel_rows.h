/* Where the rows of a batch lie; included by kernel_body.h for each instruction set. Nothing here touches a row. */

FK_INLINE void FK_NAME(rows_of)(const fk_rows *rows, const uint32_t *restrict ordinals, size_t count, float **restrict factors,
                                fk_row_state **restrict states) {
    const uintptr_t *restrict directory = rows->directory;
    const uint32_t slab_bytes = (uint32_t)rows->slab_bytes, row_bytes = (uint32_t)rows->row_bytes;
    const uintptr_t state_offset = rows->state_offset;
    uint32_t all = 0;
    for (size_t i = 0; i < count; ++i) all |= ordinals[i];
    if (all >> (fk_shard_bits + fk_slab_bits) == 0) {
        /* One round of slabs: nothing is to be gathered. */
        const uintptr_t first = directory[0];
        for (size_t i = 0; i < count; ++i) {
            const uint32_t ordinal = ordinals[i], row = ordinal >> fk_shard_bits;
            const uintptr_t slab = first + (uint64_t)(ordinal & ((1u << fk_shard_bits) - 1)) * slab_bytes;
            factors[i] = (float *)(slab + (uint64_t)row * row_bytes);
            states[i] = (fk_row_state *)(slab + state_offset + (uintptr_t)row * sizeof(fk_row_state));
        }
        return;
    }
    for (size_t i = 0; i < count; ++i) {
        const uint32_t ordinal = ordinals[i], row = (ordinal >> fk_shard_bits) & ((1u << fk_slab_bits) - 1);
        const uintptr_t slab = directory[ordinal >> (fk_shard_bits + fk_slab_bits)] +
                               (uint64_t)(ordinal & ((1u << fk_shard_bits) - 1)) * slab_bytes;
        factors[i] = (float *)(slab + (uint64_t)row * row_bytes);
        states[i] = (fk_row_state *)(slab + state_offset + (uintptr_t)row * sizeof(fk_row_state));
    }
}

static void FK_NAME(look_up)(fk_batch *batch, const fk_source *source, size_t event, size_t item) {
    FK_NAME(rows_of)(&source->users, batch->users + event, batch->event_count - event, batch->queries + event,
                     batch->query_states + event);
    FK_NAME(rows_of)(&source->items, batch->ordinals + item, batch->item_count - item, batch->factors + item,
                     batch->states + item);
}
