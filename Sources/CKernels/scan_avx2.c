#include "scan_math.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define FK_NAME(x) fk_avx2_scan_##x
#define FK_VARIANT_NAME "avx2"
typedef int32_t fk_avx2_scan_sums_of __attribute__((vector_size(64), aligned(4), may_alias));

/* Half bytes times bytes: sums of two, at most 15 * 128 * 2, fit 16 bits, and so do eight of these. */
FK_INLINE fk_avx2_scan_sums_of fk_avx2_scan_sums(const uint8_t *plane, size_t words, const int8_t *q) {
    const __m256i half = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i total_0 = _mm256_setzero_si256(), total_1 = total_0;
    for (size_t j = 0; j < words;) {
        const size_t end = j + 4 < words ? j + 4 : words;
        __m256i sum_0 = _mm256_setzero_si256(), sum_1 = sum_0;
        for (; j < end; ++j) {
            int32_t pair[2];
            __builtin_memcpy(pair, q + 8 * j, 8);
            const __m256i a = _mm256_set1_epi32(pair[0]), b = _mm256_set1_epi32(pair[1]);
            const __m256i x = _mm256_loadu_si256((const __m256i *)(plane + 64 * j)), y = _mm256_loadu_si256((const __m256i *)(plane + 64 * j + 32));
            sum_0 = _mm256_add_epi16(sum_0, _mm256_maddubs_epi16(_mm256_and_si256(x, half), a));
            sum_1 = _mm256_add_epi16(sum_1, _mm256_maddubs_epi16(_mm256_and_si256(y, half), a));
            sum_0 = _mm256_add_epi16(sum_0, _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(x, 4), half), b));
            sum_1 = _mm256_add_epi16(sum_1, _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(y, 4), half), b));
        }
        total_0 = _mm256_add_epi32(total_0, _mm256_madd_epi16(sum_0, ones));
        total_1 = _mm256_add_epi32(total_1, _mm256_madd_epi16(sum_1, ones));
    }
    typedef int32_t eight __attribute__((vector_size(32)));
    return __builtin_shufflevector((eight)total_0, (eight)total_1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

FK_INLINE uint32_t fk_avx2_scan_below(const fk_sixteen *bounds, float limit) {
    const __m256 l = _mm256_set1_ps(limit);
    const float *const b = (const float *)bounds;
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(b), l, _CMP_LT_OQ));
    return (uint32_t)(low | _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(b + 8), l, _CMP_LT_OQ)) << 8);
}
#include "kernel_scan.h"
#pragma clang attribute pop
#endif
