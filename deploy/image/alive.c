/*
 * Whether the agent answers: the question of the container's probes, asked every minute on every node, so it must cost next to nothing (a command of
 * Node.js takes 150 ms and 60 MB). It asks for STATUS as a runtime does (src/cni/frame.ts has the form); any answer will do: an agent that cannot give
 * addresses now, for want of some, of the API server or of the cloud, is alive, and starting it anew would not help.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define USUAL "/run/flatpod/cni.sock"
#define PAYLOAD "\1CNI_COMMAND=STATUS\0\0{\"cniVersion\":\"1.1.0\",\"name\":\"alive\",\"type\":\"flatpod\"}"
enum { PATIENCE_S = 5 };

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval patience = {.tv_sec = PATIENCE_S};
  struct {
    uint32_t length;
    char payload[sizeof PAYLOAD - 1];
  } request = {sizeof PAYLOAD - 1, {0}};
  char answer[5];
  const char *path = argc > 1 ? argv[1] : USUAL;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  memcpy(request.payload, PAYLOAD, sizeof PAYLOAD - 1);
  if (strlen(path) >= sizeof address.sun_path) return fprintf(stderr, "%s: too long for a socket\n", path), 2;
  strcpy(address.sun_path, path);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      send(fd, &request, 4 + sizeof request.payload, MSG_NOSIGNAL) == 4 + (ssize_t)sizeof request.payload &&
      recv(fd, answer, sizeof answer, MSG_WAITALL) == sizeof answer)
    return 0;
  fprintf(stderr, "no answer from the agent on %s: ", path);
  perror(NULL);
  return 1;
}
