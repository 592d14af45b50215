/**
 * The libc symbols that denolink binds, as plain data: a worker gets the same table by `postMessage`.
 *
 * Each row carries its C prototype. Grouped by the header that declares it.
 *
 * @module
 */

const int = "i32";
const unsigned = "u32";
const long = "isize";
const unsignedLong = "usize";
const size_t = "usize";
const ssize_t = "isize";
/** A NUL-terminated path or a buffer; `null` is NULL. */
const pointer = "buffer";

/** What an isolate binds: what the kernel offers through libc, and nothing above it. */
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

  /** the same from an address that is known as a number */
  peek: { name: "memcpy", parameters: [pointer, "usize", size_t], result: "pointer" },
  /** size_t strlen(const char *text), of a text at an address */
  strlen: { parameters: ["usize"], result: size_t },

  // <sys/socket.h>
  /** int socket(int domain, int type, int protocol) */
  socket: { parameters: [int, int, int], result: int },
  /** int bind(int fd, const struct sockaddr *addr, socklen_t len) */
  bind: { parameters: [int, pointer, unsigned], result: int },
  /** int connect(int fd, const struct sockaddr *addr, socklen_t len) */
  connect: { parameters: [int, pointer, unsigned], result: int },
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

  // <time.h>
  /** int clock_gettime(clockid_t clock, struct timespec *out) */
  clock_gettime: { parameters: [int, pointer], result: int },

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
  /** int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags) */
  linkat: { parameters: [int, pointer, int, pointer, int], result: int },

  /** int pipe2(int fds[2], int flags), <fcntl.h> */
  pipe2: { parameters: [pointer, int], result: int },

  // <sys/syscall.h>: long syscall(long number, ...), for what libc has no function of its own
  /** int openat2(int dirfd, const char *path, struct open_how *how, size_t size), linux/openat2.h */
  openat2: {
    name: "syscall",
    parameters: [long, int, pointer, pointer, size_t],
    result: long,
  },
  /** int pidfd_open(pid_t pid, unsigned flags) */
  pidfd_open: { name: "syscall", parameters: [long, int, unsigned], result: long },
  /** int pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned flags) */
  pidfd_send_signal: {
    name: "syscall",
    parameters: [long, int, int, pointer, unsigned],
    result: long,
  },

  // <sys/wait.h>
  /** int waitid(idtype_t type, id_t id, siginfo_t *info, int options) */
  waitid: { parameters: [int, unsigned, pointer, int], result: int },

  // <dirent.h>
  /** ssize_t getdents64(int fd, void *entries, size_t size) */
  getdents64: { parameters: [int, pointer, size_t], result: ssize_t },

  // <sys/stat.h>
  /** int mkdir(const char *path, mode_t mode) */
  mkdir: { parameters: [pointer, unsigned], result: int },
  /** int statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *out) */
  statx: { parameters: [int, pointer, int, unsigned, pointer], result: int },

  // <sys/file.h>
  /** int flock(int fd, int operation) */
  flock: { parameters: [int, int], result: int },
  /** the same on a pool thread, because another process may hold the lock */
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
} as const satisfies Deno.ForeignLibraryInterface;

const {
  __errno_location,
  memcpy,
  socket,
  open,
  openat2,
  read,
  close,
  getdents64,
  readlink,
  mount,
} = SYMBOLS;

/** What the thread that visits namespaces binds: binding a function takes a tenth of a millisecond. */
export const VISITOR_SYMBOLS = {
  ...{ __errno_location, memcpy, socket, open, openat2, read, close, getdents64, readlink },

  // <sched.h>
  /** int setns(int fd, int nstype) */
  setns: { parameters: [int, int], result: int },
  /** int unshare(int flags) */
  unshare: { parameters: [int], result: int },
} as const satisfies Deno.ForeignLibraryInterface;

/** What a thread that lives in a namespace binds. */
export const RESIDENT_SYMBOLS = {
  ...VISITOR_SYMBOLS,
  mount,
} as const satisfies Deno.ForeignLibraryInterface;

/** What that thread binds when it starts its first program. */
export const PROGRAM_SYMBOLS = {
  address: SYMBOLS.address,

  // <unistd.h>
  /** int execvpe(const char *file, char *const argv[], char *const envp[]): returns only when refused */
  execvpe: { parameters: [pointer, pointer, pointer], result: int },

  // <signal.h>
  /** sighandler_t signal(int signal, sighandler_t handler) */
  signal: { parameters: [int, "pointer"], result: "pointer" },

  // <spawn.h>: both structures are opaque, and initialised by libc
  /** int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]): 0, or an errno */
  posix_spawnp: {
    parameters: [pointer, pointer, pointer, pointer, pointer, pointer],
    result: int,
  },
  /** int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions) */
  posix_spawn_file_actions_init: { parameters: [pointer], result: int },
  /** int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to) */
  posix_spawn_file_actions_adddup2: { parameters: [pointer, int, int], result: int },
  /** int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path) */
  posix_spawn_file_actions_addchdir_np: { parameters: [pointer, pointer], result: int },
  /** int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions) */
  posix_spawn_file_actions_destroy: { parameters: [pointer], result: int },
  /** int posix_spawnattr_init(posix_spawnattr_t *attributes) */
  posix_spawnattr_init: { parameters: [pointer], result: int },
  /** int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags) */
  posix_spawnattr_setflags: { parameters: [pointer, "i16"], result: int },
  /** int posix_spawnattr_setsigdefault(posix_spawnattr_t *attributes, const sigset_t *signals) */
  posix_spawnattr_setsigdefault: { parameters: [pointer, pointer], result: int },
  /** int posix_spawnattr_destroy(posix_spawnattr_t *attributes) */
  posix_spawnattr_destroy: { parameters: [pointer], result: int },
  /** int posix_spawnattr_setsigmask(posix_spawnattr_t *attributes, const sigset_t *signals) */
  posix_spawnattr_setsigmask: { parameters: [pointer, pointer], result: int },
} as const satisfies Deno.ForeignLibraryInterface;
