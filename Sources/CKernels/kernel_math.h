/* Scalar mathematics that the kernels share. */
#ifndef KERNEL_MATH_H
#define KERNEL_MATH_H
#include <stdint.h>
#include <string.h>

/* exp(x) with a relative error below 3e-7 for |x| <= 87; of no meaning beyond. 2^n * 2^f, |f| <= 1/2, by a polynomial (the
 * Cephes coefficients for expf) whose halves are summed side by side, since whoever asks waits for the answer: a step
 * cannot begin before it. n is rounded by adding 1.5 * 2^23, in whose lowest bits it then stands. */
static inline __attribute__((always_inline)) float fk_exp_near(float x) {
    const float shifted = x * 1.44269504088896341f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    const float r2 = r * r;
    const float low = 1.6666665459e-1f * r + 5.0000001201e-1f;
    const float middle = 8.3334519073e-3f * r + 4.1665795894e-2f;
    const float high = 1.9875691500e-4f * r + 1.3981999507e-3f;
    const float y = ((high * r2 + middle) * r2 + low) * r2 + (r + 1.0f);
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3F800000u;  /* what the sum holds above n is shifted out */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return y * scale;
}

/* The same for every x: clamped to [-87, 87]. NaN gives a bound; callers test finiteness before. */
static inline __attribute__((always_inline)) float fk_exp(float x) {
    x = x > -87.0f ? x : -87.0f;  /* also for NaN */
    x = x < 87.0f ? x : 87.0f;
    return fk_exp_near(x);
}

/* Four numbers that go through one square root and one division together. */
typedef float fk_four __attribute__((vector_size(16)));
/* Pieces of a row. */
typedef float fk_eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float fk_sixteen __attribute__((vector_size(64), aligned(4), may_alias));

/* 1 / (1 + exp(-x)), relative error below 4e-7 down to exp(-87). */
static inline __attribute__((always_inline)) float fk_logistic(float x) {
    return 1.0f / (1.0f + fk_exp(-x));
}

/* ln(1 + exp(x)) = max(x, 0) + ln(1 + t), t = exp(-|x|) in (0, 1], with ln(1 + t) = 2 atanh(z), z = t / (2 + t) <= 1/3, as a
 * series: relative error below 1e-6, and nothing in it keeps a loop from running over several at once. */
static inline __attribute__((always_inline)) float fk_softplus_near(float x) {
    const float t = fk_exp(x < 0 ? x : -x);
    const float z = t / (2.0f + t), z2 = z * z;
    const float series = ((((1.0f / 13 * z2 + 1.0f / 11) * z2 + 1.0f / 9) * z2 + 1.0f / 7) * z2 + 1.0f / 5) * z2 + 1.0f / 3;
    return (x > 0 ? x : 0) + 2 * z * (series * z2 + 1);
}

static inline __attribute__((always_inline)) int fk_is_finite(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7F800000u) != 0x7F800000u;
}

#endif
