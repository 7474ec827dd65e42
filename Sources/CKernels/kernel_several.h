/* A run of events of several items each: the loop over events, four side by side (kernel_lanes.h). Included by kernel_body.h for each
 * instruction set.
 */

/* Learns events, from one on. */
FK_INLINE void FK_NAME(train_lanes)(fk_run *run, const fk_settings *settings, const fk_batch *batch, const size_t from, size_t item,
                                    const size_t count, const size_t width, const int optimizer, const int loss) {
#pragma clang fp reassociate(off) contract(on)
    const fk_batch at = *batch;
    FK_NAME(idle) idle;
    __builtin_memset(idle.rows, 0, 2 * width * sizeof(float));
    __builtin_memset(&idle.user, 0, 2 * sizeof idle.user);
    const int keeps_sums = optimizer == fk_optimizer_adagrad_row;
    const float lp = settings->query.l2, lq = settings->item.l2, lu = settings->query.weight_l2;
    const float rate_q = settings->item.rate, rate_p = settings->query.rate, rate_u = settings->query.weight_rate;
    /* |a q - b p|^2 <= 2 (a^2 + b^2) (p·p + q·q), with the largest that a and b can be. */
    const float keep = 1 + FK_NAME(larger)(rate_q * lq, rate_p * lp), move = FK_NAME(larger)(rate_q, rate_p) * settings->error_cap;
    const float bound = 0.5f * settings->norm_cap / (keep * keep + move * move) / 16;
    float bias = run->bias, first = run->pending[0], second = run->pending[1], third = run->pending[2];
    float bias_accumulator = run->bias_accumulator;
    FK_NAME(fetches) ahead = {run->fetched > from ? run->fetched : from, item, 0};
    FK_NAME(fetches) far = {run->brought > from ? run->brought : from, item, 0};
    size_t size;
    const size_t placed = run->placed, distance = run->distance;
    for (size_t event = from; event < ahead.event; ++event) ahead.item += at.counts[event];
    for (size_t event = from; event < far.event; ++event) far.item += at.counts[event];
    for (size_t index = from; index < count; index += size) {
        size = FK_NAME(along)(&at, index, item, count);
        far.end = FK_NAME(reached)(run, index + size);
        while (far.event + 4 < far.end) FK_NAME(bring)(&at, &far, width, run->shared, 0);
        /* Four events ask for four, one with each of their first items. */
        ahead.end = index + size + distance < placed ? index + size + distance : placed;
        while (ahead.event + 4 < ahead.end) FK_NAME(fetch)(&at, &ahead, at.counts[ahead.event], width, run->shared);
        FK_NAME(lanes) it;
        size_t starts[4], counts[4], longest = 0, after = item;
        int together = size == 4;
        _Pragma("clang loop unroll(full)") for (size_t l = 0; l < 4; ++l) {
            const int real = l < size;
            it.p[l] = real ? at.queries[index + l] : idle.rows;
            it.ps[l] = real ? at.query_states[index + l] : &idle.user;
            starts[l] = after;
            counts[l] = real ? at.counts[index + l] : 0;
            after += counts[l];
            together &= counts[l] == counts[0];
            longest = counts[l] > longest ? counts[l] : longest;
        }
        FK_NAME(four_states) user = FK_NAME(load_states)(it.ps);
        const float after1 = bias + first, after2 = after1 + second, after3 = after2 + third;
        const fk_four base = user.weight + (fk_four){bias, after1, after2, after3};
        fk_four errors = {}, pp = {};
        fk_sixteen held[4];
        if (FK_KEEPS(width)) _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) held[l] = *(const fk_sixteen *)it.p[l];
        for (size_t j = 0; j < longest; ++j) {
            FK_NAME(fetch_one)(&at, &ahead, width, run->shared, 0);
            FK_NAME(bring)(&at, &far, width, run->shared, 0);
            fk_words_four going = (fk_words_four){} - 1;
            if (__builtin_expect(together, 1)) {
                _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) {
                    const size_t place = starts[l] + j;
                    it.q[l] = at.factors[place], it.qs[l] = at.states[place];
                    it.label[l] = at.labels[place], it.weight[l] = at.weights[place];
                }
            } else {
                _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) {
                    const int goes = j < counts[l];
                    const size_t place = goes ? starts[l] + j : item;
                    it.q[l] = goes ? at.factors[place] : idle.rows + width, it.qs[l] = goes ? at.states[place] : &idle.item;
                    it.label[l] = at.labels[place], it.weight[l] = at.weights[place];
                    going[l] = goes ? ~0u : 0;
                }
            }
            fk_four pq, qq = {};
            const int within = FK_NAME(lane_products)(&it, held, width, optimizer, j % 8 == 0, bound, &pq, &qq, &pp);
            FK_NAME(four_states) state = FK_NAME(load_states)(it.qs);
            fk_four s = (state.weight + base) + pq;
            const fk_four e = it.weight * ((loss == fk_loss_logistic ? fk_logistic_four(s) : s) - it.label);
            FK_NAME(lane_steps) steps;
            FK_NAME(lane_sums) sums;
            fk_words_four usual =
                FK_NAME(size_steps)(settings, optimizer, e, pq, qq, pp, &state, user.factor_accumulator, &steps, &sums) & going;
            /* Scores beyond are for `one`: nearly none are, and the usual ones need no clamp. */
            if (loss == fk_loss_logistic) usual &= (fk_words_four)(FK_ABS(s) <= 80.0f);
            const fk_words_four unusual = ~usual;
            if (__builtin_expect(within & !__builtin_reduce_or(unusual), 1)) {
                /* By way of memory: loads have room to spare here, what moves numbers between lanes has not. */
                __asm__("" : "+m"(steps));
                _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l)
                    FK_NAME(step_lane)(&it, held, l, width, keeps_sums ? steps.keep_p[l] : 1 - rate_p * lp, steps.move_p[l],
                                       keeps_sums ? steps.keep_q[l] : 1 - rate_q * lq, steps.move_q[l]);
                state.weight = sums.weight;
                if (keeps_sums) {
                    state.factor_accumulator = sums.sum_q, state.weight_accumulator = sums.sum_w;
                    user.factor_accumulator = sums.sum_p;
                    pp = sums.pp;
                }
                state.updates = (fk_four)((fk_words_four)state.updates + 1);
                FK_NAME(store_states)(it.qs, &state);
                errors += e;
            } else {
                /* Lane by lane; a lane with nothing to do does nothing. */
                for (int l = 0; l < 4; ++l) {
                    if (!going[l]) continue;
                    const float *const p = FK_KEEPS(width) ? (const float *)(held + l) : it.p[l];
                    if (usual[l] && (within || FK_NAME(lane_within)(p, it.q[l], width, bound))) {
                        FK_NAME(step_lane)(&it, held, l, width, steps.keep_p[l], steps.move_p[l], steps.keep_q[l], steps.move_q[l]);
                        fk_row_state *const qs = it.qs[l];
                        qs->weight = sums.weight[l];
                        qs->updates += 1;
                        if (keeps_sums) {
                            qs->factor_accumulator = sums.sum_q[l], qs->weight_accumulator = sums.sum_w[l];
                            user.factor_accumulator[l] = sums.sum_p[l];
                            pp[l] = sums.pp[l];
                        }
                        errors[l] += e[l];
                        continue;
                    }
                    float error_sum = 0, square;
                    if (FK_KEEPS(width)) *(fk_sixteen *)it.p[l] = held[l];
                    it.ps[l]->factor_accumulator = user.factor_accumulator[l];
                    s[l] = FK_NAME(lane_apart)(run, settings, &it, l, base[l], it.label[l], it.weight[l], width, &error_sum, &square);
                    user.factor_accumulator[l] = it.ps[l]->factor_accumulator;
                    if (FK_KEEPS(width)) held[l] = *(const fk_sixteen *)it.p[l];
                    errors[l] += error_sum;
                    pp[l] = square;
                }
            }
            if (__builtin_expect(together, 1)) {
                _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) at.scores[starts[l] + j] = s[l];
            } else {
                for (int l = 0; l < 4; ++l)
                    if (going[l]) at.scores[starts[l] + j] = s[l];
            }
        }
        if (FK_KEEPS(width)) _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) *(fk_sixteen *)it.p[l] = held[l];
        const fk_four gu = errors + lu * user.weight;
        fk_four eta_u = (fk_four){} + rate_u, eta_b = (fk_four){} + run->bias_rate;
        if (keeps_sums) {
            user.weight_accumulator = FK_NAME(saturated)(user.weight_accumulator + gu * gu);
            const fk_four ee = errors * errors;
            float sum_b[4], sum = bias_accumulator;
            _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) sum_b[l] = sum = FK_NAME(saturate)(sum + ee[l]);
            eta_u /= FK_SQRT(user.weight_accumulator) + 1e-12f;
            eta_b /= FK_SQRT(*(const fk_loose_four *)sum_b) + 1e-12f;
            bias_accumulator = sum_b[size - 1];
        }
        user.weight -= eta_u * gu;
        user.updates = (fk_four)((fk_words_four)user.updates + 1);
        FK_NAME(store_states)(it.ps, &user);
        const fk_four moved = -eta_b * errors;
        const float late[7] = {first, second, third, moved[0], moved[1], moved[2], moved[3]};
        bias = size == 1 ? after1 : size == 2 ? after2 : size == 3 ? after3 : after3 + moved[0];
        first = late[size];
        second = late[size + 1];
        third = late[size + 2];
        item = after;
    }
    run->fetched = (uint32_t)ahead.event;
    run->brought = (uint32_t)far.event;
    run->bias = bias;
    run->bias_accumulator = bias_accumulator;
    run->pending[0] = first;
    run->pending[1] = second;
    run->pending[2] = third;
}

/* A function for each width, optimiser and loss, so that each has the registers for itself. */
#define FK_LANES_OF(suffix, width, name, optimizer, loss)                                                                    \
    FK_APART FK_NAME(lanes_##name##_##suffix)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from,   \
                                              size_t item, size_t count, size_t w) {                                         \
        (void)w;                                                                                                            \
        FK_NAME(train_lanes)(run, settings, batch, from, item, count, (width), (optimizer), (loss));                         \
    }
#define FK_ALL_LANES(suffix, width)                                                                                          \
    FK_LANES_OF(suffix, width, sgd_squared, fk_optimizer_sgd, fk_loss_squared)                                               \
    FK_LANES_OF(suffix, width, sgd_logistic, fk_optimizer_sgd, fk_loss_logistic)                                             \
    FK_LANES_OF(suffix, width, adagrad_squared, fk_optimizer_adagrad_row, fk_loss_squared)                                   \
    FK_LANES_OF(suffix, width, adagrad_logistic, fk_optimizer_adagrad_row, fk_loss_logistic)                                 \
    FK_RACY static void FK_NAME(lanes_##suffix)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, \
                                                size_t item, size_t count, size_t w) {                                      \
        if (settings->optimizer == fk_optimizer_sgd)                                                                        \
            (settings->loss == fk_loss_logistic ? FK_NAME(lanes_sgd_logistic_##suffix)                                       \
                                                : FK_NAME(lanes_sgd_squared_##suffix))(run, settings, batch, from, item, count, w); \
        else                                                                                                                \
            (settings->loss == fk_loss_logistic ? FK_NAME(lanes_adagrad_logistic_##suffix)                                   \
                                                : FK_NAME(lanes_adagrad_squared_##suffix))(run, settings, batch, from, item, count, w); \
    }
FK_ALL_LANES(8, 8)
FK_ALL_LANES(16, 16)
FK_ALL_LANES(32, 32)
FK_ALL_LANES(64, 64)
FK_ALL_LANES(128, 128)
FK_ALL_LANES(any, w & ~(size_t)7)
#undef FK_ALL_LANES
#undef FK_LANES_OF

/* Learns the events from one on, whose first item is `item`. */
FK_RACY static void FK_NAME(train_several)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t from, size_t item,
                                           size_t count, size_t width) {
    switch (width) {
    case 8: FK_NAME(lanes_8)(run, settings, batch, from, item, count, width); return;
    case 16: FK_NAME(lanes_16)(run, settings, batch, from, item, count, width); return;
    case 32: FK_NAME(lanes_32)(run, settings, batch, from, item, count, width); return;
    case 64: FK_NAME(lanes_64)(run, settings, batch, from, item, count, width); return;
    case 128: FK_NAME(lanes_128)(run, settings, batch, from, item, count, width); return;
    default: FK_NAME(lanes_any)(run, settings, batch, from, item, count, width);
    }
}
