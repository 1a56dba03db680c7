/* Stands between a process and the C library, for calls on files of one folder; loaded by LD_PRELOAD.
 *
 * Until `shim_watch` names a folder, and in child processes, every call goes through untouched. Then:
 *
 *   shim_fail    fails the n-th call of some kinds with an errno, once, or all calls of some kinds from then on
 *   shim_record  writes every call that changes the disk to a trace file, in order (read by tests/faults/trace.py)
 *   shim_list    writes a line for every counted call, so that a test can choose among them
 *
 * Calls are matched by their paths, or by the paths of their descriptors in /proc/self/fd. While the folder is watched,
 * they happen one after the other, so that the trace has their true order. Syncs are counted and recorded, but do not
 * reach the disk: no test cuts the power of its own machine.
 *
 * What cannot be seen from here: changes of a mapped file, and the writes of C streams (`fopen`). The trace has an
 * event for both, and for calls that are not recorded in detail, so that none is missed in silence.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The kinds of calls; the order is that of `KINDS` in tests/faults/shim.py. */
enum {
    OPEN,     /* for reading; also folders */
    CREATE,   /* with O_CREAT, or for writing */
    WRITE,
    TRUNCATE, /* also allocate */
    SYNC,
    RENAME,
    LINK,
    UNLINK,
    MKDIR,
    RMDIR,
    MAP,
    META, /* owner, mode, times */
    READ,
    OTHER,
    SYNCFS, /* of the whole file system */
    KINDS
};
static const char *const NAMES[KINDS] = {"open", "create", "write", "truncate", "sync", "rename", "link",
                                         "unlink", "mkdir", "rmdir", "map", "meta", "read", "other", "syncfs"};

/* The events of a trace; the numbers are those of tests/faults/trace.py. */
enum {
    E_CREATE = 1, /* a new, empty file */
    E_WRITE,
    E_TRUNCATE, /* `offset` is the new size */
    E_ALLOCATE, /* `offset` is the size at least */
    E_FSYNC,    /* of one file or folder; `offset` is 1 for data alone */
    E_SYNC,     /* of the whole file system */
    E_RENAME,
    E_LINK,
    E_SYMLINK, /* `data` is the target */
    E_UNLINK,
    E_MKDIR,
    E_RMDIR,
    E_META,
    E_MAP,   /* a shared, writable mapping: its changes are unknown */
    E_STREAM, /* a C stream opened for writing: likewise */
    E_OTHER   /* a call that changes a file in a way that is not recorded */
};

#define REAL(name)                                   \
    __extension__({                                  \
        static __typeof__(&name) found_##name;       \
        if (!found_##name) *(void **)&found_##name = real(#name); \
        found_##name;                                \
    })

static void *real(const char *name);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile pid_t watching; /* the process that is watched; 0: none */
static char root[PATH_MAX];
static size_t root_size;
static int trace_fd = -1, list_fd = -1;
static long counted, fired, fail_at;
static unsigned fail_kinds, then_kinds;
static int fail_errno, cut_writes;

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        static const char text[] = "shim: the C library lacks a call\n";
        if (write(2, text, sizeof text - 1) < 0) abort();
        abort();
    }
    return found;
}

/* What a test calls. */

void shim_watch(const char *folder) {
    root_size = strlen(folder);
    memcpy(root, folder, root_size + 1);
    counted = fired = 0;
    watching = getpid();
}

void shim_unwatch(void) { watching = 0; }
void shim_record(int descriptor) { trace_fd = descriptor; }
void shim_list(int descriptor) { list_fd = descriptor; }
long shim_fired(void) { return fired; }
long shim_counted(void) { return counted; }

/* Fail call number `n` of the kinds in the bit mask `kinds`, then every call of `then` as well. A write may first
 * take half of its bytes: then it returns that, and the next write to anything fails. */
void shim_fail(long n, unsigned kinds, int number, unsigned then, int cut) {
    fail_at = n;
    fail_kinds = kinds;
    fail_errno = number;
    then_kinds = then;
    cut_writes = cut;
}

/* Paths. */

static int is_inside(const char *path) {
    return !strncmp(path, root, root_size) && (path[root_size] == '/' || !path[root_size]);
}

static int path_of(int descriptor, char *path) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(name, path, PATH_MAX - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return 1;
}

static int resolve(int folder, const char *path, char *found) {
    if (!path) return 0;
    if (path[0] == '/') {
        snprintf(found, PATH_MAX, "%s", path);
        return 1;
    }
    if (folder == AT_FDCWD) {
        if (!getcwd(found, PATH_MAX)) return 0;
    } else if (!path_of(folder, found)) {
        return 0;
    }
    size_t size = strlen(found);
    if (*path && strcmp(path, ".")) snprintf(found + size, PATH_MAX - size, "/%s", path);
    return 1;
}

typedef struct {
    char path[PATH_MAX];
    char second[PATH_MAX];
    int inside; /* and `lock` is held */
    int failing;
} call_t;

static int is_watched(void) { return watching && watching == getpid(); }

/* Begin a call: take the lock, count the call, and decide whether it fails. */
static void count_call(call_t *call, int kind) {
    pthread_mutex_lock(&lock);
    call->inside = 1;
    call->failing = 0;
    unsigned bit = 1u << kind;
    if (fired && (then_kinds & bit)) {
        call->failing = 1;
        fired++;
    } else if (fail_kinds & bit) {
        counted++;
        if (counted == fail_at) {
            call->failing = 1;
            fired = 1;
        }
    }
    if (list_fd >= 0 && (fail_kinds & bit)) {
        char line[2 * PATH_MAX];
        const char *path = call->path + (is_inside(call->path) ? root_size : 0);
        int size = snprintf(line, sizeof line, "%s%s %s\n", call->failing ? "! " : "", NAMES[kind], path);
        if (REAL(write)(list_fd, line, (size_t)size) != size) abort();
    }
}

static int begin_path(call_t *call, int kind, int folder, const char *path) {
    call->inside = 0;
    call->second[0] = 0;
    if (!is_watched()) return 0;
    int before = errno;
    if (resolve(folder, path, call->path) && is_inside(call->path)) count_call(call, kind);
    errno = before;
    return call->inside;
}

static int begin_fd(call_t *call, int kind, int descriptor) {
    call->inside = 0;
    call->second[0] = 0;
    if (!is_watched() || descriptor == trace_fd || descriptor == list_fd) return 0;
    int before = errno;
    if (path_of(descriptor, call->path) && is_inside(call->path)) count_call(call, kind);
    errno = before;
    return call->inside;
}

static int fails(const call_t *call) {
    if (call->failing) errno = fail_errno;
    return call->failing;
}

static void end(call_t *call) {
    if (call->inside) {
        call->inside = 0;
        pthread_mutex_unlock(&lock);
    }
}

/* The trace: records of a fixed head, then path, second path and data. */

typedef struct {
    uint32_t event, path, second, number; /* `number`: the errno of a call that failed */
    uint64_t data, inode;
    int64_t offset;
} head_t;

static void put(const void *bytes, size_t size) {
    const char *rest = bytes;
    while (size) {
        ssize_t written = REAL(write)(trace_fd, rest, size);
        if (written < 0) abort();
        rest += written;
        size -= (size_t)written;
    }
}

static void note(const call_t *call, int event, uint64_t inode, int64_t offset, const void *data, size_t size) {
    if (trace_fd < 0 || !call->inside) return;
    int before = errno;
    head_t head = {(uint32_t)event, (uint32_t)strlen(call->path), (uint32_t)strlen(call->second),
                   call->failing ? (uint32_t)fail_errno : 0, size, inode, offset};
    put(&head, sizeof head);
    put(call->path, head.path);
    put(call->second, head.second);
    if (size) put(data, size);
    errno = before;
}

static uint64_t inode_at(const char *path) {
    struct stat status;
    return lstat(path, &status) ? 0 : status.st_ino;
}

static uint64_t inode_of(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) ? 0 : status.st_ino;
}

static int64_t size_of(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) ? -1 : status.st_size;
}

/* Opening. */

static int changes(int flags) { return (flags & (O_CREAT | O_TRUNC)) || (flags & O_ACCMODE) != O_RDONLY; }

static int opening(int folder, const char *path, int flags, mode_t mode) {
    call_t call;
    int found;
    if (!begin_path(&call, changes(flags) ? CREATE : OPEN, folder, path)) return REAL(openat)(folder, path, flags, mode);
    int before = errno;
    struct stat status;
    int is_new = stat(call.path, &status) != 0;
    errno = before;
    found = fails(&call) ? -1 : REAL(openat)(folder, path, flags, mode);
    if (found >= 0 && is_new && flags & O_CREAT) note(&call, E_CREATE, inode_of(found), 0, NULL, 0);
    if (found >= 0 && !is_new && flags & O_TRUNC && status.st_size)
        note(&call, E_TRUNCATE, inode_of(found), 0, NULL, 0);
    end(&call);
    return found;
}

#define MODE                                            \
    mode_t mode = 0;                                    \
    if (flags & (O_CREAT | __O_TMPFILE)) {              \
        va_list rest;                                   \
        va_start(rest, flags);                          \
        mode = (mode_t)va_arg(rest, int);               \
        va_end(rest);                                   \
    }

int open(const char *path, int flags, ...) {
    MODE
    return opening(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE
    return opening(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int folder, const char *path, int flags, ...) {
    MODE
    return opening(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    MODE
    return opening(folder, path, flags | O_LARGEFILE, mode);
}
int __open_2(const char *path, int flags) { return opening(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opening(AT_FDCWD, path, flags | O_LARGEFILE, 0); }
int __openat_2(int folder, const char *path, int flags) { return opening(folder, path, flags, 0); }
int __openat64_2(int folder, const char *path, int flags) { return opening(folder, path, flags | O_LARGEFILE, 0); }
int creat(const char *path, mode_t mode) { return opening(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opening(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

DIR *opendir(const char *path) {
    call_t call;
    if (!begin_path(&call, OPEN, AT_FDCWD, path)) return REAL(opendir)(path);
    DIR *found = fails(&call) ? NULL : REAL(opendir)(path);
    end(&call);
    return found;
}

#define STREAM(name)                                                             \
    FILE *name(const char *path, const char *mode) {                             \
        call_t call;                                                             \
        int writes = mode && (strpbrk(mode, "wa+") != NULL);                     \
        if (!begin_path(&call, writes ? CREATE : OPEN, AT_FDCWD, path)) return REAL(name)(path, mode); \
        FILE *found = fails(&call) ? NULL : REAL(name)(path, mode);              \
        if (found && writes) note(&call, E_STREAM, 0, 0, NULL, 0);               \
        end(&call);                                                              \
        return found;                                                            \
    }
STREAM(fopen)
STREAM(fopen64)

/* Writing. */

static void note_write(const call_t *call, int descriptor, int64_t offset, const struct iovec *pieces, int count,
                       ssize_t written) {
    if (trace_fd < 0 || written <= 0) return;
    if (offset < 0) offset = (int64_t)lseek(descriptor, 0, SEEK_CUR) - written;
    char *joined = malloc((size_t)written);
    if (!joined) abort();
    size_t size = 0;
    for (int piece = 0; piece < count && size < (size_t)written; piece++) {
        size_t taken = pieces[piece].iov_len;
        if (taken > (size_t)written - size) taken = (size_t)written - size;
        memcpy(joined + size, pieces[piece].iov_base, taken);
        size += taken;
    }
    note(call, E_WRITE, inode_of(descriptor), offset, joined, size);
    free(joined);
}

/* Write at an offset, or at the descriptor's own if it is negative. */
static ssize_t writing(int descriptor, const struct iovec *pieces, int count, int64_t offset) {
    call_t call;
    ssize_t written;
    if (!begin_fd(&call, WRITE, descriptor))
        return offset < 0 ? REAL(writev)(descriptor, pieces, count) : REAL(pwritev)(descriptor, pieces, count, offset);
    if (call.failing && cut_writes) {
        cut_writes = 0; /* half of the bytes now, and the error at the next write */
        then_kinds |= 1u << WRITE;
        call.failing = 0;
        struct iovec half = {pieces[0].iov_base, pieces[0].iov_len / 2};
        written = offset < 0 ? REAL(writev)(descriptor, &half, 1) : REAL(pwritev)(descriptor, &half, 1, offset);
        note_write(&call, descriptor, offset, &half, 1, written);
    } else if (fails(&call)) {
        written = -1;
    } else {
        written =
            offset < 0 ? REAL(writev)(descriptor, pieces, count) : REAL(pwritev)(descriptor, pieces, count, offset);
        note_write(&call, descriptor, offset, pieces, count, written);
    }
    end(&call);
    return written;
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
    struct iovec piece = {(void *)bytes, size};
    return is_watched() ? writing(descriptor, &piece, 1, -1) : REAL(write)(descriptor, bytes, size);
}
ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
    struct iovec piece = {(void *)bytes, size};
    return writing(descriptor, &piece, 1, offset);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset) {
    struct iovec piece = {(void *)bytes, size};
    return writing(descriptor, &piece, 1, offset);
}
ssize_t writev(int descriptor, const struct iovec *pieces, int count) {
    return writing(descriptor, pieces, count, -1);
}
ssize_t pwritev(int descriptor, const struct iovec *pieces, int count, off_t offset) {
    return writing(descriptor, pieces, count, offset);
}
ssize_t pwritev64(int descriptor, const struct iovec *pieces, int count, off64_t offset) {
    return writing(descriptor, pieces, count, offset);
}

/* A call on a descriptor that succeeds with 0 and is recorded as one event. */
#define ON_FILE(name, kind, parameters, arguments, event, offset)                                        \
    int name parameters {                                                                                \
        call_t call;                                                                                     \
        if (!begin_fd(&call, kind, descriptor)) return REAL(name) arguments;                             \
        int found = fails(&call) ? -1 : REAL(name) arguments;                                            \
        if (!found) note(&call, event, inode_of(descriptor), offset, NULL, 0);                           \
        end(&call);                                                                                      \
        return found;                                                                                    \
    }
ON_FILE(ftruncate, TRUNCATE, (int descriptor, off_t size), (descriptor, size), E_TRUNCATE, size)
ON_FILE(ftruncate64, TRUNCATE, (int descriptor, off64_t size), (descriptor, size), E_TRUNCATE, size)
ON_FILE(fallocate, TRUNCATE, (int descriptor, int mode, off_t start, off_t size), (descriptor, mode, start, size),
        mode ? E_OTHER : E_ALLOCATE, start + size)
ON_FILE(fallocate64, TRUNCATE, (int descriptor, int mode, off64_t start, off64_t size),
        (descriptor, mode, start, size), mode ? E_OTHER : E_ALLOCATE, start + size)
ON_FILE(fchmod, META, (int descriptor, mode_t mode), (descriptor, mode), E_META, 0)
ON_FILE(fchown, META, (int descriptor, uid_t user, gid_t group), (descriptor, user, group), E_META, 0)
ON_FILE(futimens, META, (int descriptor, const struct timespec times[2]), (descriptor, times), E_META, 0)

/* These return their error instead of setting `errno`. */
#define ALLOCATING(name, type)                                                                           \
    int name(int descriptor, type start, type size) {                                                    \
        call_t call;                                                                                     \
        if (!begin_fd(&call, TRUNCATE, descriptor)) return REAL(name)(descriptor, start, size);          \
        int found = call.failing ? fail_errno : REAL(name)(descriptor, start, size);                     \
        if (!found) note(&call, E_ALLOCATE, inode_of(descriptor), start + size, NULL, 0);                \
        end(&call);                                                                                      \
        return found;                                                                                    \
    }
ALLOCATING(posix_fallocate, off_t)
ALLOCATING(posix_fallocate64, off64_t)

#define TRUNCATING(name, type)                                                                           \
    int name(const char *path, type size) {                                                              \
        call_t call;                                                                                     \
        if (!begin_path(&call, TRUNCATE, AT_FDCWD, path)) return REAL(name)(path, size);                 \
        int found = fails(&call) ? -1 : REAL(name)(path, size);                                          \
        if (!found) note(&call, E_TRUNCATE, inode_at(call.path), size, NULL, 0);                         \
        end(&call);                                                                                      \
        return found;                                                                                    \
    }
TRUNCATING(truncate, off_t)
TRUNCATING(truncate64, off64_t)

/* Syncing: succeeds at once, and is recorded also if it fails. */
static int syncing(int descriptor, int event, int only_data) {
    call_t call;
    begin_fd(&call, event == E_SYNC ? SYNCFS : SYNC, descriptor);
    if (!call.inside) return 1;
    int found = fails(&call) ? -1 : 0;
    note(&call, event, inode_of(descriptor), only_data, NULL, 0);
    end(&call);
    return found;
}

int fsync(int descriptor) {
    int found = syncing(descriptor, E_FSYNC, 0);
    return found > 0 ? REAL(fsync)(descriptor) : found;
}
int fdatasync(int descriptor) {
    int found = syncing(descriptor, E_FSYNC, 1);
    return found > 0 ? REAL(fdatasync)(descriptor) : found;
}
int syncfs(int descriptor) {
    int found = syncing(descriptor, E_SYNC, 0);
    return found > 0 ? REAL(syncfs)(descriptor) : found;
}
void sync(void) {
    call_t call;
    if (!begin_path(&call, SYNCFS, AT_FDCWD, root)) {
        REAL(sync)();
        return;
    }
    call.failing = 0; /* it has no way to report an error */
    note(&call, E_SYNC, 0, 0, NULL, 0);
    end(&call);
}
int sync_file_range(int descriptor, off64_t start, off64_t size, unsigned flags) {
    call_t call;
    if (!begin_fd(&call, SYNC, descriptor)) return REAL(sync_file_range)(descriptor, start, size, flags);
    int found = fails(&call) ? -1 : 0; /* promises nothing after a power cut: no event */
    end(&call);
    return found;
}
int msync(void *start, size_t size, int flags) { return watching ? 0 : REAL(msync)(start, size, flags); }

/* Names. A call on two paths is one of the folder if either is inside. */
static int begin_pair(call_t *call, int kind, int folder, const char *path, int other_folder, const char *other) {
    char second[PATH_MAX];
    call->inside = 0;
    if (!is_watched() || !resolve(other_folder, other, second)) return 0;
    if (!begin_path(call, kind, folder, path) && is_inside(second)) count_call(call, kind);
    memcpy(call->second, second, strlen(second) + 1);
    return call->inside;
}

static int renaming(int folder, const char *path, int other_folder, const char *other, unsigned flags) {
    call_t call;
    if (!begin_pair(&call, RENAME, folder, path, other_folder, other))
        return flags ? REAL(renameat2)(folder, path, other_folder, other, flags)
                     : REAL(renameat)(folder, path, other_folder, other);
    uint64_t inode = inode_at(call.path);
    int found = fails(&call) ? -1
                : flags      ? REAL(renameat2)(folder, path, other_folder, other, flags)
                             : REAL(renameat)(folder, path, other_folder, other);
    if (!found) note(&call, flags > 1 ? E_OTHER : E_RENAME, inode, 0, NULL, 0);
    end(&call);
    return found;
}
int rename(const char *path, const char *other) { return renaming(AT_FDCWD, path, AT_FDCWD, other, 0); }
int renameat(int folder, const char *path, int other_folder, const char *other) {
    return renaming(folder, path, other_folder, other, 0);
}
int renameat2(int folder, const char *path, int other_folder, const char *other, unsigned flags) {
    return renaming(folder, path, other_folder, other, flags);
}

static int linking(int folder, const char *path, int other_folder, const char *other, int flags) {
    call_t call;
    if (!begin_pair(&call, LINK, folder, path, other_folder, other))
        return REAL(linkat)(folder, path, other_folder, other, flags);
    int found = fails(&call) ? -1 : REAL(linkat)(folder, path, other_folder, other, flags);
    if (!found) note(&call, E_LINK, inode_at(call.second), 0, NULL, 0);
    end(&call);
    return found;
}
int link(const char *path, const char *other) { return linking(AT_FDCWD, path, AT_FDCWD, other, 0); }
int linkat(int folder, const char *path, int other_folder, const char *other, int flags) {
    return linking(folder, path, other_folder, other, flags);
}

int symlinkat(const char *target, int folder, const char *path) {
    call_t call;
    if (!begin_path(&call, LINK, folder, path)) return REAL(symlinkat)(target, folder, path);
    int found = fails(&call) ? -1 : REAL(symlinkat)(target, folder, path);
    if (!found) note(&call, E_SYMLINK, inode_at(call.path), 0, target, strlen(target));
    end(&call);
    return found;
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

static int removing(int folder, const char *path, int flags) {
    call_t call;
    int is_folder = (flags & AT_REMOVEDIR) != 0;
    if (!begin_path(&call, is_folder ? RMDIR : UNLINK, folder, path)) return REAL(unlinkat)(folder, path, flags);
    uint64_t inode = inode_at(call.path);
    int found = fails(&call) ? -1 : REAL(unlinkat)(folder, path, flags);
    if (!found) note(&call, is_folder ? E_RMDIR : E_UNLINK, inode, 0, NULL, 0);
    end(&call);
    return found;
}
int unlinkat(int folder, const char *path, int flags) { return removing(folder, path, flags); }
int unlink(const char *path) { return removing(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return removing(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat status;
    return removing(AT_FDCWD, path, !lstat(path, &status) && S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    call_t call;
    if (!begin_path(&call, MKDIR, folder, path)) return REAL(mkdirat)(folder, path, mode);
    int found = fails(&call) ? -1 : REAL(mkdirat)(folder, path, mode);
    if (!found) note(&call, E_MKDIR, inode_at(call.path), 0, NULL, 0);
    end(&call);
    return found;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* A call on a path that changes its owner, mode or times. */
#define ON_PATH(name, parameters, arguments, folder)                                                     \
    int name parameters {                                                                                \
        call_t call;                                                                                     \
        if (!begin_path(&call, META, folder, path)) return REAL(name) arguments;                         \
        int found = fails(&call) ? -1 : REAL(name) arguments;                                            \
        if (!found) note(&call, E_META, inode_at(call.path), 0, NULL, 0);                                \
        end(&call);                                                                                      \
        return found;                                                                                    \
    }
ON_PATH(chmod, (const char *path, mode_t mode), (path, mode), AT_FDCWD)
ON_PATH(fchmodat, (int folder, const char *path, mode_t mode, int flags), (folder, path, mode, flags), folder)
ON_PATH(chown, (const char *path, uid_t user, gid_t group), (path, user, group), AT_FDCWD)
ON_PATH(lchown, (const char *path, uid_t user, gid_t group), (path, user, group), AT_FDCWD)
ON_PATH(fchownat, (int folder, const char *path, uid_t user, gid_t group, int flags),
        (folder, path, user, group, flags), folder)
ON_PATH(utimensat, (int folder, const char *path, const struct timespec times[2], int flags),
        (folder, path, times, flags), folder)

/* Mapping. */
static void *mapping(void *start, size_t size, int protection, int flags, int descriptor, off64_t offset) {
    call_t call;
    if (flags & MAP_ANONYMOUS || descriptor < 0 || !begin_fd(&call, MAP, descriptor))
        return REAL(mmap64)(start, size, protection, flags, descriptor, offset);
    void *found = fails(&call) ? MAP_FAILED : REAL(mmap64)(start, size, protection, flags, descriptor, offset);
    if (found != MAP_FAILED && protection & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE)
        note(&call, E_MAP, inode_of(descriptor), offset, NULL, 0);
    end(&call);
    return found;
}
void *mmap(void *start, size_t size, int protection, int flags, int descriptor, off_t offset) {
    return mapping(start, size, protection, flags, descriptor, offset);
}
void *mmap64(void *start, size_t size, int protection, int flags, int descriptor, off64_t offset) {
    return mapping(start, size, protection, flags, descriptor, offset);
}

/* Reading: only fails. */
#define READING(name, parameters, arguments)                                                             \
    ssize_t name parameters {                                                                            \
        call_t call;                                                                                     \
        if (!((fail_kinds | then_kinds) & 1u << READ) || !begin_fd(&call, READ, descriptor))             \
            return REAL(name) arguments;                                                                 \
        ssize_t found = fails(&call) ? -1 : REAL(name) arguments;                                        \
        end(&call);                                                                                      \
        return found;                                                                                    \
    }
READING(read, (int descriptor, void *bytes, size_t size), (descriptor, bytes, size))
READING(pread, (int descriptor, void *bytes, size_t size, off_t offset), (descriptor, bytes, size, offset))
READING(pread64, (int descriptor, void *bytes, size_t size, off64_t offset), (descriptor, bytes, size, offset))

/* Copying between descriptors: recorded as a change of unknown content. */
#define COPYING(name, parameters, arguments)                                                             \
    ssize_t name parameters {                                                                            \
        call_t call;                                                                                     \
        if (!begin_fd(&call, OTHER, descriptor)) return REAL(name) arguments;                            \
        ssize_t found = fails(&call) ? -1 : REAL(name) arguments;                                        \
        if (found > 0) note(&call, E_OTHER, inode_of(descriptor), size_of(descriptor), NULL, 0);         \
        end(&call);                                                                                      \
        return found;                                                                                    \
    }
extern ssize_t sendfile(int descriptor, int from, off_t *offset, size_t size);
extern ssize_t sendfile64(int descriptor, int from, off64_t *offset, size_t size);
COPYING(sendfile, (int descriptor, int from, off_t *offset, size_t size), (descriptor, from, offset, size))
COPYING(sendfile64, (int descriptor, int from, off64_t *offset, size_t size), (descriptor, from, offset, size))
COPYING(copy_file_range, (int from, off64_t *from_offset, int descriptor, off64_t *offset, size_t size, unsigned flags),
        (from, from_offset, descriptor, offset, size, flags))
COPYING(pwritev2, (int descriptor, const struct iovec *pieces, int count, off_t offset, int flags),
        (descriptor, pieces, count, offset, flags))
COPYING(pwritev64v2, (int descriptor, const struct iovec *pieces, int count, off64_t offset, int flags),
        (descriptor, pieces, count, offset, flags))
