/* Faults between a program and its C library, for LD_PRELOAD.
 *
 * AIRLIFT_SHIM, or a call of shim_rules, has rules, one a line: ACTION CALL PATH A B
 *   CALL  read, write, fsync, open, list, rename, unlink or mkdir; PATH a part of the
 *         file's path; A and B are numbers.
 *   eio, enospc, efbig, enodev   the call fails so; A of them after the first B (A 0: all)
 *   bad     reads that touch the bytes A up to B of the file fail with EIO
 *   shy     the first B reads that touch byte A fail with EIO
 *   flip    the lowest bit of byte A is wrong in the first B reads of it
 *   short   a read or write does half of what was asked, where that is more than A
 *   noop    the call says it was done and nothing is done
 *   sleep   the call takes A milliseconds longer
 *   delay   reads that touch byte A take B milliseconds longer
 * A process may arm itself: after shim_arm(n, torn) the n-th change of a disk kills it,
 * before it is made or, where torn, with half of a write made. shim_count() counts them;
 * shim_kinds has a letter for each, `w` for a write.
 *
 * Not seen: mmap, io_uring. sendfile and copy_file_range say ENOSYS, so that callers
 * read and write.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct rule {
    char action[16], call[16], path[256];
    long a, b;
    atomic_long seen;
};
static struct rule rules[32];
static int count;
static atomic_long changes, armed;
static int torn;
char shim_kinds[1 << 16];

void shim_rules(const char *text) {
    memset(rules, 0, sizeof rules);
    count = 0;
    while (text && *text && count < 32) {
        struct rule *one = &rules[count];
        if (sscanf(text, "%15s %15s %255s %ld %ld", one->action, one->call, one->path,
                   &one->a, &one->b) == 5)
            count++;
        text = strchr(text, '\n');
        if (text) text++;
    }
}

__attribute__((constructor)) static void load(void) { shim_rules(getenv("AIRLIFT_SHIM")); }

void shim_arm(long at, int tear) { changes = 0; torn = tear; armed = at; }
long shim_count(void) { return changes; }

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

/* Count a change; say whether this is the one to die at. */
static int changing(char kind) {
    long number = atomic_fetch_add(&changes, 1) + 1;
    if (number < (long)sizeof shim_kinds) shim_kinds[number - 1] = kind;
    if (!armed || number < armed) return 0;
    if (number == armed && torn) return 1;
    die();
    return 0;
}

static const char *name_of(int fd, char *room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, room, 4095);
    room[size < 0 ? 0 : size] = 0;
    return room;
}

static void rest(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

enum { GO = -1, NOOP = 0 };

/* What is to become of a call: GO, NOOP, or an error number. */
static int verdict(const char *call, const char *path) {
    for (int i = 0; i < count; i++) {
        struct rule *one = &rules[i];
        if (strcmp(one->call, call) || !path || !strstr(path, one->path)) continue;
        int error = !strcmp(one->action, "eio") ? EIO
                  : !strcmp(one->action, "enospc") ? ENOSPC
                  : !strcmp(one->action, "efbig") ? EFBIG
                  : !strcmp(one->action, "enodev") ? ENODEV : 0;
        if (error) {
            long number = atomic_fetch_add(&one->seen, 1);
            if (number >= one->b && (!one->a || number < one->a + one->b)) return error;
        }
        if (!strcmp(one->action, "noop")) return NOOP;
        if (!strcmp(one->action, "sleep")) rest(one->a);
    }
    return GO;
}

static int fd_verdict(const char *call, int fd) {
    char room[4096];
    return count ? verdict(call, name_of(fd, room)) : GO;
}

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) next = dlsym(RTLD_NEXT, #name)

/* How much of a transfer to ask for. */
static size_t cut(const char *call, const char *path, size_t size) {
    for (int i = 0; i < count; i++)
        if (!strcmp(rules[i].action, "short") && !strcmp(rules[i].call, call) &&
            strstr(path, rules[i].path) && size > (size_t)rules[i].a)
            return size / 2;
    return size;
}

static int bad(const char *path, off_t at, size_t size) {
    for (int i = 0; i < count; i++) {
        struct rule *one = &rules[i];
        if (strcmp(one->call, "read") || !strstr(path, one->path)) continue;
        if (!strcmp(one->action, "bad") && at < one->b && at + (off_t)size > one->a)
            return 1;
        if (!strcmp(one->action, "shy") && at <= one->a && at + (off_t)size > one->a &&
            atomic_fetch_add(&one->seen, 1) < one->b)
            return 1;
        if (!strcmp(one->action, "delay") && at <= one->a && at + (off_t)size > one->a)
            rest(one->b);
    }
    return 0;
}

static void flip(const char *path, off_t at, char *data, ssize_t size) {
    for (int i = 0; i < count; i++) {
        struct rule *one = &rules[i];
        if (!strcmp(one->action, "flip") && strstr(path, one->path) && size > 0 &&
            at <= one->a && at + size > one->a &&
            atomic_fetch_add(&one->seen, 1) < one->b)
            data[one->a - at] ^= 1;
    }
}

/* A read with all the rules; `ask` does it. */
#define READ(fd, data, size, at, ask) \
    char room[4096]; \
    if (!count) return ask(size); \
    const char *path = name_of(fd, room); \
    int error = verdict("read", path); \
    if (error > 0 || bad(path, at, size)) { errno = error > 0 ? error : EIO; return -1; } \
    ssize_t got = ask(cut("read", path, size)); \
    flip(path, at, data, got); \
    return got

ssize_t read(int fd, void *data, size_t size) {
    NEXT(read);
    off_t at = count ? lseek(fd, 0, SEEK_CUR) : 0;
#define ASK(n) next(fd, data, n)
    READ(fd, data, size, at, ASK);
#undef ASK
}

#define PREAD(name) \
    ssize_t name(int fd, void *data, size_t size, off_t at) { \
        NEXT(name); \
        READ(fd, data, size, at, ASK); \
    }
#define ASK(n) next(fd, data, n, at)
PREAD(pread)
PREAD(pread64)
#undef ASK

/* Vectors of one, which is all that this program gives. */
#define PREADV(name, ...) \
        NEXT(name); \
        char *data = parts[0].iov_base; \
        size_t size = parts[0].iov_len; \
        if (number != 1) { errno = EINVAL; return -1; } \
        READ(fd, data, size, at, ASK)
#define ASK(n) ({ struct iovec one = {data, n}; next(fd, &one, 1, at); })
ssize_t preadv(int fd, const struct iovec *parts, int number, off_t at) { PREADV(preadv); }
ssize_t preadv64(int fd, const struct iovec *parts, int number, off_t at) { PREADV(preadv64); }
#undef ASK
#define ASK(n) ({ struct iovec one = {data, n}; next(fd, &one, 1, at, flags); })
/* A look at what lies in the cache is none at the medium: there, nothing ever lies. */
#define PREADV2(name) \
    ssize_t name(int fd, const struct iovec *parts, int number, off_t at, int flags) { \
        if (count && flags) { errno = EAGAIN; return -1; } \
        PREADV(name); \
    }
PREADV2(preadv2)
PREADV2(preadv64v2)
#undef ASK

#define WRITE(fd, size, ask) \
    if (changing('w')) { ask((size) / 2); die(); } \
    char room[4096]; \
    if (!count) return ask(size); \
    const char *path = name_of(fd, room); \
    int error = verdict("write", path); \
    if (error > 0) { errno = error; return -1; } \
    if (error == NOOP) return size; \
    return ask(cut("write", path, size))

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(write);
#define ASK(n) next(fd, data, n)
    WRITE(fd, size, ASK);
#undef ASK
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t size, off_t at) { \
        NEXT(name); \
        WRITE(fd, size, ASK); \
    }
#define ASK(n) next(fd, data, n, at)
PWRITE(pwrite)
PWRITE(pwrite64)
#undef ASK

#define PLAIN(call, what, fd, ask) \
    if (changing('c')) die(); \
    int error = fd_verdict(call, fd); \
    if (error > 0) { errno = error; return -1; } \
    return error == NOOP ? 0 : (ask)

int fsync(int fd) { NEXT(fsync); PLAIN("fsync", 0, fd, next(fd)); }
int fdatasync(int fd) { NEXT(fdatasync); PLAIN("fsync", 0, fd, next(fd)); }
int ftruncate(int fd, off_t size) { NEXT(ftruncate); PLAIN("write", 0, fd, next(fd, size)); }
int ftruncate64(int fd, off64_t size) { NEXT(ftruncate64); PLAIN("write", 0, fd, next(fd, size)); }

#define NAMED(call, path, ask) \
    if (changing('c')) die(); \
    int error = verdict(call, path); \
    if (error > 0) { errno = error; return -1; } \
    return error == NOOP ? 0 : (ask)

int rename(const char *from, const char *to) { NEXT(rename); NAMED("rename", to, next(from, to)); }
int unlink(const char *path) { NEXT(unlink); NAMED("unlink", path, next(path)); }
int unlinkat(int fd, const char *path, int flags) { NEXT(unlinkat); NAMED("unlink", path, next(fd, path, flags)); }
int mkdir(const char *path, mode_t mode) { NEXT(mkdir); NAMED("mkdir", path, next(path, mode)); }
int rmdir(const char *path) { NEXT(rmdir); NAMED("unlink", path, next(path)); }

#define OPEN(path, flags, ask) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list rest_; va_start(rest_, flags); mode = va_arg(rest_, mode_t); va_end(rest_); \
        if (changing('c')) die(); \
    } \
    int error = verdict("open", path); \
    if (error > 0) { errno = error; return -1; } \
    return (ask)

int open(const char *path, int flags, ...) { NEXT(open); OPEN(path, flags, next(path, flags, mode)); }
int open64(const char *path, int flags, ...) { NEXT(open64); OPEN(path, flags, next(path, flags, mode)); }
int openat(int fd, const char *path, int flags, ...) { NEXT(openat); OPEN(path, flags, next(fd, path, flags, mode)); }
int openat64(int fd, const char *path, int flags, ...) { NEXT(openat64); OPEN(path, flags, next(fd, path, flags, mode)); }

#define LIST(type, name) \
    struct type *name(DIR *folder) { \
        NEXT(name); \
        int error = fd_verdict("list", dirfd(folder)); \
        if (error > 0) { errno = error; return NULL; } \
        return next(folder); \
    }
LIST(dirent, readdir)
LIST(dirent64, readdir64)

ssize_t sendfile(int out, int in, off_t *at, size_t size) { errno = ENOSYS; return -1; }
ssize_t sendfile64(int out, int in, off64_t *at, size_t size) { errno = ENOSYS; return -1; }
ssize_t copy_file_range(int in, off64_t *a, int out, off64_t *b, size_t size, unsigned flags) { errno = ENOSYS; return -1; }
