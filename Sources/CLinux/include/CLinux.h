/* Linux calls that the Glibc module map does not show to Swift. Nothing here has logic of its own. */
#ifndef CLINUX_H
#define CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
/// Takes a waiting connection, non-blocking and closed on exec. Returns its descriptor, or -1 with errno set.
int clinux_accept(int listener);

#endif
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/// Names the calling thread as debuggers and `top -H` show it (15 bytes at most). Returns an errno value, 0 on success.
int clinux_set_thread_name(const char *name);

/// Restricts the calling thread to one processor. Returns an errno value, 0 on success.
int clinux_pin_thread(int processor);

/// Whether the process may run on a processor: 1 or 0.
int clinux_may_use(int processor);

/// Makes a thread created with `attributes` start on one processor. Returns an errno value, 0 on success.
int clinux_pin_attributes(pthread_attr_t *attributes, int processor);

/// Renames a file and fails with EEXIST where the target exists. Returns 0, or -1 with errno set.
int clinux_rename_exclusive(const char *from, const char *to);

/// Asks the kernel to begin writing dirty pages of a range, without waiting for them. Returns 0, or -1 with errno set.
int clinux_start_writeback(int descriptor, int64_t offset, int64_t length);

/// Has reads and writes of an open file go past the page cache, or through it again. Returns 0, or -1 with errno set.
int clinux_set_direct(int descriptor, int on);

/// Steps an open `DIR *`: 1 and the entry's name (valid until the next step), 0 at the end, -1 with errno set.
int clinux_next_entry(void *directory, const char **name);

/// Takes a waiting connection, non-blocking and closed on exec. Returns its descriptor, or -1 with errno set.
int clinux_accept(int listener);

/// Waits while the word at `address` is `expected`; also returns for no reason.
void clinux_futex_wait(uint32_t *address, uint32_t expected);

/// Wakes all threads of the process that wait at `address`.
void clinux_futex_wake(uint32_t *address);

#endif
