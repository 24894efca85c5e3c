/* The kernel's share of one Pod, as plain C: what the plan of src/datapath/routed-veth.ts asks for, by rtnetlink, in this process. */
#ifndef POD_NETWORK_H
#define POD_NETWORK_H

struct pod {
  const char *netns;     /* path of the Pod's namespace */
  const char *container; /* goes into the host end's alias */
  unsigned number;       /* decides address, MACs and the host end's name; one of its own for each Pod of a node */
  unsigned mtu;
};

/* What a daemon holds open for life: sockets in the node's namespace. */
struct node {
  int home;    /* the node's namespace */
  int socket;  /* requests */
  int sender;  /* DELLINK, whose send() sleeps through rcu_barrier */
  int monitor; /* RTM_DELLINK events */
};

/* Opens them in the calling thread's namespace. Ends the program on error, as do the others: a stopwatch that half works is none. */
struct node open_node(void);

/* Both leave when the kernel holds, or no longer shows, all of it. `remove_pod` answers at the event, as the agent does, and `finish_removal` waits for the rest. */
void add_pod(const struct node *node, const struct pod *pod);
void remove_pod(const struct node *node, const struct pod *pod);
void finish_removal(void);

#endif
