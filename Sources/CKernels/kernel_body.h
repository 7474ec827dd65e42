/* The kernels themselves, included once per instruction set with FK_NAME(x), FK_LANES and FK_VARIANT_NAME defined and the target
 * set by a pragma around the include. Loops are plain: with reassociation allowed and a width known at compile time the
 * compiler keeps a row in registers.
 *
 * Symbols: p query, q item factors, w weight, s score, y label, e error (dl/ds), eta learning rate, lambda l2.
 */
#pragma clang fp reassociate(on) contract(fast)
/* What hands vectors from function to function is inlined, so that no calling convention enters. */
#pragma clang diagnostic ignored "-Wpsabi"

/* Not __builtin_sqrtf: that one sets errno, and the call in its way ends every attempt at keeping rows in registers. */
#define FK_SQRT(x) __builtin_elementwise_sqrt(x)
#define FK_ABS(x) __builtin_elementwise_abs(x)
#define FK_RACY __attribute__((no_sanitize("thread")))
#define FK_APART FK_RACY static __attribute__((noinline)) void
#define FK_INLINE static inline __attribute__((always_inline)) FK_RACY

FK_RACY static float FK_NAME(dot)(const float *a, const float *b, size_t width) {
    float sum = 0;
    for (size_t f = 0; f < width; ++f) sum += a[f] * b[f];
    return sum;
}

FK_RACY static void FK_NAME(add)(float *sum, const float *row, float x, size_t width) {
    for (size_t f = 0; f < width; ++f) sum[f] += x * row[f];
}

FK_RACY static void FK_NAME(copy)(float *to, const float *from, size_t count) {
    for (size_t f = 0; f < count; ++f) to[f] = from[f];
}

FK_INLINE float FK_NAME(error)(float s, float y, int32_t loss) {
    return loss == fk_loss_logistic ? fk_logistic(s) - y : s - y;
}

#include "kernel_steps.h"

/* One item: score, error, and the steps of item and query from the values before. `width`, `optimizer` and `special` are
 * constants wherever this is inlined. */
FK_INLINE void FK_NAME(one)(fk_pass *pass, const fk_settings *settings, fk_item *item, const size_t width,
                            const int optimizer, const int special) {
    float *restrict p = pass->query;
    float *restrict q = item->factors;
    float dot = 0;
    for (size_t f = 0; f < width; ++f) dot += p[f] * q[f];
    const float s = pass->constant + item->state->weight + dot;
    item->score = s;
    float e = item->weight * FK_NAME(error)(s, item->label, settings->loss);
    if (!fk_is_finite(s) || e != e) {
        pass->rejected += 1;
        return;
    }
    const float cap = settings->error_cap;
    if (e > cap || e < -cap) {
        e = e > cap ? cap : -cap;
        pass->clipped += 1;
    }
    pass->error_sum += e;
    pass->error_square_sum += e * e;

    if (pass->gradient) {
        float *restrict g = pass->gradient;
        for (size_t f = 0; f < width; ++f) g[f] += e * q[f];
    }
    FK_NAME(step_item)(pass, settings, item, e, width, optimizer, special);
    FK_NAME(step_weight)(item->state, &item->linear, q, item->accumulators, e, &settings->item, settings, optimizer, special);
    pass->constant -= pass->constant_rate * e;
}

/* The same, not inlined, for the cases that are not usual. */
FK_APART FK_NAME(one_apart)(fk_pass *pass, const fk_settings *settings, fk_item *item, size_t width, int optimizer) {
    FK_NAME(one)(pass, settings, item, width & ~(size_t)7, optimizer, 0);
}

FK_INLINE void FK_NAME(pass_of)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count,
                                const size_t width, const int special) {
    switch (settings->optimizer) {
    case fk_optimizer_sgd:
        for (size_t i = 0; i < count; ++i) FK_NAME(one)(pass, settings, items + i, width, fk_optimizer_sgd, special);
        return;
    case fk_optimizer_adagrad_row:
        for (size_t i = 0; i < count; ++i) FK_NAME(one)(pass, settings, items + i, width, fk_optimizer_adagrad_row, special);
        return;
    default:
        for (size_t i = 0; i < count; ++i)
            FK_NAME(one)(pass, settings, items + i, width, fk_optimizer_adagrad_coordinate, special);
    }
}

/* Schedules, half-lives and ftrl pay for themselves here, and leave the passes below as they are. */
FK_APART FK_NAME(pass_special)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t width) {
    FK_NAME(pass_of)(pass, settings, items, count, width & ~(size_t)7, 1);
}

FK_INLINE float FK_NAME(larger)(float a, float b) { return a > b ? a : b; }

/* Vectors by hand: left to itself the compiler unrolls a short loop of known length before it could vectorise it, and
 * leaves it scalar. Where registers are narrower than these, it divides them. Rows need no more than a float's alignment. */
FK_INLINE void FK_NAME(products)(const float *restrict p, const float *restrict q, const size_t width, float *pq, float *pp,
                                 float *qq) {
    fk_eight a, b, c;
    if (width % 16 == 0) {
        const fk_sixteen *vp = (const fk_sixteen *)p, *vq = (const fk_sixteen *)q;
        fk_sixteen x = vp[0] * vq[0], y = vp[0] * vp[0], z = vq[0] * vq[0];
        for (size_t f = 1; f < width / 16; ++f) {
            x += vp[f] * vq[f];
            y += vp[f] * vp[f];
            z += vq[f] * vq[f];
        }
        a = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
        b = __builtin_shufflevector(y, y, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(y, y, 8, 9, 10, 11, 12, 13, 14, 15);
        c = __builtin_shufflevector(z, z, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(z, z, 8, 9, 10, 11, 12, 13, 14, 15);
    } else {
        const fk_eight *vp = (const fk_eight *)p, *vq = (const fk_eight *)q;
        a = vp[0] * vq[0], b = vp[0] * vp[0], c = vq[0] * vq[0];
        for (size_t f = 1; f < width / 8; ++f) {
            a += vp[f] * vq[f];
            b += vp[f] * vp[f];
            c += vq[f] * vq[f];
        }
    }
    /* Three sums at once: halves, then a transposition that brings what belongs together into columns. */
    const fk_four x = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    const fk_four y = __builtin_shufflevector(b, b, 0, 1, 2, 3) + __builtin_shufflevector(b, b, 4, 5, 6, 7);
    const fk_four z = __builtin_shufflevector(c, c, 0, 1, 2, 3) + __builtin_shufflevector(c, c, 4, 5, 6, 7);
    const fk_four xy = __builtin_shufflevector(x, y, 0, 4, 1, 5) + __builtin_shufflevector(x, y, 2, 6, 3, 7);
    const fk_four zz = z + __builtin_shufflevector(z, z, 2, 3, 0, 1);
    *pq = xy[0] + xy[2];
    *pp = xy[1] + xy[3];
    *qq = zz[0] + zz[1];
}

/* Rows of 16 go in halves: while the widest registers are in use, one port of an Intel processor takes no vectors. */
#define FK_IS_LONG(width) ((width) % 16 == 0 && (width) > 16)

FK_INLINE void FK_NAME(step_both)(float *restrict p, float *restrict q, const size_t width, float keep_p, float move_p,
                                  float keep_q, float move_q) {
    if (FK_IS_LONG(width)) {
        fk_sixteen *vp = (fk_sixteen *)p, *vq = (fk_sixteen *)q;
        for (size_t f = 0; f < width / 16; ++f) {
            const fk_sixteen old_p = vp[f], old_q = vq[f];
            vq[f] = keep_q * old_q - move_q * old_p;
            vp[f] = keep_p * old_p - move_p * old_q;
        }
    } else {
        fk_eight *vp = (fk_eight *)p, *vq = (fk_eight *)q;
        for (size_t f = 0; f < width / 8; ++f) {
            const fk_eight old_p = vp[f], old_q = vq[f];
            vq[f] = keep_q * old_q - move_q * old_p;
            vp[f] = keep_p * old_p - move_p * old_q;
        }
    }
}

/* A pass whose query is a row that moves: the usual one. All that the scalars of a step need are p·q, p·p and q·q from one
 * walk over the rows; squared gradients and the norms after the step follow from them:
 *     |e p + lambda q|^2 = e^2 p·p + 2 e lambda p·q + lambda^2 q·q        |a q - b p|^2 = a^2 q·q - 2 a b p·q + b^2 p·p
 * so a second walk writes both rows and nothing is summed again. Where the terms cancel, the first sum has no digits left:
 * it is kept from falling below what rounding can tell, lest an accumulator that is too small make a step too large.
 * Whatever is out of the ordinary (a score that is not finite, an error or a norm over its cap) is left to `one`. */
FK_INLINE void FK_NAME(pass_moving)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count,
                                    const size_t width, const int optimizer) {
    float *restrict p = pass->query;
    fk_row_state *const ps = pass->query_state;
    const float lp = pass->query_l2, lq = settings->item.l2, lw = settings->item.weight_l2;
    const float cap = settings->error_cap, norm_cap = settings->norm_cap, constant_rate = pass->constant_rate;
    float constant = pass->constant, error_sum = pass->error_sum, error_square_sum = pass->error_square_sum;
    float accumulator_p = ps->factor_accumulator;
    for (size_t i = 0; i < count; ++i) {
        fk_item *item = items + i;
        float *restrict q = item->factors;
        fk_row_state *const qs = item->state;
        float pq = 0, pp = 0, qq = 0;
        FK_NAME(products)(p, q, width, &pq, &pp, &qq);
        const float w = qs->weight;
        const float s = constant + w + pq;
        const float e = item->weight * FK_NAME(error)(s, item->label, settings->loss);
        const float gw = e + lw * w;
        float eta_q = settings->item.rate, eta_p = settings->query.rate, eta_w = settings->item.weight_rate;
        fk_four sums = {0, 0, 0, 1};
        if (optimizer == fk_optimizer_adagrad_row) {
            const float epp = e * e * pp, eqq = e * e * qq, both = 2 * e * pq;
            const float gq = FK_NAME(larger)(epp + lq * (both + lq * qq), 1e-6f * (epp + lq * lq * qq));
            const float gp = FK_NAME(larger)(eqq + lp * (both + lp * pp), 1e-6f * (eqq + lp * lp * pp));
            sums[0] = FK_NAME(saturate)(qs->factor_accumulator + gq * settings->inverse_rank);
            sums[1] = FK_NAME(saturate)(accumulator_p + gp * settings->inverse_rank);
            sums[2] = FK_NAME(saturate)(qs->weight_accumulator + gw * gw);
            const fk_four rates = (fk_four){eta_q, eta_p, eta_w, 1} / (FK_SQRT(sums) + 1e-12f);
            eta_q = rates[0];
            eta_p = rates[1];
            eta_w = rates[2];
        }
        const float keep_q = 1 - eta_q * lq, keep_p = 1 - eta_p * lp, move_q = eta_q * e, move_p = eta_p * e;
        const float norm_q = keep_q * keep_q * qq - 2 * keep_q * move_q * pq + move_q * move_q * pp;
        const float norm_p = keep_p * keep_p * pp - 2 * keep_p * move_p * pq + move_p * move_p * qq;
        const int usual = fk_is_finite(s) & (e <= cap) & (e >= -cap) & (norm_q <= norm_cap) & (norm_p <= norm_cap);
        if (__builtin_expect(!usual, 0)) {
            pass->constant = constant;
            pass->error_sum = error_sum;
            pass->error_square_sum = error_square_sum;
            ps->factor_accumulator = accumulator_p;
            FK_NAME(one_apart)(pass, settings, item, width, optimizer);
            constant = pass->constant;
            error_sum = pass->error_sum;
            error_square_sum = pass->error_square_sum;
            accumulator_p = ps->factor_accumulator;
            continue;
        }
        FK_NAME(step_both)(p, q, width, keep_p, move_p, keep_q, move_q);
        if (optimizer == fk_optimizer_adagrad_row) {
            qs->factor_accumulator = sums[0];
            accumulator_p = sums[1];
            qs->weight_accumulator = sums[2];
        }
        qs->weight = w - eta_w * gw;
        qs->updates += 1;
        item->score = s;
        error_sum += e;
        error_square_sum += e * e;
        constant -= constant_rate * e;
    }
    pass->constant = constant;
    pass->error_sum = error_sum;
    pass->error_square_sum = error_square_sum;
    if (optimizer == fk_optimizer_adagrad_row) ps->factor_accumulator = accumulator_p;
}

/* Every width and optimiser is a function of its own: in one large function the compiler would spill registers of all. */
#define FK_PASS(suffix, width)                                                                                              \
    FK_APART FK_NAME(pass_sgd_##suffix)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t w) {     \
        (void)w;                                                                                                            \
        FK_NAME(pass_moving)(pass, settings, items, count, (width), fk_optimizer_sgd);                                      \
    }                                                                                                                       \
    FK_APART FK_NAME(pass_adagrad_##suffix)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t w) { \
        (void)w;                                                                                                            \
        FK_NAME(pass_moving)(pass, settings, items, count, (width), fk_optimizer_adagrad_row);                              \
    }                                                                                                                       \
    FK_APART FK_NAME(pass_other_##suffix)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t w) {   \
        (void)w;                                                                                                            \
        FK_NAME(pass_of)(pass, settings, items, count, (width), 0);                                                         \
    }                                                                                                                       \
    FK_APART FK_NAME(pass_##suffix)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t w) {         \
        if (!pass->query_state || pass->gradient || settings->optimizer == fk_optimizer_adagrad_coordinate)                 \
            FK_NAME(pass_other_##suffix)(pass, settings, items, count, w);                                                  \
        else if (settings->optimizer == fk_optimizer_sgd)                                                                   \
            FK_NAME(pass_sgd_##suffix)(pass, settings, items, count, w);                                                    \
        else                                                                                                                \
            FK_NAME(pass_adagrad_##suffix)(pass, settings, items, count, w);                                                \
    }
FK_PASS(8, 8)
FK_PASS(16, 16)
FK_PASS(32, 32)
FK_PASS(64, 64)
FK_PASS(128, 128)
FK_PASS(any, w & ~(size_t)7)
#undef FK_PASS

FK_RACY static void FK_NAME(pass)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t width) {
    if (__builtin_expect(settings->options.special, 0)) {
        FK_NAME(pass_special)(pass, settings, items, count, width);
        return;
    }
    switch (width) {
    case 8: FK_NAME(pass_8)(pass, settings, items, count, width); return;
    case 16: FK_NAME(pass_16)(pass, settings, items, count, width); return;
    case 32: FK_NAME(pass_32)(pass, settings, items, count, width); return;
    case 64: FK_NAME(pass_64)(pass, settings, items, count, width); return;
    case 128: FK_NAME(pass_128)(pass, settings, items, count, width); return;
    default: FK_NAME(pass_any)(pass, settings, items, count, width);
    }
}

#include "kernel_matrix.h"
#include "kernel_pairs.h"
#include "kernel_half.h"
#include "kernel_scores.h"
#include "kernel_draw.h"
#include "kernel_take.h"
#include "kernel_settle.h"
#include "kernel_rows.h"
#include "kernel_hot.h"
#include "kernel_sums.h"
#include "kernel_four.h"
#include "kernel_lanes.h"
#include "kernel_several.h"
#include "kernel_single.h"
#include "kernel_count.h"
#include "kernel_witness.h"

const fk_kernels FK_NAME(kernels) = {
    .name = FK_VARIANT_NAME,
    .dot = FK_NAME(dot),
    .add = FK_NAME(add),
    .pass = FK_NAME(pass),
    .pairs = FK_NAME(pairs),
    .take = FK_NAME(take),
    .take_one = FK_NAME(take_one),
    .settle = FK_NAME(settle),
    .look_up = FK_NAME(look_up),
    .redirect = FK_NAME(redirect),
    .hand_over = FK_NAME(hand_over),
    .train = FK_NAME(train),
    .count = FK_NAME(count),
    .softplus = FK_NAME(softplus),
    .witness = FK_NAME(witness),
    .step = FK_NAME(step),
    .score_rows = FK_NAME(score_rows),
    .score_bfloats = FK_NAME(score_bfloats),
    .widen = FK_NAME(widen),
    .narrow = FK_NAME(narrow),
    .copy = FK_NAME(copy),
    .product = FK_NAME(product),
    .rank_one = FK_NAME(rank_one),
    .rank_two = FK_NAME(rank_two),
    .solve = FK_NAME(solve),
};
