/* Scalar mathematics that the kernels share. */
#ifndef KERNEL_MATH_H
#define KERNEL_MATH_H
#include <stdint.h>

/* exp(x) = y * scale with a relative error below 5e-7 for |x| <= 8, growing to 3e-6 at 87; of no meaning beyond. 2^n * 2^f,
 * |f| <= 1/2, by the first terms of the series of 2^f, summed in halves side by side: a step cannot begin before the error
 * that it stands for, so what counts is how soon the value is there. n is rounded by adding 1.5 * 2^23, in whose lowest bits
 * it then stands. */
static inline __attribute__((always_inline)) float fk_exp_parts(float x, float *scale) {
    const float shifted = x * 1.44269504088896341f + 12582912.0f;
    const float f = x * 1.44269504088896341f - (shifted - 12582912.0f);
    const float f2 = f * f, f4 = f2 * f2;
    const float low = (0.240226507f + 0.0555041087f * f) * f2 + (1.0f + 0.693147181f * f);
    const float high = 0.000154035304f * f2 + (0.00961812911f + 0.00133335581f * f);
    uint32_t bits;
    __builtin_memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3F800000u;  /* what the sum holds above n is shifted out */
    __builtin_memcpy(scale, &bits, sizeof *scale);
    return high * f4 + low;
}

/* Four numbers that go through one function together. */
typedef float fk_four __attribute__((vector_size(16)));

/* `fk_logistic_near` of four numbers. */
static inline __attribute__((always_inline)) fk_four fk_logistic_four(fk_four x) {
    typedef uint32_t words __attribute__((vector_size(16)));
    const fk_four shifted = x * -1.44269504088896341f + 12582912.0f;
    const fk_four f = x * -1.44269504088896341f - (shifted - 12582912.0f);
    const fk_four f2 = f * f, f4 = f2 * f2;
    const fk_four low = (0.240226507f + 0.0555041087f * f) * f2 + (1.0f + 0.693147181f * f);
    const fk_four high = 0.000154035304f * f2 + (0.00961812911f + 0.00133335581f * f);
    const fk_four scale = (fk_four)(((words)shifted << 23) + 0x3F800000u);
    return 1.0f / ((high * f4 + low) * scale + 1.0f);
}

static inline __attribute__((always_inline)) float fk_exp_near(float x) {
    float scale;
    const float y = fk_exp_parts(x, &scale);
    return y * scale;
}

/* 1 / (1 + exp(-x)) for |x| <= 87. */
static inline __attribute__((always_inline)) float fk_logistic_near(float x) {
    float scale;
    const float y = fk_exp_parts(-x, &scale);
    return 1.0f / (y * scale + 1.0f);
}

/* The same for every x: clamped to [-87, 87]. NaN gives a bound; callers test finiteness before. */
static inline __attribute__((always_inline)) float fk_exp(float x) {
    x = x > -87.0f ? x : -87.0f;  /* also for NaN */
    x = x < 87.0f ? x : 87.0f;
    return fk_exp_near(x);
}

/* Pieces of a row. */
typedef float fk_loose_four __attribute__((vector_size(16), aligned(4), may_alias));
typedef float fk_eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float fk_sixteen __attribute__((vector_size(64), aligned(4), may_alias));

/* The same for every x, clamped to [-87, 87]. */
static inline __attribute__((always_inline)) float fk_logistic(float x) {
    x = x > -87.0f ? x : -87.0f;  /* also for NaN */
    return fk_logistic_near(x < 87.0f ? x : 87.0f);
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
    __builtin_memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7F800000u) != 0x7F800000u;
}

#endif
