/*
 * See pod-network.h. The messages, their order and their sends are those of src/kernel/apply.ts and src/kernel/remove.ts for one IPv4 Pod; sockets inside
 * of the Pod's namespace are opened anew each time, those of the node once.
 */
#define _GNU_SOURCE
#include "pod-network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROTOCOL = 114, POD_TABLE = 7000, HOST_LENGTH = 32, FIRST_INDEX = 1 << 20 };

struct batch {
  char bytes[4096];
  size_t length;
  struct nlmsghdr *last;
  unsigned messages;
};

static void check(long result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

/* 169.254.1.1 in network order. */
static uint32_t gateway_address(void) {
  const unsigned char bytes[4] = {169, 254, 1, 1};
  uint32_t address;
  memcpy(&address, bytes, 4);
  return address;
}

static uint32_t address_of(const struct pod *pod) {
  const unsigned char bytes[4] = {10, 98, (unsigned char)(pod->number >> 8), (unsigned char)pod->number};
  uint32_t address;
  memcpy(&address, bytes, 4);
  return address;
}

static void mac_of(const struct pod *pod, unsigned char end, unsigned char mac[6]) {
  const unsigned char bytes[6] = {0x02, 0xfb, end, (unsigned char)(pod->number >> 16), (unsigned char)(pod->number >> 8), (unsigned char)pod->number};
  memcpy(mac, bytes, 6);
}

static void *message(struct batch *batch, uint16_t type, uint16_t flags, size_t header) {
  batch->last = (struct nlmsghdr *)(batch->bytes + batch->length);
  memset(batch->last, 0, NLMSG_LENGTH(header));
  batch->last->nlmsg_type = type;
  batch->last->nlmsg_flags = NLM_F_REQUEST | flags;
  batch->last->nlmsg_seq = ++batch->messages;
  batch->last->nlmsg_len = NLMSG_LENGTH(header);
  batch->length += NLMSG_ALIGN(batch->last->nlmsg_len);
  return NLMSG_DATA(batch->last);
}

static struct rtattr *attribute(struct batch *batch, uint16_t type, const void *data, size_t length) {
  struct rtattr *at = (struct rtattr *)(batch->bytes + batch->length);
  at->rta_type = type;
  at->rta_len = (uint16_t)RTA_LENGTH(length);
  if (length > 0) memcpy(RTA_DATA(at), data, length);
  batch->length += RTA_ALIGN(at->rta_len);
  batch->last->nlmsg_len = (uint32_t)(batch->bytes + batch->length - (char *)batch->last);
  return at;
}

static void number(struct batch *batch, uint16_t type, uint32_t value) { attribute(batch, type, &value, sizeof value); }
static void text(struct batch *batch, uint16_t type, const char *value) { attribute(batch, type, value, strlen(value) + 1); }

static void end_nest(struct batch *batch, struct rtattr *nest) { nest->rta_len = (uint16_t)(batch->bytes + batch->length - (char *)nest); }

static int open_socket(unsigned groups) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), one = 1;
  check(fd, "socket");
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
  check(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
  return fd;
}

/* Sends all messages at once and reads the last one's acknowledgement; a refusal of any other comes before it. */
static void send_batch(int fd, struct batch *batch, const char *what) {
  batch->last->nlmsg_flags |= NLM_F_ACK;
  check(send(fd, batch->bytes, batch->length, 0), what);
  for (bool acknowledged = false; !acknowledged;) {
    char answer[8192];
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    check(n, what);
    for (struct nlmsghdr *m = (struct nlmsghdr *)answer; NLMSG_OK(m, n); m = NLMSG_NEXT(m, n)) {
      if (m->nlmsg_type != NLMSG_ERROR) continue;
      const struct nlmsgerr *error = NLMSG_DATA(m);
      acknowledged = acknowledged || m->nlmsg_seq == batch->messages;
      if (error->error == 0) continue;
      fprintf(stderr, "%s: message %u: %s\n", what, m->nlmsg_seq, strerror(-error->error));
      exit(1);
    }
  }
}

/* The link's index by its name, asked of the kernel. */
static int index_of(int fd, const char *name) {
  struct batch batch = {0};
  message(&batch, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
  text(&batch, IFLA_IFNAME, name);
  check(send(fd, batch.bytes, batch.length, 0), "GETLINK");
  char answer[16384];
  check(recv(fd, answer, sizeof answer, 0), "GETLINK");
  const struct nlmsghdr *m = (const struct nlmsghdr *)answer;
  if (m->nlmsg_type == RTM_NEWLINK) return ((const struct ifinfomsg *)NLMSG_DATA(m))->ifi_index;
  fprintf(stderr, "no link %s\n", name);
  exit(1);
}

static void end_of_veth(struct batch *batch, const char *name, const unsigned char mac[6], const struct pod *pod) {
  text(batch, IFLA_IFNAME, name);
  attribute(batch, IFLA_ADDRESS, mac, 6);
  number(batch, IFLA_MTU, pod->mtu);
}

static void one_queue(struct batch *batch) {
  number(batch, IFLA_NUM_TX_QUEUES, 1);
  number(batch, IFLA_NUM_RX_QUEUES, 1);
}

/* Indexes of both ends: chosen here, far from those that the kernel hands out. */
static int host_index(const struct pod *pod) { return FIRST_INDEX + 2 * (int)pod->number; }
static int pod_index(const struct pod *pod) { return host_index(pod) + 1; }

static void add_veth(int fd, const struct pod *pod, int netns, const char *host_end) {
  struct batch batch = {0};
  unsigned char near[6], far[6];
  mac_of(pod, 1, near), mac_of(pod, 2, far);
  struct ifinfomsg *link = message(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link);
  link->ifi_index = host_index(pod);
  end_of_veth(&batch, host_end, near, pod);
  one_queue(&batch);
  struct rtattr *info = attribute(&batch, IFLA_LINKINFO, NULL, 0);
  attribute(&batch, IFLA_INFO_KIND, "veth", 5);
  struct rtattr *data = attribute(&batch, IFLA_INFO_DATA, NULL, 0);
  const struct ifinfomsg far_end = {.ifi_index = pod_index(pod)};
  struct rtattr *peer = attribute(&batch, VETH_INFO_PEER, &far_end, sizeof far_end);
  end_of_veth(&batch, "eth0", far, pod);
  number(&batch, IFLA_NET_NS_FD, (uint32_t)netns);
  one_queue(&batch);
  end_nest(&batch, peer), end_nest(&batch, data), end_nest(&batch, info);
  send_batch(fd, &batch, "veth");
}

static void route(struct batch *batch, uint32_t table, uint32_t destination, unsigned length, int link, uint32_t via) {
  struct rtmsg *r = message(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof *r);
  *r = (struct rtmsg){.rtm_family = AF_INET, .rtm_dst_len = (unsigned char)length, .rtm_table = table < 256 ? (unsigned char)table : 0, .rtm_protocol = PROTOCOL,
                      .rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK, .rtm_type = RTN_UNICAST};
  if (length > 0) attribute(batch, RTA_DST, &destination, 4);
  number(batch, RTA_TABLE, table);
  number(batch, RTA_OIF, (uint32_t)link);
  if (via) attribute(batch, RTA_GATEWAY, &via, 4);
}

/* The Pod has no IPv6 address: its host end takes no part in IPv6. */
static void without_ipv6(const char *host_end) {
  char path[128];
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", host_end);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  check(fd, path);
  check(write(fd, "1", 1), path);
  close(fd);
}

static void on_host(int fd, const struct pod *pod) {
  int link = host_index(pod);
  struct batch batch = {0};
  char owner[256];
  snprintf(owner, sizeof owner, "flatpod %s/eth0", pod->container);
  struct ifinfomsg *up = message(&batch, RTM_SETLINK, 0, sizeof *up);
  up->ifi_index = link;
  up->ifi_flags = up->ifi_change = IFF_UP;
  attribute(&batch, IFLA_IFALIAS, owner, strlen(owner));
  route(&batch, POD_TABLE, address_of(pod), HOST_LENGTH, link, 0);
  send_batch(fd, &batch, "alias and route");
}

static void in_pod(int fd, const struct pod *pod) {
  int link = pod_index(pod);
  struct batch batch = {0};
  struct ifinfomsg *up = message(&batch, RTM_SETLINK, 0, sizeof *up);
  up->ifi_index = link;
  up->ifi_flags = up->ifi_change = IFF_UP;
  struct ifaddrmsg *address = message(&batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *address);
  *address = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = HOST_LENGTH, .ifa_index = (uint32_t)link};
  uint32_t own = address_of(pod), via = gateway_address();
  attribute(&batch, IFA_LOCAL, &own, 4);
  attribute(&batch, IFA_ADDRESS, &own, 4);
  route(&batch, RT_TABLE_MAIN, via, HOST_LENGTH, link, 0);
  route(&batch, RT_TABLE_MAIN, 0, 0, link, via);
  struct ndmsg *neighbour = message(&batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof *neighbour);
  *neighbour = (struct ndmsg){.ndm_family = AF_INET, .ndm_ifindex = link, .ndm_state = NUD_PERMANENT};
  unsigned char host_mac[6];
  mac_of(pod, 1, host_mac);
  attribute(&batch, NDA_DST, &via, 4);
  attribute(&batch, NDA_LLADDR, host_mac, 6);
  send_batch(fd, &batch, "the Pod's side");
}

struct node open_node(void) {
  int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  check(home, "own namespace");
  return (struct node){.home = home, .socket = open_socket(0), .sender = open_socket(0), .monitor = open_socket(RTMGRP_LINK)};
}

void add_pod(const struct node *node, const struct pod *pod) {
  char host_end[16];
  snprintf(host_end, sizeof host_end, "fpc%08x", pod->number);
  int netns = open(pod->netns, O_RDONLY | O_CLOEXEC);
  check(netns, pod->netns);
  check(setns(netns, CLONE_NEWNET), "setns");
  int inside = open_socket(0);
  check(setns(node->home, CLONE_NEWNET), "setns home");
  add_veth(node->socket, pod, netns, host_end);
  without_ipv6(host_end);
  on_host(node->socket, pod);
  in_pod(inside, pod);
  close(inside);
  close(netns);
}

static struct { pthread_t thread; bool running; int fd; struct batch batch; } removal;

static void *send_removal(void *unused) {
  send_batch(removal.fd, &removal.batch, "DELLINK");
  return unused;
}

void finish_removal(void) {
  if (removal.running) pthread_join(removal.thread, NULL);
  removal.running = false;
}

void remove_pod(const struct node *node, const struct pod *pod) {
  char host_end[16], event[65536];
  snprintf(host_end, sizeof host_end, "fpc%08x", pod->number);
  while (recv(node->monitor, event, sizeof event, MSG_DONTWAIT) > 0 || errno == ENOBUFS) {} /* news of others, from before */
  int link = index_of(node->socket, host_end);
  removal.fd = node->sender;
  removal.batch = (struct batch){0};
  struct ifinfomsg *gone = message(&removal.batch, RTM_DELLINK, 0, sizeof *gone);
  gone->ifi_index = link;
  removal.running = pthread_create(&removal.thread, NULL, send_removal, NULL) == 0;
  check(removal.running ? 0 : -1, "pthread_create");
  for (;;) {
    ssize_t n = recv(node->monitor, event, sizeof event, 0);
    if (n < 0 && errno == ENOBUFS) continue;
    check(n, "event");
    for (struct nlmsghdr *m = (struct nlmsghdr *)event; NLMSG_OK(m, n); m = NLMSG_NEXT(m, n))
      if (m->nlmsg_type == RTM_DELLINK && ((struct ifinfomsg *)NLMSG_DATA(m))->ifi_index == link) return;
  }
}
