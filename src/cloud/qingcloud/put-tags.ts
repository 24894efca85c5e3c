/**
 * Tags of the account on NICs that we make: for bills and for whoever looks at them. They are ids of what somebody has made beforehand, without text of
 * ours, so nothing is known by them: that is what names are for (names.ts).
 */
import { isFailure } from '../../errors/failure.ts';
import { refuse } from '../wire/asked.ts';
import type { Api, ApiCall } from './call.ts';
import type { Patience } from './patience.ts';

/** Puts all of them on the NIC by one call; it changes nothing where they are on it already. @throws Failure cloud*; cloudInvalid when the account has no such tag. */
export async function putTags(api: Api, nic: string, tags: readonly string[], patience: Patience): Promise<void> {
  if (tags.length === 0) return;
  const call: ApiCall = { action: 'AttachTags', about: `tags of ${nic}`, parameters: tagParameters(nic, tags) };
  try {
    await api.call(call, () => undefined, patience);
  } catch (error) {
    if (!isFailure(error, 'cloudNotFound')) throw error;
    throw refuse.invalid(api.asked(call), `${error.details}: make what spec.cloud.tags names (${tags.join(', ')}), or leave it out`, error);
  }
}

/** What AttachTags is called with. */
export function tagParameters(nic: string, tags: readonly string[]): ApiCall['parameters'] {
  return { resource_tag_pairs: tags.map((tag_id) => ({ tag_id, resource_type: 'nic', resource_id: nic })) };
}
