#include "CKernels.h"
#include "kernel_math.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,prfchw"))), apply_to = function)
#define FK_NAME(x) fk_avx512_##x
#define FK_LANES 16
#define FK_VARIANT_NAME "avx512"
#include "kernel_body.h"
#pragma clang attribute pop
#endif
