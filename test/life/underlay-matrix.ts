/** One lab for every datapath that has a service veth: the same Pods, the same questions, with real packets. */
import assert from 'node:assert/strict';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { type Container, eventually, type TestLab, testLab, type TestNode } from './lab.ts';
import { addressesOn, addWhenReady, inside, serve } from './underlay.ts';

/** A datapath under test. */
export interface Under {
  /** Of the PodSubnet: `datapath: macvlan`. */
  readonly spec: string;
}

const SERVICES = ['10.96.0.10', 'fd00:96::10'] as const;
const PORT = 8080;

interface Scene {
  readonly lab: TestLab;
  readonly one: TestNode;
  readonly two: TestNode;
  readonly pods: Readonly<Record<'p1' | 'p2' | 'q1' | 'routed', Container>>;
  readonly at: Readonly<Record<'p1' | 'p2' | 'q1' | 'routed', readonly string[]>>;
}

/** Two nodes with Pods of that datapath in subnet b, one with a Pod by routed-veth in subnet a as well; a VM; an internet host. */
async function sceneOf({ spec }: Under): Promise<Scene & AsyncDisposable> {
  const pods = `families: [4, 6], useFirstNic: false, warm: {spare: 2}, ${spec}`;
  const node = 'serviceCidrs: [10.96.0.0/16, "fd00:96::/112"], viaNode: [169.254.20.10, 198.51.100.0/24], cooldown_s: 0';
  const plain = { a: { subnet: 'a', pods: 'families: [4, 6]' } };
  const lab = await testLab({
    plan: {
      subnets: {
        a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' },
        b: { cidr4: '10.20.1.0/24', cidr6: '2001:db8:20:1::/64' },
      },
      machines: { n1: { subnet: 'a' }, n2: { subnet: 'a' }, vm: { subnet: 'a' } },
      internet: ['web'],
    },
    agents: { n1: { subnet: 'b', pods, node, more: plain }, n2: { subnet: 'b', pods, node } },
  });
  try {
    const [one, two] = [lab.node(0), lab.node(1)];
    const all = { p1: one.container(), p2: one.container(), q1: two.container(), routed: one.container() };
    const at = {
      p1: await addWhenReady(one, all.p1),
      q1: await addWhenReady(two, all.q1),
      p2: await addWhenReady(one, all.p2),
      routed: await addWhenReady(one, all.routed, { subnet: 'a' }),
    };
    return { lab, one, two, pods: all, at, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

const of = (addresses: readonly string[], six: boolean): string => addresses.find((address) => address.includes(':') === six) ?? 'none';

/** Who reaches whom, as whom, in both families. */
export async function everybodyReachesEverybody(under: Under): Promise<void> {
  await using scene = await sceneOf(under);
  const { lab, one, two, pods, at } = scene;
  const vm = machineOf(lab.lab, 'vm');
  for (const six of [false, true]) {
    const ask = async (from: { netns: string }, address: readonly string[], to: { netns: string }): Promise<string> =>
      await lab.seenFrom(from.netns, of(address, six), to.netns);
    const family = six ? 'IPv6' : 'IPv4';
    const a1 = of(at.p1, six);
    assert.equal(await ask(pods.p1, at.p2, pods.p2), a1, `${family}: a Pod on the same node`);
    assert.equal(await ask(pods.p1, at.q1, pods.q1), a1, `${family}: a Pod on another node`);
    assert.equal(await ask(pods.q1, at.p1, pods.p1), of(at.q1, six), `${family}: and back`);
    assert.equal(await ask(pods.p1, at.routed, pods.routed), a1, `${family}: a Pod by routed-veth on the same node`);
    assert.equal(await ask(pods.routed, at.p1, pods.p1), of(at.routed, six), `${family}: and back`);
    assert.equal(await ask(pods.q1, at.routed, pods.routed), of(at.q1, six), `${family}: that one, from another node`);
    assert.equal(await ask(pods.p1, vm.addresses, vm), a1, `${family}: a VM`);
    assert.equal(await ask(vm, at.p1, pods.p1), of(vm.addresses, six), `${family}: and back`);
    for (const address of addressesOn(one).filter((own) => own.startsWith(six ? '2001:' : '10.')))
      assert.equal(await lab.seenFrom(pods.p1.netns, address, one.netns), a1, `${family}: its own node, at ${address}`);
    assert.ok(addressesOn(one).includes(await ask(one, at.p1, pods.p1)), `${family}: from its own node`);
    assert.ok(addressesOn(two).includes(await ask(two, at.p1, pods.p1)), `${family}: from another node`);
    assert.equal(await ask(pods.p1, machineOf(lab.lab, 'n2').addresses, two), a1, `${family}: another node`);
  }
  // No router of this VPC translates for them: the configuration sends what is outside through the node, which does.
  const web = machineOf(lab.lab, 'web');
  assert.equal(await lab.seenFrom(pods.p1.netns, of(web.addresses, false), web.netns), one.publicAddress, 'the internet');
}

/** Services that the node resolves, wherever the answer comes from; and who came by the node is answered by the node, whoever it is. */
export async function servicesAreReached(under: Under): Promise<void> {
  await using scene = await sceneOf(under);
  const { lab, one, pods, at } = scene;
  const vm = machineOf(lab.lab, 'vm');
  const ends = {
    p1: { ...pods.p1, at: at.p1 },
    p2: { ...pods.p2, at: at.p2 },
    q1: { ...pods.q1, at: at.q1 },
    routed: { ...pods.routed, at: at.routed },
  };
  const answering = { ...ends, vm: { netns: vm.netns, at: vm.addresses } };
  for (const six of [false, true]) {
    const [service, ip] = six ? [SERVICES[1], 'ip6'] : [SERVICES[0], 'ip'];
    for (const [name, { netns, at: addresses }] of Object.entries(answering)) {
      const endpoint = six ? `[${of(addresses, true)}]:${PORT}` : `${of(addresses, false)}:${PORT}`;
      serve(one, [{ asked: `${ip} daddr ${service} tcp dport ${PORT}`, endpoint }]);
      for (const [asker, from] of Object.entries(ends)) {
        // To itself through a Service a Pod needs hairpin masquerading, which kube-proxy does and this stand-in does not.
        if (asker === name || asker === 'q1') continue;
        const seen = await lab.seenFrom(from.netns, service, netns);
        assert.match(seen, six ? /^2001:db8:20:/ : /^10\.20\./, `${asker} asks ${service}, which is ${name}: ${seen}`);
      }
      assert.match(await lab.seenFrom(one.netns, service, netns), six ? /^2001:/ : /^10\./, `the node asks ${service}, which is ${name}`);
    }
  }
  // NodePort with externalTrafficPolicy Local: the client keeps its address, and the Pod's answer finds back.
  const port = `tcp dport 30080`;
  serve(one, [{ asked: `ip daddr ${of(machineOf(lab.lab, 'n1').addresses, false)} ${port}`, endpoint: `${of(at.p1, false)}:${PORT}` }]);
  assert.equal(await lab.seenFrom(vm.netns, of(machineOf(lab.lab, 'n1').addresses, false), pods.p1.netns, 30080), of(vm.addresses, false));
  assert.match(inside(pods.p1.netns, 'ip route get 169.254.20.10'), /dev node0/, 'NodeLocal DNSCache is on the node');
}

/** CHECK names what differs, repair puts it back, DEL leaves nothing, and the same again. */
export async function livesAndEnds(under: Under): Promise<void> {
  await using scene = await sceneOf(under);
  const { lab, one, pods, at } = scene;
  const whole = async (): Promise<boolean> => {
    const { differences } = await one.ask<{ differences: string[] }>('check');
    assert.deepEqual(differences, []);
    return true;
  };
  await whole();
  const hostEnd = /(fpn\w+)/.exec(one.ip('route show table 7064'))?.[1] ?? '';
  for (const damage of ['rule del priority 730', 'route flush table 7064', `link del ${hostEnd}`, `link set ${hostEnd} down`]) {
    one.ip(damage);
    await eventually(`put right after ip ${damage}`, whole);
  }
  inside(pods.p1.netns, 'ip rule del priority 720; nft delete table inet flatpod_node0; ip route del default');
  const { differences } = await one.ask<{ differences: string[] }>('check');
  assert.equal(differences.length, 3, differences.join('\n'));
  await one.ask('repair');
  await whole();
  await one.kill9();
  await one.start();
  await whole();
  assert.equal(await lab.seenFrom(pods.p2.netns, of(at.p1, true), pods.p1.netns), of(at.p2, true), 'after it all');
  for (const pod of [pods.p1, pods.p2, pods.routed]) assert.equal((await one.call('DEL', pod)).status, 0);
  for (const pod of [pods.p1, pods.p2]) assert.deepEqual(linksIn(pod.netns), ['lo']);
  assert.equal(one.ip('-br link').includes('fpn'), false);
  assert.equal((await one.report()).pods.length, 0);
  const again = await one.add(pods.p1);
  assert.equal(await lab.seenFrom(pods.q1.netns, of(again, true), pods.p1.netns), of(at.q1, true), 'the same namespace again');
}

function linksIn(netns: string): string[] {
  return (JSON.parse(inside(netns, 'ip -j link')) as { ifname: string }[]).map(({ ifname }) => ifname);
}
