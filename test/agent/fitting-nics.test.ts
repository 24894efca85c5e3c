/** A PodSubnet whose datapath is another now: its NICs of the former kind serve the Pods that are there, and no new ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pools } from '../../src/agent/pools.ts';
import { wayOf } from '../../src/agent/way.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import type { GrantedNic } from '../../src/store/node-network.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';

const pods = (datapath: string) =>
  podSubnet.parse({
    apiVersion: 'flatpod.dev/v1alpha1',
    kind: 'PodSubnet',
    metadata: { name: 'pods' },
    spec: { cloudSubnet: 's', families: [4], datapath, ...(datapath !== 'routed-veth' && { useFirstNic: false }) },
  });
const nic = (n: number, more: Partial<GrantedNic>): GrantedNic => ({
  id: `nic-${n}` as NicId, // an id of no cloud
  mac: parseMac(`02:00:00:00:00:0${n}`),
  subnet: 'pods',
  deviceIndex: n,
  mtu: 1500,
  blocks: [parseCidr(`10.0.0.${n}/32`)],
  reclaiming: [],
  ...more,
});
const shared = nic(1, {});
const whole = nic(2, { use: 'pod' });
const branch = nic(3, { use: 'pod', trunk: { nic: 'nic-9' as NicId, vlan: 5 } });
const wanting = { pod: 'default/new', requested: [] };

for (const [datapath, fitting] of [
  ['routed-veth', shared],
  ['macvlan', shared],
  ['ipvlan', shared],
  ['nic', whole],
  ['branch', branch],
] as const)
  test(`${datapath} has addresses of NICs of its own kind alone, and those of other kinds go back when they are asked for`, async () => {
    const subnet = pods(datapath);
    const own = new Pools([subnet], { demandChanged: () => undefined });
    const nics = [shared, whole, branch];
    const plugged = new Set(nics.map(({ id }) => id));
    own.grant({ vpcCidrs: [], growth: [], nics }, plugged);
    assert.deepEqual(await own.lease(subnet, wanting, 0), { nic: fitting.id, addresses: [`10.0.0.${fitting.deviceIndex}`] });
    await assert.rejects(own.lease(subnet, wanting, 0), { kind: 'addressesExhausted' });
    const others = nics.filter((one) => one !== fitting);
    own.grant({ vpcCidrs: [], growth: [], nics: nics.map((one) => ({ ...one, reclaiming: one.blocks })) }, plugged);
    assert.deepEqual(own.giveBack().toSorted(), others.flatMap(({ blocks }) => blocks).toSorted());
    for (const one of others)
      assert.throws(() => wayOf(subnet, { ...one, multiMac: true }, () => true), {
        kind: datapath === 'branch' ? 'notABranch' : 'parentBusy',
      });
    assert.equal(wayOf(subnet, { ...fitting, multiMac: true }, () => true).datapath, datapath);
  });
