/* The row kernels: every access to a factor row that may race with another thread, and nothing else.
 *
 * Trainers write rows without locks and scorers read them without locks (Hogwild; Niu, Recht, Ré, Wright 2011). What may
 * race is the floats of a row and of its state; a reader sees, for each float, some value that the row had. All of it
 * happens in these functions, which therefore carry no_sanitize("thread"); everything outside is race free.
 *
 * The bodies are plain loops, compiled once per instruction set (see kernel_body.h); `fk_kernels_for` picks one table of
 * functions at start. A vector has `width` floats, a multiple of 8; what lies beyond a model's own width is zero and
 * stays zero under every step.
 */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `count` bytes, going on from `crc` (0 for a new sum).
uint32_t fk_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The CRC-32C of bytes whose sum is `first` followed by `count` bytes whose sum is `second`.
uint32_t fk_crc32c_join(uint32_t first, uint32_t second, uint64_t count);

/// What a row holds beside its factors: one 16-byte unit, so that a step touches one line for all of it.
typedef struct {
    float weight;              ///< linear weight w
    float weight_accumulator;  ///< AdaGrad and ftrl: sum of squared gradients of the weight
    float factor_accumulator;  ///< AdaGrad per row: sum over steps of the mean squared gradient of the factors
    uint32_t updates;          ///< steps taken on this row
} fk_row_state;

/// A number of 16 bits: a float without the lower half of its fraction (bfloat16).
typedef uint16_t fk_bfloat;
#include "fk_run.h"
#include "fk_scan.h"
#include "fk_set.h"
#include "fk_index.h"
#include "fk_tally.h"
typedef struct fk_kernels fk_kernels;
#include "fk_hot.h"

/// Loss of a score s against a label y; `error` is the derivative with respect to s. The pairwise losses compare the score
/// of a positive item with those of negatives (kernel_pairs.h).
enum {
    fk_loss_logistic = 0,  ///< ln(1 + exp(-s)) for y = 1, ln(1 + exp(s)) for y = 0; error = sigma(s) - y
    fk_loss_squared = 1,   ///< (s - y)^2 / 2; error = s - y
    fk_loss_bpr = 2,       ///< pairwise: ln(1 + exp(s- - s+)) for each negative
    fk_loss_warp = 3,      ///< pairwise: max(0, 1 - s+ + s-) for the first negative that violates it, weighted by rank
};

/// How a gradient becomes a step.
enum {
    fk_optimizer_sgd = 0,                 ///< step = rate * gradient
    fk_optimizer_adagrad_row = 1,         ///< one accumulator for a row's factors, one for its weight
    fk_optimizer_adagrad_coordinate = 2,  ///< one accumulator for each factor (Duchi, Hazan, Singer 2011)
};

/// Step settings of one side of the model.
typedef struct {
    float rate;         ///< learning rate of factors
    float l2;           ///< strength of l2 on factors (gradient l2 * v)
    float weight_rate;  ///< learning rate of linear weights
    float weight_l2;    ///< strength of l2 on linear weights
} fk_side;

/// FTRL-Proximal of linear weights (McMahan et al. 2013): the rate of a weight is alpha / (beta + sqrt(n)).
typedef struct {
    float inverse_alpha;
    float beta;
    float l1;  ///< a weight is zero while |z| is at most this
    float l2;
} fk_ftrl;

/// What ftrl keeps of a row beside its state.
typedef struct {
    float *z;       ///< sum of gradients, corrected for what the weight has moved; NULL: the row's weight is not ftrl's
    uint64_t seed;  ///< the row's first factors follow from it (fk_first_factors)
} fk_linear;

/// What a pass asks for beyond the usual; all zero where it asks for nothing.
typedef struct {
    int32_t special;        ///< whether any of the following is in use: such passes go a way of their own
    float inverse_horizon;  ///< sgd: a row's rate is divided by 1 + updates * this; 0 for constant rates
    float keep;             ///< AdaGrad: what a step leaves of an accumulator before it adds; 1 for all of it
    fk_ftrl ftrl;
    int32_t sparse;         ///< rows whose weight is zero, where it is ftrl's, have no factors: zeros that take no step
    uint32_t rank;          ///< first factors that such a row gets when its weight leaves zero: their number,
    uint32_t width;         ///< the same with padding,
    uint32_t tail;          ///< the number behind these in a row, which passes do not see,
    uint32_t tail_width;    ///< the same with padding,
    float deviation;        ///< and their standard deviation
} fk_options;

typedef struct {
    fk_side item;
    fk_side query;
    int32_t loss;
    int32_t optimizer;
    float inverse_rank;  ///< 1 / (floats of a vector that are in use): AdaGrad per row takes the mean over these
    float error_cap;     ///< an error beyond this magnitude is cut to it
    float norm_cap;      ///< a row whose squared norm exceeds this is scaled back to it
    fk_options options;
} fk_settings;

/// One item of a pass: a row, its label, and the score that it had before its step.
typedef struct {
    float *factors;
    float *accumulators;  ///< per coordinate; NULL unless the optimizer asks for them
    fk_row_state *state;
    fk_linear linear;
    float label;
    float weight;         ///< importance; multiplies the error
    float score;          ///< out
} fk_item;

/// One pass of a query over several items (a positive and its negatives), item after item, each step seeing the last.
typedef struct {
    float *query;               ///< width floats; moves with each item unless `query_state` is NULL
    float *query_accumulators;  ///< per coordinate; NULL unless the optimizer asks for them
    fk_row_state *query_state;  ///< state of the row whose steps move the query; NULL keeps the query fixed
    float *gradient;            ///< receives the sum of error * item factors; NULL if not wanted
    float query_l2;             ///< l2 on the query as it moves (0 where the query is a sum of rows)
    float constant;             ///< what every score of this pass has in common; moves by constant_rate * error
    float constant_rate;
    uint32_t catalogue;         ///< items in all, from which warp estimates a rank
    uint32_t tried;             ///< of a pairwise loss: negatives that the positive has met before this call
    uint32_t pairs;             ///< out, added to: pairs stepped, of a pairwise loss
    float pair_error;           ///< out: error of the last pair stepped, by the positive's score
    float error_sum;            ///< out: sum of errors
    float error_square_sum;     ///< out: sum of squared errors
    uint32_t clipped;           ///< out, added to: errors or norms cut
    uint32_t rejected;          ///< out, added to: items whose score was not finite or whose error was no number; not stepped
} fk_pass;

struct fk_kernels {
    const char *name;

    /// Sum of a[f] * b[f].
    float (*dot)(const float *a, const float *b, size_t width);

    /// sum += x * row.
    void (*add)(float *sum, const float *row, float x, size_t width);

    /// Scores each item against the query, then steps item and query. See `fk_pass`.
    void (*pass)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t width);

    /// The same for the pairwise losses: items[0] is the positive, the rest its negatives in the order of their draw. A
    /// score that was not needed stays as it was. What the items have in common cancels, so `error_sum` stays 0.
    void (*pairs)(fk_pass *pass, const fk_settings *settings, fk_item *items, size_t count, size_t width);

    /// Adds up to `count` events of a ring, from number `first` on, to a batch: labels and importances resolved, negatives
    /// drawn, rows not yet looked up. Answers how many of the ring's records that took: up to the one that filled the batch, or to
    /// the first that is no interaction or has context features. One without importance is taken and leaves nothing.
    size_t (*take)(fk_batch *batch, const fk_source *source, size_t first, size_t count);

    /// Adds one event.
    void (*take_one)(fk_batch *batch, const fk_source *source, const fk_record *record, float label, float weight);

    /// Does what records that were just taken say of their users, one after the other: leaves out the negatives that a user has seen by
    /// then (where `verifies`), and takes the item up in the user's lists. `count` records from number `first` on, of `visible` ones
    /// that the ring holds from there on. Stops at a record whose user needs a larger block: its negatives are settled then, and
    /// its item is for the caller to take up.
    void (*settle)(fk_batch *batch, const fk_source *source, const fk_lists *lists, int verifies, fk_settling *at, size_t first,
                   size_t count, size_t visible);

    /// Looks up the rows of a batch's events and items, from the numbers given on.
    void (*look_up)(fk_batch *batch, const fk_source *source, size_t event, size_t item);

    /// Has the batch's items from number `item` on step their copies where there are any, and notes those that have few steps left and
    /// those that lack a copy. See fk_hot.h.
    void (*redirect)(fk_hot *hot, fk_batch *batch, size_t item);

    /// Hands over the copies noted, and makes those that lack; none is noted afterwards. Answers how many were handed over, and writes
    /// their ordinals to `written`. A copy that has become no number is made anew instead.
    size_t (*hand_over)(fk_hot *hot, uint32_t *written);

    /// Learns the first `count` events of a batch, for pointwise losses and sgd or AdaGrad per row. See fk_run.h.
    void (*train)(fk_run *run, const fk_settings *settings, const fk_batch *batch, size_t count, size_t width);

    /// Counts events of a batch that were learned, from `event` and its first item `item` on, by their scores from before
    /// their step, up to the one with which the alarm's batch is full; answers how many, and moves `item` past theirs. The
    /// loss is squared where `softplus` is NULL; else it is logistic, and that is ln(1 + exp(score)) of each item.
    size_t (*count)(fk_tally *tally, const fk_batch *batch, size_t event, size_t count, size_t *item, const float *softplus);

    /// Adds what the interactions among `count` records of a ring, from number `first` on, contribute to the sums that prove
    /// what was applied, by block of users and of items: `Witness` in Swift, which says what they are.
    void (*witness)(uint64_t *users, uint64_t *items, const fk_record *records, size_t mask, size_t first, size_t count);

    /// out[i] = ln(1 + exp(x[i])).
    void (*softplus)(const float *x, size_t count, float *out);

    /// Steps one row of a side that is a sum of rows: gradient = x * g + pair * x * (sum - x * row) + l2 * row for the
    /// factors, x * error + weight_l2 * weight for the weight (ftrl: x * error). `sum` may be NULL where `pair` is 0. With
    /// width 0 only the weight is stepped; `row` and `accumulators` are then needed for a sparse row alone.
    void (*step)(float *row, float *accumulators, fk_row_state *state, fk_linear linear, const float *g, const float *sum,
                 float x, float pair, float error, const fk_side *side, const fk_settings *settings, size_t width,
                 uint32_t *clipped);

    /// out[i] = constant + states[i].weight + <query, rows[i]> for `count` rows, each `stride` floats after the last.
    void (*score_rows)(const float *query, float constant, const float *rows, const fk_row_state *states, size_t count,
                       size_t width, size_t stride, float *out);

    /// The same for rows of bfloat16, whose products are summed as floats. A row's score does not depend on the rows beside
    /// it, here and above.
    void (*score_bfloats)(const float *query, float constant, const fk_bfloat *rows, const fk_row_state *states, size_t count,
                          size_t width, size_t stride, float *out);

    /// The floats that `count` bfloat16s stand for, a multiple of 8.
    void (*widen)(float *to, const fk_bfloat *from, size_t count);

    /// Rounds `count` floats, a multiple of 8, to bfloat16s, up or down by chances that follow from `word` and a lane's place
    /// alone, so that the mean over words is the float (stochastic rounding). Infinities and NaNs stay.
    void (*narrow)(fk_bfloat *to, const float *from, size_t count, uint64_t word);

    /// Copies count floats of rows that trainers may be writing.
    void (*copy)(float *to, const float *from, size_t count);

    /// out = M x, for a symmetric M of width rows.
    void (*product)(float *out, const float *m, const float *x, size_t width);

    /// M = keep * M + a x xᵀ.
    void (*rank_one)(float *m, float keep, const float *x, float a, size_t width);

    /// M += x xᵀ - y yᵀ: what a Gram matrix does when a row changes from y to x.
    void (*rank_two)(float *m, const float *x, const float *y, size_t width);

    /// x = (I + a M)⁻¹ x for a positive semidefinite M, by conjugate gradients: at most `steps` products with M, until the
    /// residual's squared norm is within `enough` of the right side's. `scratch` holds 3 * width floats.
    void (*solve)(float *x, const float *m, float a, int steps, float enough, float *scratch, size_t width);
};

enum { fk_variant_portable = 0, fk_variant_avx2 = 1, fk_variant_avx512 = 2, fk_variant_count = 3 };

/// The kernels of a variant, or NULL where this processor (or this build) lacks it. The portable ones are SSE2 on x86-64
/// and NEON on 64-bit Arm.
const fk_kernels *fk_kernels_for(int variant);

/// Maps `bytes` of zeroed memory that costs nothing until touched, where a huge page would begin if it is as large as one;
/// NULL when the system refuses. `fk_unmap` gives it back.
void *fk_map(size_t bytes);

/// Lets another thread have the processor: for waits that are short and rare.
void fk_yield(void);
void fk_unmap(void *memory, size_t bytes);

/// Has the system put a piece of mapped memory, by its number, into one huge page, contents and all, where it can and is not
/// told otherwise. Pieces beyond the memory's end are none.
void fk_gather(void *memory, size_t bytes, size_t piece);

/// Has the system find and clear the pages of mapped memory now, where it can, and not at the first touch.
void fk_populate(void *memory, size_t bytes);

/// Asks for the cache line at `address` ahead of a write.
static inline void fk_prefetch(const void *address) { __builtin_prefetch(address, 1, 3); }

/// Asks for the cache line at `address` to be written although another core wrote it last: the plain request is one to read by default, after
/// which the line comes a second time. Processors that do not know the instruction leave it out.
static inline void fk_claim(const void *address) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw (%0)" : : "r"(address));
#else
    __builtin_prefetch(address, 1, 3);
#endif
}

/// Asks for the cache line at `address` far ahead: into the second level, which has room for several times as many lines on their way as
/// the first.
static inline void fk_bring(const void *address) { __builtin_prefetch(address, 0, 2); }

/// First values of a row: `width` numbers with mean 0 and the given standard deviation (uniform), a function of the
/// seed alone; zeros up to `padded` floats.
void fk_first_factors(float *row, size_t width, size_t padded, uint64_t seed, float deviation);

/// The same numbers as bfloat16s, each rounded to the nearest.
void fk_first_bfloats(fk_bfloat *row, size_t width, size_t padded, uint64_t seed, float deviation);

/// Reads a row's state; writes one. For code outside the kernels that needs a single value of a row that may be raced on.
fk_row_state fk_read_state(const fk_row_state *state);
void fk_write_state(fk_row_state *state, fk_row_state value);

/// ln(1 + exp(x)) without overflow, and the logistic function.
float fk_softplus(float x);
float fk_sigmoid(float x);

/// base to the power of exponent, base > 0.
double fk_power(double base, double exponent);
/// Natural logarithm, x > 0.
double fk_log(double x);

#endif
