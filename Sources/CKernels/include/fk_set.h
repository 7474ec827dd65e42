/* Sets of numbers in open addressing, as users' seen items lie in them. */
#ifndef FK_SET_H
#define FK_SET_H
#include <stdint.h>

/// The set at an address whose lowest bit is the owner's; an empty one at none.
static inline const uint32_t *fk_set_at(uintptr_t bits) {
    static const uint32_t empty[8] = {6};
    return bits & ~(uintptr_t)1 ? (const uint32_t *)(bits & ~(uintptr_t)1) : empty;
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
    typedef int32_t eight __attribute__((vector_size(32), aligned(4), may_alias));
    const eight number = {0, 1, 2, 3, 4, 5, 6, 7};
    const int32_t sought = (int32_t)(value + 1), end = (int32_t)set[0] + 2;
    int32_t at = (int32_t)fk_set_home(value, set[0]) + 2;
    while (1) {
        const int32_t first = at & ~7;
        const eight words = *(const eight *)(set + first);
        /* The first two words are no slots. A value before its home is there nonetheless: it went round. */
        const int found = __builtin_reduce_or((words == sought) & (number >= 2 - first)) != 0;
        const int ends = __builtin_reduce_or((words == 0) & (number >= at - first)) != 0;
        if (found | ends) return found;
        at = first + 8 == end ? 2 : first + 8;
    }
}

#endif
