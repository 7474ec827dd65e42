/* Copies of hot rows (fk_hot.h). The rows themselves are read and written here while other threads write them. */
#include "CKernels.h"
#include <math.h>

#define RACY __attribute__((no_sanitize("thread")))

static uint32_t hash(uint32_t ordinal) { return ordinal * 0x9E3779B1u; }

void fk_hot_redirect(fk_hot *hot, fk_batch *batch, size_t item) {
    const size_t count = batch->item_count, stride = 2 * hot->width;
    const uint32_t *const ordinals = batch->ordinals;
    float *const rows = hot->rows, **const factors = batch->factors;
    fk_row_state **const states = batch->states;
    size_t due = hot->due_count;
    for (size_t i = item; i < count; ++i) {
        const uint32_t ordinal = ordinals[i], number = hash(ordinal) >> 24;
        fk_hot_slot *const slot = hot->slots + number;
        /* Without branches, which nobody could foresee. A copy that has taken its steps is left alone until it is handed over. */
        const uint32_t steps = slot->steps, limit = slot->limit;
        const int own = (slot->live == ordinal) & (steps < limit);
        slot->steps = (uint16_t)(steps + (uint32_t)own);
        hot->due[due] = (uint8_t)number;
        due += (size_t)(own & (steps + 1 == limit));
        factors[i] = own ? rows + number * stride : factors[i];
        states[i] = own ? hot->copied + 2 * number : states[i];
    }
    hot->due_count = (uint32_t)due;
    /* From one of the first few on, by chance: events of as many items would else have the same one counted each time. */
    for (size_t i = item + (hash(hot->passed) >> 24) % fk_hot_counted; i < count; i += fk_hot_counted) {
        const uint32_t ordinal = ordinals[i], word = hash(ordinal);
        fk_hot_slot *const slot = hot->slots + (word >> 24);
        uint8_t *const counter = hot->counters + (word >> 21);
        const uint32_t known = *counter;
        *counter = (uint8_t)(known + (known < 255));
        slot->met += slot->wanted == ordinal;
        if (__builtin_expect((known >= fk_hot_least) & (slot->wanted == (uint32_t)fk_hot_none), 0)) slot->wanted = ordinal;
    }
    hot->passed += (uint32_t)(count - item);
}

/* How many steps the copy of a row may take. */
static uint16_t steps_allowed(const fk_hot *hot, const fk_row_state *state) {
    const float size = hot->adapts ? hot->rate / (sqrtf(state->weight_accumulator) + 1e-12f) : hot->rate;
    const float steps = hot->largest / size;
    return steps >= fk_hot_most_steps ? fk_hot_most_steps : steps > 2 ? (uint16_t)steps : 2;
}

static RACY void ask(const fk_hot *hot, size_t slot) {
    for (size_t f = 0; f < hot->width; f += 16) __builtin_prefetch(hot->factors[slot] + f, 1, 3);
    __builtin_prefetch(hot->states[slot], 1, 3);
}

/* Copies a slot's row. */
static RACY void fill(fk_hot *hot, size_t slot) {
    float *const row = hot->rows + slot * 2 * hot->width;
    for (size_t f = 0; f < hot->width; ++f) row[f] = row[hot->width + f] = hot->factors[slot][f];
    hot->copied[2 * slot] = hot->copied[2 * slot + 1] = *hot->states[slot];
    hot->slots[slot].steps = 0;
    hot->slots[slot].limit = steps_allowed(hot, hot->states[slot]);
}

/* Adds to a row what its copy has changed, and copies it anew. What is no number is not handed on. */
static RACY void hand_over(fk_hot *hot, size_t slot) {
    const size_t width = hot->width;
    float *const restrict row = hot->factors[slot], *const restrict copy = hot->rows + slot * 2 * width;
    float *const restrict before = copy + width;
    fk_row_state *const state = hot->states[slot], *const now = hot->copied + 2 * slot, *const then = now + 1;
    float sound = 0;
    for (size_t f = 0; f < width; ++f) sound += (copy[f] - before[f]) * 0;
    sound += (now->weight - then->weight) * 0 + (now->weight_accumulator - then->weight_accumulator) * 0 +
             (now->factor_accumulator - then->factor_accumulator) * 0;
    if (sound == 0) {
        for (size_t f = 0; f < width; ++f) copy[f] = before[f] = row[f] = row[f] + (copy[f] - before[f]);
        state->weight += now->weight - then->weight;
        state->weight_accumulator += now->weight_accumulator - then->weight_accumulator;
        state->factor_accumulator += now->factor_accumulator - then->factor_accumulator;
        state->updates += now->updates - then->updates;
        *now = *then = *state;
        hot->slots[slot].steps = 0;
        hot->slots[slot].limit = steps_allowed(hot, state);
    } else {
        fill(hot, slot);
    }
}

/* Whether a slot holds what its row has not. Steps would not tell: an event may have waited while its copy was handed over. */
static int is_ahead(const fk_hot *hot, size_t slot) {
    return hot->slots[slot].live != (uint32_t)fk_hot_none && hot->copied[2 * slot].updates != hot->copied[2 * slot + 1].updates;
}

size_t fk_hot_settle(fk_hot *hot, int all, uint32_t *written) {
    size_t count = 0;
    if (all) {
        for (size_t slot = 0; slot < fk_hot_slots; ++slot) {
            if (!is_ahead(hot, slot)) continue;
            hand_over(hot, slot);
            written[count++] = hot->slots[slot].live;
        }
    } else {
        const size_t due = hot->due_count;
        for (size_t i = 0; i < due; ++i) ask(hot, hot->due[i]);
        for (size_t i = 0; i < due; ++i) {
            hand_over(hot, hot->due[i]);
            written[count++] = hot->slots[hot->due[i]].live;
        }
    }
    hot->due_count = 0;
    return count;
}

/* Once enough items were met: counts fade, and slots of items that were met but now and then are given up. */
static void age(fk_hot *hot) {
    enum { fewest = 2 };
    for (size_t i = 0; i < fk_hot_counters; ++i) hot->counters[i] >>= 1;
    for (size_t slot = 0; slot < fk_hot_slots; ++slot) {
        if (hot->slots[slot].met < fewest) hot->slots[slot].wanted = (uint32_t)fk_hot_none;
        hot->slots[slot].met = 0;
    }
    hot->passed = 0;
}

size_t fk_hot_close(fk_hot *hot, uint32_t *written) {
    enum { asked = 4 };
    size_t count = 0;
    for (size_t slot = 0; slot < fk_hot_slots; ++slot) {
        if (slot + asked < fk_hot_slots && is_ahead(hot, slot + asked)) ask(hot, slot + asked);
        if (is_ahead(hot, slot)) {
            hand_over(hot, slot);
            written[count++] = hot->slots[slot].live;
        }
        hot->slots[slot].live = (uint32_t)fk_hot_none;
        hot->slots[slot].steps = 0;
    }
    hot->due_count = 0;
    if (hot->passed >= fk_hot_round) age(hot);
    return count;
}

size_t fk_hot_turn(fk_hot *hot, const fk_rows *items, uint32_t *written) {
    const size_t count = fk_hot_close(hot, written);
    for (size_t slot = 0; slot < fk_hot_slots; ++slot) {
        const uint32_t ordinal = hot->slots[slot].wanted;
        if (ordinal == (uint32_t)fk_hot_none) continue;
        const uint32_t number = (ordinal >> fk_shard_bits) & ((1u << fk_slab_bits) - 1);
        const uintptr_t slab = items->directory[ordinal >> (fk_shard_bits + fk_slab_bits)] +
                               (uint64_t)(ordinal & ((1u << fk_shard_bits) - 1)) * items->slab_bytes;
        hot->factors[slot] = (float *)(slab + (uint64_t)number * items->row_bytes);
        hot->states[slot] = (fk_row_state *)(slab + items->state_offset + (uintptr_t)number * sizeof(fk_row_state));
        hot->slots[slot].live = ordinal;
        ask(hot, slot);
    }
    for (size_t slot = 0; slot < fk_hot_slots; ++slot)
        if (hot->slots[slot].live != (uint32_t)fk_hot_none) fill(hot, slot);
    return count;
}

void fk_hot_clear(fk_hot *hot) {
    for (size_t slot = 0; slot < fk_hot_slots; ++slot) hot->slots[slot].live = hot->slots[slot].wanted = (uint32_t)fk_hot_none;
}
