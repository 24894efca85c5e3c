/**
 * IPClaim: addresses that belong to a workload rather than to a Pod, so that they survive it. Namespaced. Made by people, or by the controller for a Pod
 * with the annotation flatpod.dev/ip.
 */
import * as z from 'zod';
import { familyOf, type Ip } from '../net/address.ts';
import { listMap, listSet, rules } from './crd/rules.ts';
import { labelSelector } from './label-selector.ts';
import { conditions, ip, name, time } from './schema-parts.ts';

/** Pods of one claim, and addresses asked for by value. */
const ADDRESSES = 256;
/** One of each family for each Pod. */
const FAMILIES = 2;

const noAddress = 'is no address such as 10.20.0.17 or 2001:db8::17';
const spelling = 'is not spelt as it is shown everywhere: write it in lower case and as short as can be, such as 2001:db8::17';
/** In one spelling, so that the API server sees when one stands twice. Rules about one place are all read, so each holds its own for texts that are no address. */
const address = ip.meta(
  rules({ rule: 'isIP(self)', message: noAddress }, { rule: '!isIP(self) || ip.isCanonical(self)', message: spelling }),
);

const podName = z.string().min(1).max(253);

/** A field that keeps the value it was made with, present or not. */
function unchanged(field: string, why: string) {
  return {
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `${field} cannot be changed: ${why}; delete this IPClaim and make another`,
    field: `.${field}`,
  };
}

const together = rules(
  {
    rule: 'has(self.pod) != has(self.podSelector)',
    message: 'give either pod, the name of one Pod, or podSelector, for the Pods of a workload',
  },
  {
    rule: '!has(self.pod) || self.count == 1',
    message: 'count must be 1 with pod: a range is for Pods that podSelector selects',
    field: '.count',
  },
  ...[4, 6].map((family) => ({
    rule: `self.addresses.filter(a, isIP(a) && ip(a).family() == ${family}).size() <= self.count`,
    message: `addresses names more of IPv${family} than count, the number of Pods they are for: raise count, or remove some`,
    field: '.addresses',
  })),
  {
    rule: "(self.reclaim == 'TTL') == has(self.ttl_s)",
    message: 'ttl_s goes with reclaim: TTL, and only with it: add it, or remove it',
    field: '.ttl_s',
  },
  unchanged('pod', 'the addresses may be in use'),
  unchanged('podSelector', 'the addresses may be in use'),
  unchanged('subnet', 'addresses cannot move to another subnet'),
  {
    rule: 'oldSelf.addresses.all(a, a in self.addresses)',
    message: 'addresses cannot be taken out, they may be in use; delete this IPClaim and make another',
    field: '.addresses',
  },
  {
    rule: 'self.count >= oldSelf.count',
    message: 'count cannot be lowered, the addresses may be in use; delete this IPClaim and make another',
    field: '.count',
  },
);

/** spec of an IPClaim. */
export const ipClaimSpec = z
  .object({
    subnet: name
      .exactOptional()
      .describe('the PodSubnet the addresses are of; absent: the first of those that serve the Pod that has one left'),
    pod: podName
      .exactOptional()
      .describe(
        'the one Pod they are for, by name: a Pod of a StatefulSet has the same name, and so the same addresses, wherever and whenever it runs',
      ),
    podSelector: labelSelector
      .exactOptional()
      .describe(
        'the Pods they are for, by their labels: each that names this IPClaim in its annotation flatpod.dev/ip-claim has one of them while it runs',
      ),
    count: z
      .int()
      .min(1)
      .max(ADDRESSES)
      .default(1)
      .describe('how many Pods can have addresses at a time: one of each family that their PodSubnet gives; can be raised'),
    addresses: z
      .array(address)
      .max(ADDRESSES)
      .prefault([])
      .meta(listSet)
      .describe('addresses asked for by value, at most count of each family; those that are missing are chosen from the subnet'),
    reclaim: z
      .enum(['Retain', 'Delete', 'TTL'])
      .default('Retain')
      .describe(
        'what happens to an address that no Pod has any more. Retain: it is kept until this IPClaim is deleted; Delete: it goes back at once, and the IPClaim with it if that is for one Pod; TTL: the same after ttl_s',
      ),
    ttl_s: z.int().min(1).max(31_536_000).exactOptional().describe('with reclaim: TTL: seconds an address is kept after its last Pod'),
  })
  .superRefine((spec, context) => {
    for (const [path, message] of wrongOf(spec)) context.addIssue({ code: 'custom', path: [path], message });
  })
  .meta(together)
  .describe('which addresses, and for whom');

/** The rules above again, for whoever reads an object; those about changes apart. */
function wrongOf(spec: {
  pod?: unknown;
  podSelector?: unknown;
  count: number;
  addresses: readonly Ip[];
  reclaim: 'Retain' | 'Delete' | 'TTL';
  ttl_s?: number;
}): (readonly [field: string, message: string])[] {
  const { pod, podSelector, count, addresses, reclaim, ttl_s } = spec;
  const checks = [
    [
      'pod',
      (pod === undefined) !== (podSelector === undefined),
      'give either pod, the name of one Pod, or podSelector, for the Pods of a workload',
    ],
    ['count', pod === undefined || count === 1, 'must be 1 with pod: a range is for Pods that podSelector selects'],
    ...([4, 6] as const).map(
      (family) =>
        [
          'addresses',
          addresses.filter((one) => familyOf(one) === family).length <= count,
          `names more of IPv${family} than count, the number of Pods they are for: raise count, or remove some`,
        ] as const,
    ),
    ['addresses', new Set(addresses).size === addresses.length, 'names an address twice: remove one of them'],
    ['ttl_s', (reclaim === 'TTL') === (ttl_s !== undefined), 'goes with reclaim: TTL, and only with it: add it, or remove it'],
  ] as const;
  return checks.flatMap(([field, right, message]) => (right ? [] : [[field, message] as const]));
}

const held = z.object({
  address: ip.describe('the address'),
  subnet: name.describe('the PodSubnet it is of'),
  node: z.string().max(253).exactOptional().describe('the node whose interface has it; absent: no node’s'),
  pod: podName.exactOptional().describe('the Pod that has it, or had it last'),
  podUid: z.string().max(128).exactOptional().describe("that Pod's uid"),
  phase: z
    .enum(['Reserved', 'Bound', 'Moving', 'Releasing'])
    .describe(
      'Reserved: kept for a Pod that is to come; Bound: a Pod has it; Moving: it is taken from one node before another gets it; Releasing: it is going back to the cloud',
    ),
  since: time.describe('since when it is in this phase'),
});

/** status of an IPClaim, written by the controller. */
export const ipClaimStatus = z
  .object({
    addresses: z
      .array(held)
      .max(FAMILIES * ADDRESSES)
      .prefault([])
      .meta(listMap('address'))
      .describe('the addresses, and who has each'),
    conditions: conditions
      .default([])
      .describe('Ready: no Pod waits for one of its addresses; else the message says which one does, and why'),
  })
  .describe('what became of it');

/** What an IPClaim asks for, defaults filled in. */
export type IpClaimSpec = z.infer<typeof ipClaimSpec>;
/** What became of it. */
export type IpClaimStatus = z.infer<typeof ipClaimStatus>;
