/* Copies of hot rows (fk_hot.h): what is done for every event, and with rows; included by kernel_body.h for each instruction set. The
 * rows themselves are read and written here while other threads write them.
 */

/* Asks for a slot's row. */
FK_INLINE void FK_NAME(ask)(const fk_hot *hot, size_t slot) {
    for (size_t f = 0; f < hot->width; f += 16) fk_claim(hot->factors[slot] + f);
    fk_claim(hot->states[slot]);
}

static void FK_NAME(redirect)(fk_hot *hot, fk_batch *batch, size_t item) {
    const size_t count = batch->item_count, row_bytes = hot->width * sizeof(float);
    const uint32_t last = (uint32_t)hot->slot_count - 1;
    const uint32_t *const ordinals = batch->ordinals;
    int16_t *const restrict left = hot->left;
    uint8_t *const restrict is_due = hot->is_due;
    /* Nothing else in this loop: whatever follows from what is left can be told of many items together. */
    for (size_t i = item; i < count; ++i) {
        const uint32_t ordinal = ordinals[i];
        fk_hot_slot *const slot = hot->slots + (ordinal & last);
        const int16_t now = slot->left;
        const int met = slot->live == ordinal;
        slot->left = (int16_t)(now - met);
        left[i] = met ? now : 0;
        is_due[i] = (uint8_t)(met & (now == slot->due));
    }
    /* A copy that has taken all its steps is left alone until it is handed over. */
    char *const rows = (char *)hot->rows, *const copied = (char *)hot->copied;
    float **const restrict factors = batch->factors;
    fk_row_state **const restrict states = batch->states;
    for (size_t i = item; i < count; ++i) {
        const uint64_t number = ordinals[i] & last, own = left[i] > 0 ? ~(uint64_t)0 : 0;
        factors[i] = (float *)(((uintptr_t)(rows + number * (uint32_t)row_bytes) & own) | ((uintptr_t)factors[i] & ~own));
        states[i] = (fk_row_state *)(((uintptr_t)(copied + number * sizeof(fk_row_state)) & own) | ((uintptr_t)states[i] & ~own));
    }
    /* Few are due, or lack their copy: that is made once the batch is learned, for the row is here by then. */
    __builtin_memset(is_due + count, 0, 8);
    uint32_t due = hot->due_count;
    for (size_t first = item; first < count; first += 8) {
        uint64_t found;
        __builtin_memcpy(&found, is_due + first, 8);
        for (; found; found &= found - 1) {
            const size_t i = first + (size_t)__builtin_ctzll(found) / 8;
            const uint32_t number = ordinals[i] & last;
            hot->due[due++] = (uint16_t)number;
            if (hot->filled[number]) {
                FK_NAME(ask)(hot, number);
            } else {
                hot->factors[number] = factors[i];
                hot->states[number] = states[i];
            }
        }
    }
    hot->due_count = due;
}

/* Lets the copy of a row, which has just been made, take as many steps as it may; the state is the copy's. A row that may take fewer
 * than two is met no more in a copy until the next turn: it is stepped where it lies, so that each step sees the last. */
FK_INLINE void FK_NAME(allow)(const fk_hot *hot, fk_hot_slot *slot, const fk_row_state *state) {
    float weight = hot->weight_rate, factors = hot->factor_rate;
    if (hot->adapts) {
        weight /= FK_SQRT(state->weight_accumulator) + 1e-12f;
        factors /= FK_SQRT(state->factor_accumulator) + 1e-12f;
    }
    const float size = hot->slope * hot->importance * (weight + factors * hot->query_square);
    const float steps = hot->reach * (1 / size - 1);
    const int isFew = !(steps >= 2);
    slot->live = isFew ? (uint32_t)fk_hot_none : slot->live;
    slot->left = isFew ? fk_hot_lacking : steps >= fk_hot_most_steps ? fk_hot_most_steps : (int16_t)steps;
    slot->due = isFew ? fk_hot_lacking : 1 + slot->left / 4;
}

/* Copies a slot's row. Events that wait may have been redirected to a copy that there was. */
FK_RACY static void FK_NAME(fill)(fk_hot *hot, size_t slot) {
    const float *const row = hot->factors[slot];
    float *const restrict copy = fk_hot_copy(hot, slot), *const restrict original = fk_hot_original(hot, slot);
    for (size_t f = 0; f < hot->width; ++f) copy[f] = original[f] = row[f];
    hot->copied[slot] = hot->originals[slot] = *hot->states[slot];
    hot->ordinals[slot] = hot->slots[slot].live;
    FK_NAME(allow)(hot, hot->slots + slot, hot->originals + slot);
    hot->filled[slot] = 1;
}

/* Adds to a row what its copy has changed, cuts it to what the norm of a row may be, and copies it anew. What is no number is not handed
 * on. */
FK_RACY static void FK_NAME(hand_over_one)(fk_hot *hot, size_t slot) {
    const size_t eights = hot->width / 8;
    fk_eight *const restrict row = (fk_eight *)hot->factors[slot], *const restrict copy = (fk_eight *)fk_hot_copy(hot, slot);
    fk_eight *const restrict original = (fk_eight *)fk_hot_original(hot, slot);
    fk_row_state *const state = hot->states[slot], *const now = hot->copied + slot, *const then = hot->originals + slot;
    const float weight = now->weight - then->weight, squares = now->weight_accumulator - then->weight_accumulator;
    const float factor_squares = now->factor_accumulator - then->factor_accumulator;
    /* Zero times a number is zero. */
    fk_eight sound = (fk_eight){weight, squares, factor_squares} * 0;
    for (size_t f = 0; f < eights; ++f) sound += (copy[f] - original[f]) * 0;
    if (__builtin_reduce_or(~(sound == 0))) {
        FK_NAME(fill)(hot, slot);
        return;
    }
    for (size_t f = 0; f < eights; ++f) copy[f] = row[f] + (copy[f] - original[f]);
    /* Copies that were each within the cap need not be so together. */
    const float norm = FK_NAME(dot)((const float *)copy, (const float *)copy, hot->width);
    if (norm > hot->norm_cap) FK_NAME(shrink)((float *)copy, norm, hot->norm_cap, hot->width);
    for (size_t f = 0; f < eights; ++f) row[f] = original[f] = copy[f];
    state->weight += weight;
    state->weight_accumulator += squares;
    state->factor_accumulator += factor_squares;
    state->updates += now->updates - then->updates;
    *now = *then = *state;
    FK_NAME(allow)(hot, hot->slots + slot, then);
}

static size_t FK_NAME(hand_over)(fk_hot *hot, uint32_t *written) {
    size_t count = 0;
    for (size_t i = 0; i < hot->due_count; ++i) {
        const size_t slot = hot->due[i];
        if (i + fk_hot_asked < hot->due_count && hot->filled[hot->due[i + fk_hot_asked]]) FK_NAME(ask)(hot, hot->due[i + fk_hot_asked]);
        if (hot->filled[slot]) {
            FK_NAME(hand_over_one)(hot, slot);
            written[count++] = hot->ordinals[slot];
        } else {
            FK_NAME(fill)(hot, slot);
        }
    }
    hot->due_count = 0;
    return count;
}
