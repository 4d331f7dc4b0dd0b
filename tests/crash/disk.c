/* A disk that fails as it is told to, preloaded into the program under test (LD_PRELOAD).
 *
 * It concerns files below DISK_ROOT (an absolute path without links) and sockets, and does what its environment says:
 *   DISK_LOG         every change of those files is appended to this file, in the order in which it took place:
 *                    one byte of kind, then path length (4 bytes), offset (8), data length (8), path, data
 *   DISK_FULL        while this file exists, nothing can be written (ENOSPC)
 *   DISK_EIO         when this file exists, it is removed and the next sync fails once (EIO)
 *   DISK_ACT         a message to a phone that holds this text is an act
 *   DISK_PLACES      this file of 64 places is kept: how many syncs and messages there were, and how many acts on each phone
 *   DISK_KILL_AFTER  so many of them from the start, the process gets SIGKILL, before or after one of them
 *   DISK_KILL_PHONE  only acts on this phone count for it, or on any (*)
 *   DISK_KILL_DELAY  and then it lives on for so many microseconds
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FILES 65536
#define PHONES 64
/* The service by which a connection to an adb server becomes one to a phone, after four digits of length. */
#define TO_PHONE "host:transport:"
#define REAL(name) ((__typeof__(&name))real(#name))

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char *names[FILES];
static const char *root, *full, *eio, *kill_from;
static int log_file = -1;
static long until_kill, kill_delay;
static const char *kill_phone, *act_text;

/* What happened so far, in all (the first, without a serial) and of acts on each phone: how often, and when last
 * (microseconds). */
struct place {
  char serial[48];
  uint64_t count, last;
};
static struct place *places;
static unsigned char phone_of[FILES];

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void start(void) {
  root = getenv("DISK_ROOT");
  full = getenv("DISK_FULL");
  eio = getenv("DISK_EIO");
  kill_from = getenv("DISK_KILL_FROM");
  kill_phone = getenv("DISK_KILL_PHONE");
  act_text = getenv("DISK_ACT");
  const char *log = getenv("DISK_LOG"), *kill_after = getenv("DISK_KILL_AFTER");
  const char *delay = getenv("DISK_KILL_DELAY"), *shared = getenv("DISK_PLACES");
  if (delay) kill_delay = atol(delay);
  if (shared) {
    int fd = REAL(open)(shared, O_RDWR | O_CLOEXEC);
    void *mapped = mmap(NULL, PHONES * sizeof(struct place), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || mapped == MAP_FAILED) abort();
    places = mapped;
    REAL(close)(fd);
  }
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

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void *die_later(void *nothing) {
  usleep(kill_delay);
  kill(getpid(), SIGKILL);
  return nothing;
}

static void die(void) {
  pthread_t thread;
  if (!kill_delay || pthread_create(&thread, NULL, die_later, NULL) != 0) kill(getpid(), SIGKILL);
}

static void mark(int place) {
  __atomic_add_fetch(&places[place].count, 1, __ATOMIC_SEQ_CST);
  places[place].last = now();
}

static int counts(int acts_on) {
  if (!until_kill || (kill_from && access(kill_from, F_OK) != 0)) return 0;
  if (!kill_phone) return 1;
  return acts_on && (*kill_phone == '*' || strcmp(places[acts_on].serial, kill_phone) == 0);
}

/* A sync (no phone, no data), or a message, before or after it was sent. */
static void count(int phone, const void *data, size_t length) {
  int error = errno;
  int acts_on = act_text && phone && memmem(data, length, act_text, strlen(act_text)) ? phone : 0;
  if (places) mark(0);
  if (acts_on) mark(acts_on);
  if (counts(acts_on) && __atomic_sub_fetch(&until_kill, 1, __ATOMIC_SEQ_CST) == 0) die();
  errno = error;
}

/* The place of a phone, a new one if need be; 0 when there is none left. */
static int place_of(const char *serial, size_t length) {
  static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
  int found = 0;
  if (!places || length >= sizeof places->serial) return 0;
  pthread_mutex_lock(&one);
  for (int place = 1; place < PHONES && !found; place++) {
    char *name = places[place].serial;
    if (!*name) memcpy(name, serial, length);
    if (strlen(name) == length && memcmp(name, serial, length) == 0) found = place;
  }
  pthread_mutex_unlock(&one);
  return found;
}

/* Whom a connection speaks to, and whom it comes to speak to with this message. */
static int phone_spoken_to(int fd, const char *data, size_t length) {
  size_t start = 4 + strlen(TO_PHONE);
  if (fd < 0 || fd >= FILES) return 0;
  if (length > start && memcmp(data + 4, TO_PHONE, strlen(TO_PHONE)) == 0)
    phone_of[fd] = place_of(data + start, length - start);
  return phone_of[fd];
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
    count(0, NULL, 0);                                                                         \
    int fails = eio && REAL(unlink)(eio) == 0;                                                 \
    pthread_mutex_lock(&turn);                                                                 \
    int result = fails ? -1 : REAL(name)(fd);                                                  \
    int error = fails ? EIO : errno;                                                           \
    note(result == 0 ? 'S' : 'E', names[fd], 0, NULL, 0);                                      \
    pthread_mutex_unlock(&turn);                                                               \
    count(0, NULL, 0);                                                                         \
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
  if (fd >= 0 && fd < FILES) phone_of[fd] = 0;
  count(0, NULL, 0);
  return REAL(connect)(fd, address, length);
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
  int phone = phone_spoken_to(fd, data, length);
  count(phone, data, length);
  ssize_t sent = REAL(send)(fd, data, length, flags);
  count(phone, data, length);
  return sent;
}

/* A connection that was taken is a client's, whatever its number meant before. */
int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  int taken = REAL(accept4)(fd, address, length, flags);
  if (taken >= 0 && taken < FILES) phone_of[taken] = 0;
  return taken;
}
