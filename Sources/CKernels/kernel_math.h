/* Scalar mathematics that the kernels share. */
#ifndef KERNEL_MATH_H
#define KERNEL_MATH_H
#include <stdint.h>
#include <string.h>

/* exp(x) with a relative error below 3e-7 on [-87, 88], clamped outside: 2^n * 2^f, |f| <= 1/2, by a polynomial
 * (the Cephes coefficients for expf). NaN gives a clamp bound; callers test finiteness before. */
static inline __attribute__((always_inline)) float fk_exp(float x) {
    x = x > -87.0f ? x : -87.0f;  /* also for NaN, whose conversion below would be undefined */
    x = x < 88.0f ? x : 88.0f;
    float n = __builtin_rintf(x * 1.44269504088896341f);
    float r = x - n * 0.693359375f;
    r += n * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return y * scale;
}

/* Four numbers that go through one square root and one division together. */
typedef float fk_four __attribute__((vector_size(16)));
/* Pieces of a row. */
typedef float fk_eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float fk_sixteen __attribute__((vector_size(64), aligned(4), may_alias));

static inline __attribute__((always_inline)) float fk_logistic(float x) {
    float e = fk_exp(x < 0 ? x : -x);
    float p = 1.0f / (1.0f + e);
    return x < 0 ? e * p : p;
}

static inline __attribute__((always_inline)) int fk_is_finite(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7F800000u) != 0x7F800000u;
}

#endif
