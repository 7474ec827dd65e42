/* Lines of the index from ids to ordinals: eight entries of 8 bytes, an ordinal + 1 below and a tag above (`IdIndex` in Swift). */
#ifndef FK_INDEX_H
#define FK_INDEX_H
#include <stdint.h>

enum { fk_line_entries = 8 };

typedef uint32_t fk_line_words __attribute__((vector_size(64), aligned(8), may_alias));
typedef uint32_t fk_line_column __attribute__((vector_size(32)));
typedef _Bool fk_line_truths __attribute__((ext_vector_type(8)));

/// Which entries of a line have a tag, a bit for each, and from bit 8 on, which are empty: 0.
///
/// All eight at once, without a branch: at which of them a search ends cannot be foretold. Another thread may write entries
/// meanwhile, each as a whole: what is found here is to be loaded again, acquiring.
__attribute__((no_sanitize("thread"))) static inline uint32_t fk_look_at_line(const void *line, uint32_t tag) {
    const fk_line_words words = *(const fk_line_words *)line;
    const fk_line_column ordinals = __builtin_shufflevector(words, words, 0, 2, 4, 6, 8, 10, 12, 14);
    const fk_line_column tags = __builtin_shufflevector(words, words, 1, 3, 5, 7, 9, 11, 13, 15);
    const fk_line_truths same = __builtin_convertvector(tags == tag, fk_line_truths);
    const fk_line_truths empty = __builtin_convertvector((tags | ordinals) == 0, fk_line_truths);
    uint8_t same_bits, empty_bits;
    __builtin_memcpy(&same_bits, &same, 1);
    __builtin_memcpy(&empty_bits, &empty, 1);
    return same_bits | (uint32_t)empty_bits << 8;
}

#endif
