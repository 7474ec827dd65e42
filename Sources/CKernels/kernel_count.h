/* What prequential metrics sum up of a batch; included by kernel_body.h for each instruction set. */

typedef double FK_NAME(sums_of) __attribute__((vector_size(32), aligned(8), may_alias));

FK_INLINE size_t FK_NAME(count_events)(fk_tally *tally, const double keep, const fk_batch *batch, const size_t event,
                                       const size_t count, size_t *first_item, const float *softplus, const int logistic) {
#pragma clang fp reassociate(off) contract(on)
    const uint32_t *const counts = batch->counts + event;
    const float *const scores = batch->scores, *const labels = batch->labels;
    FK_NAME(sums_of) all = *(FK_NAME(sums_of) *)tally->all, recent = *(FK_NAME(sums_of) *)tally->recent;
    float lowest = tally->lowest, highest = tally->highest;
    double batch_sum = tally->batch_sum;
    uint32_t left = tally->batch_limit - tally->batch_count;
    size_t index = 0, item = *first_item;
    while (index < count && left > 0) {
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
            const float most = score > highest ? highest : score, near = most < lowest ? lowest : most;
            const double error = (double)(lowest <= highest ? near : score) - (double)label;
            loss = error * error;
            wins = FK_ABS(error);
            lowest = label < lowest ? label : lowest;
            highest = label > highest ? label : highest;
        }
        ++index;
        item += own;
        if (__builtin_expect(!__builtin_isfinite(loss), 0)) continue;
        --left;
        batch_sum += loss;
        const FK_NAME(sums_of) values = {1, loss, logistic ? (double)(own - 1) : 0, wins};
        all += values;
        recent = recent * keep + values;
    }
    *(FK_NAME(sums_of) *)tally->all = all;
    *(FK_NAME(sums_of) *)tally->recent = recent;
    tally->lowest = lowest;
    tally->highest = highest;
    tally->batch_sum = batch_sum;
    tally->batch_count = tally->batch_limit - left;
    *first_item = item;
    return index;
}

/* Events of one item each under squared loss, where labels lie within those seen so far: the errors side by side, then their
 * sums one after the other, lest what is summed depend on how events fall into calls. Answers how many: none where one is out of
 * the ordinary. */
FK_INLINE size_t FK_NAME(count_single)(fk_tally *tally, const double keep, const float *restrict scores,
                                       const float *restrict labels, const size_t wanted) {
#pragma clang fp reassociate(off) contract(on)
    enum { most = 256 };
    double errors[most];
    const uint32_t left = tally->batch_limit - tally->batch_count;
    const size_t count = wanted < left ? (wanted < most ? wanted : most) : (left < most ? left : most);
    const float lowest = tally->lowest, highest = tally->highest;
    int unusual = 0;
    for (size_t i = 0; i < count; ++i) {
        const float score = scores[i], label = labels[i], below = score > highest ? highest : score;
        errors[i] = (double)(below < lowest ? lowest : below) - (double)label;
        unusual |= !(label >= lowest) | !(label <= highest) | !(FK_ABS(score) <= 3e38f);
    }
    if (unusual) return 0;
    FK_NAME(sums_of) recent = *(FK_NAME(sums_of) *)tally->recent;
    double all = tally->all[1], magnitudes = tally->all[3], batch_sum = tally->batch_sum;
    for (size_t i = 0; i < count; ++i) {
        const double loss = errors[i] * errors[i], magnitude = FK_ABS(errors[i]);
        const FK_NAME(sums_of) values = {1, loss, 0, magnitude};
        all += loss;
        magnitudes += magnitude;
        batch_sum += loss;
        recent = recent * keep + values;
    }
    *(FK_NAME(sums_of) *)tally->recent = recent;
    tally->all[0] += (double)count;
    tally->all[1] = all;
    tally->all[3] = magnitudes;
    tally->batch_sum = batch_sum;
    tally->batch_count += (uint32_t)count;
    return count;
}

static size_t FK_NAME(count)(fk_tally *tally, double keep, const fk_batch *batch, size_t event, size_t count, size_t *item,
                             const float *softplus) {
    if (!softplus && batch->item_count == batch->event_count) {
        const size_t counted = FK_NAME(count_single)(tally, keep, batch->scores + event, batch->labels + event, count);
        *item += counted;
        if (counted) return counted;
    }
    return softplus ? FK_NAME(count_events)(tally, keep, batch, event, count, item, softplus, 1)
                    : FK_NAME(count_events)(tally, keep, batch, event, count, item, softplus, 0);
}
