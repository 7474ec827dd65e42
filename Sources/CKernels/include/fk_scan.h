/* The first pass of retrieval: an upper bound of each item's score from a copy of its row that is an eighth, then a quarter,
 * as large. Included by CKernels.h.
 *
 * A row v of `width` factors is held as s (u - 128), u a byte from 1 to 255, the rest measured. The upper four bits of all u
 * are the coarse copy, which alone says v = s (16 h - 120.5) + r4; the lower four bits are the fine copy, which with it says
 * v = s (u - 128) + r8. What a scan reads of every row is the coarse copy with s, a bound on |r4| and the row's weight; the
 * fine copy and the bound on |r8| only where the first bound does not rule a row out.
 *
 * Sixteen rows are a tile. Word j of a row in a tile has factors 8j...8j+3 in the lower halves of its four bytes, 8j+4...8j+7
 * in the upper ones; the words of the tile's rows stand side by side, so that a product needs no sum across a register.
 *   coarse: width / 8 times 16 words, then 16 words of s (upper half, a bfloat16) and |r4| (lower half, the same), then 16 weights
 *   fine:   width / 8 times 16 words, then 16 floats |r8|
 */
#ifndef FK_SCAN_H
#define FK_SCAN_H
#include <stddef.h>
#include <stdint.h>

enum { fk_tile_rows = 16, fk_scan_width = 512 };

static inline size_t fk_coarse_bytes(size_t width) { return 8 * width + 128; }
static inline size_t fk_fine_bytes(size_t width) { return 8 * width + 64; }

/// A query as the first pass takes it: p = qs (256 high + low) + e, in words as rows have them, and what bounds are made of.
typedef struct {
    int8_t high[fk_scan_width];
    int8_t low[fk_scan_width];
    uint32_t width;
    int32_t bias;        ///< -128 times the sum of the whole numbers
    float coarse_step;   ///< s times (this times sum + base) is the product with the coarse copy, raised by what s alone bounds
    float coarse_base;
    float coarse_reach;  ///< times |r4|: what the rest of the row can add
    float fine_step;
    float fine_base;
    float fine_reach;
    float weight_slack;  ///< times |weight|
    float constant;      ///< what all scores have in common, raised
} fk_scan_query;

/// Makes a query ready. 0 where its numbers are beyond what the bounds are proven for: then only the scan of floats will do.
int fk_scan_prepare(fk_scan_query *query, const float *p, size_t width, float constant);

typedef struct {
    const char *name;

    /// Writes row `row` of a tile from its factors and weight. Numbers that no bound holds for get an infinite one.
    void (*write)(uint8_t *coarse, uint8_t *fine, size_t row, const float *factors, float weight, size_t width);

    /// Finds the rows of `tiles` tiles whose score, as the row kernels compute it in whatever order of summation, may reach
    /// `threshold`: their numbers, counted from `first`, and upper bounds of their scores, NaN where there is none; in order.
    /// `rows` and `bounds` have room for all. Answers how many.
    size_t (*scan)(const fk_scan_query *query, const uint8_t *coarse, const uint8_t *fine, size_t tiles, float threshold,
                   uint32_t first, uint32_t *rows, float *bounds);
} fk_scans;

enum { fk_scan_portable = 0, fk_scan_avx2 = 1, fk_scan_vnni = 2, fk_scan_variants = 3 };

/// The first pass of a variant, or NULL where this processor (or this build) lacks it. The portable one is SSE2 on x86-64 and
/// NEON on 64-bit Arm. All give the same sums.
const fk_scans *fk_scans_for(int variant);

/// Has the system use huge pages for memory of `fk_map`, where it can.
void fk_prefer_huge(void *memory, size_t bytes);

/// Whether all of `count` bytes, a multiple of 8, are 1. Each is an atomic that others may be storing to.
int fk_all_fresh(const void *marks, size_t count);

#endif
