/* A run of events whose user side is the user's row alone: the loop over events inside the kernel, so that the rows of the
 * next event are on their way while this one steps, and nothing but rows is touched in between. Included by kernel_body.h
 * for each instruction set.
 *
 * The scalars of a step need p·q, p·p and q·q, which come from one walk over the rows, and after a step p·p follows from
 * the formula of the norm: with n negatives p·p is summed once.
 */

/* p·q and p·p + q·q: what plain sgd needs. */
FK_INLINE void FK_NAME(two_products)(const float *restrict p, const float *restrict q, const size_t width, float *pq,
                                     float *both) {
    fk_eight a, b;
    if (width % 16 == 0) {
        const fk_sixteen *vp = (const fk_sixteen *)p, *vq = (const fk_sixteen *)q;
        /* Two chains of additions each, so that a long row does not wait for them. */
        fk_sixteen x = vp[0] * vq[0], y = vp[0] * vp[0], z = vq[0] * vq[0];
        if (width % 32 == 0) {
            fk_sixteen u = vp[1] * vq[1];
            y += vp[1] * vp[1];
            z += vq[1] * vq[1];
            for (size_t f = 2; f < width / 16; f += 2) {
                x += vp[f] * vq[f];
                u += vp[f + 1] * vq[f + 1];
                y += vp[f] * vp[f];
                z += vq[f] * vq[f];
                y += vp[f + 1] * vp[f + 1];
                z += vq[f + 1] * vq[f + 1];
            }
            x += u;
        } else {
            for (size_t f = 1; f < width / 16; ++f) {
                x += vp[f] * vq[f];
                y += vp[f] * vp[f];
                z += vq[f] * vq[f];
            }
        }
        y += z;
        a = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
        b = __builtin_shufflevector(y, y, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(y, y, 8, 9, 10, 11, 12, 13, 14, 15);
    } else {
        const fk_eight *vp = (const fk_eight *)p, *vq = (const fk_eight *)q;
        a = vp[0] * vq[0], b = vp[0] * vp[0] + vq[0] * vq[0];
        for (size_t f = 1; f < width / 8; ++f) {
            a += vp[f] * vq[f];
            b += vp[f] * vp[f];
            b += vq[f] * vq[f];
        }
    }
    const fk_four x = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    const fk_four y = __builtin_shufflevector(b, b, 0, 1, 2, 3) + __builtin_shufflevector(b, b, 4, 5, 6, 7);
    const fk_four xy = __builtin_shufflevector(x, y, 0, 4, 1, 5) + __builtin_shufflevector(x, y, 2, 6, 3, 7);
    *pq = xy[0] + xy[2];
    *both = xy[1] + xy[3];
}

/* Asks for the rows of an event, whose items are `item` and those after it. */
FK_INLINE void FK_NAME(fetch)(const fk_batch *batch, size_t event, size_t item, const size_t count, const size_t width) {
    for (size_t f = 0; f < width; f += 16) __builtin_prefetch(batch->queries[event] + f, 1, 3);
    __builtin_prefetch(batch->query_states[event], 1, 3);
    for (const size_t end = item + count; item < end; ++item) {
        for (size_t f = 0; f < width; f += 16) __builtin_prefetch(batch->factors[item] + f, 1, 3);
        __builtin_prefetch(batch->states[item], 1, 3);
    }
}

FK_INLINE void FK_NAME(train_events)(fk_run *run, const fk_settings *settings, const fk_batch *batch, const size_t from,
                                     const size_t from_item, const size_t count, const size_t width, const int optimizer, const int loss) {
    const float lp = settings->query.l2, lq = settings->item.l2, lw = settings->item.weight_l2, lu = settings->query.weight_l2;
    const float cap = settings->error_cap, norm_cap = settings->norm_cap;
    const float rate_q = settings->item.rate, rate_p = settings->query.rate;
    const float rate_w = settings->item.weight_rate, rate_u = settings->query.weight_rate, inverse_rank = settings->inverse_rank;
    /* Plain sgd: the largest of its factors. */
    const float rates = FK_NAME(larger)(rate_q, rate_p), keep = 1 + FK_NAME(larger)(rate_q * lq, rate_p * lp), keeps = keep * keep;
    /* Scores beyond are for `one`: nearly none are, and the usual ones need no clamp. */
    const float largest = loss == fk_loss_logistic ? 80.0f : 3e38f;
    const float half_norm_cap = 0.5f * norm_cap, bias_rate = run->bias_rate;
    /* w0 follows three events late: the next event need not wait for the error of this one. */
    float bias = run->bias, first = run->pending[0], second = run->pending[1], third = run->pending[2];
    float bias_accumulator = run->bias_accumulator;
    size_t item = from_item, next = from_item, ahead = run->fetched;
    for (size_t index = from; index < ahead; ++index) next += batch->counts[index];
    const size_t placed = run->placed, distance = run->distance;
    for (size_t index = from; index < count; ++index) {
        for (const size_t end = index + distance < placed ? index + distance : placed; ahead < end; ++ahead) {
            FK_NAME(fetch)(batch, ahead, next, batch->counts[ahead], width);
            next += batch->counts[ahead];
        }
        float *restrict p = batch->queries[index];
        fk_row_state *const ps = batch->query_states[index];
        const float own = ps->weight, base = own + bias;
        float accumulator_p = ps->factor_accumulator, error_sum = 0;
        const size_t end = item + batch->counts[index];
        do {
            if (width % 16 == 0 && end - item > 1) {
                /* Five and five, but no one left alone. */
                const size_t left = end - item;
                int learned = 0;
                switch (left > 6 ? 5 : left == 6 ? 3 : left) {
                case 5: learned = 5 * FK_NAME(train_group)(settings, p, ps, base, &accumulator_p, &error_sum, batch, item, 5, width, optimizer, loss, largest); break;
                case 4: learned = 4 * FK_NAME(train_group)(settings, p, ps, base, &accumulator_p, &error_sum, batch, item, 4, width, optimizer, loss, largest); break;
                case 3: learned = 3 * FK_NAME(train_group)(settings, p, ps, base, &accumulator_p, &error_sum, batch, item, 3, width, optimizer, loss, largest); break;
                default: learned = 2 * FK_NAME(train_group)(settings, p, ps, base, &accumulator_p, &error_sum, batch, item, 2, width, optimizer, loss, largest);
                }
                if (learned) {
                    item += learned - 1;
                    continue;
                }
            }
            float *restrict q = batch->factors[item];
            fk_row_state *const qs = batch->states[item];
            const float label = batch->labels[item], weight = batch->weights[item];
            float pq, pp = 0, qq = 0, both = 0;
            if (optimizer == fk_optimizer_sgd)
                FK_NAME(two_products)(p, q, width, &pq, &both);
            else
                FK_NAME(products)(p, q, width, &pq, &pp, &qq);
            const float w = qs->weight;
            /* The bias comes last: it alone waits for the event before. */
            const float t = (w + base) + pq, s = t;
            const float e = weight * (loss == fk_loss_logistic ? fk_logistic_near(s) - label : s - label);
            const float gw = e + lw * w;
            float eta_q = rate_q, eta_p = rate_p, eta_w = rate_w;
            fk_four sums = {0, 0, 0, 1};
            if (optimizer == fk_optimizer_adagrad_row) {
                const float epp = e * e * pp, eqq = e * e * qq, cross = 2 * e * pq;
                const float gq = FK_NAME(larger)(epp + lq * (cross + lq * qq), 1e-6f * (epp + lq * lq * qq));
                const float gp = FK_NAME(larger)(eqq + lp * (cross + lp * pp), 1e-6f * (eqq + lp * lp * pp));
                sums[0] = FK_NAME(saturate)(qs->factor_accumulator + gq * inverse_rank);
                sums[1] = FK_NAME(saturate)(accumulator_p + gp * inverse_rank);
                sums[2] = FK_NAME(saturate)(qs->weight_accumulator + gw * gw);
                const fk_four eta = (fk_four){eta_q, eta_p, eta_w, 1} / (FK_SQRT(sums) + 1e-12f);
                eta_q = eta[0];
                eta_p = eta[1];
                eta_w = eta[2];
            }
            const float keep_q = 1 - eta_q * lq, keep_p = 1 - eta_p * lp, move_q = eta_q * e, move_p = eta_p * e;
            /* One branch for all that is unusual; differences that are negative where all is well. */
            float over = FK_NAME(larger)(FK_ABS(s) - largest, FK_ABS(e) - cap);
            if (optimizer == fk_optimizer_sgd) {
                /* |a q - b p|^2 <= 2 (a^2 + b^2) (p·p + q·q): far from the cap as a rule, so one sum will do for both. */
                over = FK_NAME(larger)(over, (keeps + (rates * e) * (rates * e)) * both - half_norm_cap);
            } else {
                const float norm_q = keep_q * keep_q * qq - 2 * keep_q * move_q * pq + move_q * move_q * pp;
                const float norm_p = keep_p * keep_p * pp - 2 * keep_p * move_p * pq + move_p * move_p * qq;
                over = FK_NAME(larger)(over, FK_NAME(larger)(norm_q, norm_p) - norm_cap);
            }
            if (__builtin_expect(!(over <= 0 && both + pp + qq + s == both + pp + qq + s), 0)) {
                fk_pass pass = {.query = p, .query_state = ps, .query_l2 = lp, .constant = base};
                ps->factor_accumulator = accumulator_p;
                fk_item one = {.factors = q, .state = qs, .label = label, .weight = weight};
                FK_NAME(one_apart)(&pass, settings, &one, width, optimizer);
                batch->scores[item] = one.score;
                accumulator_p = ps->factor_accumulator;
                error_sum += pass.error_sum;
                run->clipped += pass.clipped;
                run->rejected += pass.rejected;
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
            batch->scores[item] = s;
            error_sum += e;
        } while (++item < end);
        const float gu = error_sum + lu * own;
        float eta_u = rate_u, eta_b = bias_rate;
        if (optimizer == fk_optimizer_adagrad_row) {
            ps->factor_accumulator = accumulator_p;
            const float sum_u = FK_NAME(saturate)(ps->weight_accumulator + gu * gu);
            bias_accumulator = FK_NAME(saturate)(bias_accumulator + error_sum * error_sum);
            ps->weight_accumulator = sum_u;
            eta_u /= FK_SQRT(sum_u) + 1e-12f;
            eta_b /= FK_SQRT(bias_accumulator) + 1e-12f;
        }
        ps->weight = own - eta_u * gu;
        ps->updates += 1;
        bias += first;
        first = second;
        second = third;
        third = -eta_b * error_sum;
    }
    run->fetched = (uint32_t)ahead;
    run->bias = bias;
    run->bias_accumulator = bias_accumulator;
    run->pending[0] = first;
    run->pending[1] = second;
    run->pending[2] = third;
}

/* Width, optimiser and loss are constants in each. */
#define FK_TRAIN(suffix, width)                                                                                              \
    FK_APART FK_NAME(train_##suffix)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, size_t item, \
                                     size_t count, size_t w) {                                                               \
        (void)w;                                                                                                             \
        if (settings->optimizer == fk_optimizer_sgd) {                                                                       \
            if (settings->loss == fk_loss_logistic)                                                                          \
                FK_NAME(train_events)(run, settings, batch, from, item, count, (width), fk_optimizer_sgd, fk_loss_logistic); \
            else                                                                                                             \
                FK_NAME(train_events)(run, settings, batch, from, item, count, (width), fk_optimizer_sgd, fk_loss_squared);  \
        } else if (settings->loss == fk_loss_logistic) {                                                                     \
            FK_NAME(train_events)(run, settings, batch, from, item, count, (width), fk_optimizer_adagrad_row, fk_loss_logistic); \
        } else {                                                                                                             \
            FK_NAME(train_events)(run, settings, batch, from, item, count, (width), fk_optimizer_adagrad_row, fk_loss_squared);  \
        }                                                                                                                    \
    }
FK_TRAIN(8, 8)
FK_TRAIN(16, 16)
FK_TRAIN(32, 32)
FK_TRAIN(64, 64)
FK_TRAIN(128, 128)
FK_TRAIN(any, w & ~(size_t)7)
#undef FK_TRAIN

FK_RACY static void FK_NAME(train_several)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, size_t item,
                                           size_t count, size_t width) {
    switch (width) {
    case 8: FK_NAME(train_8)(run, settings, batch, from, item, count, width); return;
    case 16: FK_NAME(train_16)(run, settings, batch, from, item, count, width); return;
    case 32: FK_NAME(train_32)(run, settings, batch, from, item, count, width); return;
    case 64: FK_NAME(train_64)(run, settings, batch, from, item, count, width); return;
    case 128: FK_NAME(train_128)(run, settings, batch, from, item, count, width); return;
    default: FK_NAME(train_any)(run, settings, batch, from, item, count, width);
    }
}
