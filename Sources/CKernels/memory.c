#include "CKernels.h"
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of x86-64, and of Arm with pages of 4 KiB; elsewhere the system finds no huge page in a piece and leaves it. */
enum { huge = 2 << 20 };

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

void *fk_map(size_t bytes) {
    const size_t slack = bytes >= huge ? huge : 0;
    char *memory = mmap(0, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return 0;
    if (!slack) return memory;
    /* The ends that are too much go back. */
    char *const start = (char *)(((uintptr_t)memory + huge - 1) & ~(uintptr_t)(huge - 1));
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (bytes + page - 1) & ~(page - 1);
    if (start > memory) munmap(memory, (size_t)(start - memory));
    char *const end = memory + ((bytes + slack + page - 1) & ~(page - 1));
    if (end > start + used) munmap(start + used, (size_t)(end - start - used));
    return start;
}

void fk_prefer_huge(void *memory, size_t bytes) { madvise(memory, bytes, MADV_HUGEPAGE); }

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* A system without it finds the pages when they are touched. */
void fk_populate(void *memory, size_t bytes) { madvise(memory, bytes, MADV_POPULATE_WRITE); }

void fk_yield(void) { sched_yield(); }

void fk_unmap(void *memory, size_t bytes) { munmap(memory, bytes); }

void fk_gather(void *memory, size_t bytes, size_t piece) {
    if (piece >= bytes / huge) return;
    char *const start = (char *)memory + piece * huge;
    /* A system without either goes on with the pages it has; one without the second gathers in its own time. */
    if (madvise(start, huge, MADV_HUGEPAGE) == 0) madvise(start, huge, MADV_COLLAPSE);
}
