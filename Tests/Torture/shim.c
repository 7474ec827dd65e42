/* Stands between a daemon and the C library (LD_PRELOAD), to be a worse disk.
 *
 * TORTURE_NO_SYNC=1: fsync and fdatasync do nothing; the control of the power-cut trials.
 * TORTURE_FAIL_SYNC=FILE: they fail with EIO while FILE exists. As on Linux, what failed counts as clean afterwards:
 * a second call on the same file would succeed.
 * TORTURE_READ_ONLY=FILE: everything that would change a file below TORTURE_DISK fails with EROFS while FILE exists, as it
 * does when the kernel makes a file system read-only under open files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int triggered(const char *variable)
{
    const char *trigger = getenv(variable);
    return trigger && access(trigger, F_OK) == 0;
}

static int is_off(void)
{
    const char *off = getenv("TORTURE_NO_SYNC");
    return off && strcmp(off, "1") == 0;
}

static int refuses_path(const char *path)
{
    const char *disk = getenv("TORTURE_DISK");
    return disk && strstr(path, disk) && triggered("TORTURE_READ_ONLY");
}

static int refuses(int file)
{
    char link[64], path[4096];
    if (!triggered("TORTURE_READ_ONLY")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return refuses_path(path);
}

static int fail(int code)
{
    errno = code;
    return -1;
}

static int sync_with(int (*next)(int), int file)
{
    if (is_off()) return 0;
    if (triggered("TORTURE_FAIL_SYNC")) return fail(EIO);
    if (refuses(file)) return fail(EROFS);
    return next(file);
}

int fsync(int file) { return sync_with(NEXT(fsync), file); }
int fdatasync(int file) { return sync_with(NEXT(fdatasync), file); }

ssize_t write(int file, const void *bytes, size_t count)
{
    return refuses(file) ? fail(EROFS) : NEXT(write)(file, bytes, count);
}

int posix_fallocate(int file, off_t offset, off_t length)
{
    return refuses(file) ? EROFS : NEXT(posix_fallocate)(file, offset, length);
}

int ftruncate(int file, off_t length) { return refuses(file) ? fail(EROFS) : NEXT(ftruncate)(file, length); }

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    if ((flags & O_ACCMODE) != O_RDONLY && refuses_path(path)) return fail(EROFS);
    return NEXT(open)(path, flags, mode);
}

int unlink(const char *path) { return refuses_path(path) ? fail(EROFS) : NEXT(unlink)(path); }
int mkdir(const char *path, mode_t mode) { return refuses_path(path) ? fail(EROFS) : NEXT(mkdir)(path, mode); }
int link(const char *from, const char *to) { return refuses_path(to) ? fail(EROFS) : NEXT(link)(from, to); }

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
    return refuses_path(to) ? fail(EROFS) : NEXT(renameat2)(from_directory, from, to_directory, to, flags);
}
