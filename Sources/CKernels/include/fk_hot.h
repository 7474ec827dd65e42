/* Items that several trainers learn all the time, learned by each in a copy of its own for a while.
 *
 * A row that threads write in turn moves from core to core at each event, and with few items most of a trainer's time is the wait for
 * such rows: of items drawn by Zipf's law over 4,000 the first 100 are two thirds of all events. So a trainer with many events before
 * it copies the rows of its hot items, steps the copies, and now and then adds what has changed since to the row itself, where others
 * do the same. Nothing is lost by that, and others learn of it some steps late, as they do of any step under way (Hogwild).
 *
 * How many steps a copy may take before it is handed over follows from the size of a step: all trainers together must not go
 * further than the error that each of them saw. Included by CKernels.h.
 */
#ifndef FK_HOT_H
#define FK_HOT_H

enum {
    fk_hot_slots = 256,      ///< rows at most
    fk_hot_counters = 2048,
    fk_hot_due = 512,
    fk_hot_round = 8192,     ///< items met until counts fade
    fk_hot_counted = 4,      ///< one of so many items is counted
    fk_hot_least = 4,        ///< count from which an item is hot
    fk_hot_most_steps = 64,  ///< of a copy between two hand-overs
};

/// What nobody's ordinal is.
enum { fk_hot_none = 0xFFFFFFFFu };

/// A row that may be copied: of the first hot item that hashed here, until counts fade and that item with them.
typedef struct {
    uint32_t live;    ///< ordinal whose row is copied, or fk_hot_none
    uint32_t wanted;  ///< ordinal that is to be copied from the next turn on, or fk_hot_none
    uint16_t steps;   ///< of the copy since it was handed over; events of it that wait count, too
    uint16_t limit;   ///< of those
    uint32_t met;     ///< events counted since counts last faded
} fk_hot_slot;

/// One trainer's hot items.
typedef struct {
    fk_hot_slot slots[fk_hot_slots];
    uint8_t counters[fk_hot_counters];
    uint8_t due[fk_hot_due];  ///< slots whose copies have taken their steps, in the order in which they did
    uint32_t due_count;
    uint32_t passed;          ///< items met since counts last faded
    float *factors[fk_hot_slots];    ///< the rows that were copied
    fk_row_state *states[fk_hot_slots];
    fk_row_state copied[2 * fk_hot_slots];  ///< states: as they are learned, and as they were copied
    float *rows;              ///< the same of the factors, two rows a slot
    size_t width;             ///< floats of a row
    float largest;            ///< steps of a weight, times their size, that a copy may take
    float rate;               ///< of items' weights
    uint32_t adapts;          ///< whether the rate is divided by the root of a row's accumulator
} fk_hot;

/// Has nothing live or wanted, in memory of zeros whose `rows`, `width`, `largest`, `rate` and `adapts` are set.
void fk_hot_clear(fk_hot *hot);

/// Counts the batch's items from number `item` on, and has those whose rows are copied step the copies.
void fk_hot_redirect(fk_hot *hot, fk_batch *batch, size_t item);

/// Hands over the copies that have taken as many steps as they may, or all; answers how many, and writes their ordinals to `written`,
/// which has room for all slots. A copy that has become no number is made anew instead.
size_t fk_hot_settle(fk_hot *hot, int all, uint32_t *written);

/// Hands over all copies and has none from then on. No event that waits may have been redirected. Answers as `fk_hot_settle` does.
size_t fk_hot_close(fk_hot *hot, uint32_t *written);

/// The same, and then copies the rows of the items that are hot by now.
size_t fk_hot_turn(fk_hot *hot, const fk_rows *items, uint32_t *written);

#endif
