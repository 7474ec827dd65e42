#include "CKernels.h"
#include <sched.h>
#include <sys/mman.h>

void *fk_map(size_t bytes) {
    void *memory = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? 0 : memory;
}

void fk_yield(void) { sched_yield(); }

void fk_unmap(void *memory, size_t bytes) { munmap(memory, bytes); }
