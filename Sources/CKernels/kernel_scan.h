/* The first pass, included once for each instruction set with FK_NAME(x), FK_VARIANT_NAME, and
 *   FK_NAME(sums)(plane, words, q)   for 16 rows: the sum over factors of half byte times q, whole numbers
 *   FK_NAME(below)(bounds, limit)    16 bits: whether each bound is below the limit
 * defined before.
 *
 * The bound. u is the unit of rounding 2^-24, k the width, |.| the Euclidean norm, s the row's scale. No factor exceeds
 * 127 s (1 + 2u) in size, so |v| <= V s with V = 127.5 sqrt(k). The row kernels add k products and two numbers more in some
 * order, fused or not; so what they answer is at most
 *     <p, v> + weight + constant + g (|p| |v| + |weight| + |constant|) + k 2^-149,     g = (k + 8) u 1.01
 * (Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.1; the last term is underflow). With a the query as it was
 * rounded, p = a + e, and b the row as it was, v = b + r:
 *     <p, v> = <a, b> + <a, r> + <e, v> <= <a, b> + |a| |r| + |e| V s              (Cauchy and Schwarz)
 * <a, b> is whole numbers times qs s. The bound itself is computed in floats: below, no intermediate is larger than
 * T = s (361 sqrt(k) |a|) + |a| |r| + |weight| + |constant| (half bytes are summed before the middle is taken off, 361 =
 * 240 + 121), and there are fewer than 16 roundings, each by u of an intermediate. Every term therefore has 16 u of itself on
 * top, in the number that multiplies s, |r|, |weight|, or stands alone, and the sum is rounded upwards by that. Underflow
 * adds less than 1e-37, which is in `constant`. |r| itself is measured: r4 and r8 are one rounding each, for s has 8 bits and
 * the whole number 9, and their product is exact; the sum of k squares in floats is within (k + 4) u of itself, and
 * underflow within sqrt(k 2^-149) < 1e-21 of the norm.
 */
typedef uint32_t FK_NAME(words) __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t FK_NAME(whole) __attribute__((vector_size(64), aligned(4), may_alias));

FK_INLINE float FK_NAME(from_bits)(uint32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}
FK_INLINE uint32_t FK_NAME(to_bits)(float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}
/* The least bfloat16 that is not below a positive float. */
FK_INLINE float FK_NAME(raised)(float value) {
    return FK_NAME(from_bits)((FK_NAME(to_bits)(value) + 0xFFFFu) & 0xFFFF0000u);
}

FK_RACY static void FK_NAME(write)(uint8_t *coarse, uint8_t *fine, size_t row, const float *v, float weight, size_t width) {
    uint8_t code[fk_scan_width] __attribute__((aligned(64)));
    const size_t k = width;
    fk_eight most = {}, odd = {};
    for (size_t f = 0; f < k; f += 8) {
        const fk_eight x = *(const fk_eight *)(v + f), size = __builtin_elementwise_abs(x);
        most = __builtin_elementwise_max(most, size);
        odd += x - x;
    }
    const float greatest = __builtin_reduce_max(most);
    float isOdd = 0;
    for (int lane = 0; lane < 8; ++lane) isOdd += odd[lane];
    float scale = 0, coarse_rest = 0, fine_rest = 0;
    if (!(isOdd == 0) || !(greatest <= 1e15f)) {
        coarse_rest = fine_rest = __builtin_inff();
    } else if (greatest < 1e-18f) {
        /* Twice the norm at most, so that it has the rounding of products in it. */
        coarse_rest = fine_rest = FK_NAME(raised)(2e-18f * __builtin_sqrtf((float)k));
    } else {
        scale = FK_NAME(raised)(greatest / 127.0f);
        const float inverse = 1.0f / scale;
        fk_eight four = {}, eight = {};
        typedef int32_t eight_whole __attribute__((vector_size(32)));
        typedef uint8_t eight_bytes __attribute__((vector_size(8), aligned(1), may_alias));
        for (size_t f = 0; f < k; f += 8) {
            const fk_eight x = *(const fk_eight *)(v + f);
            /* To the nearest whole number, in the lowest bits of 1.5 * 2^23 + it. */
            const fk_eight shifted = x * inverse + 12582912.0f;
            eight_whole c = (eight_whole)shifted - 0x4B400000;
            c = __builtin_elementwise_max(__builtin_elementwise_min(c, (eight_whole){} + 127), (eight_whole){} - 127);
            const eight_whole byte = c + 128;
            const fk_eight near = x - scale * __builtin_convertvector(c, fk_eight);
            const fk_eight far = x - scale * (__builtin_convertvector(byte >> 4, fk_eight) * 16.0f - 120.5f);
            eight += near * near;
            four += far * far;
            *(eight_bytes *)(code + f) = __builtin_convertvector(byte, eight_bytes);
        }
        float four_sum = 0, eight_sum = 0;
        for (int lane = 0; lane < 8; ++lane) {
            four_sum += four[lane];
            eight_sum += eight[lane];
        }
        const float slack = 1 + (float)(k + 16) * 0x1p-23f;
        coarse_rest = FK_NAME(raised)(__builtin_sqrtf(four_sum) * slack + 1e-21f);
        fine_rest = __builtin_sqrtf(eight_sum) * slack + 1e-21f;
    }
    if (scale == 0) __builtin_memset(code, 128, k);
    uint32_t *to_coarse = (uint32_t *)coarse + row, *to_fine = (uint32_t *)fine + row;
    for (size_t f = 0; f < k; f += 8) {
        uint32_t a, b;
        __builtin_memcpy(&a, code + f, 4);
        __builtin_memcpy(&b, code + f + 4, 4);
        *to_coarse = (a >> 4 & 0x0F0F0F0Fu) | (b & 0xF0F0F0F0u);
        *to_fine = (a & 0x0F0F0F0Fu) | (b << 4 & 0xF0F0F0F0u);
        to_coarse += fk_tile_rows;
        to_fine += fk_tile_rows;
    }
    *to_coarse = FK_NAME(to_bits)(scale) | FK_NAME(to_bits)(coarse_rest) >> 16;
    *(float *)(to_coarse + fk_tile_rows) = weight;
    *(float *)to_fine = fine_rest;
}

FK_RACY static size_t FK_NAME(scan)(const fk_scan_query *query, const uint8_t *coarse, const uint8_t *fine, size_t tiles,
                                    float threshold, uint32_t first, uint32_t *rows, float *bounds) {
    const size_t words = query->width / 8, plane = words * 64, coarse_bytes = plane + 128, fine_bytes = plane + 64;
    const int8_t *const high = query->high, *const low = query->low;
    const float coarse_step = query->coarse_step, coarse_base = query->coarse_base, coarse_reach = query->coarse_reach;
    const float slack = query->weight_slack, constant = query->constant;
    size_t found = 0;
    for (size_t tile = 0; tile < tiles; ++tile, coarse += coarse_bytes, fine += fine_bytes, first += fk_tile_rows) {
        for (size_t line = 0; line < coarse_bytes; line += 64) __builtin_prefetch(coarse + line + 2048, 0, 3);
        const FK_NAME(whole) sums = FK_NAME(sums)(coarse, words, high);
        const FK_NAME(words) pair = *(const FK_NAME(words) *)(coarse + plane);
        const fk_sixteen scale = (fk_sixteen)(pair & 0xFFFF0000u), rest = (fk_sixteen)(pair << 16);
        const fk_sixteen weight = *(const fk_sixteen *)(coarse + plane + 64);
        const fk_sixteen common = weight + __builtin_elementwise_abs(weight) * slack + constant;
        const fk_sixteen bound =
            scale * (__builtin_convertvector(sums, fk_sixteen) * coarse_step + coarse_base) + (rest * coarse_reach + common);
        if (__builtin_expect(FK_NAME(below)(&bound, threshold) == 0xFFFF, 1)) continue;

        const FK_NAME(words) upper = (FK_NAME(words))sums * 256 + (FK_NAME(words))FK_NAME(sums)(coarse, words, low);
        const FK_NAME(words) lower = (FK_NAME(words))FK_NAME(sums)(fine, words, high) * 256 + (FK_NAME(words))FK_NAME(sums)(fine, words, low);
        const FK_NAME(whole) all = (FK_NAME(whole))(upper * 16 + lower + (uint32_t)query->bias);
        const fk_sixteen nearer = *(const fk_sixteen *)(fine + plane);
        float exact[16] __attribute__((aligned(64)));
        const fk_sixteen limit =
            scale * (__builtin_convertvector(all, fk_sixteen) * query->fine_step + query->fine_base) + (nearer * query->fine_reach + common);
        *(fk_sixteen *)exact = limit;
        uint32_t left = ~(uint32_t)FK_NAME(below)(&limit, threshold) & 0xFFFF;
        for (; left; left &= left - 1) {
            const uint32_t lane = (uint32_t)__builtin_ctz(left);
            rows[found] = first + lane;
            bounds[found] = exact[lane];
            ++found;
        }
    }
    return found;
}

const fk_scans FK_NAME(scans) = {.name = FK_VARIANT_NAME, .write = FK_NAME(write), .scan = FK_NAME(scan)};
