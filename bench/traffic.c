/*
 * TCP between two network namespaces.
 *
 *   traffic serve stream|echo|connect NETNS PORT             until killed
 *   traffic ask stream|echo|connect NETNS ADDRESS PORT SLICES SLICE_ms
 *
 * stream sends as fast as it goes, echo sends one byte and waits for it, connect opens and closes connections. Prints one number a line and slice: bytes,
 * round trips or connections in a second.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 128 * 1024, PATIENCE_s = 5 };
static char chunk[CHUNK];

static long check(long result, const char *what) {
  if (result >= 0) return result;
  fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int tcp_socket(void) {
  int fd = (int)check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"), one = 1;
  struct timeval patience = {.tv_sec = PATIENCE_s};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

/* A reset leaves no TIME_WAIT behind: ports would run out. */
static void close_hard(int fd) {
  struct linger none = {.l_onoff = 1};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(fd);
}

static void serve(char mode, int port) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int listening = tcp_socket(), one = 1;
  check(bind(listening, (struct sockaddr *)&any, sizeof any), "bind");
  check(listen(listening, 1024), "listen");
  for (;;) {
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) continue; /* nobody within PATIENCE_s, or a connection that was reset already */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (ssize_t n; mode != 'c' && (n = read(fd, chunk, sizeof chunk)) > 0;)
      if (mode == 'e' && write(fd, chunk, (size_t)n) < 0) break;
    close(fd);
  }
}

static int dial(const struct sockaddr_in *to) {
  int fd = tcp_socket();
  check(connect(fd, (const struct sockaddr *)to, sizeof *to), "connect");
  return fd;
}

/* One unit of traffic; how much it counts. */
static long unit(char mode, int fd, const struct sockaddr_in *to) {
  if (mode == 's') return check(write(fd, chunk, sizeof chunk), "write");
  if (mode == 'c') return close_hard(dial(to)), 1;
  check(write(fd, "x", 1), "write");
  if (check(read(fd, chunk, 1), "read") != 1) exit(1);
  return 1;
}

static void ask(char mode, const struct sockaddr_in *to, int slices, int64_t slice_ns) {
  int fd = mode == 'c' ? -1 : dial(to);
  int64_t from = now_ns();
  for (int i = 0; i < slices; i++) {
    int64_t count = 0, to_ns = from + slice_ns, at;
    do count += unit(mode, fd, to);
    while ((at = now_ns()) < to_ns);
    printf("%.0f\n", (double)count * 1e9 / (double)(at - from));
    from = at;
  }
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "usage: see the head of traffic.c\n"), 2;
  char mode = argv[2][0];
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* never longer than the benchmark */
  int netns = (int)check(open(argv[3], O_RDONLY | O_CLOEXEC), argv[3]);
  check(setns(netns, CLONE_NEWNET), "setns");
  if (strcmp(argv[1], "serve") == 0) serve(mode, atoi(argv[4]));
  if (argc != 8) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[5]))};
  if (inet_pton(AF_INET, argv[4], &to.sin_addr) != 1) return 2;
  ask(mode, &to, atoi(argv[6]), atoi(argv[7]) * 1000000ll);
  return 0;
}
