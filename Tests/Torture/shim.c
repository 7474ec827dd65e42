/* Stands between a daemon and the C library (LD_PRELOAD), to be a worse disk.
 *
 * FACTORD_NO_SYNC=1: fsync and fdatasync do nothing; the control of the power-cut trials.
 * FACTORD_FAIL_SYNC=FILE: they fail with EIO while FILE exists. As on Linux, what failed counts as clean afterwards:
 * a second call on the same file would succeed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_bad(void)
{
    const char *trigger = getenv("FACTORD_FAIL_SYNC");
    return trigger && access(trigger, F_OK) == 0;
}

static int is_off(void)
{
    const char *off = getenv("FACTORD_NO_SYNC");
    return off && strcmp(off, "1") == 0;
}

static int pass(const char *name, int file)
{
    if (is_off()) return 0;
    if (is_bad()) {
        errno = EIO;
        return -1;
    }
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return next(file);
}

int fsync(int file) { return pass("fsync", file); }
int fdatasync(int file) { return pass("fdatasync", file); }
