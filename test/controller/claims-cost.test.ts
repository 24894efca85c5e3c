/** A pass over a node looks at what that node has, however many claims and wishes there are. Counted, not timed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { InstanceId, NicId } from '../../src/cloud/cloud.ts';
import type { ClaimBook } from '../../src/controller/claims/book.ts';
import { ClaimIndex } from '../../src/controller/claims/claim-index.ts';
import { shareOf } from '../../src/controller/claims/share.ts';
import { WishList } from '../../src/controller/claims/wish-list.ts';
import { type Ip, ipFromBigInt } from '../../src/net/address.ts';
import { type Cidr, contains, hostCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { ipClaimSpec } from '../../src/store/ip-claim.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../src/store/kubernetes/stored-claim.ts';
import type { ClaimAsked, NodeNetwork } from '../../src/store/node-network.ts';

const CLAIMS = 20_000;
const PER_NODE = 20;
const since = '2026-01-01T00:00:00.000Z';
const spec = ipClaimSpec.parse({ pod: 'p' });
const asked = (uid: string): ClaimAsked => ({ namespace: 'shop', pod: uid, uid, subnets: ['pods'] });

test(`with ${CLAIMS} claims, a pass over a node looks at the ${PER_NODE} it has`, () => {
  let looks = 0;
  const index = new ClaimIndex();
  const claims = new Map<string, StoredClaim>();
  const wishes = new WishList();
  for (let i = 0; i < CLAIMS; i++) {
    const node = `n${Math.floor(i / PER_NODE)}`;
    const address = ipFromBigInt(0x0a00_0000n + BigInt(i), 4);
    const held: HeldAddress = { address, subnet: 'pods', node, pod: `p${i}`, podUid: `u${i}`, phase: 'Bound', since };
    const status = { addresses: [held], conditions: [] };
    const claim: StoredClaim = {
      namespace: 'shop',
      name: `p${i}`,
      uid: `c${i}`,
      resourceVersion: '1',
      leaving: false,
      spec,
      get status() {
        looks++;
        return status;
      },
    };
    claims.set(claimKey(claim), claim);
    index.put(claimKey(claim), status.addresses);
    const wish = wishes.add(node, asked(`u${i}`));
    wish.families = [4];
    wishes.confirm(wish);
    wishes.serve(wish, claimKey(claim));
  }
  const get = (key: string): StoredClaim | undefined => claims.get(key);
  const book: Pick<ClaimBook, 'get' | 'holderOf' | 'on' | 'within'> = {
    get,
    holderOf: (address) => get(index.holderOf(address) ?? ''),
    on: (name) => index.on(name).flatMap((key) => get(key) ?? []),
    within: (prefix) => index.within(prefix),
  };
  const blocks = index.on('n7').flatMap((key) => get(key)?.status.addresses.map(({ address }) => hostCidr(address)) ?? []);
  const nic = { id: 'nic' as NicId, mac: parseMac('02:00:00:00:00:01'), deviceIndex: 0, mtu: 1500, blocks, reclaiming: [] };
  const node: NodeNetwork = {
    name: 'n7',
    spec: { instance: 'i' as InstanceId, demand: [], returned: [], claims: wishes.onNode('n7').map((wish) => wish.asked) },
    status: { vpcCidrs: [], nics: [nic], growth: [] },
  };
  looks = 0;
  const life = { isAlive: () => true, isGone: () => false };
  const share = shareOf(node, [nic], { book, wishes, life, now_ms: Date.parse(since), releases: true });
  assert.deepEqual([share.here.size, share.away.size, share.answers.length], [PER_NODE, 0, PER_NODE]);
  assert.ok(share.answers.every(({ addresses }) => addresses.length === 1));
  assert.ok(looks <= 10 * PER_NODE, `${looks} looks at claims`);
});

const number = fc.nat(40);
const addresses = fc.uniqueArray(fc.tuple(number, fc.boolean(), fc.constantFrom('n1', 'n2', undefined)), {
  maxLength: 6,
  selector: ([n]) => n,
});
const held = ([n, is4, node]: [number, boolean, string | undefined]): HeldAddress => ({
  address: is4 ? ipFromBigInt(0x0a00_0000n + BigInt(n), 4) : ipFromBigInt((0x2001_0db8n << 96n) + (BigInt(n) << 46n), 6),
  subnet: 'pods',
  phase: 'Bound',
  since,
  ...(node !== undefined && { node }),
});

test('whatever claims come, change and go: the index says what looking through all of them would say', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.option(addresses)), { maxLength: 20 }), (changes) => {
      const [index, all] = [new ClaimIndex(), new Map<string, HeldAddress[]>()];
      for (const [key, some] of changes) {
        // No address is in two claims.
        const others = new Set([...all].flatMap(([name, of]) => (name === key ? [] : of.map(({ address }) => address))));
        const now = some?.map(held).filter(({ address }) => !others.has(address));
        if (now === undefined) all.delete(key);
        else all.set(key, now);
        index.put(key, now);
      }
      const every = [...all].flatMap(([key, of]) => of.map((one) => ({ key, ...one })));
      for (let n = 0; n <= 40; n++)
        for (const is4 of [true, false]) {
          const { address } = held([n, is4, undefined]);
          assert.equal(index.holderOf(address), every.find((one) => one.address === address)?.key);
        }
      for (const name of ['n1', 'n2'])
        assert.deepEqual(new Set(index.on(name)), new Set(every.filter(({ node }) => node === name).map(({ key }) => key)));
      for (const block of ['10.0.0.0/28', '10.0.0.16/28', '2001:db8::/80', '2001:db8:0:0:1::/80'] as Cidr[]) {
        const inside = every.filter(({ address }) => contains(block, address)).map(({ address }) => address);
        assert.deepEqual(new Set<Ip>(index.within(block)), new Set(inside), block);
      }
    }),
  );
});
