/*
 * The floor: what the kernel takes, with no library in between.
 *
 *   floor replay FILE           sends what bench/record.ts wrote down, and walks over the answers
 *   floor monitor COUNT BYTES   counts route events
 *   floor detach                deletes all veth links by a group of their own
 *
 * Prints the nanoseconds of the timed part, and how many messages, events or links there were.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 16384, RECEIVE = 256 * 1024 };

static char buffer[RECEIVE];
static unsigned long received, attributes;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int check(const char *what, int result) {
  if (result < 0) die(what);
  return result;
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

/* A socket with the options that denolink sets. */
static int open_socket(unsigned groups, int size) {
  int fd = check("socket", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  int one = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
  check("bind", bind(fd, (struct sockaddr *)&address, sizeof address));
  return fd;
}

/* Steps over the attributes of a message; the sum keeps the compiler from leaving that out. */
static void walk(struct nlmsghdr *message) {
  int header = message->nlmsg_type == RTM_NEWLINK ? sizeof(struct ifinfomsg)
    : message->nlmsg_type == RTM_NEWROUTE        ? sizeof(struct rtmsg)
                                                 : sizeof(struct ifaddrmsg);
  struct rtattr *at = (void *)((char *)NLMSG_DATA(message) + NLMSG_ALIGN(header));
  int length = NLMSG_PAYLOAD(message, NLMSG_ALIGN(header));
  for (; RTA_OK(at, length); at = RTA_NEXT(at, length)) attributes += at->rta_type;
}

/* Reads until the request with this number is answered; the last link's number, or what it was. */
static int receive(int fd, unsigned last, int index) {
  for (;;) {
    int length = check("recv", recv(fd, buffer, sizeof buffer, 0));
    struct nlmsghdr *message = (void *)buffer;
    for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
      int type = message->nlmsg_type, end = type == NLMSG_ERROR || type == NLMSG_DONE;
      if (!end) {
        received++;
        walk(message);
      }
      struct ifinfomsg *link = NLMSG_DATA(message);
      if (type == RTM_NEWLINK && link->ifi_index > 1) index = link->ifi_index;
      int multi = message->nlmsg_flags & NLM_F_MULTI;
      if (message->nlmsg_seq == last && (end || !multi)) return index;
    }
  }
}

/* The kinds of records, as in record.ts. */
enum { OPEN, NETNS, INDEX, SEND, CLOSE, START };

struct record {
  unsigned kind, socket, netns, at, length;
  char bytes[];
};

static struct { int fd, index, netns; } sockets[MANY];
static int namespaces[MANY];

static int pin(unsigned netns, const char *path) {
  if (namespaces[netns] == 0) namespaces[netns] = check(path, open(path, O_RDONLY | O_CLOEXEC));
  return namespaces[netns];
}

static void send_all(int socket, struct record *record) {
  char *bytes = record->bytes;
  unsigned last = 0;
  for (unsigned at = 0; at < record->length;) {
    struct nlmsghdr *message = (void *)(bytes + at);
    last = message->nlmsg_seq;
    at += NLMSG_ALIGN(message->nlmsg_len);
  }
  check("send", send(sockets[socket].fd, bytes, record->length, 0));
  sockets[socket].index = receive(sockets[socket].fd, last, sockets[socket].index);
}

static long replay(const char *path) {
  int file = check(path, open(path, O_RDONLY));
  struct stat status;
  check("fstat", fstat(file, &status));
  char *records = malloc(status.st_size);
  for (long done = 0; done < status.st_size;)
    done += check("read", read(file, records + done, status.st_size - done));
  int own = check("own", open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  long start = 0;
  struct { unsigned at; int value; } patches[1024];
  int patched = 0;
  for (char *at = records; at < records + status.st_size;) {
    struct record *record = (void *)at;
    unsigned socket = record->socket;
    switch (record->kind) {
    case OPEN:
      if (record->netns != 0) check("setns", setns(pin(record->netns, record->bytes), CLONE_NEWNET));
      sockets[socket].fd = open_socket(0, 1 << 20);
      if (record->netns != 0) check("setns", setns(own, CLONE_NEWNET));
      sockets[socket].netns = record->netns;
      break;
    case NETNS:
      patches[patched].at = record->at;
      patches[patched++].value = pin(record->netns, record->bytes);
      break;
    case INDEX:
      patches[patched].at = record->at;
      patches[patched++].value = sockets[socket].index;
      break;
    case SEND:
      while (patched > 0) {
        patched--;
        memcpy(record->bytes + patches[patched].at, &patches[patched].value, 4);
      }
      send_all(socket, record);
      break;
    case CLOSE:
      close(sockets[socket].fd);
      if (sockets[socket].netns != 0) close(namespaces[sockets[socket].netns]);
      namespaces[sockets[socket].netns] = 0;
      break;
    case START:
      start = now();
    }
    at += sizeof *record + NLMSG_ALIGN(record->length);
  }
  return now() - start;
}

/* From the first event to the last. */
static long monitor(unsigned long count, int bytes) {
  int fd = open_socket(RTMGRP_IPV4_ROUTE, bytes);
  puts("ready");
  fflush(stdout);
  long start = 0;
  while (received < count) {
    int length = check("recv", recv(fd, buffer, sizeof buffer, 0));
    if (start == 0) start = now();
    struct nlmsghdr *message = (void *)buffer;
    for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length))
      if (message->nlmsg_type == RTM_NEWROUTE) received++;
  }
  return now() - start;
}

struct link_request {
  struct nlmsghdr header;
  struct ifinfomsg link;
  struct rtattr group;
  unsigned number;
};

static struct link_request by_group(int type, int flags, int index, unsigned sequence) {
  return (struct link_request){
    .header = { sizeof(struct link_request), type, NLM_F_REQUEST | flags, sequence, 0 },
    .link = { .ifi_index = index },
    .group = { 8, IFLA_GROUP },
    .number = 4711,
  };
}

static long detach(void) {
  static int indexes[MANY];
  static struct link_request requests[128];
  long start = now();
  int fd = open_socket(0, 1 << 20);
  struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
    struct rtattr info, kind;
    char name[4];
  } list = {
    { sizeof list, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, {},
    { 12, IFLA_LINKINFO }, { 8, IFLA_INFO_KIND }, "veth",
  };
  check("send", send(fd, &list, sizeof list, 0));
  for (int done = 0; !done;) {
    int length = check("recv", recv(fd, buffer, sizeof buffer, 0));
    struct nlmsghdr *message = (void *)buffer;
    for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
      done |= message->nlmsg_type != RTM_NEWLINK;
      if (!done) indexes[received++] = ((struct ifinfomsg *)NLMSG_DATA(message))->ifi_index;
    }
  }
  unsigned batched = 0;
  for (unsigned i = 0; i < received; i++) {
    int last = batched == 127 || i + 1 == received;
    requests[batched++] = by_group(RTM_SETLINK, last ? NLM_F_ACK : 0, indexes[i], 2 + i);
    if (!last) continue;
    check("send", send(fd, requests, batched * sizeof *requests, 0));
    receive(fd, 2 + i, 0);
    batched = 0;
  }
  struct link_request delete = by_group(RTM_DELLINK, NLM_F_ACK, 0, 1 << 30);
  check("send", send(fd, &delete, sizeof delete, 0));
  receive(fd, 1 << 30, 0);
  return now() - start;
}

int main(int count, char **words) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const char *work = count > 1 ? words[1] : "";
  long nanoseconds = !strcmp(work, "replay") && count > 2 ? replay(words[2])
    : !strcmp(work, "monitor") && count > 3               ? monitor(atol(words[2]), atoi(words[3]))
    : !strcmp(work, "detach")                             ? detach()
                                                          : -1;
  if (nanoseconds < 0) return fputs("floor: see the head of floor.c\n", stderr), 2;
  printf("%ld %lu\n", nanoseconds, received);
}
