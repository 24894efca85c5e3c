/*
 * No agent, and several requests at once or soon after each other: they share one process that answers, `flatpod cni crowd`, since each start of Node costs
 * more than the answers of a hundred requests.
 *
 * Invariants
 * - who is alone is not of a crowd: it gets a process of its own, which ends with it (once.c). Alone is who comes while nobody is answered, and nobody was
 *   in the last seconds
 * - the socket is listened on before the process is started, which finds it as sd_listen_fds(3) says: who connects meanwhile waits in its queue
 * - the name of the socket is removed by the process itself, before it stops to listen, or by who finds nobody listening, under the lock
 * - a socket for each mount namespace: who answers sees the files that who asks sees. It needs no network namespace, so veth-to-host never comes here
 * - the process has nothing of the runtime's: no pipe that the runtime reads to its end, no folder, no session, no network namespace, which would
 *   live as long
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Bytes of the lock file: who has the first is answered by a process of its own; who has the second makes the socket, which is quick. The file's time is
 * when somebody came to be alone last; it holds the mount namespace of that one.
 */
enum { ALONE, MAKING, MAKING_MS = 2000, SOON_S = 3, BACKLOG = 1024, LISTENER = 3, AWAY = 10 };

static bool lock(int fd, int byte) {
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  return fcntl(fd, F_OFD_SETLK, &range) == 0;
}

/* Whether nobody is answered, nor was lately among those with these mounts. It stays so until this process ends. */
static bool is_alone(int file, ino_t mounts) {
  struct stat last;
  struct timespec now;
  ino_t before = 0;
  if (!lock(file, ALONE)) return false;
  bool lately = pread(file, &before, sizeof before, 0) == sizeof before && before == mounts && fstat(file, &last) == 0 &&
                clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec >= last.st_mtim.tv_sec && now.tv_sec - last.st_mtim.tv_sec <= SOON_S;
  return pwrite(file, &mounts, sizeof mounts, 0) == sizeof mounts && !lately;
}

/* In the new process: its files, and the command. */
static void become(const char *command, int listener, int words, const char *path) {
  char pid[16];
  (void)!unshare(CLONE_NEWNET); /* without the right to, it stays where it is */
  listener = fcntl(listener, F_DUPFD, AWAY), words = fcntl(words, F_DUPFD, AWAY);
  int nothing = open("/dev/null", O_RDWR);
  if (listener < 0 || words < 0 || nothing < 0 || chdir("/") != 0) _exit(1);
  if (dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0 || dup2(words, 2) < 0 || dup2(listener, LISTENER) < 0) _exit(1);
  syscall(SYS_close_range, LISTENER + 1, ~0u, 0);
  snprintf(pid, sizeof pid, "%d", getpid());
  setenv("LISTEN_PID", pid, 1), setenv("LISTEN_FDS", "1", 1);
  execl(command, command, "cni", "crowd", path, (char *)NULL);
  _exit(1);
}

/* Makes the socket at `path`, and the process that answers there. Its parent is nobody of ours. */
static bool make(const char *command, const char *state, const char *path) {
  char part[PATH_MAX + 16], log[PATH_MAX + 16];
  snprintf(part, sizeof part, "%s.part", path), snprintf(log, sizeof log, "%s/crowd.log", state);
  struct sockaddr_un address = {0};
  unlink(part);
  int listener = address_of(part, &address) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
  int words = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool there = listener >= 0 && words >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && chmod(part, 0600) == 0 &&
               listen(listener, BACKLOG) == 0 && rename(part, path) == 0;
  pid_t child = there ? fork() : -1;
  if (child == 0) {
    setsid();
    if (fork() == 0) become(command, listener, words, path);
    _exit(0);
  }
  if (listener >= 0) close(listener);
  if (words >= 0) close(words);
  return child > 0 && waitpid(child, NULL, 0) == child;
}

int join_crowd(const char *command) {
  const char *state = variable("FLATPOD_STATE", "/var/lib/flatpod");
  char path[PATH_MAX], locks[PATH_MAX];
  struct stat mounts;
  if (stat("/proc/self/ns/mnt", &mounts) != 0) return -1;
  if (snprintf(path, sizeof path, "%s/crowd-%ju.sock", state, (uintmax_t)mounts.st_ino) >= (int)sizeof path) return -1;
  if (snprintf(locks, sizeof locks, "%s/crowd.lock", state) >= (int)sizeof locks) return -1;
  int fd = dial(path, 0);
  if (fd >= 0) return fd;
  int file = open(locks, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0 || is_alone(file, mounts.st_ino)) return -1;
  int64_t end = now_ms() + MAKING_MS;
  while (!lock(file, MAKING)) {
    if (now_ms() > end) return close(file), -1;
    usleep(500);
  }
  fd = dial(path, 0);
  if (fd < 0 && make(command, state, path)) fd = dial(path, 0);
  close(file);
  return fd;
}
