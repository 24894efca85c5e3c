/** What is short in a cluster, and what will be first: in words, the worst first. */
import type { SubnetView } from './objects.ts';
import { remedyFor, type Usage } from './usage.ts';
import { count } from './words.ts';
import { sayCloudSubnets } from '../../store/subnet-id.ts';

/** Of what a limit leaves, so little that somebody should do something. */
const SOON = 0.1;
/** Lines that are told at most. */
const TOLD = 20;

/** One thing that is short, or will be. */
export interface Pressure {
  /** `short`: Pods wait; `soon`: a tenth or less is left; `fine`: what would be first. */
  readonly level: 'short' | 'soon' | 'fine';
  readonly text: string;
}

interface Limit {
  readonly what: string;
  readonly left: number;
  readonly of: number;
  readonly remedy: string;
}

/** From what the nodes use, and what subnets have. */
export function pressureOf(usage: readonly Usage[], subnets: readonly SubnetView[]): Pressure[] {
  const short = usage
    .filter(({ waiting, free, stoppedBy }) => waiting > free && stoppedBy !== 'none')
    .toSorted((a, b) => b.waiting - b.free - (a.waiting - a.free))
    .map(({ node, subnet, waiting, free, text, stoppedBy }): Pressure => {
      const missing = waiting - free;
      return {
        level: 'short',
        text: `${count(missing, 'Pod')} on node ${node} ${missing === 1 ? 'gets' : 'get'} no address of PodSubnet ${subnet}: ${text}; ${remedyFor(stoppedBy, subnet)}`,
      };
    });
  const limits = [...subnets.flatMap((subnet) => limitsOf(subnet, usage)), ...usage.flatMap(limitsOfNode)].toSorted(
    (a, b) => a.left / a.of - b.left / b.of,
  );
  const soon = limits.filter(({ left, of }) => left / of <= SOON).map((limit): Pressure => ({ level: 'soon', text: say(limit) }));
  const [first] = limits;
  const all = [...short, ...soon];
  if (all.length > TOLD) return [...all.slice(0, TOLD), { level: 'soon', text: `and ${all.length - TOLD} more` }];
  if (all.length > 0) return all;
  return first === undefined ? [] : [{ level: 'fine', text: `nothing is short; first would be: ${say(first)}` }];
}

function limitsOf({ metadata: { name }, spec, status }: SubnetView, usage: readonly Usage[]): Limit[] {
  const held = usage.filter(({ subnet }) => subnet === name).reduce((sum, one) => sum + one.held + one.claimed, 0);
  const limits: Limit[] = [];
  const { maximum } = spec.perCluster;
  if (maximum !== undefined) {
    const what = `addresses that all nodes together may hold of PodSubnet ${name} (perCluster.maximum)`;
    limits.push({ what, left: Math.max(0, maximum - held), of: maximum, remedy: 'raise it, or add a PodSubnet' });
  }
  const { free } = status ?? {};
  if (free !== undefined && free + held > 0) {
    const [where, remedy] =
      spec.range !== undefined
        ? ['the range', 'make the range larger, or add a PodSubnet']
        : [`cloud subnet ${sayCloudSubnets({ metadata: { name }, spec })}`, 'add a PodSubnet in another cloud subnet, or lower spec.warm'];
    limits.push({ what: `addresses of ${where} (PodSubnet ${name})`, left: free, of: free + held, remedy });
  }
  return limits;
}

/** What a node may still give to Pods: all it can hold, or, when it cannot grow, what it has. */
function limitsOfNode({ node, subnet, held, inUse, cooling, free, maximum, stoppedBy }: Usage): Limit[] {
  if (held + inUse === 0 || maximum === 0) return [];
  const what = `addresses of PodSubnet ${subnet} on node ${node}`;
  if (stoppedBy === 'none')
    return [{ what, left: Math.max(0, maximum - inUse - cooling), of: maximum, remedy: remedyFor('ceiling', subnet) }];
  return held === 0 ? [] : [{ what, left: free, of: held, remedy: remedyFor(stoppedBy, subnet) }];
}

function say({ what, left, of, remedy }: Limit): string {
  return `${left} of ${of} ${what} are left; ${remedy}`;
}
