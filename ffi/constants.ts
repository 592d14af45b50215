/**
 * Numbers of the kernel's interface, by the header that defines them; x86-64 and aarch64 where they differ.
 *
 * @module
 */

const aarch64 = Deno.build.arch === "aarch64";

// <fcntl.h>; the two that differ are in asm/fcntl.h
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_NONBLOCK = 0o4000;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_CLOEXEC = 0o2000000;
export const O_DIRECTORY: number = aarch64 ? 0o40000 : 0o200000;
export const O_NOFOLLOW: number = aarch64 ? 0o100000 : 0o400000;
export const O_TMPFILE: number = 0o20000000 | O_DIRECTORY;
export const O_PATH = 0o10000000;
export const F_DUPFD_CLOEXEC = 1030;
export const O_RDWR = 2;
export const F_SETFL = 4;
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;

// <sys/socket.h>
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_ATTACH_FILTER = 26;
export const SO_BINDTOIFINDEX = 62;
export const SO_TIMESTAMPNS = 35;
export const SOL_NETLINK = 270;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_ERRQUEUE = 0x2000;

// <netinet/in.h>
export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_ICMPV6 = 58;

// <linux/in.h>
export const IP_TTL = 2;
export const IP_RECVERR = 11;
export const IP_RECVTTL = 12;

// <linux/in6.h>
export const IPV6_UNICAST_HOPS = 16;
export const IPV6_RECVERR = 25;
export const IPV6_RECVHOPLIMIT = 51;
export const IPV6_HOPLIMIT = 52;

// <linux/errqueue.h>
export const SO_EE_ORIGIN_LOCAL = 1;

// <linux/time.h>
export const CLOCK_REALTIME = 0;

// <poll.h>
export const POLLIN = 1;
export const POLLOUT = 4;

// <linux/netlink.h>
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_LISTEN_ALL_NSID = 8;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;
export const NETLINK_GET_STRICT_CHK = 12;

// <sys/mount.h>
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_BIND = 0x1000;
export const MS_REC = 0x4000;
export const MS_SLAVE = 0x80000;
export const MS_SHARED = 0x100000;
export const MNT_DETACH = 2;

// <sched.h>
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWNET = 0x40000000;

// <linux/nsfs.h>: the type of the namespace behind a descriptor
export const NS_GET_NSTYPE = 0xb703n;

// <sys/eventfd.h>
export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;

// <sys/syscall.h>: the same on every architecture, as all new ones are
export const SYS_PIDFD_SEND_SIGNAL = 424;
export const SYS_PIDFD_OPEN = 434;
export const SYS_OPENAT2 = 437;

// <linux/openat2.h>
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;

// <sys/wait.h>
export const P_PIDFD = 3;
export const WNOHANG = 1;
export const WEXITED = 4;
export const CLD_EXITED = 1;

// <linux/sockios.h>: a descriptor of the namespace that a socket is in
export const SIOCGSKNS = 0x894cn;

// <sys/file.h>
export const LOCK_EX = 2;
export const LOCK_NB = 4;

// <linux/stat.h>: what statx is asked for
export const STATX_TYPE = 0x1;
export const STATX_INO = 0x100;
