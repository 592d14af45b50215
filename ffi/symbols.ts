/**
 * The libc symbols that denolink binds, as plain data: a worker gets the same table by `postMessage`.
 *
 * Each row carries its C prototype. Grouped by the header that declares it.
 *
 * @module
 */

const int = "i32";
const unsigned = "u32";
const unsignedLong = "usize";
const size_t = "usize";
const ssize_t = "isize";
/** A NUL-terminated path or a buffer; `null` is NULL. */
const pointer = "buffer";

/** Every bound function: what the kernel offers through libc, and nothing above it. */
export const SYMBOLS = {
  // <errno.h>
  /** int *__errno_location(void) */
  __errno_location: { parameters: [], result: "pointer" },

  // <string.h>
  /** void *memcpy(void *dest, const void *src, size_t n): reads errno through its pointer */
  memcpy: { parameters: [pointer, "pointer", size_t], result: "pointer" },
  /** the same, to learn a buffer's address: it returns `dest`, and copies nothing when n is 0 */
  address: {
    name: "memcpy",
    parameters: [pointer, pointer, size_t],
    result: "usize",
  },

  // <sys/socket.h>
  /** int socket(int domain, int type, int protocol) */
  socket: { parameters: [int, int, int], result: int },
  /** int bind(int fd, const struct sockaddr *addr, socklen_t len) */
  bind: { parameters: [int, pointer, unsigned], result: int },
  /** int getsockname(int fd, struct sockaddr *addr, socklen_t *len) */
  getsockname: { parameters: [int, pointer, pointer], result: int },
  /** int setsockopt(int fd, int level, int name, const void *value, socklen_t len) */
  setsockopt: { parameters: [int, int, int, pointer, unsigned], result: int },
  /** ssize_t sendmsg(int fd, const struct msghdr *msg, int flags) */
  sendmsg: { parameters: [int, pointer, int], result: ssize_t },
  /** the same on a pool thread, whose errno can't be read from here */
  sendmsgAsync: {
    name: "sendmsg",
    parameters: [int, pointer, int],
    result: ssize_t,
    nonblocking: true,
  },
  /** ssize_t recvmsg(int fd, struct msghdr *msg, int flags) */
  recvmsg: { parameters: [int, pointer, int], result: ssize_t },

  // <poll.h>
  /** int poll(struct pollfd *fds, nfds_t n, int timeout_ms) */
  poll: { parameters: [pointer, unsignedLong, int], result: int },
  /** the same on a pool thread */
  pollAsync: {
    name: "poll",
    parameters: [pointer, unsignedLong, int],
    result: int,
    nonblocking: true,
  },

  // <sys/eventfd.h>
  /** int eventfd(unsigned initial, int flags) */
  eventfd: { parameters: [unsigned, int], result: int },

  // <fcntl.h>
  /** int open(const char *path, int flags, mode_t mode) */
  open: { parameters: [pointer, int, unsigned], result: int },
  /** int fcntl(int fd, int command, int argument) */
  fcntl: { parameters: [int, int, int], result: int },

  // <unistd.h>
  /** ssize_t read(int fd, void *buffer, size_t size) */
  read: { parameters: [int, pointer, size_t], result: ssize_t },
  /** ssize_t write(int fd, const void *buffer, size_t size) */
  write: { parameters: [int, pointer, size_t], result: ssize_t },
  /** int close(int fd) */
  close: { parameters: [int], result: int },
  /** ssize_t readlink(const char *path, char *buffer, size_t size) */
  readlink: { parameters: [pointer, pointer, size_t], result: ssize_t },
  /** int unlink(const char *path) */
  unlink: { parameters: [pointer], result: int },

  // <dirent.h>
  /** ssize_t getdents64(int fd, void *entries, size_t size) */
  getdents64: { parameters: [int, pointer, size_t], result: ssize_t },

  // <sys/stat.h>
  /** int mkdir(const char *path, mode_t mode) */
  mkdir: { parameters: [pointer, unsigned], result: int },
  /** int statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *out) */
  statx: { parameters: [int, pointer, int, unsigned, pointer], result: int },

  // <sys/file.h>
  /** int flock(int fd, int operation): on a pool thread, because another process may hold the lock */
  flockAsync: {
    name: "flock",
    parameters: [int, int],
    result: int,
    nonblocking: true,
  },

  // <sys/ioctl.h>
  /** int ioctl(int fd, unsigned long request, ...) */
  ioctl: { parameters: [int, unsignedLong], result: int },

  // <sys/mount.h>
  /** int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) */
  mount: {
    parameters: [pointer, pointer, pointer, unsignedLong, pointer],
    result: int,
  },
  /** int umount2(const char *target, int flags) */
  umount2: { parameters: [pointer, int], result: int },

  // <sched.h>
  /** int setns(int fd, int nstype) */
  setns: { parameters: [int, int], result: int },
  /** int unshare(int flags) */
  unshare: { parameters: [int], result: int },
} as const satisfies Deno.ForeignLibraryInterface;
