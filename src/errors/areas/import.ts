/** FP500–FP519: what is taken over from another system's files. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const importErrors = {
  importFileUnreadable: {
    code: 500,
    cni: 500,
    message: '{path} cannot be read for the import',
    details: '{reason}',
    hint: 'give a regular file that this user may read; nothing was written',
  },
  importMistaken: {
    code: 501,
    cni: 501,
    message: 'nothing was imported: there are {count} mistakes in what is to be read',
    details: '{list}',
    hint: 'correct them, or leave the file out; docs/migrate tells which files are read',
  },
  importNothing: {
    code: 502,
    cni: 502,
    message: 'there is nothing of {system} in these files',
    details: '{found}',
    hint: '{wanted}',
  },
  importOutputTaken: {
    code: 503,
    cni: 503,
    message: 'the import is not written to {directory}',
    details: '{reason}',
    hint: 'name another directory with --output; what is there stays as it is',
  },
  takeoverMistaken: {
    code: 504,
    cni: 504,
    message: 'nothing was taken over from {system}: {path} cannot be used',
    details: '{reason}',
    hint: 'give the file as the former plugin, or flatpod import, left it; nothing has changed',
  },
  takeoverRefused: {
    code: 505,
    cni: 505,
    message: 'container {container}, interface {ifname} is not taken over',
    details: '{reason}',
    hint: 'flatpod status shows who has the address: two Pods with one address hinder each other until one of them is deleted',
  },
  takeoverElsewhere: {
    code: 507,
    cni: 507,
    message: 'nothing was taken over from {system}: {path} names no node {node}',
    details: 'its Pods are on {nodes}',
    hint: 'say by --node what Kubernetes calls this node; if that is its name, no Pod of the list is here, and there is nothing to take over',
  },
  hostnicMistaken: {
    code: 506,
    cni: 506,
    message: "hostnic's settings are not served as they are now: there are {count} mistakes in them",
    details: '{list}',
    hint: 'correct them; until then what was served before stays in force',
  },
} as const satisfies Record<string, ErrorEntry>;
