#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `count` bytes, going on from `crc` (0 for a new sum).
uint32_t fk_crc32c(uint32_t crc, const void *bytes, size_t count);

#endif
