/**
 * What the driver makes in Neutron, as an ordinary member of the network's project, carries packets and keeps others out: Pods' addresses in each of the three ways, and security groups of
 * interfaces and of branches. The emulated VPC wires what Neutron and Nova say before they answer.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { CreateNic, NicId } from '../../src/cloud/cloud.ts';
import type { OpenStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { openNetns } from '../../src/kernel/netns.ts';
import { askWhoAmI, listenIn } from '../../src/kernel/sockets.ts';
import { parseIp } from '../../src/net/address.ts';
import { addressAt, type Cidr, firstOf, sizeOf } from '../../src/net/cidr.ts';
import { eventually } from '../life/lab.ts';
import { inside, reaches, silent } from '../vpc/site.ts';
import { guestsOf } from '../vpc/tagged.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { as, portNow, type Session } from './client.ts';
import { drops, type FabricGround, fabricGround } from './fabric-ground.ts';

let bed: OpenStackBed;
let admin: Session;
let demo: Session;
let tokens = 0;

/** Ports of TCP: a group lets one of them in. */
const ports = [8080, 9090] as const;
type Options = Omit<Parameters<typeof openStackCloud>[0], 'credentials'>;

const ground = (): Promise<FabricGround> => fabricGround(bed, { admin, owner: demo });
const driver = (options: Options = {}): OpenStackCloud =>
  openStackCloud({ credentials: { variables: bed.environment('demo') }, deadline_ms: 120_000, ...options });
const request = ({ subnets }: FabricGround, more: Partial<CreateNic> = {}): CreateNic => ({
  clientToken: `packets-${process.pid}-${++tokens}`,
  subnet: subnets,
  securityGroups: [],
  tags: { 'flatpod.dev/test': 'packets' },
  description: 'packets',
  ...more,
});

/** Answers at both ports inside, until `open` is disposed of. */
async function listening(netns: string, open: DisposableStack): Promise<void> {
  const inner = open.use(openNetns(netns));
  for (const port of ports) {
    const server = await listenIn(inner, port);
    open.defer(() => void server.close());
  }
}

/** From inside, that port of the address answers and the other does not. */
async function onlyPort(port: number, address: string, netns: string): Promise<void> {
  using from = openNetns(netns);
  const to = parseIp(address);
  await eventually(`port ${port} of ${address} is let in`, async () => (await askWhoAmI(from, to, port, 2000).catch(() => '')) !== '', 30);
  for (const other of ports) if (other !== port) await assert.rejects(askWhoAmI(from, to, other, 400), `port ${other} of ${address}`);
}

/** Pods' addresses on the server's eth1, with a way out of their own. */
async function withAddresses(server: { readonly netns: string }, addresses: readonly string[]): Promise<void> {
  await inside(server, 'ip link set eth1 up; ip route add default via 10.77.0.1 dev eth1 onlink table 7');
  await inside(server, 'ip -6 route add default via fe80::1:1 dev eth1 onlink table 7');
  for (const address of addresses) {
    const is6 = address.includes(':');
    await inside(
      server,
      `ip addr add ${address}/${is6 ? '128 nodad' : '32'} dev eth1; ip ${is6 ? '-6' : ''} rule add from ${address} lookup 7`,
    );
  }
}

// A suite, so that the bed is there for these tests alone: hooks of a file would run before the first test of all files.
describe('what the driver makes, with packets', () => {
  before(async () => {
    bed = await openStackBed();
    [admin, demo] = [await as(bed, 'admin'), await as(bed, 'demo')];
  });
  after(async () => bed?.[Symbol.asyncDispose]());

  for (const [addressing, multiMac] of [
    ['blocks', false],
    ['blocks', true],
    ['fixed-ips', false],
    ['ports', false],
    ['ports', true],
  ] as const) {
    const how = `by ${addressing}${multiMac ? ' without port security' : ''}`;
    test(`what the driver assigns to a NIC ${how} carries packets when it has answered, and none when it was taken back`, async () => {
      await using on = await ground();
      const [one, two] = [await on.server('one'), await on.server('two')];
      using cloud = driver({ addressing: () => addressing });
      const nic = await cloud.createNic(request(on, { multiMac }));
      await cloud.attachNic(nic.id, one.id, 1);
      const given = await cloud.assign(nic.id, addressing === 'blocks' ? { prefixes4: 1, prefixes6: 1 } : { addresses4: 1 });
      // Of a /80 Neutron knows the first address alone; without port security that is all it tells the VPC.
      const pods = given.map((block) => (multiMac ? firstOf(block) : podIn(block)));
      await withAddresses(one, pods);
      for (const pod of pods) {
        const is6 = pod.includes(':');
        // The default group lets in its own members, which a NIC without groups is not.
        assert.equal(await reaches(one, is6 ? two.address6 : two.address, `-I ${pod}`), !multiMac, pod);
        assert.ok(await reaches(one, is6 ? 'fe80::1:1%eth1' : '10.77.0.1', `-I ${pod}`), `${pod} to the gateway`);
        assert.ok(await reaches(two, pod), pod);
      }
      await cloud.unassign(nic.id, given);
      for (const pod of pods) assert.ok(await silent(two, pod), `${pod} is taken back`);
    });
  }

  test('an interface has the groups that were asked for, and its Pods are reached at the port that they let in alone', async () => {
    await using on = await ground();
    const group = await on.group(ports[0]);
    const [one, two] = [await on.server('one'), await on.server('two')];
    using cloud = driver();
    const nic = await cloud.createNic(request(on, { securityGroups: [group], want: { prefixes4: 1, prefixes6: 1 } }));
    await cloud.attachNic(nic.id, one.id, 1);
    const [now] = await cloud.nics({ ids: [nic.id] });
    assert.deepEqual([nic.securityGroups, now?.securityGroups, (await portNow(demo, nic.id)).security_groups], [[group], [group], [group]]);
    const pods = nic.blocks.map(podIn);
    assert.equal(pods.length, 2);
    await withAddresses(one, pods);
    using servers = new DisposableStack();
    await listening(one.netns, servers);
    for (const pod of pods) await onlyPort(ports[0], pod, two.netns);
    const dropped = (await drops(on, 'SecurityGroupIngress')).filter(({ nic: of }) => of === nic.id).map(({ address }) => address);
    for (const pod of pods) assert.ok(dropped.includes(pod), `dropped on the way to ${pod}: ${dropped.join(', ')}`);
  });

  test('two branches of one trunk have groups of their own: each is reached at the port that its group lets in, and at no other', async () => {
    await using on = await ground();
    const both = [await on.group(ports[0]), await on.group(ports[1])];
    const [one, two] = [await on.server('one'), await on.server('two')];
    using cloud = driver({ branchesPerInstance: 2 });
    const trunk = await cloud.createNic(request(on, { isTrunk: true }));
    await cloud.attachNic(trunk.id, one.id, 1);
    const branches: NicId[] = [];
    for (const [i, group] of both.entries()) {
      const { id } = await cloud.createNic(request(on, { securityGroups: [group] }));
      await cloud.attachBranch(id, trunk.id, 7 + i);
      branches.push(id);
    }
    const nics = (await cloud.nics({ ids: branches })).toSorted((a, b) => branches.indexOf(a.id) - branches.indexOf(b.id));
    assert.deepEqual(
      nics.map(({ branch, securityGroups }) => ({ branch, securityGroups })),
      both.map((group, i) => ({ branch: { trunk: trunk.id, vlan: 7 + i }, securityGroups: [group] })),
    );
    await inside(one, 'ip link set eth1 up');
    using namespaces = new DisposableStack();
    const tagged = nics.map(({ branch, mac, primary4 = '', primary6 = '' }) => [branch?.vlan ?? 0, { mac, primary4, primary6 }] as const);
    const guests = await guestsOf(one, tagged, '10.77.0.1');
    for (const guest of guests) namespaces.use(guest);
    for (const guest of guests) await listening(guest.netns, namespaces);
    for (const [i, { id, primary4 = '', primary6 = '' }] of nics.entries()) {
      const [own, other] = [ports[i] ?? 0, guests[1 - i]?.netns ?? ''];
      // Also from the other Pod of the node: a branch leaves its node.
      for (const from of [two.netns, other]) for (const to of [primary4, primary6]) await onlyPort(own, to, from);
      const dropped = (await drops(on, 'SecurityGroupIngress')).filter(({ nic }) => nic === id).map(({ address }) => address);
      assert.deepEqual(
        [primary4, primary6].filter((to) => !dropped.includes(to)),
        [],
        'what was dropped is told',
      );
    }
    await cloud.detachNic(branches[0] ?? trunk.id);
    using peer = openNetns(two.netns);
    await assert.rejects(
      askWhoAmI(peer, parseIp(nics[0]?.primary4 ?? ''), ports[0], 400),
      'a branch that is taken off is reached no longer',
    );
  });
});

/** Of a block not the first address: it has others too. */
function podIn(block: Cidr): string {
  return addressAt(block, sizeOf(block) === 1n ? 0 : 5);
}
