/**
 * A cloud whose reads for single nodes are made many at a time: what is asked for while calls of the same kind are under way goes into the next one together.
 * So a read that has nobody to wait for goes at once, and the longer calls have to wait for their turn at the account's pace, the more each of them brings:
 * 5000 nodes cost a sixteenth of the calls and more, where sixteen are looked at at once.
 *
 * Invariants
 * - an answer is of a call that began after it was asked for: nobody gets what was read before
 * - what one id does wrong harms no other: a list that is refused as invalid is asked for one by one
 */
import { isFailure } from '../../errors/failure.ts';
import type { Cloud, CloudNic, InstanceId, NicFilter, Tags } from '../cloud.ts';

/** Calls of a kind under way at a time: a slow answer must not hold up all others. */
const AT_ONCE = 2;
/** What clouds take in a list; a URL of 100 ids has 4 KiB. */
const MOST = 100;

/** Wrap the paced cloud: the calls that are gathered wait there. */
export function gathered(cloud: Cloud): Cloud {
  const instances = gathering(async (ids: readonly InstanceId[]) => {
    if (ids.length === 1) return Promise.all(ids.map((id) => cloud.instance(id)));
    const found = new Map((await cloud.instances(ids)).map((one) => [one.id, one]));
    // The cloud itself says what is wrong with one that it does not know.
    return Promise.all(ids.map(async (id) => found.get(id) ?? (await cloud.instance(id))));
  });
  const attached = gathering(async (ids: readonly InstanceId[]) => {
    if (ids.length === 1) return Promise.all(ids.map((instance) => cloud.nics({ instance })));
    const found = Map.groupBy(await cloud.nics({ instance: ids }), ({ attachment }) => attachment?.instance);
    return ids.map((id) => found.get(id) ?? []);
  });
  const tagged = new Map<string, (value: string) => Promise<CloudNic[]>>();

  /** Those that differ in the value of the last tag alone go together. */
  function byTags(tags: Tags): Promise<CloudNic[]> {
    const [[key, value] = ['', ''], ...others] = Object.entries(tags).toReversed();
    const kind = JSON.stringify([key, others]);
    const ask =
      tagged.get(kind) ??
      gathering(async (values: readonly string[]) => {
        const same = Object.fromEntries(others);
        if (values.length === 1) return Promise.all(values.map((one) => cloud.nics({ tags: { ...same, [key]: one } })));
        const found = Map.groupBy(await cloud.nics({ tags: { ...same, [key]: values } }), (nic) => nic.tags[key]);
        return values.map((one) => found.get(one) ?? []);
      });
    tagged.set(kind, ask);
    return ask(value);
  }

  return {
    name: cloud.name,
    network: () => cloud.network(),
    instance: (id) => instances(id),
    instances: (ids) => cloud.instances(ids),
    subnets: (named) => cloud.subnets(named),
    nics(filter) {
      const { ids, instance, tags } = filter;
      if (ids === undefined && tags === undefined && typeof instance === 'string') return attached(instance);
      if (ids === undefined && instance === undefined && tags !== undefined && isOfANode(tags)) return byTags(tags);
      return cloud.nics(filter);
    },
    createNic: (request) => cloud.createNic(request),
    attachNic: (nic, instance, index) => cloud.attachNic(nic, instance, index),
    attachBranch: (nic, trunk, vlan) => cloud.attachBranch(nic, trunk, vlan),
    detachNic: (nic) => cloud.detachNic(nic),
    deleteNic: (nic) => cloud.deleteNic(nic),
    assign: (nic, want, whose) => cloud.assign(nic, want, whose),
    unassign: (nic, blocks) => cloud.unassign(nic, blocks),
  };
}

/** One tag alone says what is whose, and is never asked for with many values. */
function isOfANode(tags: NonNullable<NicFilter['tags']>): tags is Tags {
  const values = Object.values(tags);
  return values.length > 1 && values.every((value) => typeof value === 'string');
}

interface Waiting<T> {
  readonly resolve: (answer: T) => void;
  readonly reject: (error: unknown) => void;
}

/** `read` answers for each key in its place. Whoever asks for a key that waits already gets the same answer. */
function gathering<K, T>(read: (keys: readonly K[]) => Promise<readonly T[]>): (key: K) => Promise<T> {
  const waiting = new Map<K, Waiting<T>[]>();
  let running = 0;

  async function answer(asked: readonly (readonly [K, readonly Waiting<T>[]])[]): Promise<void> {
    try {
      const answers = await read(asked.map(([key]) => key));
      asked.forEach(([, all], i) => {
        // One answer for each key, as `read` promises.
        for (const { resolve } of all) resolve(answers[i] as T);
      });
    } catch (error) {
      if (isFailure(error, 'cloudInvalid') && asked.length > 1) await Promise.all(asked.map((one) => answer([one])));
      else for (const [, all] of asked) for (const { reject } of all) reject(error);
    }
  }
  function next(): void {
    if (running >= AT_ONCE || waiting.size === 0) return;
    const asked = [...waiting].slice(0, MOST);
    for (const [key] of asked) waiting.delete(key);
    running++;
    void answer(asked).finally(() => {
      running--;
      next();
    });
  }
  return (key) => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    waiting.set(key, [...(waiting.get(key) ?? []), { resolve, reject }]);
    next();
    return promise;
  };
}
