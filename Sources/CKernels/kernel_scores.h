/* Scores of rows against a query, for retrieval; included by kernel_body.h for each instruction set.
 *
 * Eight rows at a time: their products with the query stay vectors, one for each row, until one transposition brings the
 * eight sums side by side. A sum at a time would spend as much on each row's last few additions as on its products, and
 * wait for them. A row's score has the same bits wherever in a block it stands, alone too.
 *
 * FK_LANES: floats of the widest register that the variant works with, 4, 8 or 16.
 */

/* Eight floats or bfloat16s (kernel_half.h) of a row, and four, and sixteen. */
FK_INLINE fk_loose_four FK_NAME(load_4)(const char *row, size_t f, const int is_bfloat) {
    return is_bfloat ? FK_NAME(widened_4)(row + 2 * f) : *(const fk_loose_four *)(row + 4 * f);
}
FK_INLINE fk_eight FK_NAME(load_8)(const char *row, size_t f, const int is_bfloat) {
    return is_bfloat ? FK_NAME(widened_8)(row + 2 * f) : *(const fk_eight *)(row + 4 * f);
}
FK_INLINE fk_sixteen FK_NAME(load_16)(const char *row, size_t f, const int is_bfloat) {
    return is_bfloat ? FK_NAME(widened_16)(row + 2 * f) : *(const fk_sixteen *)(row + 4 * f);
}

/* Sums of eight vectors, in their order. Each line halves what is left: what belongs to two rows goes into one vector. */
FK_INLINE fk_eight FK_NAME(sums_4)(const fk_loose_four *v) {
#define FK_PAIR(a, b) (__builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7))
#define FK_LAST(a, b) (__builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7))
    const fk_loose_four a = FK_PAIR(v[0], v[1]), b = FK_PAIR(v[2], v[3]), c = FK_PAIR(v[4], v[5]), d = FK_PAIR(v[6], v[7]);
    const fk_loose_four low = FK_LAST(a, b), high = FK_LAST(c, d);
#undef FK_PAIR
#undef FK_LAST
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
}
FK_INLINE fk_eight FK_NAME(sums_8)(const fk_eight *v) {
#define FK_HALVES(a, b) (__builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15))
#define FK_PAIRS(a, b) (__builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) + __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15))
#define FK_LAST(a, b) (__builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14) + __builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15))
    const fk_eight a = FK_HALVES(v[0], v[4]), b = FK_HALVES(v[1], v[5]), c = FK_HALVES(v[2], v[6]), d = FK_HALVES(v[3], v[7]);
    const fk_eight e = FK_PAIRS(a, b), f = FK_PAIRS(c, d);
    return FK_LAST(e, f);
#undef FK_HALVES
#undef FK_PAIRS
#undef FK_LAST
}
FK_INLINE fk_eight FK_NAME(sums_16)(const fk_sixteen *v) {
#define FK_HALVES(a, b)                                                                                   \
    (__builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +              \
     __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#define FK_QUARTERS(a, b)                                                                                 \
    (__builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +            \
     __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31))
#define FK_PAIRS(a, b)                                                                                    \
    (__builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +            \
     __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    const fk_sixteen a = FK_HALVES(v[0], v[2]), b = FK_HALVES(v[4], v[6]), c = FK_HALVES(v[1], v[3]), d = FK_HALVES(v[5], v[7]);
    const fk_sixteen e = FK_QUARTERS(a, b), f = FK_QUARTERS(c, d);
    const fk_sixteen g = FK_PAIRS(e, f);
    return __builtin_shufflevector(g, g, 0, 2, 4, 6, 8, 10, 12, 14) + __builtin_shufflevector(g, g, 1, 3, 5, 7, 9, 11, 13, 15);
#undef FK_HALVES
#undef FK_QUARTERS
#undef FK_PAIRS
}

/* Bytes ahead of a row that are asked for with it: eight rows at once look less like a stream to the processor, and it reads
 * ahead too late. */
#define FK_AHEAD 8192

/* Products of eight rows, `step` bytes apart, with the query; of a long row in two sums, so that additions do not wait for
 * each other. */
#define FK_BLOCK(lanes, vector)                                                                                           \
    FK_INLINE vector FK_NAME(products_##lanes)(const float *query, const char *row, const size_t width, const int is_bfloat) { \
        const char *p = (const char *)query;                                                                              \
        vector sum = FK_NAME(load_##lanes)(p, 0, 0) * FK_NAME(load_##lanes)(row, 0, is_bfloat), other = {};               \
        size_t f = lanes;                                                                                                 \
        for (; f + lanes < width; f += 2 * lanes) {                                                                       \
            other += FK_NAME(load_##lanes)(p, f, 0) * FK_NAME(load_##lanes)(row, f, is_bfloat);                           \
            sum += FK_NAME(load_##lanes)(p, f + lanes, 0) * FK_NAME(load_##lanes)(row, f + lanes, is_bfloat);             \
        }                                                                                                                 \
        if (f < width) other += FK_NAME(load_##lanes)(p, f, 0) * FK_NAME(load_##lanes)(row, f, is_bfloat);                \
        return sum + other;                                                                                               \
    }                                                                                                                     \
    FK_INLINE fk_eight FK_NAME(block_##lanes)(const float *query, const char *rows, size_t step, const size_t width,      \
                                              const int is_bfloat) {                                                      \
        vector sum[8];                                                                                                    \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < 8; ++r) {                                                  \
            for (size_t line = 0; line < step; line += 64) __builtin_prefetch(rows + r * step + line + FK_AHEAD, 0, 3);   \
            sum[r] = FK_NAME(products_##lanes)(query, rows + r * step, width, is_bfloat);                                 \
        }                                                                                                                 \
        return FK_NAME(sums_##lanes)(sum);                                                                                \
    }
FK_BLOCK(4, fk_loose_four)
FK_BLOCK(8, fk_eight)
FK_BLOCK(16, fk_sixteen)
#undef FK_BLOCK
#undef FK_AHEAD

/* `stride` in bytes. The last rows are scored in the block that ends with them; fewer than eight one by one, each in the
 * place of eight. */
FK_INLINE void FK_NAME(score_of)(const float *query, float constant, const char *rows, const fk_row_state *states, size_t count,
                                 const size_t width, size_t stride, float *out, const int is_bfloat) {
    const int isWhole = count >= 8;
    size_t step = isWhole ? stride : 0, next = isWhole ? 1 : 0;
    /* Opaque, so that the compiler keeps one loop for both: two might round differently. */
    __asm__("" : "+r"(step), "+r"(next));
    for (size_t i = 0; i < count; i += isWhole ? 8 : 1) {
        if (isWhole && i > count - 8) i = count - 8;
        const char *row = rows + i * stride;
        const fk_row_state *s = states + i;
        const fk_eight weight = {s[0].weight,        s[next].weight,     s[2 * next].weight, s[3 * next].weight,
                                 s[4 * next].weight, s[5 * next].weight, s[6 * next].weight, s[7 * next].weight};
        fk_eight sum;
        if (FK_LANES == 16 && width % 16 == 0)
            sum = FK_NAME(block_16)(query, row, step, width, is_bfloat);
        else if (FK_LANES >= 8)
            sum = FK_NAME(block_8)(query, row, step, width, is_bfloat);
        else
            sum = FK_NAME(block_4)(query, row, step, width, is_bfloat);
        sum += weight + constant;
        if (isWhole)
            *(fk_eight *)(out + i) = sum;
        else
            out[i] = sum[0];
    }
}

/* Every width is a function of its own, so that the query stays in registers. */
#define FK_SCORES(suffix, is_bfloat, width)                                                                                 \
    FK_APART FK_NAME(score_##suffix)(const float *query, float constant, const char *rows, const fk_row_state *states,  \
                                     size_t count, size_t w, size_t stride, float *out) {                               \
        (void)w;                                                                                                        \
        FK_NAME(score_of)(query, constant, rows, states, count, (width), stride, out, is_bfloat);                           \
    }
FK_SCORES(rows_8, 0, 8)
FK_SCORES(rows_16, 0, 16)
FK_SCORES(rows_32, 0, 32)
FK_SCORES(rows_64, 0, 64)
FK_SCORES(rows_128, 0, 128)
FK_SCORES(rows_any, 0, w & ~(size_t)7)
FK_SCORES(bfloats_8, 1, 8)
FK_SCORES(bfloats_16, 1, 16)
FK_SCORES(bfloats_32, 1, 32)
FK_SCORES(bfloats_64, 1, 64)
FK_SCORES(bfloats_128, 1, 128)
FK_SCORES(bfloats_any, 1, w & ~(size_t)7)
#undef FK_SCORES

/* The loop of a row's width, rows being `type`s. */
#define FK_SCORES_BY_WIDTH(name, type)                                                                                      \
    FK_RACY static void FK_NAME(score_##name)(const float *query, float constant, const type *rows, const fk_row_state *states, \
                                              size_t count, size_t width, size_t stride, float *out) {                        \
        const char *bytes = (const char *)rows;                                                                             \
        stride *= sizeof(type);                                                                                             \
        switch (width) {                                                                                                    \
        case 8: FK_NAME(score_##name##_8)(query, constant, bytes, states, count, width, stride, out); return;               \
        case 16: FK_NAME(score_##name##_16)(query, constant, bytes, states, count, width, stride, out); return;             \
        case 32: FK_NAME(score_##name##_32)(query, constant, bytes, states, count, width, stride, out); return;             \
        case 64: FK_NAME(score_##name##_64)(query, constant, bytes, states, count, width, stride, out); return;             \
        case 128: FK_NAME(score_##name##_128)(query, constant, bytes, states, count, width, stride, out); return;           \
        default: FK_NAME(score_##name##_any)(query, constant, bytes, states, count, width, stride, out);                    \
        }                                                                                                                   \
    }
FK_SCORES_BY_WIDTH(rows, float)
FK_SCORES_BY_WIDTH(bfloats, fk_bfloat)
#undef FK_SCORES_BY_WIDTH

FK_RACY static void FK_NAME(softplus)(const float *x, size_t count, float *out) {
    for (size_t i = 0; i < count; ++i) out[i] = fk_softplus_near(x[i]);
}
