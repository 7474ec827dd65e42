/* Several items of one event at once; included by kernel_body.h for each instruction set.
 *
 * A user's row meets its items one after the other, each seeing what the last has done to it, so a step waits for the score
 * before, and that for its error, and that for the step before: a chain as long as the event. But with p' = a p - b q after
 * each item, the row that item j meets is p_j = A_j p - sum over i < j of B_ij q_i, and so
 *
 *     p_j . q_j = A_j (p . q_j) - sum over i < j of B_ij (q_i . q_j)
 *
 * All products on the right are known beforehand and wait for nothing; what is left of the chain are a few scalars. The
 * steps are those of the items one after the other, up to rounding. p . p follows by the formula of a step's norm.
 */

/* The sums of four vectors, each by the same tree. */
FK_INLINE fk_four FK_NAME(sums_of_eights)(const fk_eight *four) {
#pragma clang fp reassociate(off)
    const fk_eight a = four[0], b = four[1], c = four[2], d = four[3];
    const fk_eight ac = __builtin_shufflevector(a, c, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(a, c, 4, 5, 6, 7, 12, 13, 14, 15);
    const fk_eight bd = __builtin_shufflevector(b, d, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(b, d, 4, 5, 6, 7, 12, 13, 14, 15);
    const fk_eight all = __builtin_shufflevector(ac, bd, 0, 1, 8, 9, 4, 5, 12, 13) + __builtin_shufflevector(ac, bd, 2, 3, 10, 11, 6, 7, 14, 15);
    return __builtin_shufflevector(all, all, 0, 2, 4, 6) + __builtin_shufflevector(all, all, 1, 3, 5, 7);
}

FK_INLINE fk_four FK_NAME(sums)(const fk_sixteen *four) {
#pragma clang fp reassociate(off)
#define FK_HALF(x) (__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15))
    const fk_eight halves[4] = {FK_HALF(four[0]), FK_HALF(four[1]), FK_HALF(four[2]), FK_HALF(four[3])};
#undef FK_HALF
    return FK_NAME(sums_of_eights)(halves);
}

/* Most items of a group: its products fit the registers of AVX-512. */
#define FK_GROUP 5
#define FK_PRODUCTS (FK_GROUP * (FK_GROUP + 3) / 2 + 1)

/* Learns `size` items, 2 to FK_GROUP, of rows that are a multiple of 16 long. 0, and nothing done, where one of them is out of
 * the ordinary or stands there twice: then they go one by one. */
FK_INLINE int FK_NAME(train_group)(const fk_settings *settings, float *restrict p, fk_row_state *ps, const float base,
                                   float *accumulator_p, float *error_sum, const fk_batch *batch, const size_t at,
                                   const int size, const size_t width, const int optimizer, const int loss, const float largest) {
    float *const *const factors = batch->factors + at, *const labels = batch->labels + at, *const weights = batch->weights + at;
    fk_row_state *const *const states = batch->states + at;
    for (int j = 1; j < size; ++j)
        for (int i = 0; i < j; ++i)
            if (factors[i] == factors[j]) return 0;

    /* p·p, then for each item q·q, p·q, and its products with those before it. */
    fk_sixteen sum[FK_PRODUCTS + 3] = {};
    for (size_t f = 0; f < width / 16; ++f) {
        const fk_sixteen vp = ((const fk_sixteen *)p)[f];
        fk_sixteen q[FK_GROUP];
        sum[0] += vp * vp;
        int place = 1;
        _Pragma("clang loop unroll(full)") for (int j = 0; j < size; ++j) {
            q[j] = ((const fk_sixteen *)factors[j])[f];
            sum[place++] += q[j] * q[j];
            sum[place++] += vp * q[j];
            _Pragma("clang loop unroll(full)") for (int i = 0; i < j; ++i) sum[place++] += q[i] * q[j];
        }
    }
    fk_four products[(FK_PRODUCTS + 3) / 4];
    _Pragma("clang loop unroll(full)") for (int i = 0; i < (size * (size + 3) / 2 + 1 + 3) / 4; ++i)
        products[i] = FK_NAME(sums)(sum + 4 * i);
#define FK_PRODUCT(i) products[(i) / 4][(i) % 4]

    const float lp = settings->query.l2, lq = settings->item.l2, lw = settings->item.weight_l2;
    const float cap = settings->error_cap, norm_cap = settings->norm_cap, inverse_rank = settings->inverse_rank;
    float keep_p[FK_GROUP], keep_q[FK_GROUP], move_p[FK_GROUP], move_q[FK_GROUP], score[FK_GROUP], weight[FK_GROUP];
    float sum_q[FK_GROUP], sum_w[FK_GROUP], back[FK_GROUP];
    float pp = FK_PRODUCT(0), kept = 1, sum_p = *accumulator_p, errors = 0, over = -1, nothing = 0;
    int place = 1;
    _Pragma("clang loop unroll(full)") for (int j = 0; j < size; ++j) {
        const float qq = FK_PRODUCT(place);
        const float direct = FK_PRODUCT(place + 1);
        place += 2;
        const float w = states[j]->weight;
        /* The newest comes last, since it is what everything waits for. */
        float s = (w + base) + kept * direct;
        _Pragma("clang loop unroll(full)") for (int i = 0; i < j; ++i) s -= back[i] * FK_PRODUCT(place + i);
        place += j;
        const float pq = s - (w + base), wanted = weights[j] * labels[j];
        const float e = weights[j] * (loss == fk_loss_logistic ? fk_logistic_near(s) : s) - wanted;
        const float gw = e + lw * w;
        float eta_q = settings->item.rate, eta_p = settings->query.rate, eta_w = settings->item.weight_rate;
        if (optimizer == fk_optimizer_adagrad_row) {
            const float epp = e * e * pp, eqq = e * e * qq, cross = 2 * e * pq;
            const float gq = FK_NAME(larger)(epp + lq * (cross + lq * qq), 1e-6f * (epp + lq * lq * qq));
            const float gp = FK_NAME(larger)(eqq + lp * (cross + lp * pp), 1e-6f * (eqq + lp * lp * pp));
            const fk_four grown = {FK_NAME(saturate)(states[j]->factor_accumulator + gq * inverse_rank),
                                   FK_NAME(saturate)(sum_p + gp * inverse_rank),
                                   FK_NAME(saturate)(states[j]->weight_accumulator + gw * gw), 1};
            const fk_four eta = (fk_four){eta_q, eta_p, eta_w, 1} / (FK_SQRT(grown) + 1e-12f);
            sum_q[j] = grown[0];
            sum_p = grown[1];
            sum_w[j] = grown[2];
            eta_q = eta[0];
            eta_p = eta[1];
            eta_w = eta[2];
        }
        keep_q[j] = 1 - eta_q * lq, keep_p[j] = 1 - eta_p * lp, move_q[j] = eta_q * e, move_p[j] = eta_p * e;
        const float norm_q = keep_q[j] * keep_q[j] * qq - 2 * keep_q[j] * move_q[j] * pq + move_q[j] * move_q[j] * pp;
        const float norm_p = keep_p[j] * keep_p[j] * pp - 2 * keep_p[j] * move_p[j] * pq + move_p[j] * move_p[j] * qq;
        over = FK_NAME(larger)(over, FK_NAME(larger)(FK_ABS(s) - largest, FK_ABS(e) - cap));
        over = FK_NAME(larger)(over, FK_NAME(larger)(norm_q, norm_p) - norm_cap);
        nothing += (norm_q + norm_p) - (norm_q + norm_p);  /* 0, or no number where something is not finite */
        _Pragma("clang loop unroll(full)") for (int i = 0; i < j; ++i) back[i] *= keep_p[j];
        back[j] = move_p[j];
        kept *= keep_p[j];
        pp = norm_p > 0 ? norm_p : 0;
        score[j] = s;
        weight[j] = w - eta_w * gw;
        errors += e;
    }
#undef FK_PRODUCT
    if (__builtin_expect(!(over <= 0 && nothing == 0), 0)) return 0;

    for (size_t f = 0; f < width / 16; ++f) {
        fk_sixteen vp = ((fk_sixteen *)p)[f];
        _Pragma("clang loop unroll(full)") for (int j = 0; j < size; ++j) {
            fk_sixteen *vq = (fk_sixteen *)factors[j] + f;
            const fk_sixteen q = *vq;
            *vq = keep_q[j] * q - move_q[j] * vp;
            vp = keep_p[j] * vp - move_p[j] * q;
        }
        ((fk_sixteen *)p)[f] = vp;
    }
    _Pragma("clang loop unroll(full)") for (int j = 0; j < size; ++j) {
        fk_row_state *const qs = states[j];
        qs->weight = weight[j];
        qs->updates += 1;
        if (optimizer == fk_optimizer_adagrad_row) {
            qs->factor_accumulator = sum_q[j];
            qs->weight_accumulator = sum_w[j];
        }
        batch->scores[at + j] = score[j];
    }
    *accumulator_p = sum_p;
    *error_sum += errors;
    return 1;
}
