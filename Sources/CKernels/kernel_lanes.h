/* Events of a positive and a few negatives, four events side by side; included by kernel_body.h for each instruction set.
 *
 * What an event's items do to each other is a chain of scalars (kernel_group.h), and a logistic function in each of its links:
 * a processor mostly waits for it. Here four events go through it together, one to a lane. They must not meet in a row; where
 * fewer than four events in turn have rows of their own and as many items, the other lanes are filled with rows that nobody
 * reads. Each lane does what it would do in any other, so that what is learned does not depend on how events fall into groups.
 * w0 follows three events late (kernel_train.h), so that within a group none waits for another.
 */

/* Most items of an event that goes with others. */
enum { fk_most_side_by_side = 5, fk_lane_products = fk_most_side_by_side * (fk_most_side_by_side + 3) / 2 + 1 };

/* Events side by side: a user's row and some items each. */
typedef struct {
    float *p[4];
    fk_row_state *ps[4];
    float *const *factors[4];
    fk_row_state *const *states[4];
    const float *labels[4], *weights[4];
    float *scores[4];
} FK_NAME(lanes);

/* What fills a lane: rows and numbers of zeros, which no step changes. */
typedef struct {
    float rows[2 * FK_WIDEST] __attribute__((aligned(64)));
    fk_row_state user, item;
    float *factors[fk_most_side_by_side];
    fk_row_state *states[fk_most_side_by_side];
    float zeros[fk_most_side_by_side], scores[fk_most_side_by_side];
} FK_NAME(idle);

/* a·b of four pairs of rows, all by the same tree. */
FK_INLINE fk_four FK_NAME(four_dots)(const float *const *a, const float *const *b, const size_t width) {
#pragma clang fp reassociate(off)
    if (width % 16 == 0) {
        fk_sixteen x[4];
        for (size_t f = 0; f < width / 16; ++f)
            _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) {
                const fk_sixteen product = ((const fk_sixteen *)a[l])[f] * ((const fk_sixteen *)b[l])[f];
                x[l] = f == 0 ? product : x[l] + product;
            }
        return FK_NAME(sums)(x);
    }
    fk_eight x[4];
    for (size_t f = 0; f < width / 8; ++f)
        _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) {
            const fk_eight product = ((const fk_eight *)a[l])[f] * ((const fk_eight *)b[l])[f];
            x[l] = f == 0 ? product : x[l] + product;
        }
    return FK_NAME(sums_of_eights)(x);
}

/* The steps of one lane's rows. */
FK_INLINE void FK_NAME(step_lane)(float *restrict p, float *const *factors, const int lane, const size_t items, const size_t width,
                                  const fk_four *keep_p, const fk_four *move_p, const fk_four *keep_q, const fk_four *move_q) {
#pragma clang fp reassociate(off)
    if (width % 16 == 0) {
        for (size_t f = 0; f < width / 16; ++f) {
            fk_sixteen vp = ((fk_sixteen *)p)[f];
            for (size_t j = 0; j < items; ++j) {
                fk_sixteen *const vq = (fk_sixteen *)factors[j] + f;
                const fk_sixteen q = *vq;
                *vq = ((const float *)(keep_q + j))[lane] * q - ((const float *)(move_q + j))[lane] * vp;
                vp = ((const float *)(keep_p + j))[lane] * vp - ((const float *)(move_p + j))[lane] * q;
            }
            ((fk_sixteen *)p)[f] = vp;
        }
        return;
    }
    for (size_t f = 0; f < width / 8; ++f) {
        fk_eight vp = ((fk_eight *)p)[f];
        for (size_t j = 0; j < items; ++j) {
            fk_eight *const vq = (fk_eight *)factors[j] + f;
            const fk_eight q = *vq;
            *vq = ((const float *)(keep_q + j))[lane] * q - ((const float *)(move_q + j))[lane] * vp;
            vp = ((const float *)(keep_p + j))[lane] * vp - ((const float *)(move_p + j))[lane] * q;
        }
        ((fk_eight *)p)[f] = vp;
    }
}

/* Learns the `items` items of each lane; `base` is what the scores of a lane have in common. Answers which lanes are out of the
 * ordinary, all bits of a lane; where there are any, nothing was done. */
FK_INLINE fk_words_four FK_NAME(train_lanes)(const fk_settings *settings, const FK_NAME(lanes) *it, const size_t items,
                                             const fk_four base, fk_four *accumulator_p, fk_four *error_sum, const size_t width,
                                             const int optimizer, const int loss) {
#pragma clang fp reassociate(off)
    fk_four products[fk_lane_products], keep_p[fk_most_side_by_side], keep_q[fk_most_side_by_side];
    fk_four move_p[fk_most_side_by_side], move_q[fk_most_side_by_side], score[fk_most_side_by_side], weight[fk_most_side_by_side];
    fk_four sum_q[fk_most_side_by_side], sum_w[fk_most_side_by_side], back[fk_most_side_by_side];
    const float *const p[4] = {it->p[0], it->p[1], it->p[2], it->p[3]};
    size_t place = 1;
    products[0] = FK_NAME(four_dots)(p, p, width);
    for (size_t j = 0; j < items; ++j) {
        const float *const q[4] = {it->factors[0][j], it->factors[1][j], it->factors[2][j], it->factors[3][j]};
        products[place++] = FK_NAME(four_dots)(q, q, width);
        products[place++] = FK_NAME(four_dots)(p, q, width);
        for (size_t i = 0; i < j; ++i) {
            const float *const o[4] = {it->factors[0][i], it->factors[1][i], it->factors[2][i], it->factors[3][i]};
            products[place++] = FK_NAME(four_dots)(o, q, width);
        }
    }
    const float lp = settings->query.l2, lq = settings->item.l2, lw = settings->item.weight_l2;
    const float cap = settings->error_cap, norm_cap = settings->norm_cap, inverse_rank = settings->inverse_rank;
    fk_four pp = products[0], kept = (fk_four){} + 1, sum_p = *accumulator_p, errors = {};
    fk_words_four usual = (fk_words_four){} - 1;
    place = 1;
    for (size_t j = 0; j < items; ++j) {
        const fk_four qq = products[place], direct = products[place + 1];
        place += 2;
        const fk_four w = {it->states[0][j]->weight, it->states[1][j]->weight, it->states[2][j]->weight, it->states[3][j]->weight};
        const fk_four label = {it->labels[0][j], it->labels[1][j], it->labels[2][j], it->labels[3][j]};
        const fk_four own = {it->weights[0][j], it->weights[1][j], it->weights[2][j], it->weights[3][j]};
        /* The newest comes last, since it is what everything waits for. */
        fk_four s = (w + base) + kept * direct;
        for (size_t i = 0; i < j; ++i) s -= back[i] * products[place + i];
        place += j;
        const fk_four pq = s - (w + base);
        const fk_four e = own * (loss == fk_loss_logistic ? fk_logistic_four(s) : s) - own * label;
        const fk_four gw = e + lw * w;
        fk_four eta_q = {}, eta_p = {}, eta_w = {};
        if (optimizer == fk_optimizer_adagrad_row) {
            const fk_four epp = e * e * pp, eqq = e * e * qq, cross = 2 * e * pq;
            const fk_four gq = FK_NAME(larger_of_four)(epp + lq * (cross + lq * qq), 1e-6f * (epp + lq * lq * qq));
            const fk_four gp = FK_NAME(larger_of_four)(eqq + lp * (cross + lp * pp), 1e-6f * (eqq + lp * lp * pp));
            const fk_four old_q = {it->states[0][j]->factor_accumulator, it->states[1][j]->factor_accumulator,
                                   it->states[2][j]->factor_accumulator, it->states[3][j]->factor_accumulator};
            const fk_four old_w = {it->states[0][j]->weight_accumulator, it->states[1][j]->weight_accumulator,
                                   it->states[2][j]->weight_accumulator, it->states[3][j]->weight_accumulator};
            sum_q[j] = FK_NAME(saturated)(old_q + gq * inverse_rank);
            sum_p = FK_NAME(saturated)(sum_p + gp * inverse_rank);
            sum_w[j] = FK_NAME(saturated)(old_w + gw * gw);
            eta_q = settings->item.rate / (FK_SQRT(sum_q[j]) + 1e-12f);
            eta_p = settings->query.rate / (FK_SQRT(sum_p) + 1e-12f);
            eta_w = settings->item.weight_rate / (FK_SQRT(sum_w[j]) + 1e-12f);
        } else {
            eta_q += settings->item.rate, eta_p += settings->query.rate, eta_w += settings->item.weight_rate;
        }
        keep_q[j] = 1 - eta_q * lq, keep_p[j] = 1 - eta_p * lp, move_q[j] = eta_q * e, move_p[j] = eta_p * e;
        const fk_four norm_q = keep_q[j] * keep_q[j] * qq - 2 * keep_q[j] * move_q[j] * pq + move_q[j] * move_q[j] * pp;
        const fk_four norm_p = keep_p[j] * keep_p[j] * pp - 2 * keep_p[j] * move_p[j] * pq + move_p[j] * move_p[j] * qq;
        /* Comparisons that what is no number does not pass. */
        usual &= (fk_words_four)((FK_ABS(e) <= cap) & (norm_q <= norm_cap) & (norm_p <= norm_cap));
        if (loss == fk_loss_logistic) usual &= (fk_words_four)(FK_ABS(s) <= 80.0f);
        for (size_t i = 0; i < j; ++i) back[i] *= keep_p[j];
        back[j] = move_p[j];
        kept *= keep_p[j];
        pp = FK_NAME(larger_of_four)(norm_p, (fk_four){});
        score[j] = s;
        weight[j] = w - eta_w * gw;
        errors += e;
    }
    if (__builtin_expect(__builtin_reduce_or(~usual) != 0, 0)) return ~usual;

    _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) {
        FK_NAME(step_lane)(it->p[l], it->factors[l], l, items, width, keep_p, move_p, keep_q, move_q);
        for (size_t j = 0; j < items; ++j) {
            fk_row_state *const qs = it->states[l][j];
            qs->weight = ((const float *)(weight + j))[l];
            qs->updates += 1;
            if (optimizer == fk_optimizer_adagrad_row) {
                qs->factor_accumulator = ((const float *)(sum_q + j))[l];
                qs->weight_accumulator = ((const float *)(sum_w + j))[l];
            }
            it->scores[l][j] = ((const float *)(score + j))[l];
        }
    }
    *accumulator_p = sum_p;
    *error_sum = errors;
    return ~usual;
}

/* Whether an event's items are few enough, and no two of them the same, to go with others. */
FK_INLINE int FK_NAME(goes_along)(float *const *factors, const size_t items) {
    if (items > fk_most_side_by_side) return 0;
    int meets = 0;
    for (size_t j = 1; j < items; ++j)
        for (size_t i = 0; i < j; ++i) meets |= factors[i] == factors[j];
    return !meets;
}

/* How many of the events from `index` on, at most four, have as many items each, and rows of their own. */
FK_INLINE size_t FK_NAME(along)(const fk_batch *batch, const size_t index, const size_t item, const size_t count) {
    typedef uint64_t words __attribute__((vector_size(64)));
    const size_t items = batch->counts[index], most = count - index < 4 ? count - index : 4;
    words pieces[4];
    for (size_t l = 0; l < most; ++l) {
        if (batch->counts[index + l] != items) return l;
        float *const *const factors = batch->factors + item + l * items;
        uint64_t piece[8] = {4 * l, 4 * l, 4 * l, 4 * l, 4 * l, 4 * l, 4 * l, 4 * l};
        int meets = 0;
        for (size_t j = 0; j < items; ++j) piece[j] = (uint64_t)factors[j];
        for (size_t j = 1; j < items; ++j)
            for (size_t i = 0; i < j; ++i) meets |= piece[i] == piece[j];
        memcpy(pieces + l, piece, sizeof piece);
        words same = {};
        for (size_t k = 0; k < l; ++k) {
            meets |= batch->queries[index + k] == batch->queries[index + l];
            for (size_t j = 0; j < items; ++j) same |= (words)(pieces[k] == piece[j]);
        }
        if (meets | (__builtin_reduce_or(same) != 0)) return l;
    }
    return most;
}

/* Learns events, from one on, of up to five items each, until one is out of the ordinary; answers how many. */
FK_INLINE size_t FK_NAME(train_few)(fk_run *run, const fk_settings *settings, const fk_batch *batch, const size_t from,
                                    size_t *first_item, const size_t count, const size_t width, const int optimizer, const int loss) {
#pragma clang fp reassociate(off)
    FK_NAME(idle) idle;
    memset(&idle, 0, sizeof idle);
    for (int j = 0; j < fk_most_side_by_side; ++j) idle.factors[j] = idle.rows + width, idle.states[j] = &idle.item;
    const float lu = settings->query.weight_l2, rate_u = settings->query.weight_rate, bias_rate = run->bias_rate;
    float bias = run->bias, first = run->pending[0], second = run->pending[1], third = run->pending[2];
    float bias_accumulator = run->bias_accumulator;
    size_t item = *first_item, next = item, ahead = run->fetched, index = from, size;
    const size_t placed = run->placed, distance = run->distance;
    for (size_t event = from; event < ahead; ++event) next += batch->counts[event];
    for (; index < count; index += size) {
        const size_t items = batch->counts[index];
        if (!FK_NAME(goes_along)(batch->factors + item, items)) break;
        size = FK_NAME(along)(batch, index, item, count);
        for (const size_t end = index + size + distance < placed ? index + size + distance : placed; ahead < end; ++ahead) {
            FK_NAME(fetch)(batch, ahead, next, batch->counts[ahead], width);
            next += batch->counts[ahead];
        }
        fk_words_four unusual;
        fk_four accumulator_p, errors, own;
        FK_NAME(lanes) it;
        const float after1 = bias + first, after2 = after1 + second, after3 = after2 + third;
        for (;;) {
            for (size_t l = 0; l < 4; ++l) {
                const int real = l < size;
                const size_t at = item + l * items;
                it.p[l] = real ? batch->queries[index + l] : idle.rows;
                it.ps[l] = real ? batch->query_states[index + l] : &idle.user;
                it.factors[l] = real ? batch->factors + at : idle.factors;
                it.states[l] = real ? batch->states + at : idle.states;
                it.labels[l] = real ? batch->labels + at : idle.zeros;
                it.weights[l] = real ? batch->weights + at : idle.zeros;
                it.scores[l] = real ? batch->scores + at : idle.scores;
            }
            own = FK_FOUR(it.ps, weight);
            accumulator_p = FK_FOUR(it.ps, factor_accumulator);
            unusual = FK_NAME(train_lanes)(settings, &it, items, own + (fk_four){bias, after1, after2, after3}, &accumulator_p,
                                           &errors, width, optimizer, loss);
            /* Those before an unusual one go without it. */
            size_t clear = 0;
            while (clear < size && !unusual[clear]) ++clear;
            if (__builtin_expect(clear == size, 1)) break;
            size = clear;
            if (size == 0) goto out;
        }
        const fk_four gu = errors + lu * own;
        fk_four eta_u = {}, eta_b = {};
        float sum_b[4];
        if (optimizer == fk_optimizer_adagrad_row) {
            const fk_four sum_u = FK_NAME(saturated)(FK_FOUR(it.ps, weight_accumulator) + gu * gu), ee = errors * errors;
            float sum = bias_accumulator;
            _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) sum_b[l] = sum = FK_NAME(saturate)(sum + ee[l]);
            eta_u = rate_u / (FK_SQRT(sum_u) + 1e-12f);
            eta_b = bias_rate / (FK_SQRT(*(const fk_loose_four *)sum_b) + 1e-12f);
            bias_accumulator = sum_b[size - 1];
            _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) {
                it.ps[l]->factor_accumulator = accumulator_p[l];
                it.ps[l]->weight_accumulator = sum_u[l];
            }
        } else {
            eta_u += rate_u, eta_b += bias_rate;
        }
        const fk_four new_u = own - eta_u * gu, moved = -eta_b * errors;
        _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) {
            it.ps[l]->weight = new_u[l];
            it.ps[l]->updates += 1;
        }
        const float late[7] = {first, second, third, moved[0], moved[1], moved[2], moved[3]};
        bias = size == 1 ? after1 : size == 2 ? after2 : size == 3 ? after3 : after3 + moved[0];
        first = late[size];
        second = late[size + 1];
        third = late[size + 2];
        item += size * items;
    }
out:
    *first_item = item;
    run->fetched = (uint32_t)ahead;
    run->bias = bias;
    run->bias_accumulator = bias_accumulator;
    run->pending[0] = first;
    run->pending[1] = second;
    run->pending[2] = third;
    return index - from;
}

/* A function for each width, optimiser and loss, so that each has the registers for itself. */
#define FK_FEW(suffix, width, name, optimizer, loss)                                                                        \
    FK_RACY static __attribute__((noinline)) size_t FK_NAME(few_##name##_##suffix)(                                          \
        fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, size_t *item, size_t count, size_t w) { \
        (void)w;                                                                                                            \
        return FK_NAME(train_few)(run, settings, batch, from, item, count, (width), (optimizer), (loss));                    \
    }
#define FK_FEWS(suffix, width)                                                                                              \
    FK_FEW(suffix, width, sgd_squared, fk_optimizer_sgd, fk_loss_squared)                                                    \
    FK_FEW(suffix, width, sgd_logistic, fk_optimizer_sgd, fk_loss_logistic)                                                  \
    FK_FEW(suffix, width, adagrad_squared, fk_optimizer_adagrad_row, fk_loss_squared)                                        \
    FK_FEW(suffix, width, adagrad_logistic, fk_optimizer_adagrad_row, fk_loss_logistic)                                      \
    FK_RACY static size_t FK_NAME(few_##suffix)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, \
                                                size_t *item, size_t count, size_t w) {                                     \
        if (settings->optimizer == fk_optimizer_sgd)                                                                        \
            return settings->loss == fk_loss_logistic ? FK_NAME(few_sgd_logistic_##suffix)(run, settings, batch, from, item, count, w) \
                                                      : FK_NAME(few_sgd_squared_##suffix)(run, settings, batch, from, item, count, w); \
        return settings->loss == fk_loss_logistic ? FK_NAME(few_adagrad_logistic_##suffix)(run, settings, batch, from, item, count, w) \
                                                  : FK_NAME(few_adagrad_squared_##suffix)(run, settings, batch, from, item, count, w); \
    }
FK_FEWS(8, 8)
FK_FEWS(16, 16)
FK_FEWS(32, 32)
FK_FEWS(64, 64)
FK_FEWS(128, 128)
FK_FEWS(any, w & ~(size_t)7)
#undef FK_FEWS
#undef FK_FEW

FK_RACY static void FK_NAME(train_all)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t count, size_t width) {
    for (size_t done = 0, item = 0; done < count;) {
        size_t learned;
        switch (width) {
        case 8: learned = FK_NAME(few_8)(run, settings, batch, done, &item, count, width); break;
        case 16: learned = FK_NAME(few_16)(run, settings, batch, done, &item, count, width); break;
        case 32: learned = FK_NAME(few_32)(run, settings, batch, done, &item, count, width); break;
        case 64: learned = FK_NAME(few_64)(run, settings, batch, done, &item, count, width); break;
        case 128: learned = FK_NAME(few_128)(run, settings, batch, done, &item, count, width); break;
        default: learned = FK_NAME(few_any)(run, settings, batch, done, &item, count, width);
        }
        done += learned;
        if (learned > 0) continue;
        /* One by itself, by the loop that knows all cases, and with it those that follow and have many items too. */
        size_t end = done, after = item;
        do after += batch->counts[end++];
        while (end < count && batch->counts[end] > fk_most_side_by_side);
        FK_NAME(train_several)(run, settings, batch, done, item, end, width);
        item = after;
        done = end;
    }
}
