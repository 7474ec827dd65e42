/* A run of events of one item each, which is what a model without negatives has: the loop of kernel_train.h without its inner
 * loop, so that nothing of it leaves the registers. Included by kernel_body.h for each instruction set.
 */

/* p·q; and whether |p|^2 + |q|^2 is certainly at most 16 (8 for short rows) times `bound` and neither holds what is no number:
 * each part of a sum in pieces is within its share. A comparison of all pieces is soon done, a sum of them waits for itself. */
FK_INLINE int FK_NAME(product_within)(const float *restrict p, const float *restrict q, const size_t width, const float bound,
                                      float *pq) {
    fk_eight a;
    int beyond;
    if (width % 16 == 0) {
        const fk_sixteen *vp = (const fk_sixteen *)p, *vq = (const fk_sixteen *)q;
        fk_sixteen x = vp[0] * vq[0], y = vp[0] * vp[0], z = vq[0] * vq[0];
        if (width % 32 == 0) {
            /* Chains side by side, so that a long row does not wait for them. */
            fk_sixteen u = vp[1] * vq[1], v = vp[1] * vp[1], w = vq[1] * vq[1];
            for (size_t f = 2; f < width / 16; f += 2) {
                x += vp[f] * vq[f];
                y += vp[f] * vp[f];
                z += vq[f] * vq[f];
                u += vp[f + 1] * vq[f + 1];
                v += vp[f + 1] * vp[f + 1];
                w += vq[f + 1] * vq[f + 1];
            }
            x += u;
            y += v;
            z += w;
        } else {
            for (size_t f = 1; f < width / 16; ++f) {
                x += vp[f] * vq[f];
                y += vp[f] * vp[f];
                z += vq[f] * vq[f];
            }
        }
        y += z;
        beyond = __builtin_reduce_or(~(y <= bound));
        a = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
    } else {
        const fk_eight *vp = (const fk_eight *)p, *vq = (const fk_eight *)q;
        fk_eight y = vp[0] * vp[0], z = vq[0] * vq[0];
        a = vp[0] * vq[0];
        for (size_t f = 1; f < width / 8; ++f) {
            a += vp[f] * vq[f];
            y += vp[f] * vp[f];
            z += vq[f] * vq[f];
        }
        beyond = __builtin_reduce_or(~(y + z <= bound));
    }
    fk_four b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    b += __builtin_shufflevector(b, b, 2, 3, 0, 1);
    *pq = b[0] + b[1];
    return !beyond;
}

/* Learns events until one is out of the ordinary; answers how many. */
FK_INLINE size_t FK_NAME(train_usual)(fk_run *run, const fk_settings *settings, const fk_batch *batch, const size_t from,
                                      const size_t count, const size_t width, const int optimizer, const int loss) {
    const fk_batch at = *batch;
    const float lp = settings->query.l2, lq = settings->item.l2, lw = settings->item.weight_l2, lu = settings->query.weight_l2;
    const float cap = settings->error_cap, norm_cap = settings->norm_cap, inverse_rank = settings->inverse_rank;
    const float rate_q = settings->item.rate, rate_p = settings->query.rate;
    const float rate_w = settings->item.weight_rate, rate_u = settings->query.weight_rate, bias_rate = run->bias_rate;
    /* Plain sgd: |a q - b p|^2 <= 2 (a^2 + b^2) (p·p + q·q), with the largest that a and b can be. */
    const float keep = 1 + FK_NAME(larger)(rate_q * lq, rate_p * lp), move = FK_NAME(larger)(rate_q, rate_p) * cap;
    const float bound = 0.5f * norm_cap / (keep * keep + move * move) / (width % 16 == 0 ? 16 : 8);
    float bias = run->bias, first = run->pending[0], second = run->pending[1], third = run->pending[2];
    float bias_accumulator = run->bias_accumulator;
    size_t ahead = run->fetched, index = from;
    const size_t placed = run->placed, distance = run->distance;
    for (const size_t end = from + distance < placed ? from + distance : placed; ahead < end; ++ahead)
        FK_NAME(fetch)(&at, ahead, ahead, 1, width);
    for (; index < count; ++index) {
        if (ahead < placed) {
            FK_NAME(fetch)(&at, ahead, ahead, 1, width);
            ++ahead;
        }
        float *restrict p = at.queries[index], *restrict q = at.factors[index];
        fk_row_state *const ps = at.query_states[index], *const qs = at.states[index];
        const float label = at.labels[index], weight = at.weights[index];
        const float own = ps->weight, w = qs->weight;
        float pq, pp = 0, qq = 0;
        int within = 1;
        if (optimizer == fk_optimizer_sgd)
            within = FK_NAME(product_within)(p, q, width, bound, &pq);
        else
            FK_NAME(products)(p, q, width, &pq, &pp, &qq);
        const float s = (w + (own + bias)) + pq;
        const float e = weight * (loss == fk_loss_logistic ? fk_logistic_near(s) - label : s - label);
        const float gw = e + lw * w, gu = e + lu * own;
        float eta_q = rate_q, eta_p = rate_p, eta_w = rate_w, eta_u = rate_u, eta_b = bias_rate;
        fk_eight sums = {0, 0, 0, 0, 0, 1, 1, 1};
        if (optimizer == fk_optimizer_adagrad_row) {
            const float epp = e * e * pp, eqq = e * e * qq, cross = 2 * e * pq;
            const float gq = FK_NAME(larger)(epp + lq * (cross + lq * qq), 1e-6f * (epp + lq * lq * qq));
            const float gp = FK_NAME(larger)(eqq + lp * (cross + lp * pp), 1e-6f * (eqq + lp * lp * pp));
            sums = (fk_eight){FK_NAME(saturate)(qs->factor_accumulator + gq * inverse_rank),
                              FK_NAME(saturate)(ps->factor_accumulator + gp * inverse_rank),
                              FK_NAME(saturate)(qs->weight_accumulator + gw * gw),
                              FK_NAME(saturate)(ps->weight_accumulator + gu * gu),
                              FK_NAME(saturate)(bias_accumulator + e * e), 1, 1, 1};
            const fk_eight eta = (fk_eight){rate_q, rate_p, rate_w, rate_u, bias_rate, 1, 1, 1} / (FK_SQRT(sums) + 1e-12f);
            eta_q = eta[0], eta_p = eta[1], eta_w = eta[2], eta_u = eta[3], eta_b = eta[4];
        }
        const float keep_q = 1 - eta_q * lq, keep_p = 1 - eta_p * lp, move_q = eta_q * e, move_p = eta_p * e;
        /* Scores beyond 80 are for `one`: nearly none are, and the usual ones need no clamp. */
        float over = FK_ABS(e) - cap;
        if (loss == fk_loss_logistic) over = FK_NAME(larger)(over, FK_ABS(s) - 80.0f);
        if (optimizer == fk_optimizer_adagrad_row) {
            const float norm_q = keep_q * keep_q * qq - 2 * keep_q * move_q * pq + move_q * move_q * pp;
            const float norm_p = keep_p * keep_p * pp - 2 * keep_p * move_p * pq + move_p * move_p * qq;
            const float norm = FK_NAME(larger)(norm_q, norm_p) + 0 * (norm_q + norm_p);
            over = FK_NAME(larger)(over, norm - norm_cap);
        }
        /* What is no number in the rows or the score is none in `over` either: `larger` gives its second argument then. */
        if (__builtin_expect(!within | !(over <= 0), 0)) break;
        FK_NAME(step_both)(p, q, width, keep_p, move_p, keep_q, move_q);
        if (optimizer == fk_optimizer_adagrad_row) {
            qs->factor_accumulator = sums[0];
            ps->factor_accumulator = sums[1];
            qs->weight_accumulator = sums[2];
            ps->weight_accumulator = sums[3];
            bias_accumulator = sums[4];
        }
        qs->weight = w - eta_w * gw;
        qs->updates += 1;
        ps->weight = own - eta_u * gu;
        ps->updates += 1;
        at.scores[index] = s;
        bias += first;
        first = second;
        second = third;
        third = -eta_b * e;
    }
    run->fetched = (uint32_t)ahead;
    run->bias = bias;
    run->bias_accumulator = bias_accumulator;
    run->pending[0] = first;
    run->pending[1] = second;
    run->pending[2] = third;
    return index - from;
}

/* A function for each width, optimiser and loss, so that each has the registers for itself. */
#define FK_SINGLE(suffix, width, name, optimizer, loss)                                                                      \
    FK_RACY static __attribute__((noinline)) size_t FK_NAME(single_##name##_##suffix)(                                        \
        fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, size_t count, size_t w) {                                                                                           \
        (void)w;                                                                                                            \
        return FK_NAME(train_usual)(run, settings, batch, from, count, (width), (optimizer), (loss));       \
    }
#define FK_SINGLES(suffix, width)                                                                                            \
    FK_SINGLE(suffix, width, sgd_squared, fk_optimizer_sgd, fk_loss_squared)                                                 \
    FK_SINGLE(suffix, width, sgd_logistic, fk_optimizer_sgd, fk_loss_logistic)                                               \
    FK_SINGLE(suffix, width, adagrad_squared, fk_optimizer_adagrad_row, fk_loss_squared)                                     \
    FK_SINGLE(suffix, width, adagrad_logistic, fk_optimizer_adagrad_row, fk_loss_logistic)                                   \
    FK_RACY static size_t FK_NAME(single_##suffix)(                                                                          \
        fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, size_t count, size_t w) {                                                                                           \
        if (settings->optimizer == fk_optimizer_sgd)                                                                        \
            return settings->loss == fk_loss_logistic                                                                       \
                       ? FK_NAME(single_sgd_logistic_##suffix)(run, settings, batch, from, count, w)         \
                       : FK_NAME(single_sgd_squared_##suffix)(run, settings, batch, from, count, w);         \
        return settings->loss == fk_loss_logistic                                                                           \
                   ? FK_NAME(single_adagrad_logistic_##suffix)(run, settings, batch, from, count, w)         \
                   : FK_NAME(single_adagrad_squared_##suffix)(run, settings, batch, from, count, w);         \
    }
FK_SINGLES(8, 8)
FK_SINGLES(16, 16)
FK_SINGLES(32, 32)
FK_SINGLES(64, 64)
FK_SINGLES(128, 128)
FK_SINGLES(any, w & ~(size_t)7)
#undef FK_SINGLES
#undef FK_SINGLE

FK_RACY static void FK_NAME(train_single)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t count,
                                          size_t width) {
    for (size_t done = 0;; ++done) {
        switch (width) {
        case 8: done += FK_NAME(single_8)(run, settings, batch, done, count, width); break;
        case 16: done += FK_NAME(single_16)(run, settings, batch, done, count, width); break;
        case 32: done += FK_NAME(single_32)(run, settings, batch, done, count, width); break;
        case 64: done += FK_NAME(single_64)(run, settings, batch, done, count, width); break;
        case 128: done += FK_NAME(single_128)(run, settings, batch, done, count, width); break;
        default: done += FK_NAME(single_any)(run, settings, batch, done, count, width);
        }
        if (done == count) break;
        /* One by itself, by the loop that knows all cases; nothing is asked for ahead of it. */
        const uint32_t placed = run->placed, fetched = run->fetched;
        run->placed = run->fetched = (uint32_t)done + 1;
        FK_NAME(train_any)(run, settings, batch, done, done, done + 1, width);
        run->placed = placed;
        run->fetched = fetched;
    }
}

FK_RACY static void FK_NAME(train)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t count, size_t width) {
    if (run->single)
        FK_NAME(train_single)(run, settings, batch, count, width);
    else
        FK_NAME(train_several)(run, settings, batch, count, width);
    run->fetched = run->fetched > count ? run->fetched - (uint32_t)count : 0;
}
