/* Events of a positive and its negatives, four events side by side; included by kernel_body.h for each instruction set.
 *
 * A user's row meets its items one after the other, each seeing what the last has done to it: a score waits for the step before,
 * that for its error, and that for a logistic function, a root and a division. A processor mostly waits for such a chain. Here four
 * events go through it together, one to a lane. They must not meet in a row: those of the next four that do not are a group, and
 * lanes that have no event, or no item left, meet rows that nobody reads and do nothing. Each lane does what it would do in any
 * other, so that what is learned does not depend on how events fall into groups. w0 follows three events late, so that within a
 * group none waits for another.
 *
 * p·p follows by the formula of a step's norm (kernel_body.h) and is summed anew now and then.
 */

/* Four states as vectors, one of each of their numbers. */
typedef struct {
    fk_four weight, weight_accumulator, factor_accumulator, updates;
} FK_NAME(four_states);

#define FK_TRANSPOSED(a, b, c, d, to0, to1, to2, to3)                                                                       \
    const fk_four low_ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), low_cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);    \
    const fk_four high_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7), high_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7); \
    to0 = __builtin_shufflevector(low_ab, low_cd, 0, 1, 4, 5);                                                               \
    to1 = __builtin_shufflevector(low_ab, low_cd, 2, 3, 6, 7);                                                               \
    to2 = __builtin_shufflevector(high_ab, high_cd, 0, 1, 4, 5);                                                             \
    to3 = __builtin_shufflevector(high_ab, high_cd, 2, 3, 6, 7)

FK_INLINE FK_NAME(four_states) FK_NAME(load_states)(fk_row_state *const *states) {
    const fk_four a = *(const fk_loose_four *)states[0], b = *(const fk_loose_four *)states[1];
    const fk_four c = *(const fk_loose_four *)states[2], d = *(const fk_loose_four *)states[3];
    FK_NAME(four_states) all;
    FK_TRANSPOSED(a, b, c, d, all.weight, all.weight_accumulator, all.factor_accumulator, all.updates);
    return all;
}

FK_INLINE void FK_NAME(store_states)(fk_row_state *const *states, const FK_NAME(four_states) *all) {
    fk_four a, b, c, d;
    FK_TRANSPOSED(all->weight, all->weight_accumulator, all->factor_accumulator, all->updates, a, b, c, d);
    *(fk_loose_four *)states[0] = a;
    *(fk_loose_four *)states[1] = b;
    *(fk_loose_four *)states[2] = c;
    *(fk_loose_four *)states[3] = d;
}
#undef FK_TRANSPOSED

/* A row and a state of zeros for lanes that have nothing to do. */
typedef struct {
    float rows[2 * FK_WIDEST] __attribute__((aligned(64)));
    fk_row_state user, item;
} FK_NAME(idle);

/* Four events: users' rows and states, then one item of each. */
typedef struct {
    float *p[4], *q[4];
    fk_row_state *ps[4], *qs[4];
    fk_four label, weight;
} FK_NAME(lanes);

/* What the steps of four lanes need, and what their states are then. */
typedef struct {
    fk_four keep_p, move_p, keep_q, move_q;
} FK_NAME(lane_steps);
typedef struct {
    fk_four weight, sum_w, sum_q, sum_p, pp;
} FK_NAME(lane_sums);

/* A user's row stays in registers from item to item where it is one vector long. */
#define FK_KEEPS(width) ((width) == 16 && FK_LANES == 16)

/* Whether a list of ordinals has one of another. Reads the first in whole vectors, up to 15 words beyond its end. */
FK_INLINE int FK_NAME(meet)(const uint32_t *some, const size_t count, const uint32_t *others, const size_t other_count) {
    static const uint32_t places[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    fk_words_sixteen same = {};
    for (size_t i = 0; i < count; i += 16) {
        /* Nothing has the highest ordinal. */
        const fk_words_sixteen beyond = (fk_words_sixteen)(*(const fk_words_sixteen *)places >= (uint32_t)(count - i));
        const fk_words_sixteen piece = *(const fk_words_sixteen *)(some + i) | beyond;
        for (size_t j = 0; j < other_count; ++j) same |= (fk_words_sixteen)(piece == others[j]);
    }
    return __builtin_reduce_or(same) != 0;
}

/* How many of the events from `index` on, at most four, have rows of their own. */
FK_INLINE size_t FK_NAME(along)(const fk_batch *batch, const size_t index, const size_t item, const size_t count) {
    const size_t most = count - index < 4 ? count - index : 4;
    const uint32_t *const users = batch->users + index;
    size_t items = batch->counts[index];
    for (size_t l = 1; l < most; ++l) {
        const size_t own = batch->counts[index + l];
        int meets = FK_NAME(meet)(batch->ordinals + item, items, batch->ordinals + item + items, own);
        for (size_t k = 0; k < l; ++k) meets |= users[k] == users[l];
        if (meets) return l;
        items += own;
    }
    return most;
}

/* p·q of each lane; for AdaGrad q·q, and p·p where it is asked for. For sgd whether |p|^2 + |q|^2 of all is certainly at most 16
 * times `bound`, and nothing is no number: each part of a sum in pieces is within its share. */
#define FK_LANE_PRODUCTS(lanes_of, type, masks, total)                                                                       \
    type x[4], y[4], z[4];                                                                                                   \
    masks beyond = {};                                                                                                       \
    _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) {                                                         \
        for (size_t f = 0; f < width / (lanes_of); ++f) {                                                                    \
            const type a = FK_KEEPS(width) ? *(const type *)(held + l) : ((const type *)it->p[l])[f];                        \
            const type b = ((const type *)it->q[l])[f];                                                                      \
            x[l] = f == 0 ? a * b : x[l] + a * b;                                                                            \
            if (optimizer == fk_optimizer_sgd || sums_p) y[l] = f == 0 ? a * a : y[l] + a * a;                               \
            if (optimizer == fk_optimizer_sgd) y[l] += b * b;                                                                \
            if (optimizer != fk_optimizer_sgd) z[l] = f == 0 ? b * b : z[l] + b * b;                                         \
        }                                                                                                                    \
        if (optimizer == fk_optimizer_sgd) beyond |= (masks) ~(y[l] <= bound);                                               \
    }                                                                                                                        \
    *pq = FK_NAME(total)(x);                                                                                                 \
    if (optimizer == fk_optimizer_sgd) return !__builtin_reduce_or(beyond);                                                  \
    *qq = FK_NAME(total)(z);                                                                                                 \
    if (sums_p) *pp = FK_NAME(total)(y);                                                                                     \
    return 1

FK_INLINE int FK_NAME(lane_products)(const FK_NAME(lanes) *it, const fk_sixteen *held, const size_t width, const int optimizer,
                                     const int sums_p, const float bound, fk_four *pq, fk_four *qq, fk_four *pp) {
#pragma clang fp reassociate(off) contract(on)
    if (width % 16 == 0) {
        FK_LANE_PRODUCTS(16, fk_sixteen, fk_words_sixteen, sums);
    } else {
        FK_LANE_PRODUCTS(8, fk_eight, fk_words_eight, sums_of_eights);
    }
}
#undef FK_LANE_PRODUCTS

/* Whether the rows of one lane are within their share of `bound`, by the same sums. */
FK_INLINE int FK_NAME(lane_within)(const float *p, const float *q, const size_t width, const float bound) {
#pragma clang fp reassociate(off) contract(on)
    if (width % 16 == 0) {
        const fk_sixteen *const vp = (const fk_sixteen *)p, *const vq = (const fk_sixteen *)q;
        fk_sixteen y = {};
        for (size_t f = 0; f < width / 16; ++f) {
            y = f == 0 ? vp[f] * vp[f] : y + vp[f] * vp[f];
            y += vq[f] * vq[f];
        }
        return !__builtin_reduce_or(~(y <= bound));
    }
    const fk_eight *const vp = (const fk_eight *)p, *const vq = (const fk_eight *)q;
    fk_eight y = {};
    for (size_t f = 0; f < width / 8; ++f) {
        y = f == 0 ? vp[f] * vp[f] : y + vp[f] * vp[f];
        y += vq[f] * vq[f];
    }
    return !__builtin_reduce_or(~(y <= bound));
}

/* The steps of one lane's rows. */
FK_INLINE void FK_NAME(step_lane)(const FK_NAME(lanes) *it, fk_sixteen *held, const int l, const size_t width, const float keep_p,
                                  const float move_p, const float keep_q, const float move_q) {
#pragma clang fp reassociate(off) contract(on)
    if (width % 16 == 0) {
        for (size_t f = 0; f < width / 16; ++f) {
            fk_sixteen *const vp = FK_KEEPS(width) ? held + l : (fk_sixteen *)it->p[l] + f, *const vq = (fk_sixteen *)it->q[l] + f;
            const fk_sixteen p = *vp, q = *vq;
            *vq = keep_q * q - move_q * p;
            *vp = keep_p * p - move_p * q;
        }
        return;
    }
    for (size_t f = 0; f < width / 8; ++f) {
        fk_eight *const vp = (fk_eight *)it->p[l] + f, *const vq = (fk_eight *)it->q[l] + f;
        const fk_eight p = *vp, q = *vq;
        *vq = keep_q * q - move_q * p;
        *vp = keep_p * p - move_p * q;
    }
}

/* What a lane does where its item is out of the ordinary: by `one`, which knows all cases. Answers the score. */
static __attribute__((noinline)) FK_RACY float FK_NAME(lane_apart)(fk_run *run, const fk_settings *settings, const FK_NAME(lanes) *it,
                                                                   int l, float constant, float label, float weight, size_t width,
                                                                   float *error_sum, float *pp) {
    fk_pass pass = {.query = it->p[l], .query_state = it->ps[l], .query_l2 = settings->query.l2, .constant = constant};
    fk_item one = {.factors = it->q[l], .state = it->qs[l], .label = label, .weight = weight};
    FK_NAME(one_apart)(&pass, settings, &one, width, settings->optimizer);
    run->clipped += pass.clipped;
    run->rejected += pass.rejected;
    *error_sum += pass.error_sum;
    *pp = FK_NAME(dot)(it->p[l], it->p[l], width);
    return one.score;
}

/* What the errors ask of each lane; answers where that is as usual. */
FK_INLINE fk_words_four FK_NAME(size_steps)(const fk_settings *settings, const int optimizer, const fk_four e, const fk_four pq,
                                            const fk_four qq, const fk_four pp, const FK_NAME(four_states) *item, const fk_four sum_p,
                                            FK_NAME(lane_steps) *steps, FK_NAME(lane_sums) *sums) {
#pragma clang fp reassociate(off) contract(on)
    const float lp = settings->query.l2, lq = settings->item.l2, inverse_rank = settings->inverse_rank, norm_cap = settings->norm_cap;
    const float rate_q = settings->item.rate, rate_p = settings->query.rate, rate_w = settings->item.weight_rate;
    const fk_four gw = e + settings->item.weight_l2 * item->weight;
    /* Comparisons that what is no number does not pass. */
    const fk_words_four usual = (fk_words_four)(FK_ABS(e) <= settings->error_cap);
    if (optimizer == fk_optimizer_sgd) {
        steps->move_p = rate_p * e, steps->move_q = rate_q * e;
        steps->keep_p = (fk_four){} + (1 - rate_p * lp), steps->keep_q = (fk_four){} + (1 - rate_q * lq);
        sums->weight = item->weight - rate_w * gw;
        return usual;
    }
    const fk_four ee = e * e, epp = ee * pp, eqq = ee * qq, cross = 2 * e * pq;
    const fk_four gq = FK_NAME(larger_of_four)(epp + lq * (cross + lq * qq), 1e-6f * (epp + lq * lq * qq));
    const fk_four gp = FK_NAME(larger_of_four)(eqq + lp * (cross + lp * pp), 1e-6f * (eqq + lp * lp * pp));
    sums->sum_q = FK_NAME(saturated)(item->factor_accumulator + gq * inverse_rank);
    sums->sum_p = FK_NAME(saturated)(sum_p + gp * inverse_rank);
    sums->sum_w = FK_NAME(saturated)(item->weight_accumulator + gw * gw);
    const fk_four eta_q = rate_q / (FK_SQRT(sums->sum_q) + 1e-12f), eta_p = rate_p / (FK_SQRT(sums->sum_p) + 1e-12f);
    sums->weight = item->weight - rate_w / (FK_SQRT(sums->sum_w) + 1e-12f) * gw;
    const fk_four keep_q = 1 - eta_q * lq, keep_p = 1 - eta_p * lp, move_q = eta_q * e, move_p = eta_p * e;
    const fk_four norm_q = keep_q * keep_q * qq - 2 * keep_q * move_q * pq + move_q * move_q * pp;
    const fk_four norm_p = keep_p * keep_p * pp - 2 * keep_p * move_p * pq + move_p * move_p * qq;
    *steps = (FK_NAME(lane_steps)){keep_p, move_p, keep_q, move_q};
    sums->pp = FK_NAME(larger_of_four)(norm_p, (fk_four){});
    return usual & (fk_words_four)((norm_q <= norm_cap) & (norm_p <= norm_cap));
}
