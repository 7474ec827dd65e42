#include "CKernels.h"
#include "kernel_math.h"

#define FK_NAME(x) fk_portable_##x
#define FK_LANES 4
#define FK_VARIANT_NAME "portable"
#include "kernel_body.h"
