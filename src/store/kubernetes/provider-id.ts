/** Which instance of the cloud a Node is, by its spec.providerID: `CLOUD://[PLACE/…]INSTANCE`, as cloud providers write it. */
import type { InstanceId } from '../../cloud/cloud.ts';

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
