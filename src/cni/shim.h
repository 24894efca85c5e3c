/* What shim.c, once.c, crowd.c and spool.c share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

/* The largest request and reply, in bytes after their length. Like the frame itself, the same as in frame.ts. */
enum { LIMIT = 16 << 20 };

/* The request frame: 4 bytes of length, then at most LIMIT. */
extern char request[4 + LIMIT];
extern size_t request_length;

/* Why the last step failed, for the reader of the error. */
extern char reason[1024];

/* When everything must have ended, by now_ms(). */
extern int64_t deadline;
int64_t now_ms(void);

/* The environment variable, or the other text when it is absent. Empty counts as absent: libcni sets what it does not use to "". */
const char *variable(const char *name, const char *otherwise);

/* Reads into (or writes from) a buffer until n bytes are through. Fewer: end of file (errno 0), the deadline (ETIMEDOUT) or an error. */
size_t transfer(int fd, char *at, size_t n, bool out);

/* Prints a CNI error: our stable number fp, the wire's code, three sentences. Returns the exit status. */
int fail(int fp, int code, const char *message, const char *details, const char *hint);

/* DEL that no agent answered, for the given reason: puts the request on disk for the agent. Returns the exit status; prints on failure only. */
int keep_release(void);

/* The socket's address. A path longer than sun_path is reached through its directory. False with errno. */
bool address_of(const char *path, struct sockaddr_un *address);

/* Connects to who listens there, or returns -1 with `reason`. Nobody there is final after `patience_ms`. */
int dial(const char *path, int patience_ms);

/*
 * Starts a process that answers in the agent's place, and returns the socket to it; -1 with `reason`, to which what it was before is put first.
 * `anywhere`: the answer does not depend on the network namespace, so it may be a process that others share.
 */
int ask_once(bool anywhere);

/* The socket to a process that answers several at once, when this one is not alone; else -1. `command` is the flatpod command. Says no reason of use. */
int join_crowd(const char *command);
