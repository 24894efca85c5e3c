/** Which instance of the cloud a Node is, by its spec.providerID: `CLOUD://[PLACE/…]INSTANCE`, as cloud providers write it. */
import type { InstanceId } from '../../cloud/cloud.ts';

/** Where QingCloud's clusters without a cloud controller name the instance; hostnic reads it. */
const INSTANCE = 'node.beta.kubernetes.io/instance-id';

/** What the Node says of its instance: its spec.providerID, else that annotation in the same shape. undefined: nothing. */
export function providerIdOf(
  spec: { readonly providerID?: string | undefined },
  annotations: Readonly<Record<string, string>>,
): string | undefined {
  const instance = annotations[INSTANCE];
  return spec.providerID ?? (instance === undefined || instance === '' ? undefined : `qingcloud:///${instance}`);
}

/** The last part: `vpc:///zone-a/i-1` → `i-1`. undefined: there is none. */
export function instanceOf(providerId: string | undefined): InstanceId | undefined {
  const last = partsOf(providerId).at(-1);
  // This is where the cloud's id enters.
  return last === undefined || last === '' ? undefined : (last as InstanceId);
}

/** The part before: `vpc:///zone-a/i-1` → `zone-a`. undefined: it names no place. */
export function zoneOf(providerId: string | undefined): string | undefined {
  const place = partsOf(providerId).at(-2);
  return place === '' ? undefined : place;
}

function partsOf(providerId: string | undefined): string[] {
  const [, path = ''] = /^[a-z][a-z0-9-]*:\/\/(.+)$/.exec(providerId ?? '') ?? [];
  return path.split('/');
}
