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
} as const satisfies Record<string, ErrorEntry>;
