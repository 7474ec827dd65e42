/* Copies of hot rows (fk_hot.h): which there are, and when. What is done with rows stands in kernel_hot.h. */
#include "CKernels.h"

static size_t slot_of(const fk_hot *hot, uint32_t ordinal) { return ordinal & (hot->slot_count - 1); }

static void empty(fk_hot *hot, size_t slot) {
    hot->slots[slot].left = hot->slots[slot].due = fk_hot_lacking;
    hot->filled[slot] = 0;
}

void fk_hot_clear(fk_hot *hot) {
    for (size_t slot = 0; slot < hot->slot_count; ++slot) {
        hot->slots[slot].live = fk_hot_none;
        hot->votes[slot] = (fk_hot_vote){fk_hot_none, 0};
        empty(hot, slot);
    }
    hot->passed = hot->due_count = 0;
    hot->round = fk_hot_shortest_round;
    hot->query_square = hot->importance = 0;
}

void fk_hot_measure(fk_hot *hot, const fk_kernels *kernels, const fk_batch *batch, size_t items) {
    const float square = kernels->dot(batch->queries[0], batch->queries[0], hot->width);
    /* Of numbers that are not negative, the greatest has the greatest bits, and those can be compared many at a time. */
    int32_t greatest = 0;
    for (size_t i = 0; i < items; ++i) {
        int32_t bits;
        __builtin_memcpy(&bits, batch->weights + i, sizeof bits);
        greatest = bits > greatest ? bits : greatest;
    }
    float importance;
    __builtin_memcpy(&importance, &greatest, sizeof importance);
    const float faded = hot->importance * fk_hot_keep;
    /* What is no number would stay for good. */
    if (square <= 2 * hot->norm_cap)
        hot->query_square += hot->importance > 0 ? (square - hot->query_square) * (1 - fk_hot_keep) : square;
    hot->importance = importance > faded ? importance : faded;
}

void fk_hot_count(fk_hot *hot, const fk_batch *batch, size_t item) {
    const size_t count = batch->item_count;
    /* From one of the first few on, by chance: events of as many items would else have the same one counted each time. */
    for (size_t i = item + ((hot->passed * 0x9E3779B1u) >> 24) % fk_hot_counted; i < count; i += fk_hot_counted) {
        const uint32_t ordinal = batch->ordinals[i];
        fk_hot_vote *const vote = hot->votes + slot_of(hot, ordinal);
        const uint32_t known = vote->ordinal, lead = vote->lead;
        /* Without branches, which nobody could foresee. */
        vote->ordinal = lead == 0 ? ordinal : known;
        vote->lead = lead + (((lead == 0) | (known == ordinal)) ? 1u : -1u);
    }
    hot->passed += (uint32_t)(count - item);
}

/* Does what is due, and then hands over all copies that hold what their row has not: what is left of their steps would not tell, for an
 * event may have waited while its copy was handed over. Those without are given up: their rows may have changed. A copy is handed over
 * once at most, so that there is room for all. */
static size_t settle_changed(fk_hot *hot, const fk_kernels *kernels, uint32_t *written) {
    const size_t count = kernels->hand_over(hot, written);
    for (size_t slot = 0; slot < hot->slot_count; ++slot) {
        if (!hot->filled[slot]) continue;
        if (hot->copied[slot].updates != hot->originals[slot].updates)
            hot->due[hot->due_count++] = (uint16_t)slot;
        else
            empty(hot, slot);
    }
    return count + kernels->hand_over(hot, written + count);
}

size_t fk_hot_settle(fk_hot *hot, const fk_kernels *kernels, int all, uint32_t *written) {
    size_t count = kernels->hand_over(hot, written);
    if (!all) return count;
    /* Also those that count no steps: what is no number is rejected before it counts. */
    for (size_t slot = 0; slot < hot->slot_count; ++slot)
        if (hot->filled[slot]) hot->due[hot->due_count++] = (uint16_t)slot;
    return count + kernels->hand_over(hot, written + count);
}

size_t fk_hot_close(fk_hot *hot, const fk_kernels *kernels, uint32_t *written) {
    const size_t count = settle_changed(hot, kernels, written);
    for (size_t slot = 0; slot < hot->slot_count; ++slot)
        if (hot->filled[slot]) empty(hot, slot);
    return count;
}

size_t fk_hot_turn(fk_hot *hot, const fk_kernels *kernels, uint32_t *written) {
    const size_t count = settle_changed(hot, kernels, written);
    size_t live = 0;
    for (size_t slot = 0; slot < hot->slot_count; ++slot) {
        fk_hot_vote *const vote = hot->votes + slot;
        const uint32_t ordinal = vote->lead >= fk_hot_least ? vote->ordinal : (uint32_t)fk_hot_none;
        vote->lead >>= 1;
        live += ordinal != (uint32_t)fk_hot_none;
        if (ordinal == hot->slots[slot].live) continue;
        hot->slots[slot].live = ordinal;
        empty(hot, slot);
    }
    const size_t round = fk_hot_round_per_row * live;
    hot->round = (uint32_t)(round < fk_hot_shortest_round ? fk_hot_shortest_round
                            : round > fk_hot_longest_round ? fk_hot_longest_round : round);
    hot->passed = 0;
    return count;
}
