/** Tags: made first, then attached to resources by their ids. */
import * as z from 'zod';
import type { Transaction } from '../model/model.ts';
import type { State } from '../model/objects.ts';
import { type Action, change, ownerOf, read, timeOf } from './action.ts';
import { freshId, groupBy, instanceBy, nicBy, subnetBy } from './ids.ts';
import { created_ms, type Facts, noteOf, notesOf, putNote, removeNote } from './notes.ts';
import { list, page, paged, some, text } from './parameters.ts';
import { Problem, unknown } from './problem.ts';

const pair = z.strictObject({ tag_id: some, resource_type: some, resource_id: some });
const pairs = z.strictObject({ resource_tag_pairs: z.array(pair).min(1, 'is empty') });
type TagPair = z.output<typeof pair>;

/** The actions of this file. */
export const tagActions: readonly Action[] = [
  change(
    ['CreateTag'],
    z.strictObject({ tag_name: some, color: text.optional() }),
    (transaction, { tag_name, color = 'default' }, { account }) => {
      const taken = notesOf(transaction.state, 'tag').some(({ facts }) => facts['name'] === tag_name && facts['owner'] === account.owner);
      if (taken) throw new Problem('denied', `a tag is called [${tag_name}] already`);
      const id = freshId('tag');
      const facts = { name: tag_name, color, owner: account.owner, pairs: '[]', created_ms: String(transaction.now_ms) };
      putNote(transaction, 'tag', id, facts);
      return { tag_id: id };
    },
  ),
  read(['DescribeTags'], z.strictObject({ ...page, tags: list.optional() }), (state, wanted, asking) => {
    const found = notesOf(state, 'tag').filter(
      ({ key, facts }) => (wanted.tags?.includes(key) ?? true) && (wanted.owner === undefined || wanted.owner === ownerOf(facts, asking)),
    );
    return paged('tag_set', found, wanted, (tag) => ({
      tag_id: tag.key,
      tag_name: tag.facts['name'] ?? '',
      color: tag.facts['color'] ?? '',
      owner: ownerOf(tag.facts, asking),
      resource_count: pairsOf(tag.facts).length,
      resource_tag_pairs: pairsOf(tag.facts).map((one) => ({ ...one, tag_id: tag.key })),
      create_time: timeOf(created_ms(tag)),
    }));
  }),
  change(['DeleteTags'], z.strictObject({ tags: list }), (transaction, { tags }) => {
    for (const id of tags) if (noteOf(transaction.state, 'tag', id) === undefined) throw unknown(id);
    for (const id of tags) removeNote(transaction, 'tag', id);
    return { tags };
  }),
  change(['AttachTags'], pairs, (transaction, { resource_tag_pairs: wanted }) => {
    for (const one of wanted) {
      checkExists(transaction.state, one);
      setPairs(transaction, one.tag_id, (before) => [...before.filter(isOther(one)), one]);
    }
    return {};
  }),
  change(['DetachTags'], pairs, (transaction, { resource_tag_pairs: wanted }) => {
    for (const one of wanted) setPairs(transaction, one.tag_id, (before) => before.filter(isOther(one)));
    return {};
  }),
];

/** The tags of a resource, as lists show them. */
export function tagsOf(state: State, resource: string): object[] {
  return tagsIn(state)(resource);
}

/** The same for many resources of one list. */
export function tagsIn(state: State): (resource: string) => object[] {
  const tags = notesOf(state, 'tag').flatMap(({ key, facts }) =>
    pairsOf(facts).map(({ resource_id }) => ({
      resource_id,
      tag: { tag_id: key, tag_name: facts['name'] ?? '', color: facts['color'] ?? '' },
    })),
  );
  const byResource = Map.groupBy(tags, ({ resource_id }) => resource_id);
  return (resource) => (byResource.get(resource) ?? []).map(({ tag }) => tag);
}

/** Takes all tags from a resource that is going. */
export function dropTags(transaction: Transaction, resource: string): void {
  for (const { key, facts } of notesOf(transaction.state, 'tag'))
    if (pairsOf(facts).some(({ resource_id }) => resource_id === resource))
      setPairs(transaction, key, (before) => before.filter(({ resource_id }) => resource_id !== resource));
}

type Attached = Omit<TagPair, 'tag_id'>;

function pairsOf(facts: Facts): Attached[] {
  return JSON.parse(facts['pairs'] ?? '[]') as Attached[]; // what setPairs wrote
}

function isOther({ resource_id, resource_type }: Attached): (one: Attached) => boolean {
  return (one) => one.resource_id !== resource_id || one.resource_type !== resource_type;
}

/** @throws Problem 2100. */
function setPairs(transaction: Transaction, tag: string, to: (before: Attached[]) => Attached[]): void {
  const facts = noteOf(transaction.state, 'tag', tag);
  if (facts === undefined) throw unknown(tag);
  const after = to(pairsOf(facts)).map(({ resource_id, resource_type }) => ({ resource_id, resource_type }));
  putNote(transaction, 'tag', tag, { ...facts, pairs: JSON.stringify(after) });
}

function checkExists(state: State, { resource_type, resource_id }: TagPair): void {
  switch (resource_type) {
    case 'nic':
      nicBy(state, resource_id);
      return;
    case 'instance':
      instanceBy(state, resource_id);
      return;
    case 'vxnet':
      subnetBy(state, resource_id);
      return;
    case 'security_group':
      groupBy(state, resource_id);
      return;
    case 'vip':
    case 'loadbalancer':
      if (noteOf(state, resource_type, resource_id) === undefined) throw unknown(resource_id);
      return;
    default:
      throw new Problem('malformed', `resource_type [${resource_type}] has no tags`);
  }
}
