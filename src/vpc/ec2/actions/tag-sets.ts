/** Tags as EC2 writes and reads them. */
import type { Tags } from '../../../cloud/cloud.ts';
import type { Parameters } from '../parameters.ts';
import { invalid, Refused } from '../refused.ts';
import type { Shown } from '../xml.ts';

const MOST_TAGS = 50;

/** The tags as an answer has them. */
export function tagSet(tags: Tags): Shown {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

/** The tags of a list of keys and values. @throws Refused InvalidParameterValue, TagLimitExceeded. */
export function tagsIn(parameters: readonly Parameters[]): Record<string, string> {
  const pairs = parameters.map((one) => [one.needed('Key'), one.text('Value') ?? ''] as const);
  for (const [key, value] of pairs) {
    if (key.length > 127) throw invalid('Tag key exceeds the maximum length of 127 characters');
    if (value.length > 255) throw invalid('Tag value exceeds the maximum length of 255 characters');
    if (key.startsWith('aws:')) throw invalid(`Tag keys starting with 'aws:' are reserved for internal use`);
  }
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length) throw invalid('Duplicate tag key specified.');
  if (pairs.length > MOST_TAGS) throw new Refused('TagLimitExceeded', `The maximum number of Tags for a resource has been reached.`);
  return Object.fromEntries(pairs);
}

/** The tags for what is created, by kind of resource. @throws Refused InvalidParameterValue for a kind that the action does not create. */
export function tagSpecifications(parameters: Parameters, ...kinds: readonly string[]): Record<string, Record<string, string>> {
  const found: Record<string, Record<string, string>> = {};
  for (const one of parameters.items('TagSpecification')) {
    const kind = one.needed('ResourceType');
    if (!kinds.includes(kind)) throw invalid(`'${kind}' is not a valid taggable resource type for this operation.`);
    if (kind in found) throw invalid(`Tag specification resource type '${kind}' is given twice`);
    found[kind] = tagsIn(one.items('Tag'));
  }
  return found;
}
