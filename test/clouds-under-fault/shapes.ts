/** What PodSubnets may look like that a controller serves: which blocks Pods' addresses are in, of which families, and on whose interface. */
import type { SubnetId } from '../../src/cloud/cloud.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { subnet } from '../controller/harness.ts';
import type { Size } from './fronts.ts';

/** See the head of this file. */
export interface Shape {
  readonly name: string;
  /** Of the clouds that can be put behind the proxy those that have what it takes; absent: all. */
  readonly on?: readonly string[];
  readonly size: Size;
  /** The cloud's subnet has IPv6 too. */
  readonly isDual?: true;
  /** As many Pods as a machine of that size has room for, beside what is kept ready. */
  readonly most: number;
  podSubnets(cloudSubnet: SubnetId): readonly PodSubnet[];
}

const one =
  (spec: Record<string, unknown>): Shape['podSubnets'] =>
  (cloudSubnet) => [subnet('pods', { cloudSubnet, default: true, warm: { spare: 1 }, ...spec })];

/** Single IPv4 addresses, as most have it: two interfaces of four addresses, without their own and a spare one. */
export const plain: Shape = { name: 'single addresses', size: 'small', most: 4, podSubnets: one({}) };

/** All others. */
export const shapes: readonly Shape[] = [
  { name: 'prefixes', size: 'small', most: 40, podSubnets: one({ unit: 'prefix' }) },
  { name: 'both families', on: ['vpc', 'aws'], size: 'small', isDual: true, most: 4, podSubnets: one({ families: [4, 6] }) },
  { name: 'branches', on: ['vpc', 'aws'], size: 'branching', most: 4, podSubnets: one({ datapath: 'branch' }) },
  { name: 'an interface for each Pod', size: 'large', most: 4, podSubnets: one({ datapath: 'nic' }) },
  {
    name: 'two PodSubnets that share interfaces',
    size: 'small',
    most: 3,
    podSubnets: (cloudSubnet) => [
      subnet('a', { cloudSubnet, useFirstNic: false, warm: { spare: 0 }, within: ['10.20.0.64/27'] }),
      subnet('b', { cloudSubnet, useFirstNic: false, warm: { spare: 0 }, within: ['10.20.0.128/27'] }),
    ],
  },
];
