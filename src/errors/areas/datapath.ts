/** FP280–FP289: links that Pods get beside a veth: children of an interface of the node, and whole NICs. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const datapathErrors = {
  parentMissing: {
    code: 280,
    cni: 280,
    message: 'the interface {parent} that {object} stands on is not there',
    details: '',
    hint: 'was it unplugged or renamed? ip -br link tells; the agent finds NICs of the cloud again by their MAC, whatever their name',
  },
  kindUnsupported: {
    code: 281,
    cni: 281,
    message: 'the kernel of this node has no {kind} links',
    details: '',
    hint: 'modprobe {module} (or install the package with the extra modules of this kernel); a PodSubnet may also name another datapath as fallback',
  },
  parentBusy: {
    code: 282,
    cni: 282,
    message: '{parent} cannot have {object}: it is used in another way already',
    details: '',
    hint: 'macvlan and ipvlan do not share a parent, macvlan passthru shares it with nobody, and a port of a bridge or bond has no children; ip -d link show {parent} tells',
  },
  vlanTaken: {
    code: 283,
    cni: 283,
    message: 'VLAN {vlan} of {parent} is in use by another link',
    details: '',
    hint: 'ip -d link show type vlan tells by which, in the namespace where it is; choose another id, or delete that one',
  },
  nicMissing: {
    code: 284,
    cni: 284,
    message: 'no interface has the MAC {mac}',
    details: 'it was to become {name} in {netns}',
    hint: 'was it unplugged, or its MAC changed? ip -br link tells; the controller looks again at NICs that a node does not see',
  },
  macsRefused: {
    code: 285,
    cni: 285,
    message: 'NIC {nic} accepts packets of its own MAC only, and each Pod of PodSubnet {subnet} would have another',
    details: 'datapath macvlan gives every Pod a MAC',
    hint: 'let the NIC accept further MACs (port security off), or give the PodSubnet datapath ipvlan, whose Pods share the MAC of the NIC',
  },
  notABranch: {
    code: 286,
    cni: 286,
    message: 'NIC {nic} is no branch, which Pods of PodSubnet {subnet} need',
    details: '',
    hint: 'did the PodSubnet have another datapath before? kubectl get nn -o yaml shows what the node has; the controller replaces interfaces as Pods end',
  },
  macNotChosen: {
    code: 287,
    cni: 287,
    message: '{ifname} cannot have the MAC {mac}: with datapath {datapath} it is {own}',
    details: '',
    hint: 'do not ask for a MAC (runtimeConfig.mac, args, CNI_ARGS MAC=), or use datapath macvlan or routed-veth',
  },
  parentMtu: {
    code: 288,
    cni: 288,
    message: '{object} cannot have packets of {mtu} bytes: {parent} takes {own}',
    details: '',
    hint: 'ip link set {parent} mtu {mtu}, if the network takes that; else spec.range.mtu of the PodSubnet, or mtu of the CNI configuration, says less',
  },
} as const satisfies Record<string, ErrorEntry>;
