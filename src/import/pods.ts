/** Pods in a dump (kubectl get pods -A -o json), as far as an import looks at them, and the claims for those with an address of their own. */
import * as z from 'zod';
import { type Ip, tryParseIp } from '../net/address.ts';
import { show } from '../store/say-issue.ts';
import { type Account, below, type Setting } from './account.ts';
import type { Made } from './made.ts';
import type { Found } from './objects.ts';

const podShape = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string().default('default'),
    annotations: z.record(z.string(), z.string()).nullish(),
    ownerReferences: z.array(z.object({ kind: z.string(), name: z.string() })).nullish(),
  }),
  spec: z.object({ nodeName: z.string().default(''), hostNetwork: z.boolean().default(false) }).prefault({}),
  status: z
    .object({ phase: z.string().default(''), podIP: z.string().nullish(), podIPs: z.array(z.object({ ip: z.string() })).nullish() })
    .prefault({}),
});

/** A Pod of the dump. */
export interface DumpedPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** `StatefulSet web`; absent: a Pod by itself. */
  readonly owner?: { readonly kind: string; readonly name: string };
  /** Of a Pod that has not ended and is not on its node's network. */
  readonly addresses: readonly Ip[];
  readonly object: Setting;
}

/** Reads them. What is no Pod is a mistake. */
export function podsIn(found: readonly Found[], account: Account): DumpedPod[] {
  return found.flatMap(({ object }) => {
    const read = podShape.safeParse(object.value);
    if (!read.success) {
      const issue = read.error.issues[0];
      const path = issue?.path.filter((key) => typeof key !== 'symbol') ?? [];
      const name = ['Pod', ...path].join('.');
      account.wrong({ ...below(object, ...path), name }, issue?.message ?? 'is no Pod', 'make the dump again: kubectl get pods -A -o json');
      return [];
    }
    const { metadata, spec, status } = read.data;
    const owner = metadata.ownerReferences?.[0];
    const lives = !spec.hostNetwork && status.phase !== 'Succeeded' && status.phase !== 'Failed';
    const texts = status.podIPs?.map(({ ip }) => ip) ?? (status.podIP ? [status.podIP] : []);
    return [
      {
        namespace: metadata.namespace,
        name: metadata.name,
        node: spec.nodeName,
        annotations: metadata.annotations ?? {},
        ...(owner !== undefined && { owner }),
        addresses: lives ? texts.flatMap((text) => tryParseIp(text) ?? []) : [],
        object,
      },
    ];
  });
}

/** Addresses that the annotation of a Pod names: one, several with commas between, or a JSON list of them. Undefined: it has no such annotation. */
function addressesAsked(
  pod: DumpedPod,
  annotation: string,
  account: Account,
): { readonly setting: Setting; readonly addresses: Ip[] } | undefined {
  const text = pod.annotations[annotation];
  if (text === undefined) return undefined;
  const setting = { ...below(pod.object, 'metadata', 'annotations', annotation), name: `${pod.namespace}/${pod.name} ${annotation}` };
  const addresses = text
    .split(/[[\]",\s]+/)
    .filter((part) => part !== '')
    .map((part) => ({ part, address: tryParseIp(part) }));
  for (const { part, address } of addresses)
    if (address === undefined) account.wrong(setting, `${show(part)} is no address`, 'correct the annotation');
  return { setting, addresses: addresses.flatMap(({ address }) => address ?? []) };
}

/** What a Pod has to be to have its name, and so an IPClaim, when it comes again. */
function keepsItsName({ owner }: DumpedPod): boolean {
  return owner === undefined || owner.kind === 'StatefulSet';
}

/** An IPClaim for each Pod that asks for addresses; `subnetOf` says the PodSubnet of an address where it is known. */
export function claimsOf(
  pods: readonly DumpedPod[],
  annotation: string,
  subnetOf: (address: Ip) => string | undefined,
  account: Account,
): Made[] {
  const told = new Set<string>();
  return pods.flatMap((pod) => {
    const asked = addressesAsked(pod, annotation, account);
    if (asked === undefined) return [];
    const { setting, addresses } = asked;
    if (addresses.length === 0) {
      account.none(setting, 'it names no address', 'nothing');
      return [];
    }
    const { namespace, name, owner } = pod;
    const workload = owner === undefined ? `Pod ${namespace}/${name}` : `${owner.kind} ${namespace}/${owner.name}`;
    if (!keepsItsName(pod)) {
      const remedy = 'write an IPClaim with podSelector, count and these addresses, and flatpod.dev/ip-claim into the template';
      account.none(setting, `Pods of ${workload} have a new name each time, by which no IPClaim would know them`, remedy);
      return [];
    }
    account.taken(setting, `IPClaim ${namespace}/${name} spec.addresses`);
    if (!told.has(workload))
      account.left(
        workload,
        'annotations',
        'its Pods must ask for their IPClaim',
        'add flatpod.dev/ip: fixed to (the template of) the Pod',
      );
    told.add(workload);
    const subnet = addresses.map(subnetOf).find((one) => one !== undefined);
    const spec = { ...(subnet !== undefined && { subnet }), pod: name, addresses };
    return [{ kind: 'IPClaim', name, namespace, spec, comment: `Annotation ${annotation} of Pod ${namespace}/${name}` }];
  });
}
