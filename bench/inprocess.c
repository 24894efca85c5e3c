/*
 * The kernel's share of a Pod as a CNI plugin with nothing around it: no daemon, no addresses to manage, no state. What an executable costs at the least
 * that does all by itself. The Pod's number is the end of CNI_CONTAINERID.
 */
#include "pod-network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  const char *verb = getenv("CNI_COMMAND"), *container = getenv("CNI_CONTAINERID"), *netns = getenv("CNI_NETNS");
  const char *dash = container ? strrchr(container, '-') : NULL;
  if (!verb || !dash || !netns) return 1;
  struct pod pod = {.netns = netns, .container = container, .number = (unsigned)strtoul(dash + 1, NULL, 10), .mtu = 1500};
  struct node node = open_node();
  if (strcmp(verb, "ADD") == 0) {
    add_pod(&node, &pod);
    printf("{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.98.%u.%u/32\",\"interface\":0}],\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"%s\"}]}\n",
           pod.number >> 8 & 255, pod.number & 255, netns);
  } else {
    remove_pod(&node, &pod);
    fflush(stdout);
    finish_removal();
  }
  return 0;
}
