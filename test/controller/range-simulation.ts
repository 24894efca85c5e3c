/** Pods that come and go on four nodes of a range, while everything around them fails. What must hold is checked after each step. */
import assert from 'node:assert/strict';
import { failure } from '../../src/errors/failure.ts';
import { containsCidr, hostCidr } from '../../src/net/cidr.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { subnet } from './harness.ts';
import { type RangeBench, rangeBench } from './range-bench.ts';

const names = ['n0', 'n1', 'n2', 'n3'] as const;
/** 10.9.0.0/26 without network and broadcast. */
const TOTAL = 62;

/** One thing that happens. */
export type Step =
  /** So many Pods from now on. */
  | { readonly do: 'want'; readonly node: 0 | 1 | 2 | 3; readonly pods: number }
  /** Its agent is cut off, or hears and speaks again. */
  | { readonly do: 'cut'; readonly node: 0 | 1 | 2 | 3 }
  | { readonly do: 'leader' }
  | { readonly do: 'paused' }
  | { readonly do: 'awake' }
  /** The Node is deleted and its Pods run on; or it comes back. */
  | { readonly do: 'vanish'; readonly node: 0 | 1 | 2 | 3 }
  /** The machine is switched off, and somebody says so; or it is installed anew. */
  | { readonly do: 'off'; readonly node: 0 | 1 | 2 | 3 }
  /** The next write of that kind meets this. */
  | { readonly do: 'fault'; readonly of: 'addressledgers' | 'nodenetworks'; readonly fault: 'loseAnswer' | 'refuse' | 'conflict' }
  /** Watches are late, or no more. */
  | { readonly do: 'late' }
  | { readonly do: 'pass'; readonly ms: number };

/** Runs them, then lets everything come to rest. Rejects when something did not hold. */
export async function simulate(steps: readonly Step[]): Promise<void> {
  const config = subnet('pods', {
    range: { parent: 'eth1', ipv4: { cidr: '10.9.0.0/26' } },
    datapath: 'macvlan',
    default: true,
    warm: { spare: 2 },
  });
  await using b = rangeBench(config);
  for (const name of names) b.addNode(name);
  const faults: { of: string; fault: 'none' | 'loseAnswer' | 'refuse' | 'conflict' } = { of: '', fault: 'none' };
  b.kube.fault = ({ verb, resource }) => {
    if (['get', 'list', 'watch'].includes(verb) || resource !== faults.of) return 'none';
    const { fault } = faults;
    faults.fault = 'none';
    if (fault === 'refuse') return failure('kubeUnreachable', { call: verb, server: 'memory', text: 'refused' });
    if (fault === 'conflict') return failure('kubeConflict', { object: resource, text: 'somebody was quicker' });
    return fault === 'loseAnswer' ? 'loseAnswer' : 'none';
  };
  await b.lead();
  for (const step of steps) {
    await take(b, step, faults);
    await b.clock.advance(step.do === 'pass' ? step.ms : 30);
    await check(b);
  }
  faults.fault = 'none';
  b.kube.catchUp();
  await b.wakeUp();
  for (const name of names) live(b, name);
  await b.lead();
  await b.clock.advance(600_000);
  await check(b);
  atRest(b);
}

async function take(b: RangeBench, step: Step, faults: { of: string; fault: string }): Promise<void> {
  switch (step.do) {
    case 'want':
      b.agents.get(names[step.node])?.want(step.pods);
      return;
    case 'cut': {
      const agent = b.agents.get(names[step.node]);
      if (agent?.isCutOff === true) agent.revive();
      else if (agent !== undefined) agent.isCutOff = true;
      return;
    }
    case 'leader':
      return b.lead();
    case 'paused':
      return b.pauseAndLead();
    case 'awake':
      return b.wakeUp();
    case 'vanish':
      if (isThere(b, names[step.node])) b.removeNode(names[step.node]);
      else live(b, names[step.node]);
      return;
    case 'off':
      if (b.agents.has(names[step.node])) b.declareOff(names[step.node]);
      else live(b, names[step.node]);
      return;
    case 'fault':
      Object.assign(faults, { of: step.of, fault: step.fault });
      return;
    case 'late':
      if (b.kube.late) b.kube.catchUp();
      else b.kube.late = true;
      return;
    case 'pass':
      return;
    default:
      return step satisfies never;
  }
}

function isThere(b: RangeBench, name: string): boolean {
  return b.kube.stored({ ...resources.nodes, name }) !== undefined;
}

function live(b: RangeBench, name: string): void {
  if (!b.agents.has(name)) b.addNode(name);
  else if (!isThere(b, name)) b.returnNode(name);
  b.agents.get(name)?.revive();
}

/** At every moment. */
async function check(b: RangeBench): Promise<void> {
  const ledger = await b.ledger();
  const blocks = [...ledger.values()].flat();
  for (const [i, block] of blocks.entries())
    assert.ok(
      !blocks.slice(i + 1).some((other) => containsCidr(block, other) || containsCidr(other, block)),
      `${block} is written down twice`,
    );
  const holders = new Map<string, string>();
  for (const [node, { leases }] of b.agents) {
    for (const ip of leases.flatMap(({ addresses }) => addresses)) {
      assert.equal(holders.get(ip), undefined, `${ip} is used on ${node} and ${holders.get(ip)}`);
      holders.set(ip, node);
      const isWritten = (ledger.get(node) ?? []).some((block) => containsCidr(block, hostCidr(ip)));
      assert.ok(isWritten, `${ip} of ${node} is not in the ledger`);
    }
  }
}

/** In the end: as many Pods have addresses as there are addresses, and nobody waits while something is free. */
function atRest(b: RangeBench): void {
  const wanted = [...b.agents.values()].reduce((sum, agent) => sum + agent.wanted, 0);
  const served = [...b.agents.values()].reduce((sum, agent) => sum + agent.leases.length, 0);
  const each = [...b.agents].map(([name, { wanted: pods, leases }]) => `${name}: ${leases.length} of ${pods}`);
  assert.equal(served, Math.min(TOTAL, wanted), each.join(', '));
}
