/**
 * Tags of the account on NICs that we make: for bills and for whoever looks at them. They are ids of what somebody has made beforehand, without text of
 * ours, so nothing is known by them: that is what names are for (names.ts).
 */
import { isFailure } from '../../errors/failure.ts';
import { type Clock, sleep } from '../clock.ts';
import type { NicId } from '../cloud.ts';
import { refuse } from '../wire/asked.ts';
import type { ApiCall } from './call.ts';
import type { Patience } from './patience.ts';
import { readNic, type Reader } from './vxnet.ts';

/** Between two looks for a NIC that was just made. */
const PAUSE_ms = 250;

/**
 * Puts all of them on the NIC by one call; it changes nothing where they are on it already. What is not found may be the NIC, which is new, or a tag: of
 * that the cloud's answer is no proof before a list shows the NIC.
 * @throws Failure cloud*; cloudInvalid when the account has no such tag, cloudUnavailable when no list has shown the NIC in time.
 */
export async function putTags(use: Reader & { readonly clock: Clock }, nic: NicId, patience: Patience): Promise<void> {
  const { api, clock, settings } = use;
  const { tags } = settings;
  if (tags.length === 0) return;
  const call: ApiCall = { action: 'AttachTags', about: `tags of ${nic}`, parameters: tagParameters(nic, tags) };
  for (let isShown = false; ; ) {
    try {
      return await api.call(call, () => undefined, patience);
    } catch (error) {
      if (!isFailure(error, 'cloudNotFound')) throw error;
      const remedy = `make what spec.cloud.tags names (${tags.join(', ')}), or leave it out`;
      if (isShown) throw refuse.invalid(api.asked(call), `${error.details}: ${remedy}`, error);
    }
    isShown = (await readNic(use, nic, patience)) !== undefined;
    if (!isShown) await sleep(clock, Math.min(PAUSE_ms, patience.left_ms()));
  }
}

/** What AttachTags is called with. */
export function tagParameters(nic: string, tags: readonly string[]): ApiCall['parameters'] {
  return { resource_tag_pairs: tags.map((tag_id) => ({ tag_id, resource_type: 'nic', resource_id: nic })) };
}
