/** FP120–FP129: the agent itself: choosing a subnet, attachments, readiness, its socket. */
import type { ErrorEntry } from '../catalogue.ts';

export const agentErrors = {
  tooManyAtOnce: {
    code: 120,
    cni: 11,
    message: 'too many requests at once for {object}',
    details: 'more than {limit} wait already',
    hint: 'a runtime asks once at a time for one container: is something calling in a loop?',
  },
  noSubnet: {
    code: 121,
    cni: 7,
    message: 'no PodSubnet serves {pod}',
    details: '{reason}',
    hint: 'mark one PodSubnet with spec.default: true, or list the namespace in spec.namespaces; flatpod status shows those there are',
  },
  attachmentExists: {
    code: 122,
    cni: 122,
    message: 'container {container} has an interface {ifname} from Flatpod already',
    details: 'it holds {addresses}',
    hint: 'DEL it first; a runtime never asks twice',
  },
  notConfigured: {
    code: 123,
    cni: 50,
    message: 'the agent runs without a configuration and has no addresses to give',
    details: '',
    hint: 'start it with flatpod agent --config FILE; flatpod config check FILE explains mistakes in the file',
  },
  notReady: {
    code: 124,
    cni: 50,
    message: 'the agent cannot serve ADD yet: {reason}',
    details: '{details}',
    hint: 'flatpod status shows NICs, pools and what stops them',
  },
  drifted: {
    code: 125,
    cni: 125,
    message: 'the network of {pod} differs from what ADD made',
    details: '{differences}',
    hint: 'flatpod check --repair puts it right; the agent repairs what it sees change by itself',
  },
  notAttached: {
    code: 126,
    cni: 3,
    message: 'Flatpod has no attachment for container {container}, interface {ifname}',
    details: '',
    hint: 'it was deleted, or never added on this node: let the runtime make a new sandbox',
  },
  gcIncomplete: {
    code: 127,
    cni: 127,
    message: '{failed} of {stale} stale attachments could not be removed',
    details: '{errors}',
    hint: 'they are tried again by the next GC and by the agent itself',
  },
  socketTaken: {
    code: 128,
    cni: 128,
    message: 'another agent answers on {socket}',
    details: '',
    hint: 'stop it first, or give this one a socket of its own with --socket or FLATPOD_SOCKET',
  },
  socketUnusable: {
    code: 129,
    cni: 129,
    message: 'cannot listen on {socket}',
    details: '{reason}',
    hint: 'the folder must exist and be writable by root; the path may have at most 107 bytes',
  },
} as const satisfies Record<string, ErrorEntry>;
