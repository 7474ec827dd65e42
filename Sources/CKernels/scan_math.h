/* What the variants of the first pass share. */
#ifndef SCAN_MATH_H
#define SCAN_MATH_H
#include "CKernels.h"
#include "kernel_math.h"

#pragma clang diagnostic ignored "-Wpsabi"
#define FK_RACY __attribute__((no_sanitize("thread")))
#define FK_INLINE static inline __attribute__((always_inline)) FK_RACY

#endif
