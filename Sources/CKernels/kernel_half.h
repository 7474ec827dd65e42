/* Rows in bfloat16, the upper half of a float: widened before a step, narrowed after it; included by kernel_body.h for each
 * instruction set.
 *
 * Narrowing rounds up or down by chance, with the odds that make the mean of all outcomes the float itself (stochastic
 * rounding; Gupta et al. 2015). To the nearest, a step smaller than half a place would be lost every time, and a row would
 * stop learning long before its gradient is zero. A value that is a bfloat16 already stays what it is. */
typedef uint16_t fk_bfloats_four __attribute__((vector_size(8), aligned(2), may_alias));
typedef uint16_t fk_bfloats_eight __attribute__((vector_size(16), aligned(2), may_alias));
typedef uint16_t fk_bfloats_sixteen __attribute__((vector_size(32), aligned(2), may_alias));
typedef uint32_t fk_words_four __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint32_t fk_words_eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint32_t fk_words_sixteen __attribute__((vector_size(64), aligned(4), may_alias));

#define FK_WIDENED(lanes, number, vector)                                                                               \
    FK_INLINE vector FK_NAME(widened_##lanes)(const char *row) {                                                        \
        const fk_bfloats_##number halves = *(const fk_bfloats_##number *)row;                                           \
        return (vector)(__builtin_convertvector(halves, fk_words_##number) << 16);                                      \
    }
FK_WIDENED(4, four, fk_loose_four)
FK_WIDENED(8, eight, fk_eight)
FK_WIDENED(16, sixteen, fk_sixteen)
#undef FK_WIDENED

FK_RACY static void FK_NAME(widen)(float *to, const fk_bfloat *from, size_t count) {
    for (size_t f = 0; f < count; f += 8) *(fk_eight *)(to + f) = FK_NAME(widened_8)((const char *)(from + f));
}

/* Random words of eight lanes: a mixer of 32 bits ("lowbias32", by C. Wellons) over the lane's number and the row's word. */
FK_INLINE fk_words_eight FK_NAME(chances)(uint32_t block, uint32_t low, uint32_t high) {
    fk_words_eight x = (fk_words_eight){0, 1, 2, 3, 4, 5, 6, 7} + block;
    x = x * 0x9E3779B9u + low;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= (x >> 15) ^ high;
    x *= 0x846CA68Bu;
    x ^= x >> 16;
    return x;
}

/* Eight floats to bfloat16s; of a chance the lower 16 bits count. What lies beyond the greatest bfloat16 becomes that, lest
 * rounding up make an infinity; infinities and NaNs stay what they are. */
FK_INLINE fk_bfloats_eight FK_NAME(narrowed)(const float *from, fk_words_eight chance) {
    const fk_words_eight bits = *(const fk_words_eight *)from, size = bits & 0x7FFFFFFFu;
    const fk_words_eight rounds = (fk_words_eight)(size < 0x7F7F0000u);
    fk_words_eight half = (bits + (chance & 0xFFFFu & rounds)) >> 16;
    /* A NaN may have all of its mark in the half that goes. */
    half |= (fk_words_eight)(size > 0x7F800000u) & (fk_words_eight)((size & 0x7F0000u) == 0) & 0x40u;
    return __builtin_convertvector(half, fk_bfloats_eight);
}

/* Lane f takes the lower half of its word where f & 8 is 0, the upper half of the same word where it is not. */
FK_RACY static void FK_NAME(narrow)(fk_bfloat *to, const float *from, size_t count, uint64_t word) {
    const uint32_t low = (uint32_t)word, high = (uint32_t)(word >> 32);
    for (size_t f = 0; f < count; f += 16) {
        const fk_words_eight chance = FK_NAME(chances)((uint32_t)f / 2, low, high);
        *(fk_bfloats_eight *)(to + f) = FK_NAME(narrowed)(from + f, chance);
        if (f + 8 < count) *(fk_bfloats_eight *)(to + f + 8) = FK_NAME(narrowed)(from + f + 8, chance >> 16);
    }
}
