/* Learning many events in one go: what lies between a trainer's queue and its rows, so that nothing of it is done event by
 * event elsewhere. A batch is filled from the queue, learned and counted by kernels (CKernels.h: `take`,
 * `settle`, `look_up`, `train`, `count`).
 */
#ifndef FK_RUN_H
#define FK_RUN_H
#include <stddef.h>
#include <stdint.h>

/// An event as it lies in a trainer's queue: `TrainingRecord` in Swift.
typedef struct {
    uint64_t position;
    uint32_t user, item;     ///< row ordinals
    uint32_t catalogue;      ///< items at this position: the range of its negatives
    float value;
    float weight;            ///< the event's own importance
    uint32_t nature;         ///< what it is: see below
} fk_record;

/// The parts of `nature`, from its lowest bit on: the type, whether there is a value, the kind, the number of context features.
enum { fk_type_mask = 0x3FF, fk_value_bit = 0x400, fk_kind_shift = 11, fk_kind_mask = 31, fk_feature_shift = 16 };

/// The kind of an interaction; all others are left to the caller.
enum { fk_kind_interaction = 0 };

/// What an event type says of label and importance: `TypeRule` in Swift.
typedef struct {
    float label;           ///< where `label_from` says so
    float weight;          ///< multiplies the event's own; 0 keeps it out of learning
    int32_t label_from;
    int32_t marks_seen;    ///< whether the item goes into the user's lists
} fk_rule;

enum { fk_label_constant = 0, fk_label_value = 1, fk_label_value_or_constant = 2 };

/// An ordinal's lowest bits are its shard, the next its row in a slab: `Placement` in Swift.
enum { fk_shard_bits = 6, fk_slab_bits = 12 };

/// Rows of a block of one shard: `RowBlock` in Swift.
enum { fk_block_bits = 10 };

/// Where the rows of a table lie: `Slabs` and `FactorTable` in Swift.
typedef struct {
    const uintptr_t *directory;  ///< a word for each round of slabs, released by the sequencer
    size_t slab_bytes;
    size_t row_bytes;            ///< of the factors
    size_t state_offset;         ///< of the states in a slab
} fk_rows;

/// A column of an alias table: `AliasTable.Column` in Swift.
typedef struct {
    uint32_t threshold;
    uint32_t other;
} fk_column;

/// Which negatives an event gets: `NegativeDraws` in Swift, which says what the draws mean.
typedef struct {
    uint64_t seed;
    const fk_column *columns;  ///< for the first `covered` items
    uint64_t covered;
    const uint64_t *holes;     ///< a bit for each ordinal below `reach`: it has no item
    uint32_t reach;
    uint32_t negatives;        ///< draws for each event whose label is positive
} fk_draws;

/// Where a trainer's events come from and where their rows lie.
typedef struct {
    const fk_record *records;  ///< a ring
    size_t mask;               ///< its length - 1
    const fk_rule *rules;      ///< by type
    float lowest_label;        ///< labels are limited to what the loss is made for
    float highest_label;
    fk_rows users, items;
    fk_draws draws;
} fk_source;

/// Users' lists: `UserItems` in Swift. A row is two words, a user's history (fk_set.h) and the address of the seen set.
typedef struct {
    const uintptr_t *directory;
    size_t slab_bytes;
    uint32_t holds_history;  ///< whether there are histories,
    uint32_t ring;           ///< the room of those that lose their oldest items when they are full,
    uint32_t seen_limit;     ///< and items of a seen set at most
} fk_lists;

/// How far `settle` has come.
typedef struct {
    size_t record;  ///< records done
    size_t event;   ///< the next event of the batch,
    size_t read;    ///< its first item,
    size_t write;   ///< and where that goes
} fk_settling;

/// Events that wait to be learned, and their items, positives each before its negatives, in the same order; in columns.
typedef struct {
    uint32_t event_count;
    uint32_t item_count;
    uint32_t limit;       ///< the batch is full when it has so many events and items together
    /* Of events, room for `limit`. */
    uint32_t *users;      ///< ordinals
    uint32_t *counts;     ///< items of each
    uint64_t *positions;
    float **queries;      ///< users' rows,
    fk_row_state **query_states;
    /* Of items, room for `limit`, the negatives of one event, and 16 that nobody counts but who look at many together. */
    uint32_t *ordinals;
    float *labels;
    float *weights;       ///< importance; multiplies the error
    float **factors;      ///< rows,
    fk_row_state **states;
    float *scores;        ///< from before the step; filled by `train`
} fk_batch;

/// Drops the first `count` events and their `items` items; the others move up.
void fk_drop(fk_batch *batch, size_t count, size_t items);

/// How a batch is learned, from one call to the next.
typedef struct {
    float bias;              ///< w0 without the changes of the last three events
    float pending[3];        ///< those changes, oldest first: w0 is the sum of all four
    float bias_rate;
    float bias_accumulator;  ///< AdaGrad: sum of squared gradients of w0
    uint32_t placed;         ///< events that lie ready, those of this call first
    uint32_t distance;       ///< rows are asked for so many events ahead of their step
    uint32_t fetched;        ///< events whose rows were asked for before this call; out: of those that follow its own
    uint32_t reach;          ///< rows are brought into the second level of the cache so many events ahead; 0: not before they are asked for
    uint32_t brought;        ///< events whose rows were brought there before this call; out: of those that follow its own
    uint32_t single;         ///< whether every event has one item alone
    uint32_t shared;         ///< whether other threads write rows of items, too
    uint32_t clipped;        ///< out, added to: as in fk_pass
    uint32_t rejected;
} fk_run;

#endif
