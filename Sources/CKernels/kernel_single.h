/* A run of events of one item each, which is what a model without negatives has: for sgd one after the other, for there is no long
 * chain that four could share, and nothing leaves the registers; for AdaGrad four side by side (kernel_four.h). Included by
 * kernel_body.h for each instruction set.
 */

/* p·q; and whether |p|^2 + |q|^2 is certainly at most 16 (8 for short rows) times `bound` and neither holds what is no number:
 * each part of a sum in pieces is within its share. A comparison of all pieces is soon done, a sum of them waits for itself. */
FK_INLINE int FK_NAME(product_within)(const float *restrict p, const float *restrict q, const size_t width, const float bound,
                                      float *pq) {
    fk_eight a;
    int beyond;
    if (FK_IS_LONG(width)) {
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
                                      const size_t count, const size_t width, const int loss) {
    const fk_batch at = *batch;
    const float lp = settings->query.l2, lq = settings->item.l2, lw = settings->item.weight_l2, lu = settings->query.weight_l2;
    const float cap = settings->error_cap, norm_cap = settings->norm_cap;
    const float rate_q = settings->item.rate, rate_p = settings->query.rate;
    const float rate_w = settings->item.weight_rate, rate_u = settings->query.weight_rate, bias_rate = run->bias_rate;
    /* |a q - b p|^2 <= 2 (a^2 + b^2) (p·p + q·q), with the largest that a and b can be. */
    const float keep = 1 + FK_NAME(larger)(rate_q * lq, rate_p * lp), move = FK_NAME(larger)(rate_q, rate_p) * cap;
    const float bound = 0.5f * norm_cap / (keep * keep + move * move) / (FK_IS_LONG(width) ? 16 : 8);
    float bias = run->bias, first = run->pending[0], second = run->pending[1], third = run->pending[2];
    size_t ahead = run->fetched, index = from;
    const size_t placed = run->placed, distance = run->distance;
    FK_NAME(fetches) first_ones = {ahead, ahead, from + distance < placed ? from + distance : placed};
    while (first_ones.event < first_ones.end) FK_NAME(fetch)(&at, &first_ones, 1, width, run->shared);
    ahead = first_ones.event;
    FK_NAME(fetches) far = {run->brought, run->brought, FK_NAME(reached)(run, from)};
    while (far.event < far.end) FK_NAME(bring)(&at, &far, width, run->shared, 1);
    for (; index < count; ++index) {
        far.end = FK_NAME(reached)(run, index + 1);
        FK_NAME(bring)(&at, &far, width, run->shared, 1);
        if (ahead < placed) FK_NAME(fetch_user)(&at, ahead, width);
        float *restrict p = at.queries[index], *restrict q = at.factors[index];
        fk_row_state *const ps = at.query_states[index], *const qs = at.states[index];
        const float label = at.labels[index], weight = at.weights[index];
        const float own = ps->weight, w = qs->weight;
        float pq;
        const int within = FK_NAME(product_within)(p, q, width, bound, &pq);
        /* The bias comes last: it alone waits for the events before. */
        const float s = ((w + own) + pq) + bias;
        const float e = weight * (loss == fk_loss_logistic ? fk_logistic_near(s) - label : s - label);
        const float gw = e + lw * w, gu = e + lu * own, move_q = rate_q * e, move_p = rate_p * e;
        /* Scores beyond 80 are for `one`: nearly none are, and the usual ones need no clamp. What is no number is none in
         * `over` either: `larger` gives its second argument then. */
        float over = FK_ABS(e) - cap;
        if (loss == fk_loss_logistic) over = FK_NAME(larger)(over, FK_ABS(s) - 80.0f);
        if (__builtin_expect(!within | !(over <= 0), 0)) break;
        FK_NAME(step_both)(p, q, width, 1 - rate_p * lp, move_p, 1 - rate_q * lq, move_q);
        qs->weight = w - rate_w * gw;
        qs->updates += 1;
        ps->weight = own - rate_u * gu;
        ps->updates += 1;
        at.scores[index] = s;
        if (ahead < placed) {
            FK_NAME(fetch_item)(&at, ahead, width, run->shared);
            ++ahead;
        }
        bias += first;
        first = second;
        second = third;
        third = -bias_rate * e;
    }
    run->fetched = (uint32_t)ahead;
    run->brought = (uint32_t)far.event;
    run->bias = bias;
    run->pending[0] = first;
    run->pending[1] = second;
    run->pending[2] = third;
    return index - from;
}

/* A function for each width, optimiser and loss, so that each has the registers for itself. */
#define FK_SINGLE(suffix, width, name, train, loss)                                                                          \
    FK_RACY static __attribute__((noinline)) size_t FK_NAME(single_##name##_##suffix)(                                        \
        fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, size_t count, size_t w) {              \
        (void)w;                                                                                                            \
        return FK_NAME(train)(run, settings, batch, from, count, (width), (loss));                                           \
    }
#define FK_SINGLES(suffix, width)                                                                                            \
    FK_SINGLE(suffix, width, sgd_squared, train_usual, fk_loss_squared)                                                      \
    FK_SINGLE(suffix, width, sgd_logistic, train_usual, fk_loss_logistic)                                                    \
    FK_SINGLE(suffix, width, adagrad_squared, train_fours, fk_loss_squared)                                                  \
    FK_SINGLE(suffix, width, adagrad_logistic, train_fours, fk_loss_logistic)                                                \
    FK_RACY static size_t FK_NAME(single_##suffix)(                                                                          \
        fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, size_t count, size_t w) {              \
        if (settings->optimizer == fk_optimizer_sgd)                                                                         \
            return settings->loss == fk_loss_logistic ? FK_NAME(single_sgd_logistic_##suffix)(run, settings, batch, from, count, w) \
                                                      : FK_NAME(single_sgd_squared_##suffix)(run, settings, batch, from, count, w); \
        return settings->loss == fk_loss_logistic ? FK_NAME(single_adagrad_logistic_##suffix)(run, settings, batch, from, count, w) \
                                                  : FK_NAME(single_adagrad_squared_##suffix)(run, settings, batch, from, count, w); \
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
    for (size_t done = 0; done < count;) {
        size_t learned;
        switch (width) {
        case 8: learned = FK_NAME(single_8)(run, settings, batch, done, count, width); break;
        case 16: learned = FK_NAME(single_16)(run, settings, batch, done, count, width); break;
        case 32: learned = FK_NAME(single_32)(run, settings, batch, done, count, width); break;
        case 64: learned = FK_NAME(single_64)(run, settings, batch, done, count, width); break;
        case 128: learned = FK_NAME(single_128)(run, settings, batch, done, count, width); break;
        default: learned = FK_NAME(single_any)(run, settings, batch, done, count, width);
        }
        done += learned;
        if (learned > 0) continue;
        /* One by itself, by the loop that knows all cases; nothing is asked for ahead of it. */
        const uint32_t placed = run->placed, fetched = run->fetched;
        run->placed = run->fetched = (uint32_t)done + 1;
        FK_NAME(train_several)(run, settings, batch, done, done, done + 1, width);
        run->placed = placed;
        run->fetched = fetched;
        done += 1;
    }
}

FK_RACY static void FK_NAME(train)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t count, size_t width) {
    if (run->single)
        FK_NAME(train_single)(run, settings, batch, count, width);
    else
        FK_NAME(train_several)(run, settings, batch, 0, 0, count, width);
    run->fetched = run->fetched > count ? run->fetched - (uint32_t)count : 0;
    run->brought = run->brought > count ? run->brought - (uint32_t)count : 0;
}
