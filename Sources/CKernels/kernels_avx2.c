#include "CKernels.h"
#include "kernel_math.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw"))), apply_to = function)
#define FK_NAME(x) fk_avx2_##x
#define FK_LANES 8
#define FK_VARIANT_NAME "avx2"
#include "kernel_body.h"
#pragma clang attribute pop
#endif
