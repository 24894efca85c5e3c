/*
 * No agent: the plugins that need none are answered by a process of their own, `flatpod cni`, which takes the same frame and gives the same reply over
 * a pair of sockets, and keeps the same books.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The command: FLATPOD_HOME's, else that of the tree the executable lies in (dist/cni), else the usual place. */
static const char *find_command(void) {
  static char path[2 * PATH_MAX];
  const char *home = variable("FLATPOD_HOME", NULL);
  if (home) {
    snprintf(path, sizeof path, "%.*s/bin/flatpod", PATH_MAX, home);
    return path;
  }
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  char *slash = length > 0 ? (self[length] = 0, strrchr(self, '/')) : NULL;
  if (slash) {
    snprintf(path, sizeof path, "%.*s/../../bin/flatpod", (int)(slash - self), self);
    if (access(path, X_OK) == 0) return path;
  }
  return "/opt/flatpod/bin/flatpod";
}

int ask_once(bool anywhere) {
  const char *command = find_command();
  char why[512];
  int pair[2];
  snprintf(why, sizeof why, "%.400s", reason);
  int shared = anywhere && access(command, X_OK) == 0 ? join_crowd(command) : -1;
  if (shared >= 0) return shared;
  if (access(command, X_OK) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    snprintf(reason, sizeof reason, "%.400s; without an agent %.400s is needed: %s", why, command, strerror(errno));
    return -1;
  }
  pid_t self = getpid(), child = fork();
  if (child == 0) {
    /* Whoever kills us sends a DEL next: an ADD that goes on behind its back would never be released. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self || dup2(pair[1], 0) < 0 || dup2(pair[1], 1) < 0) _exit(1);
    execl(command, command, "cni", (char *)NULL);
    _exit(1);
  }
  int error = errno;
  close(pair[1]);
  if (child < 0) {
    close(pair[0]);
    snprintf(reason, sizeof reason, "%.400s; without an agent %.400s is needed: %s", why, command, strerror(error));
    return -1;
  }
  fcntl(pair[0], F_SETFL, O_NONBLOCK);
  return pair[0];
}
