/* Items that several trainers learn all the time, learned by each in a copy of its own for a while.
 *
 * A row that threads write in turn moves from core to core at each event, and most of a trainer's time is the wait for such rows:
 * whatever two trainers both learn, each second step finds at the other core. So a trainer with many events before it copies the rows of
 * the items that it meets several times in a round, steps the copies, and now and then adds what has changed since to the row itself,
 * where others do the same. The row then has the steps of all, and others learn of them some steps late, as they do of any step under
 * way; of two hand-overs at the same instant one may be lost, as of two steps where rows lie (Hogwild).
 *
 * How many steps a copy may take before it is handed over follows from the size of a step. Of N trainers each corrects what it saw one
 * hand-over of each of the others ago: an error becomes x(t+1) = x(t) - a x(t-N+1), which dies out for a < 2 sin(pi/(4N-2)) (Levin and
 * May 1976) and not beyond. A step of size s leaves 1 - s of an error, so n steps take a = 1 - (1 - s)^n of it. A copy may go three
 * quarters of the way to where it would no longer die out: n <= ln(1 - a) / ln(1 - s), of which L (1/s - 1) with L = -ln(1 - a) falls
 * a little short. A step takes of an event's error its slope (of logistic loss, a quarter at most) times its importance times what the score
 * moves: the rate of the weight, and that of the factors times the square of the user's, each divided by the root of its accumulator
 * for AdaGrad. Users' squares are a running mean, importances a running maximum. Rows that may not take two steps so are not copied.
 *
 * A copy is handed over at the end of the batch in which a quarter of its steps was left, so that it seldom has none for events that
 * are still to come in a batch: those step the row itself. How long a round is follows from how many items are copied, for each costs
 * a hand-over at its end: with few thousand items the rounds soon are long enough to copy all of them. What is done event by event are
 * kernels: `redirect` and `hand_over` (CKernels.h, kernel_hot.h). Included by CKernels.h.
 */
#ifndef FK_HOT_H
#define FK_HOT_H

enum {
    fk_hot_most_slots = 4096,       ///< rows at most
    fk_hot_most_items = 2048,       ///< of a batch
    fk_hot_shortest_round = 16384,  ///< items met from one turn to the next
    fk_hot_longest_round = 262144,
    fk_hot_round_per_row = 64,      ///< the same for each row that is copied
    fk_hot_counted = 4,             ///< one of so many items is counted
    fk_hot_least = 2,               ///< count from which an item is copied
    fk_hot_most_steps = 64,         ///< of a copy between two hand-overs
    fk_hot_asked = 8,               ///< rows are asked for so many ahead of their hand-over
};

/// What of users' squares and of the greatest importance stays from batch to batch.
#define fk_hot_keep 0.98f

/// What nobody's ordinal is.
enum { fk_hot_none = 0xFFFFFFFFu };

/// A row that is copied as soon as it is met, or that has been. Ordinals that end alike share a slot: items that come early are those met
/// often, as a rule, and have low ordinals.
typedef struct {
    uint32_t live;    ///< ordinal whose row it is, or fk_hot_none
    int16_t left;     ///< steps that its copy may take, less events met; fk_hot_lacking and below without a copy
    int16_t due;      ///< what is left when it is met for the last time before it is to be handed over, or to be copied
} fk_hot_slot;

/// What is left of the steps of a copy that there is not, and that nobody has asked for.
enum { fk_hot_lacking = -0x4000 };

/// The item that is met more often than all others of its slot together, where there is one (Boyer and Moore's vote).
typedef struct {
    uint32_t ordinal;
    uint32_t lead;    ///< counts of it less those of others; fades from round to round
} fk_hot_vote;

/// One trainer's hot items.
typedef struct {
    fk_hot_slot slots[fk_hot_most_slots];
    size_t slot_count;  ///< a power of two
    size_t width;       ///< floats of a row
    float *rows;        ///< copies of factors, and then as many more: as they were copied
    float reach;        ///< L above
    float weight_rate;  ///< of items' weights,
    float factor_rate;  ///< and of their factors
    uint32_t adapts;    ///< whether rates are divided by the root of a row's accumulators
    float slope;        ///< of the loss: the most that an error changes with its score
    float norm_cap;     ///< as in fk_settings
    float query_square;  ///< of users' factors, a running mean; 0 before the first batch
    float importance;    ///< the greatest lately; 0 before the first batch
    uint32_t passed;    ///< items met since the last turn,
    uint32_t round;     ///< and those after which the next one is due
    uint32_t due_count;
    int16_t left[fk_hot_most_items];      ///< scratch: of each item's copy, before its step,
    uint8_t is_due[fk_hot_most_items + 8];  ///< and whether it is due, 1 or 0
    uint16_t due[fk_hot_most_slots + 1];  ///< slots whose copies have few steps left, or that are to be copied
    uint8_t filled[fk_hot_most_slots];          ///< whether there is a copy
    fk_row_state copied[fk_hot_most_slots];     ///< its state,
    fk_row_state originals[fk_hot_most_slots];  ///< as it was copied,
    uint32_t ordinals[fk_hot_most_slots];       ///< whose it is,
    float *factors[fk_hot_most_slots];          ///< and the row itself
    fk_row_state *states[fk_hot_most_slots];
    fk_hot_vote votes[fk_hot_most_slots];
} fk_hot;

static inline float *fk_hot_copy(const fk_hot *hot, size_t slot) { return hot->rows + slot * hot->width; }
static inline float *fk_hot_original(const fk_hot *hot, size_t slot) { return hot->rows + (hot->slot_count + slot) * hot->width; }

/// Knows no items. `slot_count` to `norm_cap` are set by the caller; nothing else need be.
void fk_hot_clear(fk_hot *hot);

/// Counts the batch's items from number `item` on.
void fk_hot_count(fk_hot *hot, const fk_batch *batch, size_t item);

/// Takes note of the size of the steps of a batch that was just learned, of its first event and its first `items` items.
void fk_hot_measure(fk_hot *hot, const fk_kernels *kernels, const fk_batch *batch, size_t items);

/// Hands over the copies that have few steps left, or all; makes those that were asked for. Answers how many were handed
/// over, and writes their ordinals to `written`, which has room for all slots.
size_t fk_hot_settle(fk_hot *hot, const fk_kernels *kernels, int all, uint32_t *written);

/// Hands over all copies and has none from then on. No event that waits may have been redirected. Answers as `fk_hot_settle` does.
size_t fk_hot_close(fk_hot *hot, const fk_kernels *kernels, uint32_t *written);

/// Hands over all copies, and copies from then on what is met often by now; those that were in use last go on. The rest as for
/// `fk_hot_close`.
size_t fk_hot_turn(fk_hot *hot, const fk_kernels *kernels, uint32_t *written);

#endif
