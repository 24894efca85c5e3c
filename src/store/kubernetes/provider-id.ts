/** Which instance of the cloud a Node is, by its spec.providerID: `CLOUD://[PLACE/…]INSTANCE`, as cloud providers write it. */
import type { InstanceId } from '../../cloud/cloud.ts';

/** The last part: `vpc:///zone-a/i-1` → `i-1`. undefined: there is none. */
export function instanceOf(providerId: string | undefined): InstanceId | undefined {
  const [, path = ''] = /^[a-z][a-z0-9-]*:\/\/(.+)$/.exec(providerId ?? '') ?? [];
  const last = path.split('/').at(-1);
  // This is where the cloud's id enters.
  return last === undefined || last === '' ? undefined : (last as InstanceId);
}
