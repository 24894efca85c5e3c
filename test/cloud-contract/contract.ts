/** What every cloud driver promises (src/cloud/cloud.ts), as tests to be run against each. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Cloud, CloudNic, CreateNic, InstanceId, InstanceLimits, NicId, SubnetId, Wanted } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { addToIp } from '../../src/net/address.ts';
import { addressesOf, type Cidr, cidrFamily, cidrOf, containsCidr, hostCidr, lengthOf, parseCidr } from '../../src/net/cidr.ts';
import { strangersContract, unknown } from './strangers.ts';

/** What not every ground has. */
export type Extra = 'branching' | 'stranger' | 'expired' | 'denied' | 'quota' | 'pages' | 'foreign';

/** A fresh cloud with what the suite needs in it. Where a cloud lacks something, its ground says so, and the suite asserts how that is told. */
export interface Ground extends AsyncDisposable {
  /** Why there is not what is absent below: promises about it are skipped, and say that. */
  readonly lacks: Readonly<Partial<Record<Extra | 'groups', string>>>;
  readonly cloud: Cloud;
  /** 10.20.0.0/24, and `v6` where there is IPv6. */
  readonly subnet: SubnetId;
  /** 10.20.1.0/28, without IPv6. */
  readonly small: SubnetId;
  /** 10.20.2.0/24 in another zone. Absent: the cloud has no zones for subnets. */
  readonly far?: SubnetId;
  /** Its first NIC lies in `subnet`. */
  readonly instance: InstanceId;
  /** Another like it. */
  readonly other: InstanceId;
  /** What both may have. */
  readonly limits: InstanceLimits;
  /** Its limits have 2 branches, and room for a trunk and another NIC. Absent: the cloud has no trunks. */
  readonly branching?: InstanceId;
  /** The first 48 bits of the /64 of `subnet`, such as 2001:db8:20; absent: no IPv6. */
  readonly v6?: string;
  /** A machine for one test, whose first NIC lies in `subnet` and ends with it. */
  passing(): Promise<{ readonly instance: InstanceId; end(): Promise<void> }>;
  /** Whether it gives /28 prefixes (and /80 ones, where it has IPv6). */
  readonly prefixes: boolean;
  /** Blocks of `subnet` that the cloud keeps for itself. */
  readonly reserved: readonly string[];
  /** Whether a refusal tells who holds the address. */
  readonly tellsHolder: boolean;
  /** Whether a NIC may have further Ethernet addresses. */
  readonly multiMac: boolean;
  /** The same cloud, asked by somebody whose keys it does not know. */
  readonly stranger?: Cloud;
  /** The same cloud, asked by somebody whose keys were good until a moment ago. */
  readonly expired?: (t: TestContext) => Promise<Cloud>;
  /** The same cloud, asked by somebody who may look at everything and change nothing; from then on that may be whoever asks. */
  readonly denied?: () => Promise<Cloud>;
  /** From then on the account may have no further interface. */
  readonly quota?: () => Promise<void>;
  /** From then on no page of a list of interfaces is longer than what this answers, whatever is asked for. */
  readonly pages?: () => Promise<number>;
  /** Marks the interface as another program's, as such a program would. */
  readonly foreign?: (nic: NicId) => Promise<void>;
}

/** Declares a test of one promise. */
export type Declare = (words: string, body: (ground: Ground, t: TestContext) => Promise<void>) => void;

/** What the ground has by that name; undefined: the test is skipped, with the reason. @throws AssertionError when the ground says none */
export function extra<K extends Extra>(ground: Ground, name: K, t: TestContext): NonNullable<Ground[K]> | undefined {
  const found = ground[name];
  if (found !== undefined) return found;
  const why = ground.lacks[name];
  assert.ok(why !== undefined, `the ground has no ${name}, and does not say why`);
  t.skip(why);
  return undefined;
}

/** Declares the suite for one driver. */
export function cloudContract(driver: string, make: () => Promise<Ground>): void {
  const promise: Declare = (words, body) => {
    test(`${driver}: ${words}`, async (t) => {
      await using ground = await make();
      await body(ground, t);
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
    for (let look = 0; look < 500; look++) {
      const nic = await only(cloud, id);
      if (nic.attachment?.state === 'attached') return nic;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`${id} was not attached within ten seconds`);
  };
  const detached = async (cloud: Cloud, id: NicId): Promise<void> => {
    for (let look = 0; look < 500 && (await only(cloud, id)).attachment !== undefined; look++)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const refused = (kind: Parameters<typeof isFailure>[1]) => (error: unknown) => {
    assert.ok(isFailure(error, kind), `${String(error)} is no ${kind ?? 'failure'}`);
    return true;
  };

  strangersContract(promise, request);

  promise('subnets by tags that none has are none, or a cloud without such tags says how else to name them', async ({ cloud }) => {
    try {
      assert.deepEqual(await cloud.subnets({ 'flatpod.dev/of-the-contract': 'nobody has this' }), []);
    } catch (error) {
      assert.ok(isFailure(error, 'cloudInvalid'), String(error));
      assert.match(error.details, /cannot be found by the tags .*: name them by spec\.cloudSubnets\.ids/);
    }
  });

  promise('the VPC, the instance and its subnets are told', async ({ cloud, instance, subnet, small, limits: allowed }) => {
    const { cidrs } = await cloud.network();
    const found = await cloud.subnets([subnet, small]);
    assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([subnet, small]));
    for (const { cidr4 } of found) assert.ok(cidr4 !== undefined && cidrs.some((cidr) => containsCidr(cidr, cidr4)));
    const { limits, state, zone } = await cloud.instance(instance);
    assert.deepEqual(limits, allowed);
    assert.equal(state, 'running');
    // Where subnets have no zone, every instance can use each.
    for (const subnetZone of found.flatMap((one) => one.zone ?? [])) assert.equal(zone, subnetZone);
  });

  promise('an instance has its first NIC at device index 0', async ({ cloud, instance, subnet, v6 }) => {
    const [first, ...more] = await cloud.nics({ instance });
    assert.deepEqual(more, []);
    assert.equal(first?.subnet, subnet);
    assert.deepEqual(first?.attachment, { instance, deviceIndex: 0, state: 'attached' });
    assert.ok(first?.primary4 !== undefined);
    assert.equal(first.primary6 !== undefined, v6 !== undefined);
  });

  promise('the same token twice gives the same NIC', async ({ cloud, subnet, v6, prefixes }) => {
    const isDual = v6 !== undefined && prefixes;
    const same = request(subnet, { want: { addresses4: 2, ...(isDual && { prefixes6: 1 }) } });
    const first = await cloud.createNic(same);
    const second = await cloud.createNic(same);
    assert.equal(second.id, first.id);
    assert.equal(first.blocks.length, isDual ? 3 : 2);
    assert.deepEqual(second.blocks.toSorted(), first.blocks.toSorted());
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
      const nobody = unknown(instance);
      const found = await cloud.instances([instance, other, nobody]);
      assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([instance, other]));
      assert.deepEqual(
        found.find(({ id }) => id === other),
        await cloud.instance(other),
      );
      assert.deepEqual(await cloud.instances([]), []);
      const nics = await cloud.nics({ instance: [instance, other, nobody] });
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
    async ({ cloud, subnet, far, instance, other, limits: { nics } }) => {
      const [one, two] = [await cloud.createNic(request(subnet)), await cloud.createNic(request(subnet))];
      await cloud.attachNic(one.id, instance, 1);
      for (let index = 2; index < nics; index++) await cloud.attachNic((await cloud.createNic(request(subnet))).id, instance, index);
      await assert.rejects(cloud.attachNic(one.id, other, 1), refused('cloudConflict'));
      await assert.rejects(cloud.attachNic(two.id, instance, 1), refused('cloudConflict'));
      await assert.rejects(cloud.attachNic(two.id, instance, nics), refused('cloudLimit'));
      if (far === undefined) return;
      const away = await cloud.createNic(request(far));
      await assert.rejects(cloud.attachNic(away.id, other, 1), refused('cloudInvalid'));
    },
  );

  promise(
    'assign answers with the new blocks alone, as many as asked, of the kinds asked',
    async ({ cloud, subnet, instance, v6, prefixes }) => {
      const { id } = await cloud.createNic(request(subnet));
      await cloud.attachNic(id, instance, 1);
      const one = await cloud.assign(id, { addresses4: 1 });
      const want = { addresses4: 1, ...(prefixes && { prefixes4: 1 }), ...(prefixes && v6 !== undefined && { prefixes6: 1 }) };
      const more = await cloud.assign(id, want);
      const kinds = ['4/32', ...(prefixes ? ['4/28'] : []), ...(want.prefixes6 === 1 ? ['6/80'] : [])];
      assert.deepEqual(more.map((block) => `${cidrFamily(block)}/${lengthOf(block)}`).sort(), kinds.sort());
      assert.deepEqual((await only(cloud, id)).blocks.toSorted(), [...one, ...more].sort());
    },
  );

  promise(
    'assign is all or none, and says whether the subnet or the instance is full',
    async ({ cloud, small, subnet, instance, limits }) => {
      const { id } = await cloud.createNic(request(small));
      await assert.rejects(cloud.assign(id, { addresses4: 14 }), refused('cloudSubnetFull'));
      assert.deepEqual((await only(cloud, id)).blocks, []);
      await assert.rejects(cloud.createNic(request(small, { want: { addresses4: 14 } })), refused('cloudSubnetFull'));
      const { id: roomy } = await cloud.createNic(request(subnet));
      await cloud.attachNic(roomy, instance, 1);
      await assert.rejects(cloud.assign(roomy, { addresses4: limits.addressSlotsPerNic }), refused('cloudLimit'));
      assert.deepEqual((await only(cloud, roomy)).blocks, []);
    },
  );

  promise('blocks asked for by value are given, of every kind, on top of what is counted', async ({ cloud, subnet, v6, prefixes }) => {
    const { id } = await cloud.createNic(request(subnet));
    const of4 = ['10.20.0.99/32', ...(prefixes ? ['10.20.0.64/28'] : [])];
    const of6 = v6 === undefined ? [] : [`${v6}::99/128`, ...(prefixes ? [`${v6}:0:7::/80`] : [])];
    const these = [...of4, ...of6].map(parseCidr);
    const blocks = await cloud.assign(id, { these, addresses4: 2 });
    assert.deepEqual(blocks.slice(0, these.length), these);
    assert.equal(blocks.length, these.length + 2);
    assert.deepEqual((await only(cloud, id)).blocks.toSorted(), blocks.toSorted());
  });

  promise('what was asked for by value alone may be asked for again, and is answered again', async ({ cloud, subnet, v6 }) => {
    const { id } = await cloud.createNic(request(subnet));
    const these = [parseCidr('10.20.0.77/32'), parseCidr(v6 === undefined ? '10.20.0.99/32' : `${v6}::99/128`)];
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
    async ({ cloud, subnet, prefixes, tellsHolder }) => {
      const [holder, other] = [await cloud.createNic(request(subnet)), await cloud.createNic(request(subnet))];
      const these = [parseCidr('10.20.0.77/32')];
      await cloud.assign(holder.id, { these });
      const taken = (address: string, by: NicId) => (error: unknown) => {
        assert.ok(isFailure(error, 'cloudAddressTaken'), String(error));
        if (tellsHolder) assert.ok(error.message.includes(`${address}:`) && error.message.includes(by), error.message);
        return true;
      };
      await assert.rejects(cloud.assign(other.id, { these }), taken('10.20.0.77', holder.id));
      await assert.rejects(cloud.createNic(request(subnet, { want: { these } })), taken('10.20.0.77', holder.id));
      const prefix = [parseCidr('10.20.0.64/28')];
      if (prefixes) await assert.rejects(cloud.assign(other.id, { these: prefix }), taken('10.20.0.64/28', holder.id));
      if (prefixes) await assert.rejects(cloud.assign(holder.id, { these: prefix }), taken('10.20.0.64/28', holder.id));
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
    // The cloud chose its own address, which may be any.
    const one = parseCidr(tight.primary4 === '10.20.1.9' ? '10.20.1.10/32' : '10.20.1.9/32');
    await assert.rejects(cloud.assign(tight.id, { these: [one], addresses4: 13 }), refused('cloudSubnetFull'));
    assert.deepEqual((await only(cloud, tight.id)).blocks, []);
  });

  promise('what no NIC may hold is refused as invalid, whoever asks', async ({ cloud, subnet, small, v6, prefixes, reserved }) => {
    const [one, other] = [await cloud.createNic(request(subnet)), await cloud.createNic(request(subnet))];
    assert.ok(other.primary4 !== undefined && one.primary4 !== undefined);
    const primaries = [other.primary4, other.primary6, one.primary4].filter((ip) => ip !== undefined).map(hostCidr);
    const outside = ['10.20.1.7/32', ...(prefixes ? ['10.20.1.0/28'] : []), ...(v6 === undefined ? [] : ['2001:db8:ffff::7/128'])];
    const noBlock = ['10.20.0.64/29', '10.20.0.0/24', ...(v6 === undefined ? [] : [`${v6}:0:7::/96`])];
    const around = prefixes ? [cidrOf(other.primary4, 28)] : ['10.20.0.64/28'].map(parseCidr);
    for (const block of [...[...reserved, ...outside, ...noBlock].map(parseCidr), ...primaries, ...around])
      await assert.rejects(cloud.assign(one.id, { these: [block] }), refused('cloudInvalid'), block);
    const twice = [prefixes ? '10.20.0.64/28' : '10.20.0.77/32', '10.20.0.77/32'].map(parseCidr);
    await assert.rejects(cloud.assign(one.id, { these: twice }), refused('cloudInvalid'));
    const without6 = await cloud.createNic(request(small));
    await assert.rejects(cloud.assign(without6.id, { these: [parseCidr('2001:db8:20::99/128')] }), refused('cloudInvalid'));
    assert.deepEqual((await only(cloud, one.id)).blocks, []);
  });

  promise(
    'what is counted lies within the blocks that are named, and when these are full that is said, whatever else is free',
    async ({ cloud, subnet, prefixes }) => {
      const within = ['10.20.0.64/28', '10.20.0.96/27'].map(parseCidr);
      const isWithin = (block: Cidr): boolean => within.some((one) => containsCidr(one, block));
      const want = { addresses4: 3, ...(prefixes && { prefixes4: 1 }), within };
      const same = request(subnet, { want });
      const born = await cloud.createNic(same);
      assert.equal(born.blocks.length, prefixes ? 4 : 3);
      assert.ok(born.blocks.every(isWithin), born.blocks.join(', '));
      assert.deepEqual((await cloud.createNic(same)).blocks.toSorted(), born.blocks.toSorted());
      const these = [parseCidr('10.20.0.200/32')];
      const more = await cloud.assign(born.id, { these, addresses4: 2, within });
      assert.deepEqual([more[0], more.length, more.slice(1).every(isWithin)], [these[0], 3, true]);
      const { id } = await cloud.createNic(request(subnet));
      const held = new Set((await only(cloud, born.id)).blocks.filter(isWithin).flatMap((block) => [...addressesOf(block)]));
      const left = within.flatMap((block) => [...addressesOf(block)]).filter((ip) => !held.has(ip)).length;
      await assert.rejects(cloud.assign(id, { addresses4: left + 1, within }), (error: unknown) => {
        assert.ok(isFailure(error, 'cloudSubnetFull'), String(error));
        assert.match(error.message + error.details, /10\.20\.0\.96\/27/);
        return true;
      });
      await assert.rejects(cloud.createNic(request(subnet, { want: { addresses4: left + 1, within } })), refused('cloudSubnetFull'));
      assert.deepEqual((await only(cloud, id)).blocks, []);
      assert.ok((await cloud.assign(id, { addresses4: 2, within })).every(isWithin));
    },
  );

  promise('a block by value takes a slot like any other, once', async ({ cloud, subnet, instance, v6, limits }) => {
    const { id } = await cloud.createNic(request(subnet));
    await cloud.attachNic(id, instance, 1);
    const fill = async (all: Wanted['these'] & {}, one: Wanted): Promise<void> => {
      await assert.rejects(cloud.assign(id, { these: all, ...one }), refused('cloudLimit'));
      await cloud.assign(id, { these: all });
      await cloud.assign(id, { these: all });
    };
    const [own, ...these] = Array.from({ length: limits.addressSlotsPerNic }, (_, i) => parseCidr(`10.20.0.${100 + i}/32`));
    assert.ok(own !== undefined);
    await fill(these, { addresses4: 1 });
    await assert.rejects(cloud.assign(id, { these: [own] }), refused('cloudLimit'));
    if (v6 === undefined) return;
    const six = Array.from({ length: limits.ipv6SlotsPerNic }, (_, i) => parseCidr(`${v6}::9${i + 1}/128`));
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

  promise('a NIC is made for several Ethernet addresses when that is asked for, and says so', async ({ cloud, subnet, multiMac }) => {
    const plain = await cloud.createNic(request(subnet));
    assert.equal(plain.multiMac, undefined);
    if (!multiMac) {
      await assert.rejects(cloud.createNic(request(subnet, { multiMac: true })), refused('cloudInvalid'));
      return;
    }
    const several = await cloud.createNic(request(subnet, { multiMac: true }));
    assert.deepEqual([several.multiMac, (await only(cloud, several.id)).multiMac], [true, true]);
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

  promise('a branch that cannot be is refused with its reason', async (ground, t) => {
    const { cloud, subnet, far, other } = ground;
    const branching = extra(ground, 'branching', t);
    if (branching === undefined) return;
    const [trunk, plain] = [await cloud.createNic(request(subnet, { isTrunk: true })), await cloud.createNic(request(subnet))];
    const branches = await Promise.all([1, 2, 3].map(() => cloud.createNic(request(subnet))));
    const [one, two, three] = branches;
    assert.ok(one && two && three);
    await assert.rejects(cloud.attachBranch(one.id, trunk.id, 7), refused('cloudConflict'), 'the trunk is attached to nothing');
    await cloud.attachNic(trunk.id, branching, 1);
    await attached(cloud, trunk.id);
    await cloud.attachNic(plain.id, branching, 2);
    await attached(cloud, plain.id);
    await assert.rejects(cloud.attachBranch(one.id, plain.id, 7), refused('cloudInvalid'), 'no trunk');
    const away = far === undefined ? undefined : await cloud.createNic(request(far));
    if (away !== undefined) await assert.rejects(cloud.attachBranch(away.id, trunk.id, 7), refused('cloudInvalid'), 'another zone');
    await assert.rejects(cloud.attachBranch(plain.id, trunk.id, 7), refused('cloudConflict'), 'attached to the instance');
    await cloud.attachBranch(one.id, trunk.id, 7);
    await assert.rejects(cloud.attachBranch(two.id, trunk.id, 7), refused('cloudConflict'), 'the tag is taken');
    await assert.rejects(cloud.attachBranch(one.id, trunk.id, 8), refused('cloudConflict'), 'it is a branch already');
    await assert.rejects(cloud.attachNic(one.id, other, 1), refused('cloudConflict'));
    await cloud.attachBranch(two.id, trunk.id, 8);
    await assert.rejects(cloud.attachBranch(three.id, trunk.id, 9), refused('cloudLimit'));
  });

  promise('a branch is detached, again too, then deleted; not before, nor its trunk detached', async (ground, t) => {
    const { cloud, subnet } = ground;
    const branching = extra(ground, 'branching', t);
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

  promise('what an instance’s own NIC had is free after its end, or is found by the tags of whoever asked for it', async (ground) => {
    const { cloud, subnet } = ground;
    const whose = { 'flatpod.dev/cluster': 'contract' };
    // Made before the end: it must not get the address as its own.
    const { id } = await cloud.createNic(request(subnet, { tags: { 'flatpod.dev/cluster': 'another' } }));
    const machine = await ground.passing();
    const [first] = await cloud.nics({ instance: machine.instance });
    assert.ok(first !== undefined);
    const [block] = await cloud.assign(first.id, { addresses4: 1 }, whose);
    assert.ok(block !== undefined);
    assert.deepEqual(await cloud.nics({ tags: whose }), [], 'as long as the NIC is there nothing is left over');
    assert.deepEqual((await only(cloud, first.id)).blocks, [block]);
    await machine.end();
    for (const left of await cloud.nics({ tags: whose })) await cloud.deleteNic(left.id);
    assert.deepEqual(await cloud.nics({ tags: whose }), []);
    assert.deepEqual(await cloud.assign(id, { these: [block] }), [block]);
  });

  promise('what the cloud does not know is said to be unknown', async ({ cloud, subnet }) => {
    const { id } = await cloud.createNic(request(subnet));
    await cloud.deleteNic(id);
    await assert.rejects(cloud.assign(id, { addresses4: 1 }), refused('cloudNotFound'));
    assert.deepEqual(await cloud.nics({ ids: [] }), []);
    assert.deepEqual(await cloud.subnets([]), []);
  });
}
