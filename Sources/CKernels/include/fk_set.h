/* What users have seen: lists and sets of numbers, each a block of 32-bit words, a multiple of eight. */
#ifndef FK_SET_H
#define FK_SET_H
#include <stdint.h>

typedef uint32_t fk_eight_words __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t fk_eight_truths __attribute__((vector_size(32), aligned(4), may_alias));

/// Whether a list has one of some values.
///
/// The first 32 words are looked at whether there are so many or not, some of them more than once: how long lists are cannot be
/// foretold, and a branch that is guessed wrong costs more than all these comparisons.
/// \param list Room for how many, how many there are, then the numbers. No other thread writes meanwhile.
static inline int fk_list_holds_any(const uint32_t *list, const uint32_t *values, uint64_t some) {
    const fk_eight_words number = {0, 1, 2, 3, 4, 5, 6, 7};
    const uint32_t count = list[1], last = (count + 1) & ~7u;
    fk_eight_truths found = {};
    for (uint32_t at = 0; at < 32 || at <= last; at += 8) {
        const uint32_t first = at < last ? at : last;
        const fk_eight_words words = *(const fk_eight_words *)(list + first);
        fk_eight_truths here = {};
        for (uint64_t i = 0; i < some; ++i) here |= words == values[i];
        /* The first two words wrap round to beyond any count. */
        found |= here & (number + (first - 2) < count);
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
/// \param history, seen The two words of the user's row (`UserItems.Row` in Swift): addresses, 0 for none, with a bit that is not part of it
/// in `seen`. The history says it while there is no set.
static inline int fk_has_seen(uintptr_t history, uintptr_t seen, uint32_t item) {
    const uint32_t *const set = (const uint32_t *)(seen & ~(uintptr_t)1), *const list = (const uint32_t *)history;
    return set ? fk_set_holds(set, item) : list ? fk_list_holds_any(list, &item, 1) : 0;
}

#endif
