/** What a take-over refuses, and that nothing has changed then. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseTakeover } from '../../src/agent/adopted/request.ts';
import { readAttachedInterface } from '../../src/datapath/stored.ts';
import { openAttachments } from '../../src/store/attachments.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { bareNode } from './bare-node.ts';

const entry = { networkName: 'aws-cni', containerID: 'c1', ifName: 'eth0', ipv4: '10.0.0.5', allocationTimestamp: 1, metadata: {} };
const checkpoint = (...allocations: object[]): string => JSON.stringify({ version: 'vpc-cni-ipam/1', allocations });

test('FP504: a checkpoint that is none, of another version or without an address is refused with the place, and a missing one unless --if-any', () => {
  using node = bareNode();
  const refused = (text: string, why: RegExp): void => {
    const { status, stderr } = node.takeover('aws-node', text);
    assert.equal(status, 1, stderr);
    assert.match(stderr, /nothing was taken over from aws-node: .* cannot be used \(FP504\)/);
    assert.match(stderr, why);
  };
  refused('{', /JSON/);
  refused('[]', /the whole: /);
  refused(checkpoint().replace('/1', '/2'), /version: /);
  refused(checkpoint({ ...entry, ipv4: '10.0.0.500' }), /allocations\.0\.ipv4/);
  refused(checkpoint({ ...entry, ipv4: '' }), /the allocation of c1 has no address/);
  refused(checkpoint({ ...entry, containerID: '../etc' }), /is no container id/);
  const missing = ['takeover', 'aws-node', '--checkpoint', join(node.dir, 'none.json')];
  assert.equal(node.flatpod(...missing).status, 1);
  assert.equal(node.flatpod(...missing, '--if-any').status, 0);
  assert.equal(node.flatpod('takeover', 'hostnic').status, 1, 'without --kept');
  assert.deepEqual(node.attachments(), []);
});

test('FP504: what an agent is told must be a request', () => {
  for (const bad of [
    '',
    '{}',
    '{"madeBy":"x","netnsFolder":"/run/netns","pods":[]}',
    '{"madeBy":"rubble","netnsFolder":"relative","pods":[]}',
  ])
    assert.throws(() => parseTakeover(Buffer.from(bad)), { kind: 'takeoverMistaken' });
});

test('FP505: an address or a container that somebody has already is refused by name; all others are taken over', () => {
  using node = bareNode();
  node.attach({ container: 'ours', address: '10.0.0.5' });
  const [first, second] = [node.former('10.0.0.5'), node.former('10.0.0.6')];
  const { status, stdout } = node.takeover(
    'aws-node',
    checkpoint({ ...entry, containerID: 'a', ipv4: first.address }, { ...entry, containerID: 'b', ipv4: second.address }),
  );
  assert.equal(status, 1);
  assert.match(stdout, /REFUSED {5}container a, interface eth0 is not taken over \(FP505\): .*10\.0\.0\.5.*ours\/eth0/);
  assert.match(stdout, /taken over {2}container b \(10\.0\.0\.6\)/);
  assert.deepEqual(node.attachments(), ['b', 'ours']);
});

test('a Pod that is gone since an earlier take-over keeps its address from nobody: the plugin was back, and gave it to another', () => {
  using node = bareNode();
  const first = node.former('10.0.0.5');
  assert.equal(node.takeover('aws-node', checkpoint(entry)).status, 0);
  assert.match(node.takeover('aws-node', checkpoint({ ...entry, containerID: 'c2' })).stdout, /REFUSED .*container c2, /, 'it lives');
  first.sh(`ip link del eth0; ip netns del ${first.name}`);
  node.former('10.0.0.5');
  const { status, stdout } = node.takeover('aws-node', checkpoint({ ...entry, containerID: 'c2' }));
  assert.equal(status, 0, stdout);
  assert.match(stdout, /taken over {2}container c2 \(10\.0\.0\.5\)/);
  assert.deepEqual(node.attachments(), ['c2']);
  assert.match(node.host.ip('route'), /10\.0\.0\.5/);
});

test('a record that is out of date by now is no mistake: its address is the new Pod’s, whose namespace has it', () => {
  using node = bareNode();
  const fresh = node.former('10.0.0.5');
  node.host.exec(`ip route del 10.0.0.5 dev ${fresh.hostEnd}; ip rule add pref 512 to 10.0.0.5 lookup main`);
  node.attach({ container: 'ours', address: '10.0.0.5', netns: fresh.netns });
  const { status, stdout } = node.takeover('aws-node', checkpoint(entry));
  assert.equal(status, 0, stdout);
  assert.match(stdout, /gone {8}container c1 \(10\.0\.0\.5\)/);
  assert.deepEqual(node.attachments(), ['ours']);
  assert.doesNotMatch(node.host.ip('rule'), /512/, 'what the former plugin forgot');
});

test('with no agent there, what is ours has the numbers that the agent’s configuration says; such a file with a mistake stops all', () => {
  using node = bareNode();
  node.host.exec('ip rule add pref 512 to 10.0.0.5 lookup main; ip rule add pref 740 from 10.0.0.5 lookup main protocol 120');
  const [record, config] = [join(node.dir, 'ipam.json'), join(node.dir, 'node.yaml')];
  const pod = node.former('10.0.0.6', 'eni');
  writeFileSync(record, checkpoint(entry, { ...entry, containerID: 'c2', ipv4: pod.address }));
  const takeOver = (protocol: number) => {
    const head = 'apiVersion: flatpod.dev/v1alpha1\nkind: NodeConfig\nmetadata: {name: n}\n';
    writeFileSync(config, `${head}spec: {cluster: {}, numbers: {protocol: ${protocol}, firstTable: 9000}}\n`);
    return node.flatpod('takeover', 'aws-node', '--checkpoint', record, '--config', config);
  };
  const mistaken = takeOver(1);
  assert.equal(mistaken.status, 1);
  assert.match(mistaken.stderr, /\(FP190\).*\n.*spec\.numbers\.protocol/);
  assert.match(node.host.ip('rule'), /512:/, 'nothing was done');
  const { status, stdout, stderr } = takeOver(120);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /taken over {2}container c2 .*\n.*gone {8}container c1 \(10\.0\.0\.5\)/);
  assert.equal(node.host.ip('route show table 9000').trim(), `10.0.0.6 dev ${pod.hostEnd} proto 120 scope link`);
  assert.doesNotMatch(node.host.ip('rule'), /512:/, 'what the former plugin forgot');
  assert.match(node.host.ip('rule'), /740:\s+from 10\.0\.0\.5 lookup main proto 120/, 'ours');
});

test('a stored record that cannot be one is refused, and not taken for anything', () => {
  const dir = mkdtempSync('/tmp/fpt-takeover-');
  try {
    const database = openDatabase(dir);
    const record = { datapath: 'adopted', madeBy: 'aws-node', netns: '', ifname: 'eth0', addresses: ['10.0.0.5'], routes: [], rules: [] };
    assert.deepEqual(readAttachedInterface(record), { ...record, ways: [] }, 'as it was written before there were ways');
    const ways = [{ dst: '10.0.0.5/32', link: 'eni1', scope: 'link', table: 7000, protocol: 114 }];
    assert.deepEqual(readAttachedInterface({ ...record, ways }), { ...record, ways });
    for (const wrong of [{ madeBy: 'else' }, { routes: [{}] }, { ways: [{}] }, { rules: [{ family: 5 }] }, { hostEnd: { link: 'x' } }])
      assert.throws(() => readAttachedInterface({ ...record, ...wrong }), RangeError);
    assert.deepEqual(openAttachments(database, readAttachedInterface).list(), []);
    database.close();
    writeFileSync(join(dir, 'done'), '');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
