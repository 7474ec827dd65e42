/* What prequential metrics sum up of a batch; included by kernel_body.h for each instruction set. */

typedef double FK_NAME(four_sums) __attribute__((vector_size(32), aligned(8), may_alias));

/* Losses of events and what goes with them, until they are added up. */
typedef struct {
    double loss[fk_tally_batch], comparisons[fk_tally_batch], wins[fk_tally_batch];
} FK_NAME(counted);

/* Sums of four parts while events are added to them, four at a time; `keep` is what four events leave. */
typedef struct {
    FK_NAME(four_sums) loss, wins, batch_loss, recent_events, recent_loss, recent_wins;
} FK_NAME(running);

FK_INLINE void FK_NAME(add_four)(FK_NAME(running) *to, const FK_NAME(four_sums) losses, const FK_NAME(four_sums) won, const double keep) {
#pragma clang fp reassociate(off) contract(on)
    to->loss += losses;
    to->batch_loss += losses;
    to->wins += won;
    to->recent_events = to->recent_events * keep + 1;
    to->recent_loss = to->recent_loss * keep + losses;
    to->recent_wins = to->recent_wins * keep + won;
}

/* Four parts from number `first` on, those before it behind them. By branches: it is the same for a long time. */
FK_INLINE FK_NAME(four_sums) FK_NAME(turned)(const FK_NAME(four_sums) parts, const uint32_t first) {
    if (first == 1) return __builtin_shufflevector(parts, parts, 1, 2, 3, 0);
    if (first == 2) return __builtin_shufflevector(parts, parts, 2, 3, 0, 1);
    if (first == 3) return __builtin_shufflevector(parts, parts, 3, 0, 1, 2);
    return parts;
}

/* The sums of a tally, part p at place (p - first) % 4; and back. */
FK_INLINE FK_NAME(running) FK_NAME(running_from)(const fk_tally *tally, const uint32_t first) {
#define FK_PARTS(of) FK_NAME(turned)(*(const FK_NAME(four_sums) *)tally->of, first)
    return (FK_NAME(running)){FK_PARTS(loss),          FK_PARTS(wins),        FK_PARTS(batch_loss),
                              FK_PARTS(recent_events), FK_PARTS(recent_loss), FK_PARTS(recent_wins)};
#undef FK_PARTS
}
FK_INLINE void FK_NAME(put_back)(fk_tally *tally, const FK_NAME(running) *from, const uint32_t first) {
    const uint32_t back = (fk_tally_parts - first) % fk_tally_parts;
#define FK_PARTS(of) *(FK_NAME(four_sums) *)tally->of = FK_NAME(turned)(from->of, back)
    FK_PARTS(loss), FK_PARTS(wins), FK_PARTS(batch_loss), FK_PARTS(recent_events), FK_PARTS(recent_loss), FK_PARTS(recent_wins);
#undef FK_PARTS
}

/* Adds up events side by side; the parts are those that `fk_tally_add` would have chosen. Without `compares` there are no
 * comparisons. */
FK_INLINE void FK_NAME(add_up)(fk_tally *tally, const FK_NAME(counted) *of, const size_t count, const int compares) {
#pragma clang fp reassociate(off) contract(on)
    typedef FK_NAME(four_sums) sums;
    size_t i = 0;
    for (; i < count && tally->batch_count % fk_tally_parts != 0; ++i)
        fk_tally_add(tally, of->loss[i], compares ? of->comparisons[i] : 0, of->wins[i]);
    const double keep = fk_tally_keep(tally);
    FK_NAME(running) to = FK_NAME(running_from)(tally, 0);
    sums comparisons = *(sums *)tally->comparisons, recent_comparisons = *(sums *)tally->recent_comparisons;
    const size_t first = i;
    for (; i + fk_tally_parts <= count; i += fk_tally_parts) {
        FK_NAME(add_four)(&to, *(const sums *)(of->loss + i), *(const sums *)(of->wins + i), keep);
        if (!compares) continue;
        const sums compared = *(const sums *)(of->comparisons + i);
        comparisons += compared;
        recent_comparisons = recent_comparisons * keep + compared;
    }
    FK_NAME(put_back)(tally, &to, 0);
    *(sums *)tally->comparisons = comparisons, *(sums *)tally->recent_comparisons = recent_comparisons;
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

/* Events of one item each under squared loss, where labels lie within those seen so far: nothing of one waits for another but
 * sums. Four events side by side, in the parts that `fk_tally_add` would have chosen, whichever comes first. Answers how many:
 * none where one is out of the ordinary. */
FK_INLINE size_t FK_NAME(count_single)(fk_tally *tally, const float *restrict scores, const float *restrict labels,
                                       const size_t wanted) {
#pragma clang fp reassociate(off) contract(on)
    typedef FK_NAME(four_sums) sums;
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    const size_t most = fk_tally_batch - tally->batch_count, count = wanted < most ? wanted : most, whole = count & ~(size_t)3;
    const float lowest = tally->lowest, highest = tally->highest;
    const fk_four low = (fk_four){} + lowest, high = (fk_four){} + highest;
    const double keep = fk_tally_keep(tally);
    const uint32_t first = tally->batch_count % fk_tally_parts;
    FK_NAME(running) to = FK_NAME(running_from)(tally, first);
    fk_words_four usual = (fk_words_four){} - 1;
    for (size_t i = 0; i < whole; i += fk_tally_parts) {
        const fk_four score = *(const four *)(scores + i), label = *(const four *)(labels + i);
        const fk_four below = FK_NAME(chosen)((fk_words_four)(score > high), high, score);
        const fk_four near = FK_NAME(chosen)((fk_words_four)(below < low), low, below);
        const sums error = __builtin_convertvector(near, sums) - __builtin_convertvector(label, sums);
        usual &= (fk_words_four)((label >= low) & (label <= high) & (FK_ABS(score) <= 3e38f));
        FK_NAME(add_four)(&to, error * error, FK_ABS(error), keep);
    }
    for (size_t i = whole; i < count; ++i)
        usual[0] &= -((labels[i] >= lowest) & (labels[i] <= highest) & (FK_ABS(scores[i]) <= 3e38f));
    if ((usual[0] & usual[1] & usual[2] & usual[3]) == 0) return 0;
    FK_NAME(put_back)(tally, &to, first);
    tally->batch_count += (uint32_t)whole;
    tally->events += (double)whole;
    for (size_t i = whole; i < count; ++i) {
        const float below = scores[i] > highest ? highest : scores[i];
        const double error = (double)(below < lowest ? lowest : below) - (double)labels[i];
        fk_tally_add(tally, error * error, 0, FK_ABS(error));
    }
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
