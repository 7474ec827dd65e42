/* What users have seen: lists and sets of numbers, each in a block of 32-bit words, a multiple of eight. */
#ifndef FK_SET_H
#define FK_SET_H
#include <stdint.h>

typedef uint32_t fk_eight_words __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t fk_eight_truths __attribute__((vector_size(32), aligned(4), may_alias));

/// A list is one word: the address of its items, a multiple of 32, whose lowest bits say the room for them, 8 · 2ⁿ, and
/// above it how many came. Item number n of all that came lies at n modulo the room.
enum { fk_list_room_bits = 15, fk_list_count_shift = 48, fk_list_most = 0xFFFF };

static inline uint32_t fk_list_room(uintptr_t list) { return 8u << (list & fk_list_room_bits); }
static inline uint32_t fk_list_written(uintptr_t list) { return (uint32_t)((uint64_t)list >> fk_list_count_shift); }
static inline const uint32_t *fk_list_items(uintptr_t list) {
    return (const uint32_t *)(uintptr_t)((uint64_t)list & (((uint64_t)1 << fk_list_count_shift) - 32));
}

/// An empty list in a block for `room` items, 32,768 at most.
static inline uintptr_t fk_list_begin(const void *block, uint32_t room) { return (uintptr_t)block | (uintptr_t)__builtin_ctz(room / 8); }

/// The word of a list with one item more. The number goes on at one that lies at the same place where it would become too large.
static inline uintptr_t fk_list_next(uintptr_t list) {
    const uint64_t one = (uint64_t)1 << fk_list_count_shift;
    /* 2^16 falls off the word's end; the room is the same modulo the room. */
    return (uintptr_t)(list + one + (fk_list_written(list) == fk_list_most ? fk_list_room(list) * one : 0));
}

/// Whether a list that has lost none has one of some values.
///
/// The first 32 words are looked at whether there are so many or not, some of them more than once: how long lists are cannot be
/// foretold, and a branch that is guessed wrong costs more than all these comparisons.
/// \param list Not 0. No other thread writes meanwhile.
static inline int fk_list_holds_any(uintptr_t list, const uint32_t *values, uint64_t some) {
    const fk_eight_words number = {0, 1, 2, 3, 4, 5, 6, 7};
    const uint32_t *const items = fk_list_items(list);
    const uint32_t count = fk_list_written(list), last = count > 8 ? (count - 1) & ~7u : 0;
    fk_eight_truths found = {};
    for (uint32_t at = 0; at < 32 || at <= last; at += 8) {
        const uint32_t first = at < last ? at : last;
        const fk_eight_words words = *(const fk_eight_words *)(items + first);
        fk_eight_truths here = {};
        for (uint64_t i = 0; i < some; ++i) here |= words == values[i];
        found |= here & (number + first < count);
    }
    return __builtin_reduce_or(found) != 0;
}

/// Where a value's search begins among so many slots.
static inline uint32_t fk_set_home(uint32_t value, uint32_t slots) { return (uint32_t)(((uint64_t)(value * 0x9E3779B1u) * slots) >> 32); }

/// Whether a set holds a value.
///
/// Eight words are looked at together: how many slots a search passes cannot be foretold, and a branch for each is guessed wrong
/// at every second value.
/// \param set How many slots, how many are taken, then the slots: 0 or a value + 1, behind its home with no 0 between (linear
/// probing, from the last slot on to the first). 8·n words in all, at least one slot free. No other thread writes meanwhile.
static inline int fk_set_holds(const uint32_t *set, uint32_t value) {
    const fk_eight_truths number = {0, 1, 2, 3, 4, 5, 6, 7};
    const int32_t sought = (int32_t)(value + 1), end = (int32_t)set[0] + 2;
    int32_t at = (int32_t)fk_set_home(value, set[0]) + 2;
    while (1) {
        const int32_t first = at & ~7;
        const fk_eight_truths words = *(const fk_eight_truths *)(set + first);
        /* The first two words are no slots. A value before its home is there nonetheless: it went round. */
        const int found = __builtin_reduce_or((words == sought) & (number >= 2 - first)) != 0;
        const int ends = __builtin_reduce_or((words == 0) & (number >= at - first)) != 0;
        if (found | ends) return found;
        at = first + 8 == end ? 2 : first + 8;
    }
}

/// Whether a user has seen an item.
/// \param history, seen The two words of the user's row (`UserItems.Row` in Swift), 0 for none: a list, and a set's address with a bit that
/// is not part of it. The list says it while there is no set.
static inline int fk_has_seen(uintptr_t history, uintptr_t seen, uint32_t item) {
    const uint32_t *const set = (const uint32_t *)(seen & ~(uintptr_t)1);
    return set ? fk_set_holds(set, item) : history ? fk_list_holds_any(history, &item, 1) : 0;
}

#endif
