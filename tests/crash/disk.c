/* A disk that fails as it is told to, preloaded into the program under test (LD_PRELOAD).
 *
 * It concerns files below DISK_ROOT (an absolute path without links) and sockets, and does what its environment says:
 *   DISK_LOG         every change of those files is appended to this file, in the order in which it took place:
 *                    one byte of kind, then path length (4 bytes), offset (8), data length (8), path, data
 *   DISK_FULL        while this file exists, nothing can be written (ENOSPC)
 *   DISK_EIO         when this file exists, it is removed and the next sync fails once (EIO)
 *   DISK_KILL_AFTER  so many syncs and messages from the start, the process gets SIGKILL, before or after one of them
 *   DISK_KILL_FROM   counting for it begins only when this file exists
 * The kinds: C created, W written, T cut to a length, S synced, E a sync that failed, U unlinked, R renamed (data: the
 * new path).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 65536
#define REAL(name) ((__typeof__(&name))real(#name))

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char *names[FILES];
static const char *root, *full, *eio, *kill_from;
static int log_file = -1;
static long until_kill;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void start(void) {
  root = getenv("DISK_ROOT");
  full = getenv("DISK_FULL");
  eio = getenv("DISK_EIO");
  kill_from = getenv("DISK_KILL_FROM");
  const char *log = getenv("DISK_LOG"), *kill_after = getenv("DISK_KILL_AFTER");
  if (log) log_file = REAL(open)(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (kill_after) until_kill = atol(kill_after);
}

static int below_root(const char *path) {
  return root && path && strncmp(path, root, strlen(root)) == 0;
}

static const char *name_of(int fd) { return fd >= 0 && fd < FILES ? names[fd] : NULL; }

/* Called with the turn held. One write, so that a kill leaves no half of an entry. */
static void note(char kind, const char *path, uint64_t offset, const void *data, uint64_t length) {
  if (log_file < 0) return;
  uint32_t path_length = strlen(path);
  struct iovec parts[] = {{&kind, 1},          {&path_length, 4},            {&offset, 8},
                          {&length, 8},        {(void *)path, path_length},  {(void *)data, length}};
  if (writev(log_file, parts, 6) < 0) abort();
}

static void count(void) {
  if (!until_kill) return;
  if (kill_from) {
    int error = errno, waits = access(kill_from, F_OK) != 0;
    errno = error;
    if (waits) return;
  }
  if (__atomic_sub_fetch(&until_kill, 1, __ATOMIC_SEQ_CST) == 0) kill(getpid(), SIGKILL);
}

static int no_space(void) {
  if (!full || access(full, F_OK) != 0) return 0;
  errno = ENOSPC;
  return 1;
}

static int opened(int fd, const char *path, int flags, int was_there) {
  if (fd < 0 || fd >= FILES) return fd;
  names[fd] = strdup(path);
  if (!was_there) note('C', path, 0, NULL, 0);
  if (flags & O_TRUNC) note('T', path, 0, NULL, 0);
  return fd;
}

#define OPEN(name)                                                                             \
  int name(const char *path, int flags, ...) {                                                 \
    va_list rest;                                                                              \
    va_start(rest, flags);                                                                     \
    mode_t mode = va_arg(rest, mode_t);                                                        \
    va_end(rest);                                                                              \
    if (!below_root(path)) return REAL(name)(path, flags, mode);                               \
    pthread_mutex_lock(&turn);                                                                 \
    int was_there = access(path, F_OK) == 0;                                                   \
    int fd = opened(REAL(name)(path, flags, mode), path, flags, was_there);                    \
    int error = errno;                                                                         \
    pthread_mutex_unlock(&turn);                                                               \
    errno = error;                                                                             \
    return fd;                                                                                 \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  if (name_of(fd)) {
    pthread_mutex_lock(&turn);
    free(names[fd]);
    names[fd] = NULL;
    pthread_mutex_unlock(&turn);
  }
  return REAL(close)(fd);
}

ssize_t write(int fd, const void *data, size_t length) {
  if (!name_of(fd)) return REAL(write)(fd, data, length);
  if (no_space()) return -1;
  pthread_mutex_lock(&turn);
  off_t end = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
  ssize_t written = REAL(write)(fd, data, length);
  int error = errno;
  if (written > 0) note('W', names[fd], end, data, written);
  pthread_mutex_unlock(&turn);
  errno = error;
  return written;
}

#define PWRITE(name, offset_t)                                                                 \
  ssize_t name(int fd, const void *data, size_t length, offset_t offset) {                     \
    if (!name_of(fd)) return REAL(name)(fd, data, length, offset);                             \
    if (no_space()) return -1;                                                                 \
    pthread_mutex_lock(&turn);                                                                 \
    ssize_t written = REAL(name)(fd, data, length, offset);                                    \
    int error = errno;                                                                         \
    if (written > 0) note('W', names[fd], offset, data, written);                              \
    pthread_mutex_unlock(&turn);                                                               \
    errno = error;                                                                             \
    return written;                                                                            \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(name, offset_t)                                                               \
  int name(int fd, offset_t length) {                                                          \
    if (!name_of(fd)) return REAL(name)(fd, length);                                           \
    if (length > 0 && no_space()) return -1;                                                   \
    pthread_mutex_lock(&turn);                                                                 \
    int result = REAL(name)(fd, length);                                                       \
    int error = errno;                                                                         \
    if (result == 0) note('T', names[fd], length, NULL, 0);                                    \
    pthread_mutex_unlock(&turn);                                                               \
    errno = error;                                                                             \
    return result;                                                                             \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                                             \
  int name(int fd) {                                                                           \
    if (!name_of(fd)) return REAL(name)(fd);                                                   \
    count();                                                                                   \
    int fails = eio && REAL(unlink)(eio) == 0;                                                 \
    pthread_mutex_lock(&turn);                                                                 \
    int result = fails ? -1 : REAL(name)(fd);                                                  \
    int error = fails ? EIO : errno;                                                           \
    note(result == 0 ? 'S' : 'E', names[fd], 0, NULL, 0);                                      \
    pthread_mutex_unlock(&turn);                                                               \
    count();                                                                                   \
    errno = error;                                                                             \
    return result;                                                                             \
  }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
  if (!below_root(path)) return REAL(unlink)(path);
  pthread_mutex_lock(&turn);
  int result = REAL(unlink)(path);
  int error = errno;
  if (result == 0) note('U', path, 0, NULL, 0);
  pthread_mutex_unlock(&turn);
  errno = error;
  return result;
}

int rename(const char *from, const char *to) {
  if (!below_root(from)) return REAL(rename)(from, to);
  pthread_mutex_lock(&turn);
  int result = REAL(rename)(from, to);
  int error = errno;
  if (result == 0) note('R', from, 0, to, strlen(to));
  pthread_mutex_unlock(&turn);
  errno = error;
  return result;
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
  count();
  return REAL(connect)(fd, address, length);
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
  count();
  ssize_t sent = REAL(send)(fd, data, length, flags);
  int error = errno;
  count();
  errno = error;
  return sent;
}
