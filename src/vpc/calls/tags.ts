/** Tags of any object that has an id. */
import * as z from 'zod';
import type { Kind, Objects } from '../model/objects.ts';
import { notFound, Refusal } from '../model/refusal.ts';
import { type Call, change } from './call.ts';
import * as inputs from './inputs.ts';

const kinds = ['network', 'subnet', 'nic', 'instance', 'group'] as const satisfies readonly Kind[];
const changes = z.strictObject({ set: inputs.tags.default({}), remove: z.array(z.string()).max(50).default([]) });

/** The calls of this file. */
export const tagCalls: readonly Call[] = [
  change('ChangeTags', 'PATCH', '/v1/tags/:id', changes, (transaction, { id, body }) => {
    const kind = kinds.find((one) => transaction.state[one].has(id));
    if (kind === undefined) throw notFound('object', id);
    const object = transaction.state[kind].get(id) as Objects[typeof kind]; // has() said so
    const tags: Record<string, string> = { ...object.tags, ...body.set };
    for (const key of body.remove) delete tags[key];
    if (Object.keys(tags).length > 50)
      throw new Refusal('LimitExceeded', `${id} would have ${Object.keys(tags).length} tags of at most 50`, 'remove some', 'set');
    transaction.put(kind, { ...object, tags });
    return { status: 204 };
  }),
];
