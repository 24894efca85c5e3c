/** What a driver promises to whoever may not ask, or not so much, and about what the cloud does not know or another program owns. */
import assert from 'node:assert/strict';
import type { Cloud, CreateNic, InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import type { ErrorName } from '../../src/errors/catalogue.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { type Declare, extra, type Ground } from './contract.ts';

const tags = { 'flatpod.dev/cluster': 'contract' };
/** Like an id that the cloud gave, and none: one in 65536 ends with the four noughts that others get. */
export const unknown = <Id extends string>(id: Id): Id => `${id.slice(0, -4)}${id.endsWith('0000') ? '1111' : '0000'}` as Id;

async function refused(kind: ErrorName, calls: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const call of calls)
    await assert.rejects(
      call(),
      (error: unknown) => {
        assert.ok(isFailure(error, kind), `${String(call)}: ${String(error)} is no ${kind}`);
        return true;
      },
      String(call),
    );
}

/** All that changes something, about that interface or to make another. */
function changes(by: Cloud, nic: NicId, instance: InstanceId, request: CreateNic): (() => Promise<unknown>)[] {
  return [
    () => by.createNic(request),
    () => by.attachNic(nic, instance, 1),
    () => by.assign(nic, { addresses4: 1 }),
    () => by.deleteNic(nic),
  ];
}

/** Declares the tests. `request`: another one each time. */
export function strangersContract(promise: Declare, request: (subnet: SubnetId) => CreateNic): void {
  const knowsNobody = async ({ cloud, subnet, instance }: Ground, by: Cloud): Promise<void> => {
    const { id } = await cloud.createNic(request(subnet));
    await refused('cloudCredentials', [
      () => by.nics({ tags }),
      () => by.instance(instance),
      () => by.subnets([subnet]),
      ...changes(by, id, instance, request(subnet)),
    ]);
    const [now, ...more] = await cloud.nics({ tags });
    assert.deepEqual([now?.id, now?.blocks, now?.attachment, more], [id, [], undefined, []]);
  };

  promise('whoever the cloud does not know is told that it is the credentials, whatever is asked', async (ground, t) => {
    const stranger = extra(ground, 'stranger', t);
    if (stranger !== undefined) await knowsNobody(ground, stranger);
  });

  promise('whoever has keys that are good no more is told that it is the credentials, whatever is asked', async (ground, t) => {
    const expired = extra(ground, 'expired', t);
    if (expired !== undefined) await knowsNobody(ground, await expired(t));
  });

  promise('who may look and change nothing sees all there is, and is told for each change that it is not permitted', async (ground, t) => {
    const denied = extra(ground, 'denied', t);
    if (denied === undefined) return;
    const { cloud, subnet, instance } = ground;
    const made = await cloud.createNic(request(subnet));
    const by = await denied();
    assert.deepEqual([(await by.nics({ tags })).map(({ id }) => id), (await by.instance(instance)).id], [[made.id], instance]);
    await refused('cloudDenied', changes(by, made.id, instance, request(subnet)));
    const [now, ...more] = await by.nics({ tags });
    assert.deepEqual([now?.id, now?.blocks, now?.attachment, more], [made.id, [], undefined, []]);
    if (by.missingPermissions !== undefined) assert.notDeepEqual(await by.missingPermissions([subnet]), [], 'it says what is missing');
  });

  promise('when the account may have no further interface that is said to be a quota, and nothing is made', async (ground, t) => {
    const quota = extra(ground, 'quota', t);
    if (quota === undefined) return;
    const { cloud, subnet } = ground;
    const { id } = await cloud.createNic(request(subnet));
    await quota();
    await refused('cloudQuota', [() => cloud.createNic(request(subnet))]);
    assert.deepEqual(
      (await cloud.nics({ tags })).map((nic) => nic.id),
      [id],
    );
  });

  promise('lists of interfaces are read to their last page, by whatever they are asked for', async (ground, t) => {
    const pages = extra(ground, 'pages', t);
    if (pages === undefined) return;
    const { cloud, subnet, instance, other } = ground;
    const page = await pages();
    const made = new Set<NicId>();
    while (made.size < 2 * page + 1) made.add((await cloud.createNic(request(subnet))).id);
    for (const filter of [{ tags }, { ids: [...made] }]) {
      const found = await cloud.nics(filter);
      assert.equal(found.length, made.size, 'each once');
      assert.deepEqual(new Set(found.map(({ id }) => id)), made);
    }
    const [first] = made;
    assert.ok(first !== undefined);
    await cloud.attachNic(first, instance, 1);
    assert.equal((await cloud.nics({ instance: [instance, other] })).length, 3);
  });

  promise('subnets, security groups and instances that are not there are said to be unknown, and nothing is made', async (ground, t) => {
    const { cloud, subnet, instance } = ground;
    const [first] = await cloud.nics({ instance });
    const groups = ground.lacks.groups === undefined ? (first?.securityGroups ?? []).map(unknown).slice(0, 1) : [];
    if (groups.length === 0) t.diagnostic(`no security groups: ${ground.lacks.groups ?? 'the first interface has none'}`);
    const { id } = await cloud.createNic(request(subnet));
    await refused('cloudNotFound', [
      () => cloud.createNic(request(unknown(subnet))),
      ...groups.map((group) => () => cloud.createNic({ ...request(subnet), securityGroups: [group] })),
      () => cloud.instance(unknown(instance)),
      () => cloud.attachNic(id, unknown(instance), 1),
    ]);
    assert.deepEqual(await cloud.subnets([unknown(subnet)]), []);
    assert.deepEqual(
      (await cloud.nics({ tags })).map((nic) => nic.id),
      [id],
    );
  });

  promise(
    'an interface that another program has marked as its own is listed and says whose it is, and nothing is changed about it',
    async (ground, t) => {
      const foreign = extra(ground, 'foreign', t);
      if (foreign === undefined) return;
      const { cloud, subnet, instance } = ground;
      const { id } = await cloud.createNic({ ...request(subnet), tags: { of: 'another program' } });
      const blocks = await cloud.assign(id, { addresses4: 1 });
      await foreign(id);
      const [found] = await cloud.nics({ ids: [id] });
      assert.ok(found?.whose !== undefined);
      await refused('cloudInvalid', [
        () => cloud.attachNic(id, instance, 1),
        () => cloud.assign(id, { addresses4: 1 }),
        () => cloud.unassign(id, blocks),
        () => cloud.detachNic(id),
        () => cloud.deleteNic(id),
      ]);
      assert.deepEqual(await cloud.nics({ ids: [id] }), [found]);
    },
  );
}
