/* What prequential metrics sum up of a batch; included by kernel_body.h for each instruction set. */

typedef double FK_NAME(four_sums) __attribute__((vector_size(32), aligned(8), may_alias));

/* Losses of events and what goes with them, until they are added up. */
typedef struct {
    double loss[fk_tally_batch], comparisons[fk_tally_batch], wins[fk_tally_batch];
} FK_NAME(counted);

/* Adds up events side by side; the parts are those that `fk_tally_add` would have chosen. Without `compares` there are no
 * comparisons. */
FK_INLINE void FK_NAME(add_up)(fk_tally *tally, const FK_NAME(counted) *of, const size_t count, const int compares) {
#pragma clang fp reassociate(off) contract(on)
    typedef FK_NAME(four_sums) sums;
    size_t i = 0;
    for (; i < count && tally->batch_count % fk_tally_parts != 0; ++i)
        fk_tally_add(tally, of->loss[i], compares ? of->comparisons[i] : 0, of->wins[i]);
    const double twice = tally->keep * tally->keep, keep = twice * twice;
    sums loss = *(sums *)tally->loss, comparisons = *(sums *)tally->comparisons, wins = *(sums *)tally->wins;
    sums recent_events = *(sums *)tally->recent_events, recent_loss = *(sums *)tally->recent_loss;
    sums recent_comparisons = *(sums *)tally->recent_comparisons, recent_wins = *(sums *)tally->recent_wins;
    sums batch_loss = *(sums *)tally->batch_loss;
    const size_t first = i;
    for (; i + fk_tally_parts <= count; i += fk_tally_parts) {
        const sums losses = *(const sums *)(of->loss + i), won = *(const sums *)(of->wins + i);
        loss += losses;
        batch_loss += losses;
        wins += won;
        recent_events = recent_events * keep + 1;
        recent_loss = recent_loss * keep + losses;
        recent_wins = recent_wins * keep + won;
        if (!compares) continue;
        const sums compared = *(const sums *)(of->comparisons + i);
        comparisons += compared;
        recent_comparisons = recent_comparisons * keep + compared;
    }
    *(sums *)tally->loss = loss, *(sums *)tally->comparisons = comparisons, *(sums *)tally->wins = wins;
    *(sums *)tally->recent_events = recent_events, *(sums *)tally->recent_loss = recent_loss;
    *(sums *)tally->recent_comparisons = recent_comparisons, *(sums *)tally->recent_wins = recent_wins;
    *(sums *)tally->batch_loss = batch_loss;
    tally->batch_count += (uint32_t)(i - first);
    tally->events += (double)(i - first);
    for (; i < count; ++i) fk_tally_add(tally, of->loss[i], compares ? of->comparisons[i] : 0, of->wins[i]);
}

/* Events of any kind, one after the other; answers how many it took. Those whose loss is no number leave nothing. */
FK_INLINE size_t FK_NAME(count_events)(fk_tally *tally, const fk_batch *batch, const size_t event, const size_t count,
                                       size_t *first_item, const float *softplus, const int logistic) {
#pragma clang fp reassociate(off) contract(on)
    const uint32_t *const counts = batch->counts + event;
    const float *const scores = batch->scores, *const labels = batch->labels;
    FK_NAME(counted) to;
    float lowest = tally->lowest, highest = tally->highest;
    const size_t most = fk_tally_batch - tally->batch_count;
    size_t index = 0, item = *first_item, counted = 0;
    while (index < count && counted < most) {
        const uint32_t own = counts[index];
        const float score = scores[item], label = labels[item];
        double loss, wins = 0;
        if (logistic) {
            loss = (double)(softplus[item] - label * score);
            for (uint32_t other = 1; other < own; ++other) {
                loss += (double)softplus[item + other];
                wins += scores[item + other] < score ? 1 : scores[item + other] == score ? 0.5 : 0;
            }
            if (own > 1) loss /= (double)own;
        } else {
            /* Within the labels seen so far; the first label has none before it. What is no number stays none. */
            const float below = score > highest ? highest : score, near = below < lowest ? lowest : below;
            const double error = (double)(lowest <= highest ? near : score) - (double)label;
            loss = error * error;
            wins = FK_ABS(error);
            lowest = label < lowest ? label : lowest;
            highest = label > highest ? label : highest;
        }
        ++index;
        item += own;
        to.loss[counted] = loss;
        to.comparisons[counted] = logistic ? (double)(own - 1) : 0;
        to.wins[counted] = wins;
        counted += (size_t)__builtin_isfinite(loss);
    }
    FK_NAME(add_up)(tally, &to, counted, logistic);
    tally->lowest = lowest;
    tally->highest = highest;
    *first_item = item;
    return index;
}

/* Events of one item each under squared loss, where labels lie within those seen so far: nothing of one waits for another. Answers
 * how many: none where one is out of the ordinary. */
FK_INLINE size_t FK_NAME(count_single)(fk_tally *tally, const float *restrict scores, const float *restrict labels,
                                       const size_t wanted) {
#pragma clang fp reassociate(off) contract(on)
    FK_NAME(counted) to;
    const size_t most = fk_tally_batch - tally->batch_count, count = wanted < most ? wanted : most;
    const float lowest = tally->lowest, highest = tally->highest;
    int unusual = 0;
    for (size_t i = 0; i < count; ++i) {
        const float score = scores[i], label = labels[i], below = score > highest ? highest : score;
        const double error = (double)(below < lowest ? lowest : below) - (double)label;
        to.loss[i] = error * error;
        to.wins[i] = FK_ABS(error);
        unusual |= !(label >= lowest) | !(label <= highest) | !(FK_ABS(score) <= 3e38f);
    }
    if (unusual) return 0;
    FK_NAME(add_up)(tally, &to, count, 0);
    return count;
}

static size_t FK_NAME(count)(fk_tally *tally, const fk_batch *batch, size_t event, size_t count, size_t *item, const float *softplus) {
    if (!softplus && batch->item_count == batch->event_count) {
        const size_t counted = FK_NAME(count_single)(tally, batch->scores + event, batch->labels + event, count);
        *item += counted;
        if (counted) return counted;
    }
    return softplus ? FK_NAME(count_events)(tally, batch, event, count, item, softplus, 1)
                    : FK_NAME(count_events)(tally, batch, event, count, item, softplus, 0);
}
