/*
 * The CNI executable of Flatpod: hands one request to the node's agent over a unix socket and prints the answer. Nothing else.
 *
 * Invariants
 * - it always ends: one deadline covers stdin, connection, answer and stdout
 * - stdout holds nothing, or one whole answer of the agent, or one error in the form of the CNI specification
 * - DEL succeeds without an agent, and is never forgotten: it is on disk before the runtime hears "done", or the runtime hears "again"
 * - plugins that need no agent are answered without one too (once.c, crowd.c)
 * - VERSION needs nobody
 *
 * Request: u32 length of the rest (little-endian, as both machines we build for are), u8 1, NUL-ended NAME=value strings, a NUL, stdin.
 * Reply: u32 length of the rest, u8 exit status, stdout. The other side is frame.ts; the FP numbers are in src/errors/areas/request.ts.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/*
 * The kubelet gives a sandbox 4 minutes, for all its plugins. STATUS needs no work: an agent that is silent is not ready. A DEL nobody answers is kept
 * for later. An ADD may meet an agent that is just being restarted: so long it looks for the socket.
 */
enum { CONNECT_MS = 5000, ANSWER_MS = 110000, DEL_ANSWER_MS = 30000, STATUS_ANSWER_MS = 3000, RESTART_MS = 2000 };

#define VERSIONS "\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\""

/* Pages of these that nobody writes cost nothing, and no allocation can fail half-way. */
char request[4 + LIMIT];
static char reply[LIMIT];
size_t request_length = 4;
char reason[1024];
int64_t deadline;
static char version[8] = "1.1.0"; /* of the answers printed here */

extern char **environ;

int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * (int64_t)1000 + t.tv_nsec / 1000000;
}

const char *variable(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

size_t transfer(int fd, char *at, size_t n, bool out) {
  size_t done = 0;
  errno = 0;
  while (done < n) {
    struct pollfd p = {.fd = fd, .events = out ? POLLOUT : POLLIN};
    int64_t left = deadline - now_ms();
    int ready = poll(&p, 1, left > 0 ? (int)left : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) errno = ETIMEDOUT;
    if (ready <= 0) break;
    /* A pipe that polls writable takes PIPE_BUF bytes without blocking, and not one more for sure. */
    size_t chunk = out && n - done > PIPE_BUF ? PIPE_BUF : n - done;
    ssize_t moved = out ? write(fd, at + done, chunk) : read(fd, at + done, chunk);
    if (moved < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (moved == 0) errno = 0;
    if (moved <= 0) break;
    done += (size_t)moved;
  }
  return done;
}

/* Copies text for the inside of a JSON string. What is not printable ASCII becomes an escape: the result is valid whatever comes in. */
static void quote(char *to, size_t room, const char *from) {
  for (char *end = to + room - 7; *from && to < end; from++) {
    unsigned char c = (unsigned char)*from;
    if (c == '"' || c == '\\') *to++ = '\\', *to++ = (char)c;
    else if (c < 0x20 || c == 0x7f) to += sprintf(to, "\\u%04x", c);
    else if (c > 0x7f) to += sprintf(to, "\\ufffd");
    else *to++ = (char)c;
  }
  *to = 0;
}

int fail(int fp, int code, const char *message, const char *details, const char *hint) {
  static char text[12288], m[1024], d[8192], h[1024];
  quote(m, sizeof m, message), quote(d, sizeof d, details), quote(h, sizeof h, hint);
  int n = snprintf(text, sizeof text, "{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"%s (FP%d)\",\"details\":\"%s%s%s\"}\n", version, code, m, fp,
                   d, *d && *h ? "; " : "", h);
  if (deadline < now_ms() + 1000) deadline = now_ms() + 1000; /* the deadline may be what failed: this must still get out */
  transfer(1, text, (size_t)n, true);
  return 1;
}

/* Sets `version` from the configuration: the value of "cniVersion" in the outermost object, when it is one that we speak. */
static void find_version(const char *at, const char *end) {
  int depth = 0;
  for (bool ours = false; at < end; at++) { /* ours: the string just passed was the key we look for */
    if (*at == '{' || *at == '[') depth++;
    if (*at == '}' || *at == ']') depth--;
    if (*at != '"') continue;
    const char *start = at + 1;
    for (at++; at < end && *at != '"';) at += *at == '\\' ? 2 : 1;
    if (at >= end) return;
    char word[16], quoted[16];
    snprintf(word, sizeof word, "%.*s", (int)(at - start < 15 ? at - start : 15), start);
    if (ours && depth == 1) {
      snprintf(quoted, sizeof quoted, "\"%.7s\"", word);
      if (strlen(word) == 5 && strstr(VERSIONS, quoted)) strcpy(version, word);
      return;
    }
    const char *next = at + 1;
    while (next < end && *next && strchr(" \t\r\n", *next)) next++;
    ours = next < end && *next == ':' && strcmp(word, "cniVersion") == 0;
  }
}

/* Appends a string and its NUL to the request; false when it does not fit. */
static bool append(const char *name, const char *value) {
  size_t room = sizeof request - request_length, length = strlen(name) + strlen(value) + 1;
  if (length > room) return false;
  memcpy(request + request_length, name, strlen(name));
  memcpy(request + request_length + strlen(name), value, strlen(value) + 1);
  request_length += length;
  return true;
}

/* Fills `request` from environment and stdin. False, with `reason`, when that is too large or stdin cannot be read. */
static bool read_request(const char *plugin) {
  static const char *const passed[] = {"CNI_", "TRACEPARENT=", "TRACESTATE=", "BAGGAGE="};
  request[request_length++] = 1;
  bool fits = append("FLATPOD_PLUGIN=", plugin);
  for (char **entry = environ; fits && *entry; entry++)
    for (size_t i = 0; fits && i < sizeof passed / sizeof *passed; i++)
      if (strncmp(*entry, passed[i], strlen(passed[i])) == 0) fits = append("", *entry);
  fits = fits && append("", "");
  size_t config = request_length;
  /* Somebody who tries the executable by hand should not have to end stdin. */
  bool terminal = isatty(0);
  if (fits && !terminal) request_length += transfer(0, request + config, sizeof request - config, false);
  char more;
  if (!fits || (request_length == sizeof request && transfer(0, &more, 1, false) == 1)) {
    snprintf(reason, sizeof reason, "it is larger than %d bytes", LIMIT);
    return false;
  }
  if (!terminal && errno != 0) {
    snprintf(reason, sizeof reason, "stdin: %s after %zu bytes", strerror(errno), request_length - config);
    return false;
  }
  uint32_t length = (uint32_t)(request_length - 4);
  memcpy(request, &length, 4);
  find_version(request + config, request + request_length);
  return true;
}

bool address_of(const char *path, struct sockaddr_un *address) {
  address->sun_family = AF_UNIX;
  if (strlen(path) < sizeof address->sun_path) return strcpy(address->sun_path, path);
  const char *slash = strrchr(path, '/');
  char directory[PATH_MAX];
  errno = ENAMETOOLONG;
  if (!slash || snprintf(directory, sizeof directory, "%.*s/", (int)(slash - path), path) >= (int)sizeof directory) return false;
  int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  errno = ENAMETOOLONG;
  return snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", fd, slash + 1) < (int)sizeof address->sun_path;
}

int dial(const char *path, int patience_ms) {
  struct sockaddr_un address = {0};
  int fd = address_of(path, &address) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
  int64_t last = now_ms() + CONNECT_MS < deadline ? now_ms() + CONNECT_MS : deadline, patient = now_ms() + patience_ms;
  useconds_t pause = 500;
  /* A unix socket never connects "in progress": a full backlog is EAGAIN, and there is nothing to poll for. */
  while (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    bool nobody = errno == ENOENT || errno == ECONNREFUSED;
    if ((nobody || errno == EAGAIN || errno == EINTR) && now_ms() < (nobody && patient < last ? patient : last)) {
      usleep(pause);
      if (pause < 16000) pause *= 2;
      continue;
    }
    close(fd);
    fd = -1;
  }
  if (fd < 0) snprintf(reason, sizeof reason, "%s", errno == EAGAIN ? "its queue of connections stays full" : strerror(errno));
  return fd;
}

/* Sends the request, receives the whole reply. Its length, or 0 with `reason`. */
static uint32_t converse(int fd) {
  uint32_t length = 0;
  /* Sending may fail with EPIPE: an agent that refuses a request early has answered and closed before it read everything. The answer counts. */
  bool stuck = transfer(fd, request, request_length, true) < request_length && errno == ETIMEDOUT;
  size_t got = stuck ? 0 : transfer(fd, (char *)&length, 4, false);
  bool form = got < 4 || (length >= 1 && length <= LIMIT);
  if (got == 4 && form) got += transfer(fd, reply, length, false);
  if (got > 4 && got == 4 + (size_t)length) return length;
  if (stuck) snprintf(reason, sizeof reason, "it does not take the request");
  else if (!form) snprintf(reason, sizeof reason, "its answer is not in the form agreed");
  else if (errno == ETIMEDOUT) snprintf(reason, sizeof reason, "no answer in time");
  else snprintf(reason, sizeof reason, "it hung up after %zu bytes of its answer", got);
  return 0;
}

static void set_deadline(const char *verb) {
  const char *text = variable("FLATPOD_TIMEOUT_MS", NULL);
  char *end = NULL;
  int usual = strcmp(verb, "STATUS") == 0 ? STATUS_ANSWER_MS : strcmp(verb, "DEL") == 0 ? DEL_ANSWER_MS : ANSWER_MS;
  long value = text ? strtol(text, &end, 10) : usual;
  if (value < 1 || value > 3600000 || (end && *end)) {
    fprintf(stderr, "flatpod: FLATPOD_TIMEOUT_MS=%s is not a number of milliseconds up to an hour: using %d\n", text, usual);
    value = usual;
  }
  deadline = now_ms() + value;
}

/* No answer from the agent, for `reason`: what the runtime hears. */
static int answer_alone(const char *verb, const char *path, bool connected) {
  static char details[2048 + sizeof reason];
  static const char *const start = "start the agent on this node; FLATPOD_SOCKET names its socket when that lies elsewhere";
  snprintf(details, sizeof details, "%.2000s: %s", path, reason);
  if (strcmp(verb, "DEL") == 0) return keep_release();
  if (strcmp(verb, "STATUS") == 0) return fail(114, 50, "no Pod can be added: the Flatpod agent of this node does not answer", details, start);
  if (!connected) return fail(113, 11, "the Flatpod agent of this node cannot be reached", details, start);
  return fail(115, 11, "the Flatpod agent of this node gave no usable answer", details, "look into its log; the runtime may try again at any time");
}

/* The plugin of that name (src/cni/plugins.ts); a renamed file is the main plugin. */
static const char *plugin_called(const char *name) {
  static const char *const others[] = {"flatpod-ipam", "host-local", "static", "whereabouts", "veth-to-host"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strcmp(name, others[i]) == 0) return others[i];
  return "flatpod";
}

int main(int argc, char **argv) {
  const char *name = argc > 0 ? argv[0] : "", *verb = variable("CNI_COMMAND", NULL), *path = variable("FLATPOD_SOCKET", "/run/flatpod/cni.sock");
  if (strrchr(name, '/')) name = strrchr(name, '/') + 1;
  const char *plugin = plugin_called(name);
  signal(SIGPIPE, SIG_IGN);
  /* A closed stdout must not become the number of our socket. */
  for (int fd = 0; fd <= 2; fd++) if (fcntl(fd, F_GETFD) < 0) open("/dev/null", O_RDWR);
  if (!verb) {
    fprintf(stderr, "%s: CNI plugin of Flatpod, started by container runtimes\nCNI protocol versions: " VERSIONS "\n", plugin);
    return 0;
  }
  set_deadline(verb);
  bool readable = read_request(plugin);
  if (strcmp(verb, "VERSION") == 0) {
    int n = snprintf(reply, sizeof reply, "{\"cniVersion\":\"%s\",\"supportedVersions\":[" VERSIONS "]}\n", version);
    return transfer(1, reply, (size_t)n, true) == (size_t)n ? 0 : 1;
  }
  static const char *const verbs[] = {"ADD", "DEL", "CHECK", "GC", "STATUS"};
  bool known = false;
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) known = known || strcmp(verb, verbs[i]) == 0;
  if (!known) return fail(102, 4, "CNI_COMMAND is unknown", verb, "ADD, DEL, CHECK, GC, STATUS and VERSION are known");
  if (!readable) return fail(103, 5, "the request cannot be read", reason, "stdin must hold one network configuration, and end");
  /* The main plugin's ADD waits for an agent that is just being restarted; the others need none. */
  bool main_plugin = strcmp(plugin, "flatpod") == 0;
  int fd = dial(path, main_plugin && strcmp(verb, "ADD") == 0 ? RESTART_MS : 0);
  if (fd < 0 && !main_plugin) fd = ask_once(strcmp(plugin, "veth-to-host") != 0);
  uint32_t length = fd < 0 ? 0 : converse(fd);
  /* Whoever was to answer ended in the middle: but for ADD a request to the IPAM plugin may be made twice. */
  bool twice = !main_plugin && strcmp(plugin, "veth-to-host") != 0 && strcmp(verb, "ADD") != 0;
  if (length == 0 && fd >= 0 && twice) {
    fd = ask_once(false);
    length = fd < 0 ? 0 : converse(fd);
  }
  if (length == 0) return answer_alone(verb, path, fd >= 0);
  return transfer(1, reply + 1, length - 1, true) == length - 1 ? (unsigned char)reply[0] : 1;
}
