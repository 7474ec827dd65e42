#include "scan_math.h"

/* Portable: eight products of 16 bits at a time, which SSE2 and NEON have. */
#define FK_NAME(x) fk_portable_scan_##x
#define FK_VARIANT_NAME "portable"
typedef int32_t fk_portable_scan_sums_of __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint8_t fk_bytes __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t fk_half_bytes __attribute__((vector_size(8), aligned(1), may_alias));
typedef int8_t fk_signed_half __attribute__((vector_size(8), aligned(1), may_alias));
typedef int16_t fk_shorts __attribute__((vector_size(16), aligned(2), may_alias));

/* Two products of at most 15 * 128 a word: 16 of them fit 16 bits. */
FK_INLINE fk_portable_scan_sums_of fk_portable_scan_sums(const uint8_t *plane, size_t words, const int8_t *q) {
    fk_portable_scan_sums_of total = {};
    for (size_t from = 0; from < words; from += 8) {
        const size_t end = from + 8 < words ? from + 8 : words;
        fk_shorts sum[8] = {};
        for (size_t j = from; j < end; ++j) {
            const int8_t *const p = q + 8 * j;
            const fk_shorts a = {p[0], p[1], p[2], p[3], p[0], p[1], p[2], p[3]};
            const fk_shorts b = {p[4], p[5], p[6], p[7], p[4], p[5], p[6], p[7]};
            for (int part = 0; part < 4; ++part) {
                const fk_bytes x = *(const fk_bytes *)(plane + 64 * j + 16 * part), low = x & 15, high = x >> 4;
                const fk_half_bytes low_0 = __builtin_shufflevector(low, low, 0, 1, 2, 3, 4, 5, 6, 7);
                const fk_half_bytes low_1 = __builtin_shufflevector(low, low, 8, 9, 10, 11, 12, 13, 14, 15);
                const fk_half_bytes high_0 = __builtin_shufflevector(high, high, 0, 1, 2, 3, 4, 5, 6, 7);
                const fk_half_bytes high_1 = __builtin_shufflevector(high, high, 8, 9, 10, 11, 12, 13, 14, 15);
                sum[2 * part] += __builtin_convertvector(low_0, fk_shorts) * a + __builtin_convertvector(high_0, fk_shorts) * b;
                sum[2 * part + 1] += __builtin_convertvector(low_1, fk_shorts) * a + __builtin_convertvector(high_1, fk_shorts) * b;
            }
        }
        for (int row = 0; row < 16; ++row) {
            const fk_shorts s = sum[row / 2];
            const int lane = row % 2 * 4;
            total[row] += s[lane] + s[lane + 1] + s[lane + 2] + s[lane + 3];
        }
    }
    return total;
}

FK_INLINE uint32_t fk_portable_scan_below(const fk_sixteen *bounds, float limit) {
    uint32_t mask = 0;
    for (int row = 0; row < 16; ++row) mask |= (uint32_t)((*bounds)[row] < limit) << row;
    return mask;
}
#include "kernel_scan.h"

extern const fk_scans fk_avx2_scan_scans;
extern const fk_scans fk_vnni_scan_scans;

const fk_scans *fk_scans_for(int variant) {
    switch (variant) {
    case fk_scan_portable: return &fk_portable_scan_scans;
#if defined(__x86_64__)
    case fk_scan_avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &fk_avx2_scan_scans : 0;
    case fk_scan_vnni:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")
                   ? &fk_vnni_scan_scans
                   : 0;
#endif
    default: return 0;
    }
}

/* The least float that is not below x. */
static float above(double x) {
    const float near = (float)x;
    return (double)near >= x ? near : __builtin_nextafterf(near, __builtin_inff());
}

int fk_scan_prepare(fk_scan_query *query, const float *p, size_t width, float constant) {
    const double u = 0x1p-24, root = __builtin_sqrt((double)width), V = 127.5 * root, g = ((double)width + 8) * u * 1.01;
    float most = 0;
    for (size_t f = 0; f < width; ++f) {
        const float size = __builtin_fabsf(p[f]);
        if (!(size <= 1e15f)) return 0;
        most = size > most ? size : most;
    }
    if (!__builtin_isfinite(constant) || (most != 0 && most < 1e-15f)) return 0;
    /* As many bits as let every sum of bytes times these fit 32 bits, and no more than 127 in the upper byte. */
    const int32_t room = (int32_t)(0x7FFFFFFF / (255 * (uint32_t)width)), limit = room < 32639 ? room : 32639;
    const float qs = most / (float)limit;
    double size = 0, whole_size = 0, high_size = 0, whole_rest = 0, high_rest = 0;
    int32_t sum = 0, high_sum = 0;
    for (size_t f = 0; f < width; ++f) {
        int32_t whole = qs > 0 ? (int32_t)__builtin_rint((double)p[f] / (double)qs) : 0;
        whole = whole > limit ? limit : whole < -limit ? -limit : whole;
        const int32_t high = (whole + 128) >> 8, low = whole - 256 * high;
        query->high[f] = (int8_t)high;
        query->low[f] = (int8_t)low;
        sum += whole;
        high_sum += high;
        const double exact = p[f], a = (double)qs * whole, b = (double)qs * 256 * high;
        size += exact * exact;
        whole_size += a * a;
        high_size += b * b;
        whole_rest += (exact - a) * (exact - a);
        high_rest += (exact - b) * (exact - b);
    }
    /* Doubles round where floats do not, by far less than one part in 10^9. */
    const double more = 1 + 1e-9;
    const double norm = __builtin_sqrt(size) * more, fine = __builtin_sqrt(whole_size) * more, coarse = __builtin_sqrt(high_size) * more;
    query->width = (uint32_t)width;
    query->bias = -128 * sum;
    query->coarse_step = qs * 4096;
    query->coarse_base = above(
        -(double)qs * 256 * 120.5 * high_sum + __builtin_sqrt(high_rest) * more * V + g * norm * V + 16 * u * (361 * root * coarse + 2 * norm * V));
    query->coarse_reach = above(coarse * (1 + 16 * u));
    query->fine_step = qs;
    query->fine_base = above(__builtin_sqrt(whole_rest) * more * V + g * norm * V + 16 * u * (361 * root * fine + 2 * norm * V));
    query->fine_reach = above(fine * (1 + 16 * u));
    query->weight_slack = above(g + 16 * u);
    query->constant = above((double)constant + (g + 16 * u) * __builtin_fabs((double)constant) + 1e-37);
    return 1;
}

int fk_all_fresh(const void *marks, size_t count) {
    const uint64_t *const words = marks;
    uint64_t all = 0x0101010101010101u;
    for (size_t i = 0; i < count / 8; ++i) all &= __atomic_load_n(words + i, __ATOMIC_RELAXED);
    return all == 0x0101010101010101u;
}
