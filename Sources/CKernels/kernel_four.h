/* A run of events of one item each under AdaGrad by row, four events side by side: one reduction for four products, one vector
 * for each of their scalars, four roots and divisions at once. Included by kernel_body.h for each instruction set.
 *
 * The four must not meet in a row: as many of the next four as have rows of their own are a group, and a group of fewer is
 * filled up with rows that nobody reads. Each lane does what it would do in any other, so that what is learned does not depend
 * on how events fall into groups. w0 follows three events late (kernel_lanes.h), so that within a group none waits for another.
 */
/* Where the rows and numbers of a group lie. */
typedef struct {
    float *const *p, *const *q;
    fk_row_state *const *ps, *const *qs;
    const float *labels, *weights;
    float *scores;
} FK_NAME(four_events);

/* Rows and numbers of a group that is not full, filled up. */
typedef struct {
    float *p[4], *q[4];
    fk_row_state *ps[4], *qs[4];
    float labels[4], weights[4], scores[4];
} FK_NAME(filled);

/* What fills a group up: rows and states of zeros that stay so. */
typedef struct {
    float rows[2 * FK_WIDEST] __attribute__((aligned(64)));
    fk_row_state states[2];
} FK_NAME(nobody);

/* How many events from each of `count` on, at most fk_most_apart, have rows of their own: four at most. */
enum { fk_most_apart = 256 };
FK_INLINE void FK_NAME(apart)(const fk_batch *batch, size_t from, size_t count, uint8_t *restrict apart) {
    float *const *const users = batch->queries + from, *const *const items = batch->factors + from;
    /* How far the next event of the same user or item is, where that is below four. */
    uint8_t next[fk_most_apart + 2];
    size_t i = 0;
    for (; i + 3 < count; ++i) {
        const int first = (users[i] == users[i + 1]) | (items[i] == items[i + 1]);
        const int second = (users[i] == users[i + 2]) | (items[i] == items[i + 2]);
        const int third = (users[i] == users[i + 3]) | (items[i] == items[i + 3]);
        next[i] = first ? 1 : second ? 2 : third ? 3 : 4;
    }
    for (; i < count; ++i) {
        /* Nor does a group reach beyond the end. */
        next[i] = (uint8_t)(count - i);
        for (size_t j = count - 1; j > i; --j)
            if (users[i] == users[j] || items[i] == items[j]) next[i] = (uint8_t)(j - i);
    }
    next[count] = next[count + 1] = 4;
    for (i = 0; i < count; ++i) {
        const uint8_t second = next[i + 1] + 1, third = next[i + 2] + 2, own = next[i];
        const uint8_t less = second < third ? second : third;
        apart[i] = own < less ? own : less;
    }
}

/* Rows of a group that stay in registers from the products to the steps, where there are registers enough. */
typedef struct {
    fk_sixteen p[4][2], q[4][2];
    fk_eight short_p[4], short_q[4];
} FK_NAME(held);
#define FK_HOLDS(width) ((width) <= FK_LANES * (FK_LANES / 8))

/* p·q, p·p and q·q of each event. */
FK_INLINE void FK_NAME(twelve_products)(const FK_NAME(four_events) *it, FK_NAME(held) *held, const size_t width, fk_four *pq,
                                        fk_four *pp, fk_four *qq) {
#pragma clang fp reassociate(off) contract(on)
    if (width % 16 == 0) {
        fk_sixteen x[4], y[4], z[4];
        _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; ++j) {
            const fk_sixteen *const vp = (const fk_sixteen *)it->p[j], *const vq = (const fk_sixteen *)it->q[j];
            x[j] = y[j] = z[j] = (fk_sixteen){};
            for (size_t f = 0; f < width / 16; ++f) {
                const fk_sixteen a = vp[f], b = vq[f];
                x[j] = f == 0 ? a * b : x[j] + a * b;
                y[j] = f == 0 ? a * a : y[j] + a * a;
                z[j] = f == 0 ? b * b : z[j] + b * b;
                if (FK_HOLDS(width)) held->p[j][f] = a, held->q[j][f] = b;
            }
        }
        *pq = FK_NAME(sums)(x);
        *pp = FK_NAME(sums)(y);
        *qq = FK_NAME(sums)(z);
        return;
    }
    fk_eight x[4], y[4], z[4];
    _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; ++j) {
        const fk_eight *const vp = (const fk_eight *)it->p[j], *const vq = (const fk_eight *)it->q[j];
        x[j] = y[j] = z[j] = (fk_eight){};
        for (size_t f = 0; f < width / 8; ++f) {
            const fk_eight a = vp[f], b = vq[f];
            x[j] = f == 0 ? a * b : x[j] + a * b;
            y[j] = f == 0 ? a * a : y[j] + a * a;
            z[j] = f == 0 ? b * b : z[j] + b * b;
            if (FK_HOLDS(width) && width == 8) held->short_p[j] = a, held->short_q[j] = b;
        }
    }
    *pq = FK_NAME(sums_of_eights)(x);
    *pp = FK_NAME(sums_of_eights)(y);
    *qq = FK_NAME(sums_of_eights)(z);
}

/* The steps of event `j`. */
FK_INLINE void FK_NAME(step_held)(const FK_NAME(four_events) *it, const FK_NAME(held) *held, const int j, const size_t width,
                                  const float keep_p, const float move_p, const float keep_q, const float move_q) {
#pragma clang fp reassociate(off) contract(on)
    if (width % 16 == 0) {
        fk_sixteen *const vp = (fk_sixteen *)it->p[j], *const vq = (fk_sixteen *)it->q[j];
        for (size_t f = 0; f < width / 16; ++f) {
            const fk_sixteen p = FK_HOLDS(width) ? held->p[j][f] : vp[f], q = FK_HOLDS(width) ? held->q[j][f] : vq[f];
            vq[f] = keep_q * q - move_q * p;
            vp[f] = keep_p * p - move_p * q;
        }
        return;
    }
    fk_eight *const vp = (fk_eight *)it->p[j], *const vq = (fk_eight *)it->q[j];
    for (size_t f = 0; f < width / 8; ++f) {
        const int holds = FK_HOLDS(width) && width == 8;
        const fk_eight p = holds ? held->short_p[j] : vp[f], q = holds ? held->short_q[j] : vq[f];
        vq[f] = keep_q * q - move_q * p;
        vp[f] = keep_p * p - move_p * q;
    }
}

/* One number of each of four states. */
#define FK_FOUR(states, field) ((fk_four){(states)[0]->field, (states)[1]->field, (states)[2]->field, (states)[3]->field})

/* What a group's steps need, event by event. */
typedef struct {
    fk_four move_p, move_q, keep_p, keep_q, w, u, sum_p, sum_q, sum_w, sum_u;
} FK_NAME(steps);

/* Learns events until one is out of the ordinary; answers how many. */
FK_INLINE size_t FK_NAME(train_fours)(fk_run *run, const fk_settings *settings, const fk_batch *batch, const size_t from,
                                      size_t count, const size_t width, const int loss) {
#pragma clang fp reassociate(off) contract(on)
    count = count - from < fk_most_apart ? count : from + fk_most_apart;
    const fk_batch at = *batch;
    uint8_t apart[fk_most_apart];
    FK_NAME(apart)(batch, from, count - from, apart);
    FK_NAME(nobody) nobody;
    __builtin_memset(nobody.states, 0, sizeof nobody.states);
    const float lp = settings->query.l2, lq = settings->item.l2, lw = settings->item.weight_l2, lu = settings->query.weight_l2;
    const float cap = settings->error_cap, norm_cap = settings->norm_cap, inverse_rank = settings->inverse_rank;
    const float rate_q = settings->item.rate, rate_p = settings->query.rate;
    const float rate_w = settings->item.weight_rate, rate_u = settings->query.weight_rate, bias_rate = run->bias_rate;
    float bias = run->bias, first = run->pending[0], second = run->pending[1], third = run->pending[2];
    float bias_accumulator = run->bias_accumulator;
    FK_NAME(fetches) ahead = {run->fetched, run->fetched, 0}, far = {run->brought, run->brought, 0};
    size_t index = from, size;
    const size_t placed = run->placed, distance = run->distance;
    for (; index < count; index += size) {
        size = apart[index - from];
        FK_NAME(filled) filled;
        FK_NAME(four_events) it = {at.queries + index, at.factors + index, at.query_states + index, at.states + index,
                                   at.labels + index, at.weights + index, at.scores + index};
        if (__builtin_expect(size < 4, 0)) {
            __builtin_memset(nobody.rows, 0, 2 * width * sizeof(float));
            for (size_t j = 0; j < 4; ++j) {
                const int real = j < size;
                filled.p[j] = real ? it.p[j] : nobody.rows;
                filled.q[j] = real ? it.q[j] : nobody.rows + width;
                filled.ps[j] = real ? it.ps[j] : nobody.states;
                filled.qs[j] = real ? it.qs[j] : nobody.states + 1;
                filled.labels[j] = real ? it.labels[j] : 0;
                filled.weights[j] = real ? it.weights[j] : 0;
            }
            it = (FK_NAME(four_events)){filled.p, filled.q, filled.ps, filled.qs, filled.labels, filled.weights, filled.scores};
        }
        far.end = FK_NAME(reached)(run, index + size);
        while (far.event + 3 < far.end) FK_NAME(bring)(&at, &far, width, run->shared, 1);
        /* Four events ask for four: the first of them here. */
        ahead.end = index + size + distance < placed ? index + size + distance : placed;
        while (ahead.event + 3 < ahead.end) FK_NAME(fetch)(&at, &ahead, 1, width, run->shared);

        FK_NAME(held) held;
        fk_four pq, pp, qq;
        FK_NAME(twelve_products)(&it, &held, width, &pq, &pp, &qq);
        FK_NAME(fetch_one)(&at, &ahead, width, run->shared, 1);
        FK_NAME(bring)(&at, &far, width, run->shared, 1);
        const fk_four own = FK_FOUR(it.ps, weight), w = FK_FOUR(it.qs, weight);
        const float after1 = bias + first, after2 = after1 + second, after3 = after2 + third;
        const fk_four s = ((w + own) + pq) + (fk_four){bias, after1, after2, after3};
        const fk_four label = *(const fk_loose_four *)it.labels, weight = *(const fk_loose_four *)it.weights;
        const fk_four e = weight * ((loss == fk_loss_logistic ? fk_logistic_four(s) : s) - label), ee = e * e;
        const fk_four gw = e + lw * w, gu = e + lu * own, epp = ee * pp, eqq = ee * qq, cross = 2 * e * pq;
        const fk_four gq = FK_NAME(larger_of_four)(epp + lq * (cross + lq * qq), 1e-6f * (epp + lq * lq * qq));
        const fk_four gp = FK_NAME(larger_of_four)(eqq + lp * (cross + lp * pp), 1e-6f * (eqq + lp * lp * pp));
        FK_NAME(steps) steps = {
            .sum_q = FK_NAME(saturated)(FK_FOUR(it.qs, factor_accumulator) + gq * inverse_rank),
            .sum_p = FK_NAME(saturated)(FK_FOUR(it.ps, factor_accumulator) + gp * inverse_rank),
            .sum_w = FK_NAME(saturated)(FK_FOUR(it.qs, weight_accumulator) + gw * gw),
            .sum_u = FK_NAME(saturated)(FK_FOUR(it.ps, weight_accumulator) + gu * gu),
        };
        fk_four sum_b;
        sum_b[0] = FK_NAME(saturate)(bias_accumulator + ee[0]);
        sum_b[1] = FK_NAME(saturate)(sum_b[0] + ee[1]);
        sum_b[2] = FK_NAME(saturate)(sum_b[1] + ee[2]);
        sum_b[3] = FK_NAME(saturate)(sum_b[2] + ee[3]);
        const fk_four eta_q = rate_q / (FK_SQRT(steps.sum_q) + 1e-12f), eta_p = rate_p / (FK_SQRT(steps.sum_p) + 1e-12f);
        const fk_four eta_w = rate_w / (FK_SQRT(steps.sum_w) + 1e-12f), eta_u = rate_u / (FK_SQRT(steps.sum_u) + 1e-12f);
        const fk_four keep_q = 1 - eta_q * lq, keep_p = 1 - eta_p * lp, move_q = eta_q * e, move_p = eta_p * e;
        const fk_four norm_q = keep_q * keep_q * qq - 2 * keep_q * move_q * pq + move_q * move_q * pp;
        const fk_four norm_p = keep_p * keep_p * pp - 2 * keep_p * move_p * pq + move_p * move_p * qq;
        /* Comparisons that what is no number does not pass. Scores beyond 80 are for `one`: nearly none are, and the usual ones
         * need no clamp. */
        fk_words_four usual = (fk_words_four)((FK_ABS(e) <= cap) & (norm_q <= norm_cap) & (norm_p <= norm_cap));
        if (loss == fk_loss_logistic) usual &= (fk_words_four)(FK_ABS(s) <= 80.0f);
        if (__builtin_expect(__builtin_reduce_or(~usual) != 0, 0)) {
            /* Those before the unusual one are a group of their own. */
            size_t clear = 0;
            while (usual[clear]) ++clear;
            if (clear == 0) break;
            apart[index - from] = (uint8_t)clear;
            size = 0;
            continue;
        }
        FK_NAME(fetch_one)(&at, &ahead, width, run->shared, 1);
        FK_NAME(bring)(&at, &far, width, run->shared, 1);
        const fk_four moved = -(bias_rate / (FK_SQRT(sum_b) + 1e-12f)) * e;
        steps.move_p = move_p, steps.move_q = move_q, steps.keep_p = keep_p, steps.keep_q = keep_q;
        steps.w = w - eta_w * gw, steps.u = own - eta_u * gu;
        /* By way of memory: loads have room to spare here, what moves numbers between lanes has not. */
        __asm__("" : "+m"(steps));
        _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; ++j)
            FK_NAME(step_held)(&it, &held, j, width, steps.keep_p[j], steps.move_p[j], steps.keep_q[j], steps.move_q[j]);
        FK_NAME(fetch_one)(&at, &ahead, width, run->shared, 1);
        FK_NAME(bring)(&at, &far, width, run->shared, 1);
        _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; ++j) {
            fk_row_state *const qs = it.qs[j], *const ps = it.ps[j];
            qs->weight = steps.w[j];
            qs->weight_accumulator = steps.sum_w[j];
            qs->factor_accumulator = steps.sum_q[j];
            qs->updates += 1;
            ps->weight = steps.u[j];
            ps->weight_accumulator = steps.sum_u[j];
            ps->factor_accumulator = steps.sum_p[j];
            ps->updates += 1;
        }
        *(fk_loose_four *)it.scores = s;
        if (__builtin_expect(size == 4, 1)) {
            bias_accumulator = sum_b[3];
            bias = after3 + moved[0];
            first = moved[1];
            second = moved[2];
            third = moved[3];
        } else {
            const float next[6] = {first, second, third, moved[0], moved[1], moved[2]};
            bias_accumulator = sum_b[size - 1];
            bias = size == 1 ? after1 : size == 2 ? after2 : after3;
            first = next[size];
            second = next[size + 1];
            third = next[size + 2];
            for (size_t j = 0; j < size; ++j) at.scores[index + j] = filled.scores[j];
        }
    }
    run->fetched = (uint32_t)ahead.event;
    run->brought = (uint32_t)far.event;
    run->bias = bias;
    run->bias_accumulator = bias_accumulator;
    run->pending[0] = first;
    run->pending[1] = second;
    run->pending[2] = third;
    return index - from;
}
