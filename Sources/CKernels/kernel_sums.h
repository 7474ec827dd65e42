/* What the learning of runs is made of (kernel_lanes.h, kernel_four.h); included by kernel_body.h for each instruction set.
 *
 * There what a lane does must not depend on the copy of the code that does it. So products and sums are contracted where the source
 * says so, `contract(on)`: `fast` leaves the choice to each place that a function is inlined in, and of a b - c d either product may
 * be the one that is not rounded.
 */

/* Floats of the longest row that is learned in runs: one of mf or fm. */
#define FK_WIDEST 512

/* The sums of four vectors, each by the same tree. */
FK_INLINE fk_four FK_NAME(sums_of_eights)(const fk_eight *four) {
#pragma clang fp reassociate(off) contract(on)
    const fk_eight a = four[0], b = four[1], c = four[2], d = four[3];
    const fk_eight ac = __builtin_shufflevector(a, c, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(a, c, 4, 5, 6, 7, 12, 13, 14, 15);
    const fk_eight bd = __builtin_shufflevector(b, d, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(b, d, 4, 5, 6, 7, 12, 13, 14, 15);
    const fk_eight all = __builtin_shufflevector(ac, bd, 0, 1, 8, 9, 4, 5, 12, 13) + __builtin_shufflevector(ac, bd, 2, 3, 10, 11, 6, 7, 14, 15);
    return __builtin_shufflevector(all, all, 0, 2, 4, 6) + __builtin_shufflevector(all, all, 1, 3, 5, 7);
}

FK_INLINE fk_four FK_NAME(sums)(const fk_sixteen *four) {
#pragma clang fp reassociate(off) contract(on)
#define FK_HALF(x) (__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15))
    const fk_eight halves[4] = {FK_HALF(four[0]), FK_HALF(four[1]), FK_HALF(four[2]), FK_HALF(four[3])};
#undef FK_HALF
    return FK_NAME(sums_of_eights)(halves);
}

/* C has no choice between vectors but by their bits. */
FK_INLINE fk_four FK_NAME(chosen)(fk_words_four mask, fk_four a, fk_four b) {
    return (fk_four)((mask & (fk_words_four)a) | (~mask & (fk_words_four)b));
}
FK_INLINE fk_four FK_NAME(larger_of_four)(fk_four a, fk_four b) { return FK_NAME(chosen)((fk_words_four)(a > b), a, b); }
FK_INLINE fk_four FK_NAME(saturated)(fk_four sum) {
    return FK_NAME(chosen)((fk_words_four)(sum < 3e38f), sum, (fk_four){} + 3e38f);
}

/* Asks for a user's row: to be read, for a line that comes from memory comes sooner so and is written without another question as long
 * as nobody else has it, and a user has one trainer. */
FK_INLINE void FK_NAME(fetch_user)(const fk_batch *batch, const size_t event, const size_t width) {
    for (size_t f = 0; f < width; f += 16) __builtin_prefetch(batch->queries[event] + f, 0, 3);
    __builtin_prefetch(batch->query_states[event], 0, 3);
}

/* Asks for an item's row. Rows that others write, too, are asked for to be written: else each would be asked for twice. */
FK_INLINE void FK_NAME(fetch_item)(const fk_batch *batch, const size_t item, const size_t width, const uint32_t shared) {
    if (shared) {
        for (size_t f = 0; f < width; f += 16) __builtin_prefetch(batch->factors[item] + f, 1, 3);
        __builtin_prefetch(batch->states[item], 1, 3);
    } else {
        for (size_t f = 0; f < width; f += 16) __builtin_prefetch(batch->factors[item] + f, 0, 3);
        __builtin_prefetch(batch->states[item], 0, 3);
    }
}

/* Where rows are asked for: up to event `end`, of which `event` is the next, and its items from `item` on. */
typedef struct {
    size_t event, item, end;
} FK_NAME(fetches);

/* Asks for the rows of one event. */
FK_INLINE void FK_NAME(fetch)(const fk_batch *batch, FK_NAME(fetches) *at, const size_t count, const size_t width,
                              const uint32_t shared) {
    FK_NAME(fetch_user)(batch, at->event, width);
    for (const size_t end = at->item + count; at->item < end; ++at->item) FK_NAME(fetch_item)(batch, at->item, width, shared);
    at->event += 1;
}

/* The same, if it is its turn. Steps that ask for one event here and one there wait less than those that ask for all of them first: a
 * core has room for some two dozen lines on their way. Every event has one item where `single`. */
FK_INLINE void FK_NAME(fetch_one)(const fk_batch *batch, FK_NAME(fetches) *at, const size_t width, const uint32_t shared,
                                  const int single) {
    if (at->event < at->end) FK_NAME(fetch)(batch, at, single ? 1 : batch->counts[at->event], width, shared);
}

/* Brings the rows of the next event from memory into the second level of the cache, if it is its turn: that level has room for several
 * times as many lines on their way as the first, from where `fetch` asks for them later. Every event has one item where `single`: then
 * rows that others write, too, are asked for at once, for brought to be read they would be asked for again from whoever has them. With
 * negatives that would be too many lines for the first level. */
FK_INLINE void FK_NAME(bring)(const fk_batch *batch, FK_NAME(fetches) *at, const size_t width, const uint32_t shared,
                              const int single) {
    if (at->event >= at->end) return;
    for (size_t f = 0; f < width; f += 16) fk_bring(batch->queries[at->event] + f);
    fk_bring(batch->query_states[at->event]);
    for (const size_t end = at->item + (single ? 1 : batch->counts[at->event]); at->item < end; ++at->item) {
        if (shared && single) {
            FK_NAME(fetch_item)(batch, at->item, width, shared);
            continue;
        }
        for (size_t f = 0; f < width; f += 16) fk_bring(batch->factors[at->item] + f);
        fk_bring(batch->states[at->item]);
    }
    at->event += 1;
}

/* The end of what is brought while event `index` is learned: none beyond what was brought before where nothing is to be. */
FK_INLINE size_t FK_NAME(reached)(const fk_run *run, const size_t index) {
    const size_t end = index + run->reach;
    return run->reach == 0 ? 0 : end < run->placed ? end : run->placed;
}
