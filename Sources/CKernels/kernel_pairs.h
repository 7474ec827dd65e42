/* Pairwise losses: a positive item against negatives, a pair at a time; included by kernel_body.h for each instruction set.
 *
 * bpr (Rendle et al. 2009): ln(1 + exp(-d)), d = s+ - s-, for every negative in turn.
 * warp (Weston, Bengio, Usunier 2011): negatives are tried in order until one violates the margin, 1 - d > 0; that pair
 * alone is stepped, with the hinge 1 - d weighted by L(r) / L(c - 1), L(r) = ln(1 + r), where r = floor((c - 1) / tries)
 * estimates the positive's rank in a catalogue of c items. The division keeps the weight within 0...1, so that rates mean
 * the same in small and large catalogues.
 *
 * Symbols: p query, a positive item, b negative item, e the loss's derivative by s+ (by s- it is -e), lambda l2.
 */

/* Steps the vectors of a pair in place from the values before. `width`, `optimizer` and `special` are constants here. */
FK_INLINE void FK_NAME(step_pair)(fk_pass *pass, const fk_settings *settings, fk_item *positive, fk_item *negative, float e,
                                  const size_t width, const int optimizer, const int special) {
    float *restrict p = pass->query;
    float *restrict a = positive->factors;
    float *restrict b = negative->factors;
    const int moves = pass->query_state && !(special && settings->options.sparse && pass->query_state->weight == 0);
    const float keep = special ? settings->options.keep : 1;
    const float lp = pass->query_l2, lq = settings->item.l2;
    if (pass->gradient) {
        float *restrict g = pass->gradient;
        for (size_t f = 0; f < width; ++f) g[f] += e * (a[f] - b[f]);
    }
    if (special) {
        /* A row without factors leaves its partner alone with the query. */
        const int sleeps = FK_NAME(asleep)(settings, &negative->linear, negative->state);
        if (sleeps || FK_NAME(asleep)(settings, &positive->linear, positive->state)) {
            FK_NAME(step_item)(pass, settings, sleeps ? positive : negative, sleeps ? e : -e, width, optimizer, 1);
            return;
        }
    }
    float eta_a = settings->item.rate, eta_b = eta_a, eta_p = moves ? settings->query.rate : 0;
    if (special && optimizer == fk_optimizer_sgd) {
        eta_a = FK_NAME(scheduled)(settings, positive->state, eta_a);
        eta_b = FK_NAME(scheduled)(settings, negative->state, eta_b);
        if (moves) eta_p = FK_NAME(scheduled)(settings, pass->query_state, eta_p);
    }
    if (optimizer == fk_optimizer_adagrad_row) {
        float ga = 0, gb = 0, gp = 0;
        for (size_t f = 0; f < width; ++f) {
            const float da = e * p[f] + lq * a[f], db = lq * b[f] - e * p[f], dp = e * (a[f] - b[f]) + lp * p[f];
            ga += da * da;
            gb += db * db;
            gp += dp * dp;
        }
        eta_a = FK_NAME(adagrad)(&positive->state->factor_accumulator, ga * settings->inverse_rank, eta_a, keep);
        eta_b = FK_NAME(adagrad)(&negative->state->factor_accumulator, gb * settings->inverse_rank, eta_b, keep);
        if (moves) eta_p = FK_NAME(adagrad)(&pass->query_state->factor_accumulator, gp * settings->inverse_rank, eta_p, keep);
    }
    float norm_a = 0, norm_b = 0, norm_p = 0;
    if (optimizer == fk_optimizer_adagrad_coordinate) {
        float *restrict sa = positive->accumulators;
        float *restrict sb = negative->accumulators;
        float *restrict sp = pass->query_accumulators;
        for (size_t f = 0; f < width; ++f) {
            const float da = e * p[f] + lq * a[f], db = lq * b[f] - e * p[f], dp = e * (a[f] - b[f]) + lp * p[f];
            sa[f] = FK_NAME(saturate)(keep * sa[f] + da * da);
            sb[f] = FK_NAME(saturate)(keep * sb[f] + db * db);
            a[f] -= eta_a * da / (FK_SQRT(sa[f]) + 1e-12f);
            b[f] -= eta_b * db / (FK_SQRT(sb[f]) + 1e-12f);
            norm_a += a[f] * a[f];
            norm_b += b[f] * b[f];
            if (moves) {
                sp[f] = FK_NAME(saturate)(keep * sp[f] + dp * dp);
                p[f] -= eta_p * dp / (FK_SQRT(sp[f]) + 1e-12f);
                norm_p += p[f] * p[f];
            }
        }
    } else {
        for (size_t f = 0; f < width; ++f) {
            const float da = e * p[f] + lq * a[f], db = lq * b[f] - e * p[f], dp = e * (a[f] - b[f]) + lp * p[f];
            a[f] -= eta_a * da;
            b[f] -= eta_b * db;
            norm_a += a[f] * a[f];
            norm_b += b[f] * b[f];
            if (moves) {
                p[f] -= eta_p * dp;
                norm_p += p[f] * p[f];
            }
        }
    }
    const float cap = settings->norm_cap;
    if (norm_a > cap) pass->clipped += FK_NAME(shrink)(a, norm_a, cap, width);
    if (norm_b > cap) pass->clipped += FK_NAME(shrink)(b, norm_b, cap, width);
    if (moves && norm_p > cap) pass->clipped += FK_NAME(shrink)(p, norm_p, cap, width);
}

FK_INLINE void FK_NAME(step_pair_weight)(const fk_settings *settings, fk_item *item, float e, const int optimizer,
                                         const int special) {
    FK_NAME(step_weight)(item->state, &item->linear, item->factors, item->accumulators, e, &settings->item, settings, optimizer,
                         special);
}

/* One pair of the positive with a negative, both scored as they are now. True when warp's search is over. */
FK_INLINE int FK_NAME(one_pair)(fk_pass *pass, const fk_settings *settings, fk_item *positive, fk_item *negative, size_t tries,
                                const size_t width, const int optimizer, const int special) {
    const float s = pass->constant + positive->state->weight + FK_NAME(dot)(pass->query, positive->factors, width);
    const float t = pass->constant + negative->state->weight + FK_NAME(dot)(pass->query, negative->factors, width);
    if (tries == 1) positive->score = s;
    negative->score = t;
    const float d = s - t;
    float e;
    if (settings->loss == fk_loss_warp) {
        if (d >= 1) return 0;
        const float others = (float)(pass->catalogue > 1 ? pass->catalogue - 1 : 1);
        const float rank = (float)(uint32_t)(others / (float)tries);
        e = -positive->weight * __builtin_log1pf(rank) / __builtin_log1pf(others);
    } else {
        e = -positive->weight * fk_logistic(-d);
    }
    if (!fk_is_finite(s) || !fk_is_finite(t) || e != e) {
        pass->rejected += 1;
        return 0;
    }
    const float cap = settings->error_cap;
    if (e < -cap) {
        e = -cap;
        pass->clipped += 1;
    }
    pass->error_square_sum += 2 * e * e;
    pass->pairs += 1;
    pass->pair_error = e;
    FK_NAME(step_pair)(pass, settings, positive, negative, e, width, optimizer, special);
    FK_NAME(step_pair_weight)(settings, positive, e, optimizer, special);
    FK_NAME(step_pair_weight)(settings, negative, -e, optimizer, special);
    return settings->loss == fk_loss_warp;
}

FK_INLINE void FK_NAME(pairs_of)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, const size_t width,
                                 const int optimizer, const int special) {
    const size_t tried = pass->tried;
    for (size_t i = 1; i < count; ++i)
        if (FK_NAME(one_pair)(pass, settings, items, items + i, tried + i, width, optimizer, special)) return;
}

FK_INLINE void FK_NAME(pairs_by)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t width,
                                 const int special) {
    width &= ~(size_t)7;
    switch (settings->optimizer) {
    case fk_optimizer_sgd: FK_NAME(pairs_of)(pass, settings, items, count, width, fk_optimizer_sgd, special); return;
    case fk_optimizer_adagrad_row:
        FK_NAME(pairs_of)(pass, settings, items, count, width, fk_optimizer_adagrad_row, special);
        return;
    default: FK_NAME(pairs_of)(pass, settings, items, count, width, fk_optimizer_adagrad_coordinate, special);
    }
}

FK_APART FK_NAME(pairs_special)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t width) {
    FK_NAME(pairs_by)(pass, settings, items, count, width, 1);
}

FK_RACY static void FK_NAME(pairs)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t width) {
    if (settings->options.special) {
        FK_NAME(pairs_special)(pass, settings, items, count, width);
        return;
    }
    FK_NAME(pairs_by)(pass, settings, items, count, width, 0);
}
