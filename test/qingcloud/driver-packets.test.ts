/** What the driver attaches and reserves carries packets, with either answer to what nobody knows. Needs root and network namespaces. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNic, SubnetId } from '../../src/cloud/cloud.ts';
import { addressAt, parseCidr } from '../../src/net/cidr.ts';
import { inside, reachesSoon, silent } from '../vpc/site.ts';
import { qingGround, type QingGround } from './ground.ts';

let last = 0;

function request(subnet: SubnetId): CreateNic {
  return { clientToken: 't', subnet, securityGroups: [], tags: { 'flatpod.dev/cluster': 'c' }, description: '' };
}

async function netnsOf(ground: QingGround, name: string): Promise<{ netns: string }> {
  const { body } = await ground.vpc.call('GET', `/v1/instances?name=${name}`);
  return { netns: String(body.items[0].netns) };
}

for (const vipsNeedAspoof of [false, true])
  test(`a Pod's address is reached at the NIC that it was assigned to, until it is given back${vipsNeedAspoof ? ', where NICs must be allowed to' : ''}`, async () => {
    await using ground = await qingGround({ vipsNeedAspoof }, { fabric: true, name: `fpqd${process.pid % 1000}-${++last}` });
    const [a, b] = [await ground.subnet('10.20.0.0/24', 'a'), await ground.subnet('10.20.1.0/24', 'b')];
    const instance = await ground.launch('node', a);
    await ground.launch('near', b);
    const cloud = ground.driver(vipsNeedAspoof ? { allowSpoofing: true } : {});
    const { id, primary4 } = await cloud.createNic(request(b));
    await cloud.attachNic(id, instance, 1);
    const [block = parseCidr('10.20.1.0/28')] = await cloud.assign(id, { prefixes4: 1 });
    const [node, near] = [await netnsOf(ground, 'node'), await netnsOf(ground, 'near')];
    assert.match((await inside(node, 'ip link show eth1')).out, new RegExp(id), "the NIC's id is its Ethernet address");
    const [pod, other] = [addressAt(block, 5), addressAt(block, 6)];
    await inside(
      node,
      `sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.arp_ignore=1; ip link set eth1 up;
       ip addr add ${pod}/32 dev eth1; ip addr add ${primary4}/32 dev eth1; ip rule add from 10.20.1.0/24 lookup 100;
       ip route add 10.20.1.0/24 dev eth1 table 100; ip route add default via 10.20.1.1 dev eth1 table 100`,
    );
    assert.ok(await reachesSoon(near, pod));
    assert.ok(await reachesSoon(near, `${primary4}`), 'the own address of the NIC too');
    assert.ok(await silent(near, other), 'nobody answers for it');
    await cloud.unassign(id, [block]);
    if (!vipsNeedAspoof) assert.ok(await silent(near, pod));
    await cloud.detachNic(id);
    await cloud.deleteNic(id);
    assert.deepEqual(await cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } }), []);
  });
