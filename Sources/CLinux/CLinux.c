#define _GNU_SOURCE 1
#include "CLinux.h"
#include <sys/socket.h>
#include <unistd.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>

int clinux_set_thread_name(const char *name) { return pthread_setname_np(pthread_self(), name); }

int clinux_pin_thread(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

int clinux_may_use(int processor) {
    cpu_set_t set;
    if (processor < 0 || processor >= CPU_SETSIZE || sched_getaffinity(getpid(), sizeof set, &set)) return 0;
    return CPU_ISSET(processor, &set) != 0;
}

int clinux_pin_attributes(pthread_attr_t *attributes, int processor) {
    if (processor < 0 || processor >= CPU_SETSIZE) return EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return pthread_attr_setaffinity_np(attributes, sizeof set, &set);
}

int clinux_rename_exclusive(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int clinux_start_writeback(int descriptor, int64_t offset, int64_t length) {
    return sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE);
}

int clinux_next_entry(void *directory, const char **name) {
    errno = 0; /* readdir says "end" and "error" with the same null */
    struct dirent *entry = readdir(directory);
    if (entry == NULL) return errno == 0 ? 0 : -1;
    *name = entry->d_name;
    return 1;
}

int clinux_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

int clinux_set_direct(int descriptor, int on) {
    const int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -1;
    return fcntl(descriptor, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT);
}

void clinux_futex_wait(uint32_t *address, uint32_t expected) { syscall(SYS_futex, address, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0); }

void clinux_futex_wake(uint32_t *address) { syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }
