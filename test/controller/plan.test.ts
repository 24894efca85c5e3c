/** The plan as a function: for any situation it keeps the limits and touches nothing in use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { CloudNic, InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { decisionFor } from '../../src/controller/refusal-table.ts';
import { planFor } from '../../src/controller/plan.ts';
import type { Situation } from '../../src/controller/situation.ts';
import { tagsFor } from '../../src/controller/tags.ts';
import { catalogue } from '../../src/errors/catalogue.ts';
import { Failure } from '../../src/errors/failure.ts';
import { ipFromBigInt } from '../../src/net/address.ts';
import { type Cidr, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { subnet } from './harness.ts';

const instance = 'i-1' as InstanceId;
const cloudSubnet = 'subnet-a' as SubnetId;
const now_ms = 1_700_000_000_000;
const address = (n: number): Cidr => hostCidr(ipFromBigInt(0x0a140000n + BigInt(n), 4));

interface Drawn {
  readonly slots: number;
  readonly most: number;
  readonly nics: readonly {
    readonly blocks: number;
    readonly state: 'attached' | 'attaching' | 'detaching' | 'out';
    readonly old: boolean;
  }[];
  readonly reclaiming: readonly number[];
  readonly returned: readonly number[];
  readonly demand: { readonly inUse: number; readonly cooling: number; readonly waiting: number };
  readonly warm: { readonly minimum: number; readonly spare: number; readonly spareNics: number };
  readonly maximum: number;
  readonly draining: boolean;
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  slots: fc.integer({ min: 2, max: 8 }),
  most: fc.integer({ min: 1, max: 5 }),
  nics: fc.array(
    fc.record({ blocks: fc.nat(7), state: fc.constantFrom('attached', 'attached', 'attaching', 'detaching', 'out'), old: fc.boolean() }),
    { minLength: 1, maxLength: 5 },
  ),
  reclaiming: fc.array(fc.nat(40), { maxLength: 10 }),
  returned: fc.array(fc.nat(40), { maxLength: 10 }),
  demand: fc.record({ inUse: fc.nat(25), cooling: fc.nat(6), waiting: fc.nat(20) }),
  warm: fc.record({ minimum: fc.nat(12), spare: fc.nat(6), spareNics: fc.nat(2) }),
  maximum: fc.integer({ min: 1, max: 30 }),
  draining: fc.boolean(),
});

function situationOf({ slots, most, nics, reclaiming, returned, demand, warm, maximum, draining }: Drawn): Situation {
  let next = 10;
  const all = nics.slice(0, most).map(({ blocks, state, old }, i): CloudNic => {
    const attachment = i === 0 ? 'attached' : state;
    return {
      id: `nic-${i}` as NicId,
      mac: parseMac(`02:00:00:00:00:0${i}`),
      subnet: cloudSubnet,
      mtu: 1500,
      primary4: ipFromBigInt(0x0a14ff00n + BigInt(i), 4),
      blocks: Array.from({ length: Math.min(blocks, slots - 1) }, () => address(next++)),
      securityGroups: [],
      tags: i === 0 ? {} : tagsFor('test', 'n1', 'pods', `token-${i}`),
      ...(attachment !== 'out' && { attachment: { instance, deviceIndex: i, state: attachment } }),
      createdAt_ms: old ? 0 : now_ms,
    };
  });
  const asked = new Set(reclaiming.map((n) => address(10 + n)));
  const granted = all.flatMap((nic) =>
    nic.attachment?.state === 'attached'
      ? [
          {
            id: nic.id,
            mac: nic.mac,
            subnet: 'pods',
            deviceIndex: nic.attachment.deviceIndex,
            mtu: 1500,
            blocks: nic.blocks,
            reclaiming: nic.blocks.filter((block) => asked.has(block)),
          },
        ]
      : [],
  );
  return {
    cluster: 'test',
    node: 'n1',
    spec: {
      instance,
      demand: [{ subnet: 'pods', ...demand }],
      returned: [...new Set(returned.map((n) => address(10 + n)))],
      ...(draining && { draining: 'leaving' }),
    },
    granted,
    intents: [],
    shares: new Map(),
    elsewhere: new Map(),
    ranges: new Map(),
    claims: {
      here: new Set(),
      away: new Set(),
      forced: new Set(),
      askBack: new Set(),
      holdsGrowth: false,
      spoiled: new Set(),
      wanted: [],
      answers: [],
    },
    foreign: new Set(),
    subnets: [subnet('pods', { cloudSubnet, warm, perNode: { maximum } })],
    instance: {
      id: instance,
      zone: 'a',
      type: 't',
      limits: { nics: most, addressSlotsPerNic: slots, ipv6SlotsPerNic: 2 },
      state: 'running',
    },
    network: { cidrs: [parseCidr('10.20.0.0/16')] },
    clashes: new Map(),
    tagged: new Map(),
    fullSubnets: new Map(),
    cloudSubnets: new Map([[cloudSubnet, { id: cloudSubnet, zone: 'a', cidr4: parseCidr('10.20.0.0/16'), free4: 1000 }]]),
    nics: all,
    read_ms: now_ms,
    missing: new Map(),
    stuck: new Set(),
    lacked: new Set(),
    keptUntil_ms: new Map(),
    doubted: new Set(),
    growthStopped: new Map(),
    mostAtOnce: new Map(),
    releases: true,
    isSettled: true,
    shrinkStopped: false,
    detachStopped: false,
    stopped: undefined,
    now_ms,
    limits: { nicAge_ms: 60_000, settle_ms: 60_000 },
  };
}

test('whatever the situation, a plan keeps the limits of instance, NIC and node', () => {
  fc.assert(
    fc.property(drawn, (draw) => {
      const situation = situationOf(draw);
      const plan = planFor(situation);
      let held = situation.granted.reduce((sum, { blocks }) => sum + blocks.length, 0);
      const attached = new Set(situation.nics.flatMap(({ attachment }) => attachment?.deviceIndex ?? []));
      for (const action of plan.actions) {
        if (action.do === 'assign') {
          const nic = situation.nics.find(({ id }) => id === action.nic);
          assert.ok(nic !== undefined && nic.blocks.length + (action.want.addresses4 ?? 0) + 1 <= draw.slots);
          held += action.want.addresses4 ?? 0;
          assert.ok(held <= Math.max(draw.maximum, held - (action.want.addresses4 ?? 0)), 'the ceiling holds');
        }
        if (action.do === 'attach') {
          assert.ok(!attached.has(action.deviceIndex) && action.deviceIndex < draw.most);
          attached.add(action.deviceIndex);
        }
        if (action.do === 'create') {
          assert.ok((action.intent.want.addresses4 ?? 0) + 1 <= draw.slots);
          assert.ok(
            plan.intents.some(({ token }) => token === action.intent.token),
            'an intent is written down before it is used',
          );
        }
      }
      const creates = plan.actions.filter((action) => action.do === 'create').length;
      assert.ok(attached.size + creates <= draw.most);
      assert.ok(plan.actions.filter((action) => action.do === 'assign').length <= situation.nics.length, 'one assign for each NIC');
    }),
    { numRuns: 2000 },
  );
});

test('whatever the situation, only what was asked back and returned is unassigned, and what is in use still fits', () => {
  fc.assert(
    fc.property(drawn, (draw) => {
      const situation = situationOf(draw);
      const plan = planFor(situation);
      const gone = plan.actions.flatMap((action) => (action.do === 'unassign' ? action.blocks : []));
      for (const block of gone) {
        assert.ok(situation.spec.returned.includes(block));
        assert.ok(situation.granted.some(({ reclaiming }) => reclaiming.includes(block)));
      }
      const left = situation.granted.flatMap(({ blocks }) => blocks).filter((block) => !gone.includes(block));
      if (gone.length > 0) assert.ok(left.length >= draw.demand.inUse + draw.demand.cooling);
      for (const action of plan.actions) {
        if (action.do !== 'detach' && action.do !== 'delete') continue;
        const nic = situation.nics.find(({ id }) => id === action.nic);
        assert.ok(nic !== undefined && nic.attachment?.deviceIndex !== 0);
        assert.ok(draw.draining || nic.createdAt_ms === 0, 'a young NIC stays');
        if (action.do === 'detach') assert.deepEqual(nic.blocks, []);
        else assert.equal(nic.attachment, undefined);
        assert.ok(!plan.nics.some(({ id }) => id === action.nic), 'the agent hears of it before');
      }
      if (draw.demand.waiting > 0 && !draw.draining) {
        const before = new Set(situation.granted.flatMap(({ reclaiming }) => reclaiming));
        const given = situation.spec.returned;
        const asked = plan.nics.flatMap(({ reclaiming }) => reclaiming).filter((block) => !before.has(block) && !given.includes(block));
        assert.deepEqual(asked, [], 'nothing is asked back while an ADD waits');
      }
      const granted = plan.nics.flatMap(({ blocks }) => blocks);
      for (const block of situation.granted.flatMap(({ blocks }) => blocks))
        assert.ok(granted.includes(block) || plan.actions.some((action) => action.do === 'detach'));
    }),
    { numRuns: 2000 },
  );
});

test('every failure of a cloud has this decision, and an unknown one is read back', () => {
  const table = {
    cloudUnavailable: 'readBack medium cloud',
    cloudGarbled: 'readBack medium cloud',
    cloudThrottled: 'retry long cloud',
    cloudConflict: 'readBack short cloud',
    cloudNotFound: 'readBack short cloud',
    cloudSubnetFull: 'less full subnet',
    cloudAddressTaken: 'readBack medium subnet',
    cloudLimit: 'tell settled instance',
    cloudQuota: 'tell settled cloud',
    cloudDenied: 'tell settled cloud',
    cloudUntrusted: 'tell settled cloud',
    cloudCredentials: 'tell settled cloud',
    cloudInvalid: 'tell settled cloud',
    cloudFenced: 'retry short cloud',
    cloudChangesStopped: 'tell medium switch',
    cloudReleasesStopped: 'tell medium switch',
  };
  const decided = (kind: keyof typeof catalogue): string => {
    const { next, pause, stoppedBy } = decisionFor(new Failure(kind, {}));
    return `${next} ${pause} ${stoppedBy}`;
  };
  // The keys of the catalogue are its names.
  const kinds = Object.keys(catalogue).filter((name): name is keyof typeof catalogue => name.startsWith('cloud'));
  assert.deepEqual(Object.fromEntries(kinds.map((kind) => [kind, decided(kind)])), table);
  assert.equal(decided('internal'), 'readBack medium cloud');
});
