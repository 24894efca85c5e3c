/** Why a pool gives no address, in the words of the catalogue. */
import { type Failure, failure } from '../errors/failure.ts';
import type { Counts } from '../ipam/counts.ts';
import type { Refusal } from '../ipam/pool.ts';
import type { Growth } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

/** FP130: nothing is free, in numbers, and what stopped the growth. `next_ms`: until a resting address is free again. */
export function exhausted(
  pod: string,
  subnet: PodSubnet,
  counts: Counts & { readonly waiting: number },
  next_ms: number | undefined,
  growth: Growth | undefined,
): Failure {
  const { inUse, cooling, held, waiting } = counts;
  const { limit, remedy } = limitOf(growth, subnet);
  return failure('addressesExhausted', {
    pod,
    subnet: subnet.metadata.name,
    inUse,
    cooling,
    seconds: next_ms === undefined ? '-' : Math.ceil(next_ms / 1000),
    wanted: waiting + 1,
    held,
    limit,
    remedy,
  });
}

/** Why an address asked for by value cannot be had. */
export function refused({ address, why, wait_ms }: Refusal, pod: string, subnet: PodSubnet): Failure {
  const facts = { address, pod, subnet: subnet.metadata.name };
  switch (why) {
    case 'leased':
      return failure('addressInUse', facts);
    case 'cooling':
      return failure('addressCooling', { ...facts, seconds: Math.ceil(wait_ms / 1000) });
    case 'excluded':
      return failure('addressExcluded', facts);
    case 'notHeld':
    case 'returned':
      return failure('addressNotHeld', facts);
    case 'otherNic':
    case 'family':
      return failure('addressesUnfit', { ...facts, families: subnet.spec.families.map((family) => `IPv${family}`).join(', ') });
  }
}

function limitOf(growth: Growth | undefined, subnet: PodSubnet): { limit: string; remedy: string } {
  const name = subnet.metadata.name;
  const text = growth?.text ?? '';
  switch (growth?.stoppedBy) {
    case undefined:
      return { limit: 'nobody: the controller has not answered yet', remedy: 'see whether the controller runs: flatpod status' };
    case 'none':
      if (text !== '') return { limit: text, remedy: 'was it unplugged or renamed? ip -br link tells; it is used as soon as it is there' };
      return {
        limit: 'nothing: more is on its way',
        remedy: `the runtime tries again; raise spec.warm.spare of PodSubnet ${name} if this happens in bursts`,
      };
    case 'ceiling':
      return { limit: `the ceiling (${text})`, remedy: `raise that ceiling in PodSubnet ${name}` };
    case 'instance':
      return { limit: `the instance (${text})`, remedy: 'use a larger instance type, or spec.unit: prefix' };
    case 'subnet':
      return { limit: `the subnet (${text})`, remedy: 'add a PodSubnet with room, or lower spec.warm on other nodes' };
    case 'cloud':
      return { limit: `the cloud (${text})`, remedy: 'the controller tries again by itself; flatpod status shows the last answer' };
    case 'switch':
      return { limit: 'spec.cloud.changes: false', remedy: 'allow changing calls again' };
  }
}
