/**
 * Watches a cluster while a test does what it likes to it: no address is ever two Pods', and each is assigned to its node in the VPC.
 *
 * Agents are believed at once, after a second look, since they know what the kernel holds. Statuses of Pods are the kubelet's word, which comes late: what
 * they say against us counts when it lasts.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { followPods } from './checker-pods.ts';
import { untilAgreed } from './checker-records.ts';
import { addressesOf, holds, type LivePod, nameOf, nicsAt, nicsOf, type PodObject, reportIfAny, usesAddresses } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';

/** A checker at work. Disposing ends it, without a verdict. */
export interface Checker extends AsyncDisposable {
  /** How often it looked, and how many Pods' addresses it saw. */
  readonly seen: { readonly looks: number; readonly addresses: number };
  /** @throws AssertionError with everything that was found: what, where, when. */
  check(): void;
  /** Waits until what is under way has ended; then kernel, database, objects and VPC must agree exactly, and nothing may have been found. */
  end(limit_s?: number): Promise<void>;
}

const EVERY_ms = 700;
/** How long a kubelet may take to say that a Pod has another address, on a busy machine. */
const LASTS_ms = 30_000;

interface Held {
  readonly node: ClusterNode;
  readonly pod: LivePod;
}

/** Starts watching. */
export function watchAddresses(cluster: Cluster): Checker {
  const findings = new Map<string, string>();
  const suspects = suspicions();
  const addresses = new Set<string>();
  const stop = new AbortController();
  let looks = 0;
  const found = (what: string): void => {
    if (!findings.has(what)) findings.set(what, new Date().toISOString());
  };
  const pods = followPods(cluster, (pod) => addressesOf(pod).forEach((address) => addresses.add(`${address} ${pod.metadata.uid}`)));

  const look = async (): Promise<void> => {
    const held = await heldNow(cluster.nodes);
    const nics = await nicsOf(cluster);
    const isHeld = (address: string, node: string): boolean => holds(nicsAt(cluster, nics, node), address);
    for (const { what, who } of [...unassigned(held, isHeld), ...heldTwice(held)]) {
      // Reports and lists are not of one moment: twice, so that each was there before and after the others.
      if ((await Promise.all([...who, ...who].map(stillThere))).every(Boolean)) found(what);
    }
    suspects.look(pods.isCurrent ? strangeStatuses(pods.list(), isHeld) : undefined);
    for (const one of suspects.lasting()) found(`${one}, for ${LASTS_ms / 1000} s`);
    looks++;
  };
  const looking = (async () => {
    while (!stop.signal.aborted) {
      // The VPC may be away for a moment.
      await look().catch(() => undefined);
      await sleep(EVERY_ms, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  const check = (): void => {
    assert.deepEqual(
      [...findings].map(([what, when]) => `${when} ${what}`),
      [],
    );
    assert.ok(looks > 0, 'the checker has looked');
  };
  return {
    get seen() {
      return { looks, addresses: addresses.size };
    },
    check,
    async end(limit_s) {
      check();
      await untilAgreed(cluster, limit_s);
      check();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all([looking, pods[Symbol.asyncDispose]()]);
    },
  };
}

async function heldNow(nodes: readonly ClusterNode[]): Promise<Held[]> {
  const reports = await Promise.all(nodes.map(async (node) => ({ node, report: await reportIfAny(node) })));
  return reports.flatMap(({ node, report }) => (report?.pods ?? []).filter(({ alive }) => alive).map((pod) => ({ node, pod })));
}

/** Something that should not be, and whose it is. */
interface Finding {
  readonly what: string;
  readonly who: readonly Held[];
}

function unassigned(held: readonly Held[], isHeld: (address: string, node: string) => boolean): Finding[] {
  return held
    .filter(({ node, pod }) => !pod.addresses.every((address) => isHeld(address, node.name)))
    .map((one) => ({
      what: `${one.pod.pod} on ${one.node.name} has ${one.pod.addresses.join(' and ')}, not all assigned there in the VPC`,
      who: [one],
    }));
}

function heldTwice(held: readonly Held[]): Finding[] {
  const byAddress = Map.groupBy(
    held.flatMap((who) => who.pod.addresses.map((address) => ({ address, who }))),
    ({ address }) => address,
  );
  return [...byAddress].flatMap(([address, holders]) => {
    const names = holders.map(({ who: { node, pod } }) => `${pod.pod} on ${node.name} (${pod.container.slice(0, 12)})`);
    return holders.length < 2 ? [] : [{ what: `${address} is given to ${names.join(' and ')}`, who: holders.map(({ who }) => who) }];
  });
}

/** What is said in look after look; time in which nobody could be heard does not count. */
function suspicions(): { look(said: readonly string[] | undefined): void; lasting(): string[] } {
  const since = new Map<string, number>();
  return {
    look(said = [...since.keys()].map((one) => (since.delete(one), one))) {
      for (const one of since.keys()) if (!said.includes(one)) since.delete(one);
      for (const one of said) since.set(one, since.get(one) ?? performance.now());
    },
    lasting: () => [...since].filter(([, first]) => performance.now() - first > LASTS_ms).map(([one]) => one),
  };
}

async function stillThere({ node, pod }: Held): Promise<boolean> {
  const report = await reportIfAny(node);
  return report?.pods.some(({ container, ifname, alive }) => alive && container === pod.container && ifname === pod.ifname) ?? false;
}

/** What the Pods' statuses say that should not be, each as a sentence. */
function strangeStatuses(pods: readonly PodObject[], isHeld: (address: string, node: string) => boolean): string[] {
  const using = pods.filter(usesAddresses).flatMap((pod) => addressesOf(pod).map((address) => ({ address, pod })));
  const twice = [...Map.groupBy(using, ({ address }) => address)].filter(([, holders]) => holders.length > 1);
  return [
    ...twice.map(([address, holders]) => `${address} is in the statuses of ${holders.map(({ pod }) => nameOf(pod)).join(' and ')}`),
    ...using
      .filter(({ address, pod }) => pod.spec.nodeName !== undefined && !isHeld(address, pod.spec.nodeName))
      .map(
        ({ address, pod }) => `${nameOf(pod)} has ${address} in its status, which the VPC has not assigned to ${pod.spec.nodeName ?? ''}`,
      ),
  ];
}
