/*
 * The spool: releases that found no agent, one file each, the very request frame. The agent carries them out and removes them.
 *
 * Invariants
 * - a file whose name does not start with a dot is whole and on disk
 * - "kept" is said only after file and directories are synced
 */
#define _GNU_SOURCE
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Files at most: failed ADDs are followed by DELs, and an agent that is away for days must not cost the node its disk. */
enum { SPOOL_FILES = 20000, DISK_MS = 10000 };

/* The contract's ^[a-zA-Z0-9][a-zA-Z0-9_.-]*$ */
static bool valid_container(const char *id) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return !strchr("_.-", *id) && id[strspn(id, letters)] == 0;
}

static bool valid_ifname(const char *name) {
  return strlen(name) <= 15 && strcmp(name, ".") && strcmp(name, "..") && !strpbrk(name, "/:% \t\n\v\f\r");
}

/* mkdir -p, each missing directory for root alone. */
static bool make_directories(char *path) {
  for (char *at = path + 1; *at; at++) {
    if (*at != '/') continue;
    *at = 0;
    bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
    *at = '/';
    if (!made) return false;
  }
  return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool sync_directory(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool synced = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return synced;
}

static bool has_room(const char *directory) {
  DIR *list = opendir(directory);
  int entries = 0;
  if (!list) return false;
  while (entries <= SPOOL_FILES && readdir(list)) entries++;
  closedir(list);
  errno = ENOSPC;
  return entries <= SPOOL_FILES;
}

/* Whether the request is on disk for good; errno tells why not. */
static bool spool(const char *state, const char *container, const char *ifname) {
  char directory[PATH_MAX / 2 + 8], temporary[PATH_MAX], final[PATH_MAX];
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  long long ns = t.tv_sec * 1000000000LL + t.tv_nsec;
  errno = ENAMETOOLONG;
  if (snprintf(directory, sizeof directory, "%s/spool", state) >= PATH_MAX / 2) return false;
  /* The name is for people, the frame inside for the agent: an id longer than a file name may be cut. */
  snprintf(final, sizeof final, "%s/%.160s-%.15s-%lld-%d.del", directory, container, ifname, ns, (int)getpid());
  snprintf(temporary, sizeof temporary, "%s/.%lld-%d", directory, ns, (int)getpid());
  if (!make_directories(directory) || !has_room(directory)) return false;
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool kept = transfer(fd, request, request_length, true) == request_length && fsync(fd) == 0 && rename(temporary, final) == 0 &&
              sync_directory(directory) && sync_directory(state);
  int error = errno;
  close(fd);
  if (!kept) unlink(temporary);
  errno = error;
  return kept;
}

int keep_release(void) {
  const char *container = variable("CNI_CONTAINERID", ""), *ifname = variable("CNI_IFNAME", "");
  const char *state = variable("FLATPOD_STATE", "/var/lib/flatpod");
  char details[sizeof reason + PATH_MAX];
  /* Read by the agent, these would be refused; here they would be forgotten in the spool. */
  if (*container && !valid_container(container))
    return fail(100, 4, "CNI_CONTAINERID is not acceptable", container, "letters, digits, - _ . are acceptable, a letter or digit first; the container runtime sets it");
  if (*ifname && !valid_ifname(ifname))
    return fail(100, 4, "CNI_IFNAME is not acceptable", ifname, "1 to 15 bytes without / : % and white space are acceptable; the container runtime sets it");
  if (!*container || !*ifname) {
    snprintf(details, sizeof details, "missing: %s%s%s", *container ? "" : "CNI_CONTAINERID", *container || *ifname ? "" : ", ", *ifname ? "" : "CNI_IFNAME");
    return fail(101, 4, "DEL needs variables that are not set", details, "the container runtime sets them");
  }
  deadline = now_ms() + DISK_MS; /* the agent may have used up all the time there was */
  if (spool(state, container, ifname)) {
    fprintf(stderr, "flatpod: no answer from the agent (%s): DEL of %s %s is kept in %s/spool for it\n", reason, container, ifname, state);
    return 0;
  }
  snprintf(details, sizeof details, "agent: %s; %.2000s/spool: %s", reason, state, strerror(errno));
  return fail(116, 11, "DEL found no agent and cannot be kept for later", details, "start the agent, or make room in that directory; the runtime must repeat this DEL");
}
