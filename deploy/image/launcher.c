/*
 * The command `flatpod` inside of the image, which has no shell: what bin/flatpod does elsewhere (test/deploy/image.test.ts holds both to the same),
 * and one thing more. Runtimes give a container that is not privileged a read-only /proc/sys, but the agent sets its node's network parameters: so here
 * /proc/sys/net alone becomes writable, in this container's own mount namespace. Nothing else of /proc/sys does.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define NODE "/usr/bin/node"
#define MAIN "/opt/flatpod/dist/flatpod.cjs"
#define PARAMETERS "/proc/sys/net"
enum { OWN_WORDS = 5 };

/* Needs CAP_SYS_ADMIN. Without it the agent itself says which parameter it could not set. */
static void make_parameters_writable(void) {
  struct statvfs found;
  if (statvfs(PARAMETERS, &found) != 0 || !(found.f_flag & ST_RDONLY)) return;
  if (mount(PARAMETERS, PARAMETERS, NULL, MS_BIND, NULL) != 0 || mount(NULL, PARAMETERS, NULL, MS_REMOUNT | MS_BIND, NULL) != 0)
    perror("flatpod: " PARAMETERS " stays read-only (the agent needs CAP_SYS_ADMIN, and an AppArmor profile that lets it mount)");
}

int main(int argc, char **argv) {
  char *words[OWN_WORDS + argc + 1];
  int n = 0;
  words[n++] = NODE;
  words[n++] = "--disable-warning=ExperimentalWarning";
  if (argc > 1 && strcmp(argv[1], "agent") == 0) {
    make_parameters_writable();
    /* The agent stays within its memory budget: a small young generation, the first optimising tier alone, one arena of malloc (docs/adr/0003). */
    words[n++] = "--max-semi-space-size=1";
    words[n++] = "--no-opt";
    setenv("MALLOC_ARENA_MAX", "1", 1);
    setenv("MALLOC_TRIM_THRESHOLD_", "131072", 1);
  }
  /* Deleting a link holds a thread of libuv's pool for 12-20 ms (src/kernel/remove-links.ts). */
  setenv("UV_THREADPOOL_SIZE", "16", 0);
  words[n++] = MAIN;
  for (int i = 1; i < argc; i++) words[n++] = argv[i];
  words[n] = NULL;
  execv(NODE, words);
  perror("flatpod: " NODE);
  return 127;
}
