#include "CKernels.h"

/* A CRC is a polynomial over GF(2) modulo P; reflected, bit 31 is x^0. To follow bytes with n others multiplies it by x^(8n). */
static const uint32_t polynomial = 0x82F63B78;

static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        product ^= b & (0u - (uint32_t)((a & bit) != 0));
        b = (b >> 1) ^ (polynomial & (0u - (b & 1u)));
    }
    return product;
}

/* x^(8n) modulo P, by squaring. */
static uint32_t shift_by(uint64_t n) {
    uint32_t power = 1u << 31, square = 1u << 23; /* x^0, x^8 */
    for (; n; n >>= 1) {
        if (n & 1) power = multiply(square, power);
        square = multiply(square, square);
    }
    return power;
}

uint32_t fk_crc32c_join(uint32_t first, uint32_t second, uint64_t count) { return multiply(shift_by(count), first) ^ second; }

/* Portable form: eight tables would be faster, but every x86-64 machine since 2008 takes the instruction below. */
static uint32_t crc32c_portable(uint32_t crc, const uint8_t *p, size_t n) {
    while (n--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (polynomial & (0u - (crc & 1u)));
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static inline uint64_t word_at(const uint8_t *p) {
    uint64_t word;
    __builtin_memcpy(&word, p, 8);
    return word;
}

/* The instruction takes three cycles and can begin anew in each: three lanes side by side, joined at their ends. */
__attribute__((target("sse4.2"))) static uint32_t crc32c_lanes(uint32_t crc, const uint8_t *p, size_t lane, uint32_t shift) {
    uint64_t a = crc, b = 0, c = 0;
    for (const uint8_t *end = p + lane; p < end; p += 8) {
        a = _mm_crc32_u64(a, word_at(p));
        b = _mm_crc32_u64(b, word_at(p + lane));
        c = _mm_crc32_u64(c, word_at(p + 2 * lane));
    }
    return multiply(shift, multiply(shift, (uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

/* The lengths of lanes, and x^(8 length) modulo P. */
enum { long_lane = 16384, short_lane = 1024 };
static const uint32_t long_shift = 0xBF455269, short_shift = 0xE4172B16;

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n >= 3 * long_lane; n -= 3 * long_lane, p += 3 * long_lane) crc = crc32c_lanes(crc, p, long_lane, long_shift);
    for (; n >= 3 * short_lane; n -= 3 * short_lane, p += 3 * short_lane) crc = crc32c_lanes(crc, p, short_lane, short_shift);
    uint64_t wide = crc;
    for (; n >= 8; n -= 8, p += 8) wide = _mm_crc32_u64(wide, word_at(p));
    crc = (uint32_t)wide;
    while (n--) crc = _mm_crc32_u8(crc, *p++);
    return crc;
}
#endif

uint32_t fk_crc32c(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc32c_sse42(crc, bytes, count);
#endif
    return ~crc32c_portable(crc, bytes, count);
}
