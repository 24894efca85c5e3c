/**
 * PodSubnets that are made from hostnic's settings, and kept as these say.
 *
 * Invariants
 * - of a PodSubnet with our label only the fields that the settings decide are written: what else somebody wrote into it stays
 * - one without it is somebody else's, and is neither changed nor deleted
 * - one that the API server finds wrong keeps none of the others from being written
 */
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { type Failure, isFailure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { type PodSubnet, podSubnet } from '../../store/pod-subnet.ts';
import { resources } from '../../store/kubernetes/resources.ts';

/** Whose settings a PodSubnet is made from. */
const MADE_FROM = { 'flatpod.dev/made-from': 'hostnic' } as const;
const [[LABEL, VALUE]] = Object.entries(MADE_FROM) as [[string, string]]; // it has just the one

/** The fields that the settings decide. */
const DECIDED = ['cloudSubnet', 'datapath', 'default', 'namespaces', 'within', 'exclude', 'useFirstNic'] as const;

/** What was done. */
export interface Kept {
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  /** Those that somebody else has made by the same name. */
  readonly others: readonly string[];
  /** Those that the API server found wrong as they are wanted: what there was of them stays. */
  readonly refused: readonly Refused[];
}

/** A PodSubnet that was not written. */
export interface Refused {
  readonly name: string;
  readonly why: Failure;
}

const stored = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  spec: podSubnet.shape.spec,
});

/** Brings them to what is wanted; what goes, goes first, so that its blocks are nobody's when others get them. @throws Failure kube* */
export async function keepSubnets(api: KubeApi, wanted: readonly PodSubnet[]): Promise<Kept> {
  const { items } = await api.list(resources.podSubnets, (value) => stored.parse(value));
  const there = new Map(items.map((one) => [one.metadata.name, one]));
  const isOurs = ({ metadata: { labels } }: (typeof items)[number]): boolean => labels[LABEL] === VALUE;
  const names = new Set(wanted.map(({ metadata }) => metadata.name));
  const gone = items.filter((one) => isOurs(one) && !names.has(one.metadata.name));
  for (const { metadata } of gone) await api.delete({ ...resources.podSubnets, name: metadata.name }, { uid: metadata.uid });
  const changed: string[] = [];
  const others: string[] = [];
  const refused: Refused[] = [];
  for (const subnet of wanted.toSorted((a, b) => Number(there.has(b.metadata.name)) - Number(there.has(a.metadata.name)))) {
    const { name } = subnet.metadata;
    const before = there.get(name);
    if (before !== undefined && !isOurs(before)) others.push(name);
    else if (before === undefined || !DECIDED.every((key) => isDeepStrictEqual(before.spec[key], subnet.spec[key]))) {
      const why = await refusalOf(() => (before === undefined ? make(api, subnet) : change(api, subnet)));
      if (why === undefined) changed.push(name);
      else refused.push({ name, why });
    }
  }
  return { changed, deleted: gone.map(({ metadata }) => metadata.name), others, refused };
}

/** What the API server says against the object itself; undefined: it was written. @throws Failure kube* about anything else: the next object would meet it too */
async function refusalOf(write: () => Promise<void>): Promise<Failure | undefined> {
  try {
    await write();
    return undefined;
  } catch (error) {
    if (isFailure(error, 'kubeInvalid')) return error;
    throw error;
  }
}

async function make(api: KubeApi, subnet: PodSubnet): Promise<void> {
  const { apiVersion, kind, metadata } = subnet;
  const body = { apiVersion, kind, metadata: { name: metadata.name, labels: MADE_FROM }, spec: decided(subnet) };
  await api.create(resources.podSubnets, body, () => undefined);
}

async function change(api: KubeApi, subnet: PodSubnet): Promise<void> {
  const at = { ...resources.podSubnets, name: subnet.metadata.name };
  await api.patch(at, { kind: 'merge', body: { spec: decided(subnet, null) } }, () => undefined);
}

/** `absent`: what a field gets that is not there; undefined leaves it out. */
function decided({ spec }: PodSubnet, absent?: null): Record<string, unknown> {
  return Object.fromEntries(DECIDED.map((key) => [key, spec[key] ?? absent]));
}
