/** FP140–FP149: the kernel's refusals. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const kernelErrors = {
  kernelRefused: {
    code: 140,
    cni: 140,
    message: 'the kernel refused to {action} {object} in {netns}',
    details: '{errno}: {text}',
    hint: 'flatpod check compares what should be in the kernel with what is; dmesg may tell why it refused',
  },
  netnsMissing: {
    code: 141,
    cni: 8,
    message: 'there is no network namespace at {path}',
    details: '{errno}',
    hint: 'the runtime must keep CNI_NETNS until ADD has answered; was the sandbox removed meanwhile?',
  },
  notNetns: {
    code: 142,
    cni: 8,
    message: '{path} is not a network namespace',
    details: '{what}',
    hint: 'CNI_NETNS must name a bind-mounted namespace (/run/netns/NAME) or /proc/PID/ns/net',
  },
  hostNetns: {
    code: 143,
    cni: 8,
    message: '{path} is the network namespace of the node itself',
    details: '',
    hint: 'a Pod with hostNetwork needs no CNI call; CNI_NETNS must name the namespace of the Pod',
  },
  nftRefused: {
    code: 144,
    cni: 144,
    message: 'nftables refused the rule set {what}',
    details: '{text}',
    hint: 'is libnftables installed and does the kernel have nf_tables, nft_nat, nft_fib and nft_ct? flatpod check names what differs',
  },
  nftMissing: {
    code: 145,
    cni: 145,
    message: 'libnftables.so.1 cannot be loaded',
    details: '{why}',
    hint: 'install it on the node: package libnftables1 (Debian, Ubuntu), nftables (Fedora, RHEL, Alpine, Arch)',
  },
  sysctlRefused: {
    code: 146,
    cni: 146,
    message: 'the kernel refused to {action} sysctl {key}{value} in {netns}',
    details: '{errno}',
    hint: 'ENOENT: no such interface or kernel module; EROFS or EACCES: /proc/sys must be writable to the agent (a privileged container)',
  },
  linkTaken: {
    code: 147,
    cni: 147,
    message: 'there is a link {name} in {netns} already',
    details: '',
    hint: 'DEL the attachment that made it first, or choose another CNI_IFNAME; ip -d link show {name} tells what it is',
  },
  conntrackNotFlushed: {
    code: 148,
    cni: 148,
    message: 'the connections of {address} in {netns} were not forgotten',
    details: '{why}',
    hint: 'is the module nf_conntrack_netlink loaded? conntrack -D -s {address} does the same by hand',
  },
  capabilityMissing: {
    code: 149,
    cni: 149,
    message: 'the agent lacks {missing}',
    details: '{uses}',
    hint: 'run it as root; in Kubernetes both stand in securityContext.capabilities.add (agent.capabilities of the chart), for systemd in CapabilityBoundingSet',
  },
} as const satisfies Record<string, ErrorEntry>;
