#include <cblas.h>
#include <lapacke.h>

/* OpenBLAS's own, which cblas.h of other builds does not declare. */
void openblas_set_num_threads(int count);
