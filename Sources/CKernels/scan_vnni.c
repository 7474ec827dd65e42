#include "scan_math.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx2,fma"))), apply_to = function)
#define FK_NAME(x) fk_vnni_scan_##x
#define FK_VARIANT_NAME "avx512vnni"
typedef int32_t fk_vnni_scan_sums_of __attribute__((vector_size(64), aligned(4), may_alias));

FK_INLINE fk_vnni_scan_sums_of fk_vnni_scan_sums(const uint8_t *plane, size_t words, const int8_t *q) {
    const __m512i half = _mm512_set1_epi8(15);
    __m512i a = _mm512_setzero_si512(), b = a;
    for (size_t j = 0; j < words; ++j) {
        int32_t pair[2];
        __builtin_memcpy(pair, q + 8 * j, 8);
        const __m512i x = _mm512_loadu_si512(plane + 64 * j);
        a = _mm512_dpbusd_epi32(a, _mm512_and_si512(x, half), _mm512_set1_epi32(pair[0]));
        b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi16(x, 4), half), _mm512_set1_epi32(pair[1]));
    }
    return (fk_vnni_scan_sums_of)_mm512_add_epi32(a, b);
}

FK_INLINE uint32_t fk_vnni_scan_below(const fk_sixteen *bounds, float limit) {
    return _mm512_cmp_ps_mask((__m512)*bounds, _mm512_set1_ps(limit), _CMP_LT_OQ);
}
#include "kernel_scan.h"
#pragma clang attribute pop
#endif
