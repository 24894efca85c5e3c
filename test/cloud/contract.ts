/** What every cloud driver promises (src/cloud/cloud.ts), as tests to be run against each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cloud, CloudNic, CreateNic, InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { addToIp } from '../../src/net/address.ts';
import { cidrFamily, cidrOf, containsCidr, hostCidr, lengthOf, parseCidr } from '../../src/net/cidr.ts';

/** A fresh cloud with what the suite needs in it. */
export interface Ground extends AsyncDisposable {
  readonly cloud: Cloud;
  /** IPv4 /24 and IPv6. */
  readonly subnet: SubnetId;
  /** IPv4 /28. */
  readonly small: SubnetId;
  /** In another zone. */
  readonly far: SubnetId;
  /** Of a type with 2 NICs, 4 address slots, 4 IPv6 slots; its first NIC lies in `subnet`. */
  readonly instance: InstanceId;
  /** Another like it. */
  readonly other: InstanceId;
  /** Of a type with 3 NICs, 4 address slots and 2 branches. Absent: the cloud has no trunks. */
  readonly branching?: InstanceId;
}

/** Declares the suite for one driver. */
export function cloudContract(driver: string, make: () => Promise<Ground>): void {
  const promise = (words: string, body: (ground: Ground) => Promise<void>): void => {
    test(`${driver}: ${words}`, async () => {
      await using ground = await make();
      await body(ground);
    });
  };
  let tokens = 0;
  const request = (subnet: SubnetId, more: Partial<CreateNic> = {}): CreateNic => ({
    clientToken: `contract-${++tokens}`,
    subnet,
    securityGroups: [],
    tags: { 'flatpod.dev/cluster': 'contract', 'flatpod.dev/node': 'n1' },
    description: 'contract',
    ...more,
  });
  const only = async (cloud: Cloud, id: NicId): Promise<CloudNic> => {
    const [nic, ...more] = await cloud.nics({ ids: [id] });
    assert.ok(nic !== undefined && more.length === 0);
    return nic;
  };
  const attached = async (cloud: Cloud, id: NicId): Promise<CloudNic> => {
    for (let look = 0; look < 100; look++) {
      const nic = await only(cloud, id);
      if (nic.attachment?.state === 'attached') return nic;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`${id} was not attached within two seconds`);
  };
  const detached = async (cloud: Cloud, id: NicId): Promise<void> => {
    for (let look = 0; look < 100 && (await only(cloud, id)).attachment !== undefined; look++)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const refused = (kind: Parameters<typeof isFailure>[1]) => (error: unknown) => {
    assert.ok(isFailure(error, kind), `${String(error)} is no ${kind ?? 'failure'}`);
    return true;
  };

  promise('the VPC, the instance and its subnets are told', async ({ cloud, instance, subnet, small }) => {
    const { cidrs } = await cloud.network();
    const found = await cloud.subnets([subnet, small]);
    assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([subnet, small]));
    for (const { cidr4 } of found) assert.ok(cidr4 !== undefined && cidrs.some((cidr) => containsCidr(cidr, cidr4)));
    const { limits, state, zone } = await cloud.instance(instance);
    assert.deepEqual(limits, { nics: 2, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 });
    assert.equal(state, 'running');
    assert.equal(zone, found[0]?.zone);
  });

  promise('an instance has its first NIC at device index 0', async ({ cloud, instance, subnet }) => {
    const [first, ...more] = await cloud.nics({ instance });
    assert.deepEqual(more, []);
    assert.equal(first?.subnet, subnet);
    assert.deepEqual(first?.attachment, { instance, deviceIndex: 0, state: 'attached' });
    assert.ok(first?.primary4 !== undefined && first.primary6 !== undefined);
  });

  promise('the same token twice gives the same NIC', async ({ cloud, subnet }) => {
    const same = request(subnet, { want: { addresses4: 2, prefixes6: 1 } });
    const first = await cloud.createNic(same);
    const second = await cloud.createNic(same);
    assert.equal(second.id, first.id);
    assert.equal(first.blocks.length, 3);
    assert.equal((await cloud.nics({ tags: same.tags })).length, 1);
  });

  promise('the same token for another request is refused for good', async ({ cloud, subnet }) => {
    const once = request(subnet);
    await cloud.createNic(once);
    await assert.rejects(cloud.createNic({ ...once, want: { addresses4: 2 } }), refused('cloudInvalid'));
  });

  promise('a NIC is found by id and by tags, and keeps its tags', async ({ cloud, subnet }) => {
    const made = await cloud.createNic(request(subnet));
    assert.deepEqual((await only(cloud, made.id)).tags, made.tags);
    assert.deepEqual(
      (await cloud.nics({ tags: { 'flatpod.dev/node': 'n1' } })).map(({ id }) => id),
      [made.id],
    );
    assert.deepEqual(await cloud.nics({ tags: { 'flatpod.dev/node': 'n2' } }), []);
    assert.equal(made.attachment, undefined);
  });

  promise(
    'several instances are told at once, without those it does not know, and so are their NICs',
    async ({ cloud, subnet, instance, other }) => {
      const unknown = `${instance.slice(0, -4)}0000` as InstanceId;
      const found = await cloud.instances([instance, other, unknown]);
      assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([instance, other]));
      assert.deepEqual(
        found.find(({ id }) => id === other),
        await cloud.instance(other),
      );
      assert.deepEqual(await cloud.instances([]), []);
      const nics = await cloud.nics({ instance: [instance, other, unknown] });
      assert.deepEqual(new Set(nics.map(({ attachment }) => attachment?.instance)), new Set([instance, other]));
      const made = [await cloud.createNic(request(subnet)), await cloud.createNic(request(subnet, { tags: { 'flatpod.dev/node': 'n2' } }))];
      const both = await cloud.nics({ tags: { 'flatpod.dev/node': ['n1', 'n2', 'n3'] } });
      assert.deepEqual(new Set(both.map(({ id }) => id)), new Set(made.map(({ id }) => id)));
      assert.deepEqual(await cloud.nics({ tags: { 'flatpod.dev/cluster': 'contract', 'flatpod.dev/node': ['n2', 'n3'] } }), []);
    },
  );

  promise('a filter without conditions is refused', async ({ cloud }) => {
    await assert.rejects(cloud.nics({}), refused('cloudInvalid'));
  });

  promise('attach may be repeated', async ({ cloud, subnet, instance }) => {
    const { id } = await cloud.createNic(request(subnet));
    await cloud.attachNic(id, instance, 1);
    await cloud.attachNic(id, instance, 1);
    assert.deepEqual((await attached(cloud, id)).attachment, { instance, deviceIndex: 1, state: 'attached' });
  });

  promise(
    'attach to a taken place, elsewhere, or beyond the limit is refused with its reason',
    async ({ cloud, subnet, far, instance, other }) => {
      const [one, two] = [await cloud.createNic(request(subnet)), await cloud.createNic(request(subnet))];
      await cloud.attachNic(one.id, instance, 1);
      await assert.rejects(cloud.attachNic(one.id, other, 1), refused('cloudConflict'));
      await assert.rejects(cloud.attachNic(two.id, instance, 1), refused('cloudConflict'));
      await assert.rejects(cloud.attachNic(two.id, instance, 2), refused('cloudLimit'));
      const away = await cloud.createNic(request(far));
      await assert.rejects(cloud.attachNic(away.id, other, 1), refused('cloudInvalid'));
    },
  );

  promise('assign answers with the new blocks alone, as many as asked, of the kinds asked', async ({ cloud, subnet, instance }) => {
    const { id } = await cloud.createNic(request(subnet));
    await cloud.attachNic(id, instance, 1);
    const one = await cloud.assign(id, { addresses4: 1 });
    const more = await cloud.assign(id, { addresses4: 1, prefixes4: 1, prefixes6: 1 });
    assert.deepEqual(more.map((block) => `${cidrFamily(block)}/${lengthOf(block)}`).sort(), ['4/28', '4/32', '6/80']);
    assert.deepEqual((await only(cloud, id)).blocks.toSorted(), [...one, ...more].sort());
  });

  promise('assign is all or none, and says whether the subnet or the instance is full', async ({ cloud, small, subnet, instance }) => {
    const { id } = await cloud.createNic(request(small));
    await assert.rejects(cloud.assign(id, { addresses4: 11 }), refused('cloudSubnetFull'));
    assert.deepEqual((await only(cloud, id)).blocks, []);
    await assert.rejects(cloud.createNic(request(small, { want: { addresses4: 11 } })), refused('cloudSubnetFull'));
    const { id: roomy } = await cloud.createNic(request(subnet));
    await cloud.attachNic(roomy, instance, 1);
    await assert.rejects(cloud.assign(roomy, { addresses4: 4 }), refused('cloudLimit'));
    assert.deepEqual((await only(cloud, roomy)).blocks, []);
  });

  promise('blocks asked for by value are given, of every kind, on top of what is counted', async ({ cloud, subnet }) => {
    const { id } = await cloud.createNic(request(subnet));
    const these = ['10.20.0.64/28', '10.20.0.99/32', '2001:db8:20::99/128', '2001:db8:20:0:7::/80'].map(parseCidr);
    const blocks = await cloud.assign(id, { these, addresses4: 2 });
    assert.deepEqual(blocks.slice(0, 4), these);
    assert.equal(blocks.length, 6);
    assert.deepEqual((await only(cloud, id)).blocks.toSorted(), blocks.toSorted());
  });

  promise('what was asked for by value alone may be asked for again, and is answered again', async ({ cloud, subnet }) => {
    const { id } = await cloud.createNic(request(subnet));
    const these = [parseCidr('10.20.0.77/32'), parseCidr('2001:db8:20::99/128')];
    await cloud.assign(id, { these: these.slice(0, 1) });
    assert.deepEqual(await cloud.assign(id, { these }), these);
    assert.deepEqual(await cloud.assign(id, { these }), these);
    assert.deepEqual((await only(cloud, id)).blocks.toSorted(), these.toSorted());
  });

  promise('a NIC is born with the blocks asked for by value, and its own addresses leave them free', async ({ cloud, subnet }) => {
    const lowest = (await cloud.createNic(request(subnet))).primary4;
    assert.ok(lowest !== undefined);
    const these = [1, 2, 3].map((offset) => hostCidr(addToIp(lowest, offset)));
    const made = await cloud.createNic(request(subnet, { want: { these, addresses4: 1 } }));
    assert.equal(made.blocks.length, 4);
    assert.ok(these.every((block) => made.blocks.includes(block)));
    assert.ok(made.primary4 !== undefined && !made.blocks.includes(hostCidr(made.primary4)));
  });

  promise(
    'an address that another NIC holds is refused with the address and its holder, until it is given back',
    async ({ cloud, subnet }) => {
      const [holder, other] = [await cloud.createNic(request(subnet)), await cloud.createNic(request(subnet))];
      const these = [parseCidr('10.20.0.77/32')];
      await cloud.assign(holder.id, { these });
      const taken = (address: string, by: NicId) => (error: unknown) => {
        assert.ok(isFailure(error, 'cloudAddressTaken'), String(error));
        assert.ok(error.message.includes(`${address}:`) && error.message.includes(by), error.message);
        return true;
      };
      await assert.rejects(cloud.assign(other.id, { these }), taken('10.20.0.77', holder.id));
      await assert.rejects(cloud.createNic(request(subnet, { want: { these } })), taken('10.20.0.77', holder.id));
      const prefix = [parseCidr('10.20.0.64/28')];
      await assert.rejects(cloud.assign(other.id, { these: prefix }), taken('10.20.0.64/28', holder.id));
      await assert.rejects(cloud.assign(holder.id, { these: prefix }), taken('10.20.0.64/28', holder.id));
      await cloud.unassign(holder.id, these);
      assert.deepEqual(await cloud.assign(other.id, { these }), these);
    },
  );

  promise('one block that cannot be had, and none is given', async ({ cloud, subnet, small }) => {
    const [holder, other] = [await cloud.createNic(request(subnet)), await cloud.createNic(request(subnet))];
    const [free, taken] = [parseCidr('10.20.0.76/32'), parseCidr('10.20.0.77/32')];
    await cloud.assign(holder.id, { these: [taken] });
    await assert.rejects(cloud.assign(other.id, { these: [free, taken], addresses4: 1 }), refused('cloudAddressTaken'));
    assert.deepEqual((await only(cloud, other.id)).blocks, []);
    const tight = await cloud.createNic(request(small));
    await assert.rejects(cloud.assign(tight.id, { these: [parseCidr('10.20.1.9/32')], addresses4: 10 }), refused('cloudSubnetFull'));
    assert.deepEqual((await only(cloud, tight.id)).blocks, []);
  });

  promise('what no NIC may hold is refused as invalid, whoever asks', async ({ cloud, subnet, small }) => {
    const [one, other] = [await cloud.createNic(request(subnet)), await cloud.createNic(request(subnet))];
    assert.ok(other.primary4 !== undefined && other.primary6 !== undefined && one.primary4 !== undefined);
    const reserved = [
      '10.20.0.0/32',
      '10.20.0.1/32',
      '10.20.0.3/32',
      '10.20.0.255/32',
      '10.20.0.0/28',
      '10.20.0.240/28',
      '2001:db8:20::/80',
    ];
    const outside = ['10.20.1.7/32', '10.20.1.0/28', '2001:db8:21::7/128'];
    const noBlock = ['10.20.0.64/29', '10.20.0.0/24', '2001:db8:20:0:7::/96'];
    const wrong = [...reserved, ...outside, ...noBlock].map(parseCidr);
    for (const block of [...wrong, hostCidr(other.primary4), hostCidr(other.primary6), hostCidr(one.primary4), cidrOf(other.primary4, 28)])
      await assert.rejects(cloud.assign(one.id, { these: [block] }), refused('cloudInvalid'), block);
    const twice = ['10.20.0.64/28', '10.20.0.77/32'].map(parseCidr);
    await assert.rejects(cloud.assign(one.id, { these: twice }), refused('cloudInvalid'));
    const without6 = await cloud.createNic(request(small));
    await assert.rejects(cloud.assign(without6.id, { these: [parseCidr('2001:db8:20::99/128')] }), refused('cloudInvalid'));
    assert.deepEqual((await only(cloud, one.id)).blocks, []);
  });

  promise('a block by value takes a slot like any other, once', async ({ cloud, subnet, instance }) => {
    const { id } = await cloud.createNic(request(subnet));
    await cloud.attachNic(id, instance, 1);
    const these = [77, 78, 79].map((last) => parseCidr(`10.20.0.${last}/32`));
    await assert.rejects(cloud.assign(id, { these, addresses4: 1 }), refused('cloudLimit'));
    await cloud.assign(id, { these });
    await cloud.assign(id, { these });
    await assert.rejects(cloud.assign(id, { these: [parseCidr('10.20.0.80/32')] }), refused('cloudLimit'));
    const six = [1, 2, 3, 4].map((last) => parseCidr(`2001:db8:20::9${last}/128`));
    await assert.rejects(cloud.assign(id, { these: six }), refused('cloudLimit'));
    assert.deepEqual(await cloud.assign(id, { these: six.slice(1) }), six.slice(1));
  });

  promise('unassign may be repeated, and leaves other blocks alone', async ({ cloud, subnet }) => {
    const { id } = await cloud.createNic(request(subnet));
    const blocks = await cloud.assign(id, { addresses4: 2 });
    await cloud.unassign(id, blocks.slice(0, 1));
    await cloud.unassign(id, blocks.slice(0, 1));
    assert.deepEqual((await only(cloud, id)).blocks, blocks.slice(1));
  });

  promise('detach and delete may be repeated; a NIC in use is not deleted', async ({ cloud, subnet, instance }) => {
    const { id } = await cloud.createNic(request(subnet));
    await cloud.attachNic(id, instance, 1);
    await attached(cloud, id);
    await assert.rejects(cloud.deleteNic(id), refused('cloudConflict'));
    await cloud.detachNic(id);
    await cloud.detachNic(id);
    await detached(cloud, id);
    await cloud.detachNic(id);
    await cloud.deleteNic(id);
    await cloud.deleteNic(id);
    assert.deepEqual(await cloud.nics({ ids: [id] }), []);
  });

  promise('the first NIC cannot be detached', async ({ cloud, instance }) => {
    const [first] = await cloud.nics({ instance });
    assert.ok(first);
    await assert.rejects(cloud.detachNic(first.id), refused('cloudInvalid'));
  });

  promise('a NIC is made for several Ethernet addresses when that is asked for, and says so', async ({ cloud, subnet }) => {
    const plain = await cloud.createNic(request(subnet));
    const several = await cloud.createNic(request(subnet, { multiMac: true }));
    assert.deepEqual([plain.multiMac, several.multiMac, (await only(cloud, several.id)).multiMac], [undefined, true, true]);
  });

  promise(
    'a NIC becomes a branch of a trunk, of another subnet too, and may be asked to again',
    async ({ cloud, subnet, small, branching }) => {
      if (branching === undefined) {
        await assert.rejects(cloud.createNic(request(subnet, { isTrunk: true })), refused('cloudInvalid'));
        return;
      }
      assert.equal((await cloud.instance(branching)).limits.branches, 2);
      const trunk = await cloud.createNic(request(subnet, { isTrunk: true }));
      assert.equal(trunk.isTrunk, true);
      await cloud.attachNic(trunk.id, branching, 1);
      await attached(cloud, trunk.id);
      const branch = await cloud.createNic(request(small));
      await cloud.attachBranch(branch.id, trunk.id, 7);
      await cloud.attachBranch(branch.id, trunk.id, 7);
      const found = await only(cloud, branch.id);
      assert.deepEqual([found.branch, found.attachment], [{ trunk: trunk.id, vlan: 7 }, undefined]);
      assert.ok(!(await cloud.nics({ instance: branching })).some(({ id }) => id === branch.id), 'it is attached to no instance');
      assert.deepEqual((await cloud.nics({ tags: { 'flatpod.dev/node': 'n1' } })).length, 2);
    },
  );

  promise('a branch that cannot be is refused with its reason', async ({ cloud, subnet, far, branching, other }) => {
    if (branching === undefined) return;
    const [trunk, plain, away] = [
      await cloud.createNic(request(subnet, { isTrunk: true })),
      await cloud.createNic(request(subnet)),
      await cloud.createNic(request(far)),
    ];
    const branches = await Promise.all([1, 2, 3].map(() => cloud.createNic(request(subnet))));
    const [one, two, three] = branches;
    assert.ok(one && two && three);
    await assert.rejects(cloud.attachBranch(one.id, trunk.id, 7), refused('cloudConflict'), 'the trunk is attached to nothing');
    await cloud.attachNic(trunk.id, branching, 1);
    await attached(cloud, trunk.id);
    await cloud.attachNic(plain.id, branching, 2);
    await attached(cloud, plain.id);
    await assert.rejects(cloud.attachBranch(one.id, plain.id, 7), refused('cloudInvalid'), 'no trunk');
    await assert.rejects(cloud.attachBranch(away.id, trunk.id, 7), refused('cloudInvalid'), 'another zone');
    await assert.rejects(cloud.attachBranch(plain.id, trunk.id, 7), refused('cloudConflict'), 'attached to the instance');
    await cloud.attachBranch(one.id, trunk.id, 7);
    await assert.rejects(cloud.attachBranch(two.id, trunk.id, 7), refused('cloudConflict'), 'the tag is taken');
    await assert.rejects(cloud.attachBranch(one.id, trunk.id, 8), refused('cloudConflict'), 'it is a branch already');
    await assert.rejects(cloud.attachNic(one.id, other, 1), refused('cloudConflict'));
    await cloud.attachBranch(two.id, trunk.id, 8);
    await assert.rejects(cloud.attachBranch(three.id, trunk.id, 9), refused('cloudLimit'));
  });

  promise('a branch is detached, again too, then deleted; not before, nor its trunk detached', async ({ cloud, subnet, branching }) => {
    if (branching === undefined) return;
    const [trunk, branch] = [await cloud.createNic(request(subnet, { isTrunk: true })), await cloud.createNic(request(subnet))];
    await cloud.attachNic(trunk.id, branching, 1);
    await attached(cloud, trunk.id);
    await cloud.attachBranch(branch.id, trunk.id, 7);
    await assert.rejects(cloud.deleteNic(branch.id), refused('cloudConflict'));
    await assert.rejects(cloud.detachNic(trunk.id), refused('cloudConflict'));
    await cloud.detachNic(branch.id);
    await cloud.detachNic(branch.id);
    assert.equal((await only(cloud, branch.id)).branch, undefined);
    await cloud.deleteNic(branch.id);
    await cloud.detachNic(trunk.id);
    await detached(cloud, trunk.id);
    await cloud.deleteNic(trunk.id);
    assert.deepEqual(await cloud.nics({ ids: [trunk.id, branch.id] }), []);
  });

  promise('what the cloud does not know is said to be unknown', async ({ cloud, subnet }) => {
    const { id } = await cloud.createNic(request(subnet));
    await cloud.deleteNic(id);
    await assert.rejects(cloud.assign(id, { addresses4: 1 }), refused('cloudNotFound'));
    assert.deepEqual(await cloud.nics({ ids: [] }), []);
    assert.deepEqual(await cloud.subnets([]), []);
  });
}
