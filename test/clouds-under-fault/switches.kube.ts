/**
 * The installed controller where an operator has it hold still, and where its account may not do all: no changing call, or no release, is in the server's
 * record, and people are told; what the account lacks is named, also when the first PodSubnet comes only later.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../cluster/eventually.ts';
import { lacksKube } from '../openstack/kube-beside.ts';
import { fronts } from './fronts.ts';
import { type OneController, oneController } from './one-controller.ts';

const denied: Readonly<Record<string, readonly string[]>> = {
  aws: ['AttachNetworkInterface', 'AssignPrivateIpAddresses'],
  qingcloud: ['AttachNics', 'ReleaseVips'],
};
const PATIENCE_s = 60;
const isRelease = (name: string): boolean => /^(Unassign|Detach|Delete|Release)/.test(name);
const named = ({ proxy }: OneController): string[] => proxy.calls.filter(({ isRead }) => !isRead).map(({ name }) => name);

async function told(w: OneController, text: string): Promise<void> {
  await eventually(`it says ${text}`, () => w.log().includes(text), PATIENCE_s).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${w.log().slice(-6000)}`, { cause: error });
  });
}

describe('the installed controller, held back', { concurrency: 2 }, () => {
  for (const kind of fronts.filter(({ name }) => denied[name] !== undefined))
    test(`${kind.name}: what the account lacks is named one by one, as soon as the first PodSubnet is there`, async (t) => {
      const lacks = lacksKube();
      if (lacks !== undefined) return t.skip(lacks);
      await using w = await oneController(kind);
      const those = denied[kind.name] ?? [];
      w.proxy.befall = ({ name }) => (those.includes(name) ? { kind: 'denied' } : undefined);
      await w.start();
      await told(w, 'what the account may do is asked when there is a PodSubnet of this cloud');
      assert.ok(!w.log().includes('this account lacks'));
      await w.apply();
      for (const one of those) await told(w, `${kind.name}: this account lacks ${kind.name === 'aws' ? `ec2:${one}` : one}`);
      assert.equal(w.log().split('this account lacks').length - 1, those.length, w.log());
    });

  const ec2 = fronts.find(({ name }) => name === 'aws');
  assert.ok(ec2 !== undefined);

  test('with changes: false nothing is changed, and Pods that wait are told why', async (t) => {
    const lacks = lacksKube();
    if (lacks !== undefined) return t.skip(lacks);
    await using w = await oneController(ec2);
    await w.start({ changes: false });
    await w.apply();
    const node = await w.add('n1');
    await node.want(4);
    await eventually('the node is told', async () => /^switch: .*switched off/.test(await w.growth('n1')), PATIENCE_s);
    assert.deepEqual(named(w), []);
    assert.deepEqual(node.leases, []);
    await w.start();
    await eventually('with changes Pods are served', () => node.leases.length === 4, PATIENCE_s);
  });

  test('with releases: false a node whose Pods have gone keeps its interfaces and addresses, and others grow', async (t) => {
    const lacks = lacksKube();
    if (lacks !== undefined) return t.skip(lacks);
    await using w = await oneController(ec2);
    await w.start({ releases: false });
    await w.apply();
    const node = await w.add('n1');
    await node.want(4);
    await eventually('Pods are served', () => node.leases.length === 4, PATIENCE_s);
    await node.want(0);
    // Its pass comes after the first node's, which has less to ask for now.
    const other = await w.add('n2');
    await other.want(4);
    await eventually('so are those of another node', () => other.leases.length === 4, PATIENCE_s);
    await node.want(4);
    await eventually('and those that come back', () => node.leases.length === 4, PATIENCE_s);
    await node.want(0);
    assert.deepEqual(await w.askedBack('n1'), []);
    assert.ok(named(w).length > 0);
    assert.deepEqual(named(w).filter(isRelease), []);
    await told(w, 'nothing is given back to aws: spec.cloud.releases is false');
    await w.start();
    await eventually('with releases it is asked for what it does not need', () => named(w).some(isRelease), PATIENCE_s);
  });
});
