/* Faults of fsync, write and the clock, for one process, by LD_PRELOAD; never the machine's own clock or disk.
 *
 * KEYBROKER_FAULTS names a directory. A file in it switches its fault on; removing the file switches it off:
 *   fsync   fsync and fdatasync fail with EIO
 *   slow    fsync and fdatasync take longer: line 1 a part of the paths concerned, line 2 by how many milliseconds
 *   write   write, pwrite, writev and pwritev fail with ENOSPC
 *   readonly  the same fail with EROFS, and so does opening for writing
 *           fsync, write and readonly hold: line 1 a part of the paths concerned, line 2 how many calls succeed before (0 when absent)
 *   clock   seconds (decimal, signed) that CLOCK_REALTIME is shifted by
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 512 };

#define REAL(type, name, ...)                                   \
    static type (*real)(__VA_ARGS__);                           \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* The text of a control file; 0 when there is none. */
static int control(const char *name, char text[TEXT]) {
    const char *directory = getenv("KEYBROKER_FAULTS");
    char path[PATH_MAX];
    if (!directory || snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) return 0;
    int saved = errno, file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) { errno = saved; return 0; }
    ssize_t length = read(file, text, TEXT - 1);
    close(file);
    errno = saved;
    text[length > 0 ? length : 0] = 0;
    return 1;
}

/* Should this call on this path fail now? */
static int fails_at(const char *name, const char *path, atomic_long *passed) {
    char text[TEXT];
    if (!control(name, text)) { atomic_store(passed, 0); return 0; }
    char *second = strchr(text, '\n');
    long after = second ? atol(second + 1) : 0;
    if (second) *second = 0;
    return strstr(path, text) && atomic_fetch_add(passed, 1) >= after;
}

static void path_of(int descriptor, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

/* Should this call on this descriptor fail now? */
static int fails(const char *name, int descriptor, atomic_long *passed) {
    char path[PATH_MAX];
    path_of(descriptor, path);
    return fails_at(name, path, passed);
}

/* Wait where syncs of this descriptor are to be slow. */
static void wait_slowly(int descriptor) {
    char text[TEXT], path[PATH_MAX];
    if (!control("slow", text)) return;
    char *second = strchr(text, '\n');
    long milliseconds = second ? atol(second + 1) : 0;
    if (second) *second = 0;
    path_of(descriptor, path);
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    if (strstr(path, text)) nanosleep(&time, NULL);
}

static atomic_long synced, written, refused;

/* The errno of a write that must fail, 0 where it may go on. */
static int write_fails(int descriptor) {
    if (fails("write", descriptor, &written)) return ENOSPC;
    return fails("readonly", descriptor, &refused) ? EROFS : 0;
}

static int open_fails(const char *path, int flags) {
    return (flags & (O_WRONLY | O_RDWR | O_CREAT)) && fails_at("readonly", path, &refused);
}

#define OPEN(name)                                              \
    int name(const char *path, int flags, ...) {                \
        REAL(int, #name, const char *, int, ...);               \
        va_list more;                                           \
        va_start(more, flags);                                  \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more);                                           \
        if (open_fails(path, flags)) { errno = EROFS; return -1; } \
        return real(path, flags, mode);                         \
    }

OPEN(open)
OPEN(open64)

int fsync(int descriptor) {
    REAL(int, "fsync", int);
    wait_slowly(descriptor);
    if (fails("fsync", descriptor, &synced)) { errno = EIO; return -1; }
    return real(descriptor);
}

int fdatasync(int descriptor) {
    REAL(int, "fdatasync", int);
    wait_slowly(descriptor);
    if (fails("fsync", descriptor, &synced)) { errno = EIO; return -1; }
    return real(descriptor);
}

ssize_t write(int descriptor, const void *octets, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int error = write_fails(descriptor);
    if (error) { errno = error; return -1; }
    return real(descriptor, octets, length);
}

ssize_t pwrite(int descriptor, const void *octets, size_t length, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    int error = write_fails(descriptor);
    if (error) { errno = error; return -1; }
    return real(descriptor, octets, length, at);
}

ssize_t pwrite64(int descriptor, const void *octets, size_t length, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    int error = write_fails(descriptor);
    if (error) { errno = error; return -1; }
    return real(descriptor, octets, length, at);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    int error = write_fails(descriptor);
    if (error) { errno = error; return -1; }
    return real(descriptor, parts, count);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t at) {
    REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
    int error = write_fails(descriptor);
    if (error) { errno = error; return -1; }
    return real(descriptor, parts, count, at);
}

static double shift(void) {
    char text[TEXT];
    return control("clock", text) ? strtod(text, NULL) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *moment) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(clock, moment);
    if (result == 0 && clock == CLOCK_REALTIME) moment->tv_sec += (time_t)shift();
    return result;
}

int gettimeofday(struct timeval *restrict moment, void *restrict zone) {
    REAL(int, "gettimeofday", struct timeval *, void *);
    int result = real(moment, zone);
    if (result == 0 && moment) moment->tv_sec += (time_t)shift();
    return result;
}

time_t time(time_t *moment) {
    REAL(time_t, "time", time_t *);
    time_t now = real(NULL) + (time_t)shift();
    if (moment) *moment = now;
    return now;
}
