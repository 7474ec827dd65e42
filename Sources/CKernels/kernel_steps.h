/* How a gradient becomes a step; included by kernel_body.h for each instruction set.
 *
 * `special` is a constant wherever a function is inlined: 0 drops everything that schedules, half-lives and ftrl ask for, so
 * that the usual passes carry none of it.
 *
 * Symbols: p query, q item factors, w weight, e error (dl/ds), eta learning rate, lambda l2, n and z ftrl's sums.
 */

/* An accumulator stops short of infinity: a row that met absurd values learns slowly but stays finite. */
FK_INLINE float FK_NAME(saturate)(float sum) { return sum < 3e38f ? sum : 3e38f; }

/* eta / sqrt(G): the AdaGrad rate after adding a squared gradient to keep * G. The first step of a row has size eta. */
FK_INLINE float FK_NAME(adagrad)(float *accumulator, float square, float eta, const float keep) {
    float sum = FK_NAME(saturate)(keep * *accumulator + square);
    *accumulator = sum;
    return eta / (FK_SQRT(sum) + 1e-12f);
}

/* The inverse-time schedule of a row: eta / (1 + updates / horizon). */
FK_INLINE float FK_NAME(scheduled)(const fk_settings *settings, const fk_row_state *state, float eta) {
    return eta / (1 + (float)state->updates * settings->options.inverse_horizon);
}

/* Whether a row keeps no factors, because its weight is zero. */
FK_INLINE int FK_NAME(asleep)(const fk_settings *settings, const fk_linear *linear, const fk_row_state *state) {
    return settings->options.sparse && linear->z && state->weight == 0;
}

/* Scales a row back to the norm cap; one cut. */
FK_INLINE uint32_t FK_NAME(shrink)(float *row, float norm, float cap, size_t width) {
    const float scale = FK_SQRT(cap / norm);
    for (size_t f = 0; f < width; ++f) row[f] *= scale;
    return 1;
}

/* FTRL-Proximal (McMahan et al. 2013, algorithm 1), g the gradient of the loss:
 *     sigma = (sqrt(n + g^2) - sqrt(n)) / alpha,  z += g - sigma w,  n += g^2
 *     w = 0 where |z| <= l1, else -(z - sign(z) l1) / ((beta + sqrt(n)) / alpha + l2)
 * sigma as g^2 / (sqrt(n + g^2) + sqrt(n)), which loses no digits. A weight that leaves zero gives a sparse row its first
 * factors; one that comes back takes them away. */
FK_APART FK_NAME(step_ftrl)(fk_row_state *state, const fk_linear *linear, float *row, float *accumulators, float g,
                            const fk_settings *settings) {
    const float n = state->weight_accumulator, old = state->weight, sum = FK_NAME(saturate)(n + g * g), root = FK_SQRT(sum);
    const float sigma = g * g / (root + FK_SQRT(n) + 1e-30f) * settings->options.ftrl.inverse_alpha;
    const float z = *linear->z + g - sigma * old, size = z < 0 ? -z : z, beyond = size - settings->options.ftrl.l1;
    const float scale = (settings->options.ftrl.beta + root) * settings->options.ftrl.inverse_alpha + settings->options.ftrl.l2 + 1e-12f;
    const float w = beyond > 0 ? (z < 0 ? beyond : -beyond) / scale : 0;
    *linear->z = z;
    state->weight_accumulator = sum;
    state->weight = w;
    if (!settings->options.sparse || (old == 0) == (w == 0)) return;
    const size_t width = settings->options.width;
    fk_first_factors(row, w == 0 ? 0 : settings->options.rank, width, linear->seed, settings->options.deviation);
    const size_t tail = settings->options.tail, tail_width = settings->options.tail_width;
    fk_first_factors(row + width, w == 0 ? 0 : tail, tail_width, ~linear->seed, settings->options.deviation);
    state->factor_accumulator = 0;
    if (accumulators) fk_first_factors(accumulators, 0, width + tail_width, 0, 0);
}

/* A row's weight, `g` the gradient of the loss by it, and its count of updates: after its factors. */
FK_INLINE void FK_NAME(step_weight)(fk_row_state *state, const fk_linear *linear, float *row, float *accumulators, float g,
                                    const fk_side *side, const fk_settings *settings, const int optimizer,
                                    const int special) {
    if (special && linear->z) {
        FK_NAME(step_ftrl)(state, linear, row, accumulators, g, settings);
    } else {
        const float w = state->weight, gw = g + side->weight_l2 * w;
        float eta = side->weight_rate;
        if (optimizer != fk_optimizer_sgd)
            eta = FK_NAME(adagrad)(&state->weight_accumulator, gw * gw, eta, special ? settings->options.keep : 1);
        else if (special)
            eta = FK_NAME(scheduled)(settings, state, eta);
        state->weight = w - eta * gw;
    }
    state->updates += 1;
}

/* The factors of one row, gradient = x * g + pair * x * (sum - x * row) + l2 * row. */
FK_INLINE void FK_NAME(step_factors)(float *row, float *accumulators, fk_row_state *state, const float *g, const float *sum,
                                     float x, float pair, const fk_side *side, const fk_settings *settings, size_t width,
                                     uint32_t *clipped, const int special) {
    const float own = side->l2 - pair * x * x, through = pair * x, keep = special ? settings->options.keep : 1;
    const float *other = sum ? sum : g;
    const float through_other = sum ? through : 0;
    float eta = side->rate, norm = 0;
    if (special && settings->optimizer == fk_optimizer_sgd) eta = FK_NAME(scheduled)(settings, state, eta);
    if (settings->optimizer == fk_optimizer_adagrad_row) {
        float square = 0;
        for (size_t f = 0; f < width; ++f) {
            float d = x * g[f] + through_other * other[f] + own * row[f];
            square += d * d;
        }
        eta = FK_NAME(adagrad)(&state->factor_accumulator, square * settings->inverse_rank, eta, keep);
    }
    if (settings->optimizer == fk_optimizer_adagrad_coordinate) {
        for (size_t f = 0; f < width; ++f) {
            float d = x * g[f] + through_other * other[f] + own * row[f];
            accumulators[f] = FK_NAME(saturate)(keep * accumulators[f] + d * d);
            row[f] -= eta * d / (FK_SQRT(accumulators[f]) + 1e-12f);
            norm += row[f] * row[f];
        }
    } else {
        for (size_t f = 0; f < width; ++f) {
            float d = x * g[f] + through_other * other[f] + own * row[f];
            row[f] -= eta * d;
            norm += row[f] * row[f];
        }
    }
    if (norm > settings->norm_cap) *clipped += FK_NAME(shrink)(row, norm, settings->norm_cap, width);
}

FK_APART FK_NAME(step_special)(float *row, float *accumulators, fk_row_state *state, fk_linear linear, const float *g,
                               const float *sum, float x, float pair, float error, const fk_side *side,
                               const fk_settings *settings, size_t width, uint32_t *clipped) {
    if (width && !FK_NAME(asleep)(settings, &linear, state))
        FK_NAME(step_factors)(row, accumulators, state, g, sum, x, pair, side, settings, width, clipped, 1);
    FK_NAME(step_weight)(state, &linear, row, accumulators, x * error, side, settings, settings->optimizer, 1);
}

FK_RACY static void FK_NAME(step)(float *row, float *accumulators, fk_row_state *state, fk_linear linear, const float *g,
                                  const float *sum, float x, float pair, float error, const fk_side *side,
                                  const fk_settings *settings, size_t width, uint32_t *clipped) {
    if (__builtin_expect(settings->options.special, 0)) {
        FK_NAME(step_special)(row, accumulators, state, linear, g, sum, x, pair, error, side, settings, width, clipped);
        return;
    }
    FK_NAME(step_factors)(row, accumulators, state, g, sum, x, pair, side, settings, width, clipped, 0);
    FK_NAME(step_weight)(state, &linear, row, accumulators, x * error, side, settings, settings->optimizer, 0);
}

/* The query alone, where the item has no factors to learn from: its l2 is all there is. */
FK_APART FK_NAME(step_query)(fk_pass *pass, const fk_settings *settings, const fk_item *item, size_t width) {
    fk_side side = settings->query;
    side.l2 = pass->query_l2;
    FK_NAME(step_factors)(pass->query, pass->query_accumulators, pass->query_state, item->factors, 0, 0, 0, &side, settings,
                          width, &pass->clipped, 1);
}

/* The factors of an item and, where it moves, of the query, both from the values before. */
FK_INLINE void FK_NAME(step_item)(fk_pass *pass, const fk_settings *settings, fk_item *item, const float e,
                                  const size_t width, const int optimizer, const int special) {
    float *restrict p = pass->query;
    float *restrict q = item->factors;
    const int moves = pass->query_state && !(special && settings->options.sparse && pass->query_state->weight == 0);
    if (special && FK_NAME(asleep)(settings, &item->linear, item->state)) {
        if (moves) FK_NAME(step_query)(pass, settings, item, width);
        return;
    }
    const float lp = pass->query_l2, lq = settings->item.l2, keep = special ? settings->options.keep : 1;
    float eta_q = settings->item.rate, eta_p = moves ? settings->query.rate : 0;
    if (special && optimizer == fk_optimizer_sgd) {
        eta_q = FK_NAME(scheduled)(settings, item->state, eta_q);
        if (moves) eta_p = FK_NAME(scheduled)(settings, pass->query_state, eta_p);
    }
    if (optimizer == fk_optimizer_adagrad_row) {
        float gq = 0, gp = 0;
        for (size_t f = 0; f < width; ++f) {
            float a = e * p[f] + lq * q[f], b = e * q[f] + lp * p[f];
            gq += a * a;
            gp += b * b;
        }
        eta_q = FK_NAME(adagrad)(&item->state->factor_accumulator, gq * settings->inverse_rank, eta_q, keep);
        if (moves) eta_p = FK_NAME(adagrad)(&pass->query_state->factor_accumulator, gp * settings->inverse_rank, eta_p, keep);
    }
    float norm_q = 0, norm_p = 0;
    if (optimizer == fk_optimizer_adagrad_coordinate) {
        float *restrict aq = item->accumulators;
        float *restrict ap = pass->query_accumulators;
        for (size_t f = 0; f < width; ++f) {
            float gq = e * p[f] + lq * q[f], gp = e * q[f] + lp * p[f];
            aq[f] = FK_NAME(saturate)(keep * aq[f] + gq * gq);
            q[f] -= eta_q * gq / (FK_SQRT(aq[f]) + 1e-12f);
            norm_q += q[f] * q[f];
            if (moves) {
                ap[f] = FK_NAME(saturate)(keep * ap[f] + gp * gp);
                p[f] -= eta_p * gp / (FK_SQRT(ap[f]) + 1e-12f);
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
    if (norm_q > settings->norm_cap) pass->clipped += FK_NAME(shrink)(q, norm_q, settings->norm_cap, width);
    if (moves && norm_p > settings->norm_cap) pass->clipped += FK_NAME(shrink)(p, norm_p, settings->norm_cap, width);
}
