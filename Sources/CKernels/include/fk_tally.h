/* Sums of prequential metrics: `Prequential` in Swift, which says what they mean.
 *
 * A sum waits for the one before it, four cycles each time, so each is kept in four parts that do not wait for each other: an event's
 * part follows from its number, and so what is summed does not depend on how events fall into calls.
 */
#ifndef FK_TALLY_H
#define FK_TALLY_H
#include <stdint.h>

enum {
    fk_tally_parts = 4,
    fk_tally_batch = 256,  ///< losses between two looks of the drift alarm
};

/// What is counted of events whose loss is finite.
typedef struct {
    double loss[fk_tally_parts];
    double comparisons[fk_tally_parts];
    double wins[fk_tally_parts];  ///< squared loss: the sum of |error|
    /* The same with exponential forgetting, and the events: each part as of its own last event. */
    double recent_events[fk_tally_parts];
    double recent_loss[fk_tally_parts];
    double recent_comparisons[fk_tally_parts];
    double recent_wins[fk_tally_parts];
    double batch_loss[fk_tally_parts];  ///< since the drift alarm last looked
    double events;
    double keep;            ///< what an event leaves of the recent sums before it
    uint32_t batch_count;   ///< events since the drift alarm last looked; their number is that of the next one's part
    float lowest, highest;  ///< labels
} fk_tally;

/// Recent ones of four parts, as of the last event.
static inline double fk_tally_recent(const fk_tally *tally, const double *parts) {
    double sum = 0;
    for (uint32_t age = fk_tally_parts; age-- > 0;) sum = sum * tally->keep + parts[(tally->batch_count - 1 - age) % fk_tally_parts];
    return sum;
}

/// The sum of four parts.
static inline double fk_tally_total(const double *parts) { return (parts[0] + parts[1]) + (parts[2] + parts[3]); }

/// Losses since the drift alarm last looked.
static inline double fk_tally_batch_loss(const fk_tally *tally) { return fk_tally_total(tally->batch_loss); }

/// All sums but the alarm's: events, loss, comparisons, wins, and the same of recent ones.
static inline void fk_tally_sums(const fk_tally *tally, double *sums) {
    sums[0] = tally->events;
    sums[1] = fk_tally_total(tally->loss);
    sums[2] = fk_tally_total(tally->comparisons);
    sums[3] = fk_tally_total(tally->wins);
    sums[4] = fk_tally_recent(tally, tally->recent_events);
    sums[5] = fk_tally_recent(tally, tally->recent_loss);
    sums[6] = fk_tally_recent(tally, tally->recent_comparisons);
    sums[7] = fk_tally_recent(tally, tally->recent_wins);
}

/// Sets all sums, where their parts are not known: they are the last event's.
static inline void fk_tally_set(fk_tally *tally, const double *sums, double batch_loss) {
    const uint32_t last = (tally->batch_count - 1) % fk_tally_parts;
    for (uint32_t part = 0; part < fk_tally_parts; ++part) {
        tally->loss[part] = part == last ? sums[1] : 0;
        tally->comparisons[part] = part == last ? sums[2] : 0;
        tally->wins[part] = part == last ? sums[3] : 0;
        tally->recent_events[part] = part == last ? sums[4] : 0;
        tally->recent_loss[part] = part == last ? sums[5] : 0;
        tally->recent_comparisons[part] = part == last ? sums[6] : 0;
        tally->recent_wins[part] = part == last ? sums[7] : 0;
        tally->batch_loss[part] = part == last ? batch_loss : 0;
    }
    tally->events = sums[0];
}

/// What as many events as there are parts leave of a recent sum: a part of it waits for so many.
static inline double fk_tally_keep(const fk_tally *tally) {
    const double twice = tally->keep * tally->keep;
    return twice * twice;
}

/// Counts an event. Room for it in the alarm's batch is the caller's to see to.
static inline void fk_tally_add(fk_tally *tally, double loss, double comparisons, double wins) {
#pragma clang fp reassociate(off) contract(on)
    const double keep = fk_tally_keep(tally);
    const uint32_t part = tally->batch_count % fk_tally_parts;
    tally->loss[part] += loss;
    tally->comparisons[part] += comparisons;
    tally->wins[part] += wins;
    tally->recent_events[part] = tally->recent_events[part] * keep + 1;
    tally->recent_loss[part] = tally->recent_loss[part] * keep + loss;
    tally->recent_comparisons[part] = tally->recent_comparisons[part] * keep + comparisons;
    tally->recent_wins[part] = tally->recent_wins[part] * keep + wins;
    tally->batch_loss[part] += loss;
    tally->batch_count += 1;
    tally->events += 1;
}

#endif
