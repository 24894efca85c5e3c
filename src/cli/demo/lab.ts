/** A lab: an emulated VPC with subnets, nodes, a plain VM and an internet host. The demo and the tests both work in one. */
import type { VpcApi } from './api.ts';

/** A machine of the lab. */
export interface Machine {
  readonly name: string;
  readonly id: string;
  /** Path of its network namespace. */
  readonly netns: string;
  /** Of its first NIC. */
  readonly addresses: readonly string[];
  readonly publicAddress?: string;
}

/** A subnet of the lab. */
export interface LabSubnet {
  readonly id: string;
  readonly name: string;
  readonly cidr4: string;
}

/** What is to be built. */
export interface LabPlan {
  /** Name → blocks. All are in one zone. */
  readonly subnets: Readonly<Record<string, { readonly cidr4?: string; readonly cidr6?: string }>>;
  /** Name → subnet of the first NIC. Nodes and VMs have public addresses unless `private`. */
  readonly machines: Readonly<Record<string, { readonly subnet: string; readonly type?: string; readonly private?: boolean }>>;
  /** Whether the group of all that is in no other, such as reserved addresses, lets everything pass too. */
  readonly opensDefault?: boolean;
  /** Hosts beyond the internet gateway. */
  readonly internet?: readonly string[];
}

/** What was built, by name. */
export interface Lab {
  readonly subnets: ReadonlyMap<string, LabSubnet>;
  readonly machines: ReadonlyMap<string, Machine>;
}

const ZONE = 'zone-a';

/** Makes all of it through the API, in an empty VPC. Every machine accepts everything: the security group is opened first. */
export async function buildLab(api: VpcApi, plan: LabPlan): Promise<Lab> {
  const subnets = new Map<string, LabSubnet>();
  for (const [name, blocks] of Object.entries(plan.subnets)) {
    subnets.set(name, await api.call<LabSubnet>('POST', '/v1/subnets', { name, zone: ZONE, ...blocks }));
  }
  const group = await api.call<{ id: string }>('POST', '/v1/security-groups', { name: 'open', rules: openToAll });
  if (plan.opensDefault === true) await openDefault(api);
  const machines = new Map<string, Machine>();
  for (const name of plan.internet ?? []) machines.set(name, await api.call<Machine>('POST', '/v1/instances', { name, kind: 'internet' }));
  for (const [name, { subnet, type = 'v1.large', private: isPrivate = false }] of Object.entries(plan.machines)) {
    const body = { name, type, subnet: subnets.get(subnet)?.id, securityGroups: [group.id], publicAddress: !isPrivate };
    machines.set(name, await api.call<Machine>('POST', '/v1/instances', body));
  }
  return { subnets, machines };
}

async function openDefault(api: VpcApi): Promise<void> {
  const { items } = await api.call<{ items: { id: string; name: string }[] }>('GET', '/v1/security-groups');
  for (const { id, name } of items) if (name === 'default') await api.call('PUT', `/v1/security-groups/${id}/rules`, { rules: openToAll });
}

/** @throws Error: a lab without that machine is a mistake of whoever planned it. */
export function machineOf(lab: Lab, name: string): Machine {
  const machine = lab.machines.get(name);
  if (machine === undefined) throw new Error(`the lab has no machine ${name}`);
  return machine;
}

const openToAll = ['0.0.0.0/0', '::/0'].flatMap((cidr) => ['ingress', 'egress'].map((direction) => ({ direction, protocol: 'any', cidr })));
