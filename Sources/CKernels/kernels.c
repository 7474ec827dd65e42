#include "CKernels.h"
#include "kernel_math.h"

#define FK_RACY __attribute__((no_sanitize("thread")))

extern const fk_kernels fk_portable_kernels;
#if defined(__x86_64__)
extern const fk_kernels fk_avx2_kernels;
extern const fk_kernels fk_avx512_kernels;
#endif

const fk_kernels *fk_kernels_for(int variant) {
    switch (variant) {
    case fk_variant_portable: return &fk_portable_kernels;
#if defined(__x86_64__)
    case fk_variant_avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &fk_avx2_kernels : 0;
    case fk_variant_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
                   ? &fk_avx512_kernels
                   : 0;
#endif
    default: return 0;
    }
}

static uint64_t mix(uint64_t value) {
    uint64_t z = value + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

FK_RACY void fk_first_factors(float *row, size_t width, size_t padded, uint64_t seed, float deviation) {
    /* A uniform variable on [-1, 1) has deviation 1/sqrt(3). Each 64-bit word gives two numbers of 24 bits. */
    const float scale = deviation * 1.7320508f / 8388608.0f;
    for (size_t f = 0; f < width; f += 2) {
        const uint64_t word = mix(seed + f);
        row[f] = (float)((int32_t)(word & 0xFFFFFF) - 8388608) * scale;
        if (f + 1 < width) row[f + 1] = (float)((int32_t)((word >> 32) & 0xFFFFFF) - 8388608) * scale;
    }
    for (size_t f = width; f < padded; ++f) row[f] = 0;
}

/* The nearest, and the even one of two. */
static fk_bfloat nearest(float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return (fk_bfloat)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

FK_RACY void fk_first_bfloats(fk_bfloat *row, size_t width, size_t padded, uint64_t seed, float deviation) {
    for (size_t f = 0; f < padded; f += 2) {
        float pair[2];
        fk_first_factors(pair, f < width ? (width - f < 2 ? 1 : 2) : 0, 2, seed + f, deviation);
        row[f] = nearest(pair[0]);
        row[f + 1] = nearest(pair[1]);
    }
}

FK_RACY fk_row_state fk_read_state(const fk_row_state *state) {
    fk_row_state value;
    value.weight = state->weight;
    value.weight_accumulator = state->weight_accumulator;
    value.factor_accumulator = state->factor_accumulator;
    value.updates = state->updates;
    return value;
}

FK_RACY void fk_write_state(fk_row_state *state, fk_row_state value) {
    state->weight = value.weight;
    state->weight_accumulator = value.weight_accumulator;
    state->factor_accumulator = value.factor_accumulator;
    state->updates = value.updates;
}

float fk_sigmoid(float x) { return fk_logistic(x); }

float fk_softplus(float x) {
    /* ln(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)) */
    float magnitude = x < 0 ? -x : x;
    return (x > 0 ? x : 0) + __builtin_log1pf(fk_exp(-magnitude));
}

double fk_power(double base, double exponent) { return __builtin_pow(base, exponent); }

double fk_log(double x) { return __builtin_log(x); }
