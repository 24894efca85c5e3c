/*
 * Runs CNI plugins and says how long each took, from exec to exit.
 *
 *   stopwatch turns|at-once ADD|DEL FIRST COUNT PAUSE_us < peers
 *
 * turns: Pods FIRST … FIRST+COUNT-1 one after the other, and for each Pod the peers one after the other, every time another one first, so that the machine's
 * noise falls on all alike. at-once: for each peer all Pods at the same time. PAUSE_us rest before each turn: what the one before left to do.
 * A peer is a line of tab-separated fields: name, executable (- for the work done in this process), file of the network configuration, CNI_PATH, path of the
 * node's namespace, first part of the paths of the Pods' namespaces (the Pod's number follows), and then any number of NAME=value for its environment.
 * Prints JSON lines: {"peer","pod","start_ns","took_ns","cpu_us"} for each Pod, {"peer","wall_ns"} for each peer of at-once. start_ns is CLOCK_MONOTONIC.
 * Ends with 1 at the first plugin that fails, with what it said on stderr.
 */
#define _GNU_SOURCE
#include "pod-network.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PEERS = 16, VARIABLES = 16, AT_ONCE = 1024, CONFIG = 65536, OUTPUT = 8192, DEADLINE_ms = 120000 };

struct peer {
  char *name, *executable, *conf, *path, *prefix, *variables[VARIABLES + 1];
  size_t conf_length;
  int netns;
  bool in_process;
  struct node node;
};
struct job {
  const struct peer *peer;
  unsigned pod;
  pid_t pid;
  int out;
  size_t length;
  int64_t start_ns;
  char said[OUTPUT];
};

static struct peer peers[PEERS];
static size_t peer_count;
static const char *verb;
static struct job jobs[AT_ONCE];

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "stopwatch: %s: %s\n", what, strerror(errno));
  exit(2);
}

static void enter(const struct peer *peer) {
  if (setns(peer->netns, CLONE_NEWNET) < 0) die(peer->name);
}

static char *read_file(const char *path, size_t *length) {
  char *text = malloc(CONFIG);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, CONFIG);
  if (n < 0) die(path);
  close(fd);
  *length = (size_t)n;
  return text;
}

static void read_peers(void) {
  char line[4096];
  while (peer_count < PEERS && fgets(line, sizeof line, stdin)) {
    struct peer *peer = &peers[peer_count++];
    char *rest = strdup(line);
    rest[strcspn(rest, "\n")] = 0;
    peer->name = strsep(&rest, "\t"), peer->executable = strsep(&rest, "\t");
    const char *conf = strsep(&rest, "\t");
    peer->path = strsep(&rest, "\t");
    const char *netns = strsep(&rest, "\t");
    peer->prefix = strsep(&rest, "\t");
    if (!peer->prefix) die("a peer has six fields");
    for (size_t i = 0; i < VARIABLES && rest; i++) peer->variables[i] = strsep(&rest, "\t");
    peer->in_process = strcmp(peer->executable, "-") == 0;
    if (!peer->in_process) peer->conf = read_file(conf, &peer->conf_length);
    peer->netns = open(netns, O_RDONLY | O_CLOEXEC);
    enter(peer);
    if (peer->in_process) peer->node = open_node();
  }
}

static void tell(const struct job *job, int64_t took_ns, const struct rusage *used) {
  long cpu_us = (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000 + used->ru_utime.tv_usec + used->ru_stime.tv_usec;
  printf("{\"peer\":\"%s\",\"pod\":%u,\"start_ns\":%lld,\"took_ns\":%lld,\"cpu_us\":%ld}\n", job->peer->name, job->pod, (long long)job->start_ns,
         (long long)took_ns, cpu_us);
}

static void in_process(const struct peer *peer, unsigned number) {
  char netns[512], container[64];
  snprintf(netns, sizeof netns, "%s%u", peer->prefix, number);
  snprintf(container, sizeof container, "%s-%u", peer->name, number);
  struct pod pod = {.netns = netns, .container = container, .number = number, .mtu = 1500};
  struct job job = {.peer = peer, .pod = number, .start_ns = now_ns()};
  if (strcmp(verb, "ADD") == 0) add_pod(&peer->node, &pod);
  else remove_pod(&peer->node, &pod);
  int64_t took_ns = now_ns() - job.start_ns;
  finish_removal();
  tell(&job, took_ns, &(struct rusage){0});
}

static void start(struct job *job, const struct peer *peer, unsigned pod) {
  static char text[6][1024];
  snprintf(text[0], sizeof *text, "CNI_COMMAND=%s", verb);
  snprintf(text[1], sizeof *text, "CNI_CONTAINERID=%s-%u", peer->name, pod);
  snprintf(text[2], sizeof *text, "CNI_NETNS=%s%u", peer->prefix, pod);
  snprintf(text[3], sizeof *text, "CNI_PATH=%s", peer->path);
  snprintf(text[4], sizeof *text, "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=%s-%u;K8S_POD_INFRA_CONTAINER_ID=%s-%u", peer->name, pod,
           peer->name, pod);
  char *env[7 + VARIABLES + 1] = {text[0], text[1], text[2], text[3], text[4], "CNI_IFNAME=eth0", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  for (size_t i = 0; peer->variables[i]; i++) env[7 + i] = peer->variables[i];
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) die("pipe");
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in[0], 0);
  posix_spawn_file_actions_adddup2(&files, out[1], 1);
  enter(peer);
  job->peer = peer, job->pod = pod, job->out = out[0], job->length = 0;
  job->start_ns = now_ns();
  errno = posix_spawn(&job->pid, peer->executable, &files, NULL, (char *[]){peer->executable, NULL}, env);
  if (errno != 0) die(peer->executable);
  close(in[0]), close(out[1]);
  /* A pipe takes 64 KiB at once; a plugin may end without reading. */
  if (write(in[1], peer->conf, peer->conf_length) < 0 && errno != EPIPE) die("stdin of a plugin");
  close(in[1]);
  posix_spawn_file_actions_destroy(&files);
}

/* Reads what there is. True when the plugin has ended. */
static bool step(struct job *job) {
  char more[4096];
  size_t room = sizeof job->said - 1 - job->length;
  ssize_t n = read(job->out, room > 0 ? job->said + job->length : more, room > 0 ? room : sizeof more);
  if (n < 0) die("stdout of a plugin");
  if (n > 0) {
    if (room > 0) job->length += (size_t)n;
    return false;
  }
  int status;
  struct rusage used;
  if (wait4(job->pid, &status, 0, &used) < 0) die("wait4");
  int64_t took_ns = now_ns() - job->start_ns;
  close(job->out);
  if (status != 0) {
    job->said[job->length] = 0;
    fprintf(stderr, "%s of Pod %u by %s: status %d: %s\n", verb, job->pod, job->peer->name, WEXITSTATUS(status), job->said);
    exit(1);
  }
  tell(job, took_ns, &used);
  return true;
}

static void turns(unsigned first, unsigned count, useconds_t pause_us) {
  for (unsigned i = 0; i < count; i++) {
    for (size_t p = 0; p < peer_count; p++) {
      const struct peer *peer = &peers[(p + i) % peer_count];
      usleep(pause_us);
      if (peer->in_process) {
        enter(peer);
        in_process(peer, first + i);
        continue;
      }
      start(&jobs[0], peer, first + i);
      while (!step(&jobs[0])) {}
    }
  }
}

static void at_once(const struct peer *peer, unsigned first, unsigned count) {
  static struct pollfd polled[AT_ONCE];
  int64_t start_ns = now_ns();
  if (peer->in_process) enter(peer);
  for (unsigned i = 0; i < count; i++) {
    if (peer->in_process) in_process(peer, first + i);
    else start(&jobs[i], peer, first + i);
    polled[i] = (struct pollfd){.fd = peer->in_process ? -1 : jobs[i].out, .events = POLLIN};
  }
  for (unsigned left = peer->in_process ? 0 : count; left > 0;) {
    if (poll(polled, count, DEADLINE_ms) <= 0) die("plugins do not end");
    for (unsigned i = 0; i < count; i++)
      if (polled[i].fd >= 0 && polled[i].revents && step(&jobs[i])) polled[i].fd = -1, left--;
  }
  printf("{\"peer\":\"%s\",\"wall_ns\":%lld}\n", peer->name, (long long)(now_ns() - start_ns));
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: stopwatch turns|at-once ADD|DEL FIRST COUNT PAUSE_us < peers\n");
    return 2;
  }
  verb = argv[2];
  unsigned first = (unsigned)atoi(argv[3]), count = (unsigned)atoi(argv[4]);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* never longer than the benchmark */
  read_peers();
  if (strcmp(argv[1], "turns") == 0) turns(first, count, (useconds_t)atoi(argv[5]));
  else if (count > AT_ONCE) return fprintf(stderr, "at most %d at once\n", AT_ONCE), 2;
  else for (size_t p = 0; p < peer_count; p++) usleep((useconds_t)atoi(argv[5])), at_once(&peers[p], first, count);
  return 0;
}
