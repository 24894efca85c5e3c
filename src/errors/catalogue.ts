/**
 * Every error that Flatpod reports, one entry each, by area. Codes are stable: never renumber, never reuse.
 * `cni` is the code on the CNI wire: the specification's where it has one (1–11, 50, 51), else our own again.
 */
import { agentErrors } from './areas/agent.ts';
import { cloudErrors } from './areas/cloud.ts';
import { clusterErrors } from './areas/cluster.ts';
import { conflictErrors } from './areas/conflict.ts';
import { configErrors } from './areas/config.ts';
import { datapathErrors } from './areas/datapath.ts';
import { importErrors } from './areas/import.ts';
import { installErrors } from './areas/install.ts';
import { ipamErrors } from './areas/ipam.ts';
import { kernelErrors } from './areas/kernel.ts';
import { kubeErrors } from './areas/kube.ts';
import { kubectlErrors } from './areas/kubectl.ts';
import { loadBalancerErrors } from './areas/load-balancers.ts';
import { poolErrors } from './areas/pool.ts';
import { requestErrors } from './areas/request.ts';
import { storeErrors } from './areas/store.ts';
import { vethToHostErrors } from './areas/veth-to-host.ts';
import { vpcErrors } from './areas/vpc.ts';
import type { ErrorEntry } from './entry.ts';

const defects = {
  internal: {
    code: 999,
    cni: 999,
    message: 'Flatpod made a mistake: {what}',
    details: '',
    hint: 'this is a defect; the agent log has the stack: please report both',
  },
} as const satisfies Record<string, ErrorEntry>;

/** Every entry by its name. */
export const catalogue = {
  ...requestErrors,
  ...agentErrors,
  ...poolErrors,
  ...kernelErrors,
  ...datapathErrors,
  ...conflictErrors,
  ...storeErrors,
  ...cloudErrors,
  ...vpcErrors,
  ...configErrors,
  ...installErrors,
  ...kubeErrors,
  ...clusterErrors,
  ...kubectlErrors,
  ...ipamErrors,
  ...vethToHostErrors,
  ...loadBalancerErrors,
  ...importErrors,
  ...defects,
} as const satisfies Record<string, ErrorEntry>;

/** The name of an entry. */
export type ErrorName = keyof typeof catalogue;

/** Entries that belong together, and the codes they may have. */
export interface ErrorArea {
  readonly title: string;
  /** First and last code, both included; most areas have one range. */
  readonly ranges: readonly (readonly [number, number])[];
  readonly entries: Readonly<Record<string, ErrorEntry>>;
}

/** The catalogue by area, for its documentation and for the test that keeps codes apart. */
export const areas: readonly ErrorArea[] = [
  { title: 'Requests of a runtime', ranges: [[100, 119]], entries: requestErrors },
  {
    title: 'The agent',
    ranges: [
      [120, 129],
      [200, 209],
    ],
    entries: agentErrors,
  },
  { title: 'Addresses', ranges: [[130, 139]], entries: poolErrors },
  { title: 'The kernel', ranges: [[140, 149]], entries: kernelErrors },
  { title: 'Interfaces of Pods', ranges: [[280, 289]], entries: datapathErrors },
  { title: 'Addresses that others have', ranges: [[290, 294]], entries: conflictErrors },
  { title: 'State on disk', ranges: [[150, 159]], entries: storeErrors },
  { title: 'The cloud', ranges: [[160, 179]], entries: cloudErrors },
  { title: 'The emulated VPC', ranges: [[180, 189]], entries: vpcErrors },
  { title: 'Configuration files', ranges: [[190, 199]], entries: configErrors },
  { title: 'The installer', ranges: [[210, 219]], entries: installErrors },
  { title: 'The Kubernetes API', ranges: [[220, 239]], entries: kubeErrors },
  { title: 'A Kubernetes cluster', ranges: [[240, 259]], entries: clusterErrors },
  { title: 'kubectl flatpod', ranges: [[260, 269]], entries: kubectlErrors },
  { title: 'The IPAM plugin', ranges: [[300, 339]], entries: ipamErrors },
  { title: 'The chained plugin veth-to-host', ranges: [[340, 369]], entries: vethToHostErrors },
  { title: 'Services of type LoadBalancer', ranges: [[370, 379]], entries: loadBalancerErrors },
  { title: 'Imports from other systems', ranges: [[500, 519]], entries: importErrors },
  { title: 'Defects', ranges: [[999, 999]], entries: defects },
];
