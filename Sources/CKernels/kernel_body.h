/* The kernels themselves, included once per instruction set with FK_NAME(x) and FK_VARIANT_NAME defined and the target
 * set by a pragma around the include. Loops are plain: with reassociation allowed and a width known at compile time the
 * compiler keeps a row in registers.
 *
 * Symbols: p query, q item factors, w weight, s score, y label, e error (dl/ds), eta learning rate, lambda l2.
 */
#pragma clang fp reassociate(on) contract(fast)

#define FK_RACY __attribute__((no_sanitize("thread")))
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

/* An accumulator stops short of infinity: a row that met absurd values learns slowly but stays finite. */
FK_INLINE float FK_NAME(saturate)(float sum) { return sum < 3e38f ? sum : 3e38f; }

/* eta / sqrt(G): the AdaGrad rate after adding a squared gradient. The first step of a row has size eta. */
FK_INLINE float FK_NAME(adagrad)(float *accumulator, float square, float eta) {
    float sum = FK_NAME(saturate)(*accumulator + square);
    *accumulator = sum;
    return eta / (__builtin_sqrtf(sum) + 1e-12f);
}

/* One item: score, error, and the steps of item and query from the values before. `width` and `optimizer` are constants
 * wherever this is inlined. */
FK_INLINE void FK_NAME(one)(fk_pass *pass, const fk_settings *settings, fk_item *item, const size_t width,
                            const int optimizer) {
    float *restrict p = pass->query;
    float *restrict q = item->factors;
    float dot = 0;
    for (size_t f = 0; f < width; ++f) dot += p[f] * q[f];
    const float w = item->state->weight;
    const float s = pass->constant + w + dot;
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

    const int moves = pass->query_state != 0;
    const float lp = pass->query_l2, lq = settings->item.l2;
    float eta_q = settings->item.rate, eta_p = moves ? settings->query.rate : 0;
    if (optimizer == fk_optimizer_adagrad_row) {
        float gq = 0, gp = 0;
        for (size_t f = 0; f < width; ++f) {
            float a = e * p[f] + lq * q[f], b = e * q[f] + lp * p[f];
            gq += a * a;
            gp += b * b;
        }
        eta_q = FK_NAME(adagrad)(&item->state->factor_accumulator, gq * settings->inverse_rank, eta_q);
        if (moves) eta_p = FK_NAME(adagrad)(&pass->query_state->factor_accumulator, gp * settings->inverse_rank, eta_p);
    }
    float norm_q = 0, norm_p = 0;
    if (optimizer == fk_optimizer_adagrad_coordinate) {
        float *restrict aq = item->accumulators;
        float *restrict ap = pass->query_accumulators;
        for (size_t f = 0; f < width; ++f) {
            float gq = e * p[f] + lq * q[f], gp = e * q[f] + lp * p[f];
            aq[f] = FK_NAME(saturate)(aq[f] + gq * gq);
            q[f] -= eta_q * gq / (__builtin_sqrtf(aq[f]) + 1e-12f);
            norm_q += q[f] * q[f];
            if (moves) {
                ap[f] = FK_NAME(saturate)(ap[f] + gp * gp);
                p[f] -= eta_p * gp / (__builtin_sqrtf(ap[f]) + 1e-12f);
                norm_p += p[f] * p[f];
            }
        }
    } else if (moves) {
        const float keep_q = 1 - eta_q * lq, keep_p = 1 - eta_p * lp, move_q = eta_q * e, move_p = eta_p * e;
        for (size_t f = 0; f < width; ++f) {
            float old_p = p[f], old_q = q[f];
            q[f] = keep_q * old_q - move_q * old_p;
            p[f] = keep_p * old_p - move_p * old_q;
            norm_q += q[f] * q[f];
            norm_p += p[f] * p[f];
        }
    } else {
        const float keep_q = 1 - eta_q * lq, move_q = eta_q * e;
        for (size_t f = 0; f < width; ++f) {
            q[f] = keep_q * q[f] - move_q * p[f];
            norm_q += q[f] * q[f];
        }
    }
    if (norm_q > settings->norm_cap) {
        float scale = __builtin_sqrtf(settings->norm_cap / norm_q);
        for (size_t f = 0; f < width; ++f) q[f] *= scale;
        pass->clipped += 1;
    }
    if (moves && norm_p > settings->norm_cap) {
        float scale = __builtin_sqrtf(settings->norm_cap / norm_p);
        for (size_t f = 0; f < width; ++f) p[f] *= scale;
        pass->clipped += 1;
    }

    float eta_w = settings->item.weight_rate;
    const float gw = e + settings->item.weight_l2 * w;
    if (optimizer != fk_optimizer_sgd) eta_w = FK_NAME(adagrad)(&item->state->weight_accumulator, gw * gw, eta_w);
    item->state->weight = w - eta_w * gw;
    item->state->updates += 1;
    pass->constant -= pass->constant_rate * e;
}

FK_INLINE void FK_NAME(pass_of)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count,
                                const size_t width) {
    switch (settings->optimizer) {
    case fk_optimizer_sgd:
        for (size_t i = 0; i < count; ++i) FK_NAME(one)(pass, settings, items + i, width, fk_optimizer_sgd);
        return;
    case fk_optimizer_adagrad_row:
        for (size_t i = 0; i < count; ++i) FK_NAME(one)(pass, settings, items + i, width, fk_optimizer_adagrad_row);
        return;
    default:
        for (size_t i = 0; i < count; ++i)
            FK_NAME(one)(pass, settings, items + i, width, fk_optimizer_adagrad_coordinate);
    }
}

FK_RACY static void FK_NAME(pass)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t width) {
    switch (width) {
    case 8: FK_NAME(pass_of)(pass, settings, items, count, 8); return;
    case 16: FK_NAME(pass_of)(pass, settings, items, count, 16); return;
    case 32: FK_NAME(pass_of)(pass, settings, items, count, 32); return;
    case 64: FK_NAME(pass_of)(pass, settings, items, count, 64); return;
    case 128: FK_NAME(pass_of)(pass, settings, items, count, 128); return;
    default: FK_NAME(pass_of)(pass, settings, items, count, width & ~(size_t)7);
    }
}

FK_RACY static void FK_NAME(step)(float *row, float *accumulators, fk_row_state *state, const float *g, const float *sum,
                                  float x, float pair, float error, const fk_side *side, const fk_settings *settings,
                                  size_t width, uint32_t *clipped) {
    /* gradient = x * g + pair * x * (sum - x * row) + l2 * row */
    const float own = side->l2 - pair * x * x, through = pair * x;
    const float *other = sum ? sum : g;
    const float through_other = sum ? through : 0;
    float eta = side->rate, norm = 0;
    if (settings->optimizer == fk_optimizer_adagrad_row) {
        float square = 0;
        for (size_t f = 0; f < width; ++f) {
            float d = x * g[f] + through_other * other[f] + own * row[f];
            square += d * d;
        }
        eta = FK_NAME(adagrad)(&state->factor_accumulator, square * settings->inverse_rank, eta);
    }
    if (settings->optimizer == fk_optimizer_adagrad_coordinate) {
        for (size_t f = 0; f < width; ++f) {
            float d = x * g[f] + through_other * other[f] + own * row[f];
            accumulators[f] = FK_NAME(saturate)(accumulators[f] + d * d);
            row[f] -= eta * d / (__builtin_sqrtf(accumulators[f]) + 1e-12f);
            norm += row[f] * row[f];
        }
    } else {
        for (size_t f = 0; f < width; ++f) {
            float d = x * g[f] + through_other * other[f] + own * row[f];
            row[f] -= eta * d;
            norm += row[f] * row[f];
        }
    }
    if (norm > settings->norm_cap) {
        float scale = __builtin_sqrtf(settings->norm_cap / norm);
        for (size_t f = 0; f < width; ++f) row[f] *= scale;
        *clipped += 1;
    }
    const float gw = x * error + side->weight_l2 * state->weight;
    float eta_w = side->weight_rate;
    if (settings->optimizer != fk_optimizer_sgd) eta_w = FK_NAME(adagrad)(&state->weight_accumulator, gw * gw, eta_w);
    state->weight -= eta_w * gw;
    state->updates += 1;
}

FK_INLINE void FK_NAME(score_of)(const float *query, float constant, const float *rows, const fk_row_state *states,
                                 size_t count, const size_t width, float *out) {
    for (size_t i = 0; i < count; ++i) {
        const float *q = rows + i * width;
        float dot = 0;
        for (size_t f = 0; f < width; ++f) dot += query[f] * q[f];
        out[i] = constant + states[i].weight + dot;
    }
}

FK_RACY static void FK_NAME(score_rows)(const float *query, float constant, const float *rows, const fk_row_state *states,
                                        size_t count, size_t width, float *out) {
    switch (width) {
    case 8: FK_NAME(score_of)(query, constant, rows, states, count, 8, out); return;
    case 16: FK_NAME(score_of)(query, constant, rows, states, count, 16, out); return;
    case 32: FK_NAME(score_of)(query, constant, rows, states, count, 32, out); return;
    case 64: FK_NAME(score_of)(query, constant, rows, states, count, 64, out); return;
    default: FK_NAME(score_of)(query, constant, rows, states, count, width & ~(size_t)7, out);
    }
}

#include "kernel_matrix.h"
#include "kernel_pairs.h"

const fk_kernels FK_NAME(kernels) = {
    .name = FK_VARIANT_NAME,
    .dot = FK_NAME(dot),
    .add = FK_NAME(add),
    .pass = FK_NAME(pass),
    .pairs = FK_NAME(pairs),
    .step = FK_NAME(step),
    .score_rows = FK_NAME(score_rows),
    .copy = FK_NAME(copy),
    .product = FK_NAME(product),
    .rank_one = FK_NAME(rank_one),
    .rank_two = FK_NAME(rank_two),
    .solve = FK_NAME(solve),
};
