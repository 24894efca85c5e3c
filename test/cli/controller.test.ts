/** The controller as a process: how terms begin and end, how it ends, and what it tells the kubelet; whatever state the API server is in. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { eventually } from '../life/lab.ts';
import { type Controller, freePort, type SmallCluster, smallCluster } from './small-cluster.ts';

/** Ends it as a kubelet would, within the time that a Pod is given. */
async function ends({ process: child, ended, log }: Controller): Promise<void> {
  let code: number | null | undefined;
  void ended.then((one) => (code = one));
  child.kill('SIGTERM');
  await eventually('it has ended', () => code !== undefined, 25);
  assert.equal(code, 0, log());
}

const metadata = { name: 'n1', uid: 'u1', resourceVersion: '7' };
const nodeNetwork = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'NodeNetwork', metadata, spec: { demand: [], returned: [] } };

const leads = (cluster: SmallCluster, name: string): boolean => cluster.lease()?.holderIdentity?.startsWith(`${name}_`) === true;

test('a leader that is ended while it waits for the API server gives the Lease back', async () => {
  await using cluster = await smallCluster();
  cluster.keepWaiting();
  const one = cluster.controller('a');
  await eventually('it leads', () => leads(cluster, 'a') && one.log().includes('leads, term'), 30);
  await ends(one);
  assert.equal(cluster.lease()?.holderIdentity, null);
});

test('a leader that serves, a standby, and one whose API server is away end when they are told to', async () => {
  await using cluster = await smallCluster();
  const first = cluster.controller('a');
  await eventually('it leads', () => leads(cluster, 'a'), 30);
  const second = cluster.controller('b');
  await eventually('the other stands', () => second.log().includes('waiting to lead'), 30);
  await ends(second);
  assert.ok(leads(cluster, 'a'));
  const third = cluster.controller('c');
  await eventually('a third stands', () => third.log().includes('waiting to lead'), 30);
  await cluster.stop();
  await ends(third);
  await ends(first);
});

test('a term that is over while it waits for the API server does not hold up the next one', async () => {
  await using cluster = await smallCluster();
  const port = await freePort();
  cluster.keepWaiting();
  const one = cluster.controller('a', `127.0.0.1:${port}`);
  await eventually('it leads', () => one.log().includes('leads, term'), 30);
  cluster.give('somebody');
  await eventually('it knows', () => one.log().includes('leads no more'), 30);
  const before = one.log().split('leads, term').length;
  cluster.give(null);
  await eventually('it leads again', () => leads(cluster, 'a') && one.log().split('leads, term').length > before, 30);
  const ready = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  assert.equal(await ready(), false, 'it has read nothing yet');
  cluster.answer();
  await eventually('it serves', ready, 60);
  await ends(one);
});

test('the kubelet hears who is alive, who is ready, and who leads', async () => {
  await using cluster = await smallCluster();
  const [port, other] = [await freePort(), await freePort()];
  const first = cluster.controller('a', `127.0.0.1:${port}`);
  const ask = async (of: number, path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`http://127.0.0.1:${of}${path}`, { headers: { connection: 'close' } });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }; // our own
  };
  await eventually('it leads and serves', async () => (await ask(port, '/readyz')).body['serves'] === true, 30);
  const second = cluster.controller('b', `:${other}`);
  await eventually('the other is ready', async () => (await ask(other, '/readyz')).status === 200, 30);
  assert.deepEqual([(await ask(port, '/readyz')).body['leads'], (await ask(other, '/readyz')).body['leads']], [true, false]);
  assert.match(String((await ask(other, '/readyz')).body['leader']), /^a_/);
  assert.equal((await ask(port, '/metrics')).status, 404);
  assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`, { method: 'POST' })).status, 404);
  await cluster.stop();
  for (const one of [port, other])
    await eventually('without an API server nobody is ready', async () => (await ask(one, '/readyz')).status === 503, 30);
  assert.deepEqual([(await ask(port, '/livez')).status, (await ask(other, '/livez')).status], [200, 200], 'but alive');
  await cluster.start();
  for (const one of [port, other]) await eventually('ready again', async () => (await ask(one, '/readyz')).status === 200, 60);
  await Promise.all([ends(first), ends(second)]);
});

test('a controller that cannot tell how it stands does not start, and says why', async () => {
  await using cluster = await smallCluster();
  const port = await freePort();
  const first = cluster.controller('a', `127.0.0.1:${port}`);
  await eventually('it runs', () => first.log().includes('waiting to lead'), 30);
  const second = cluster.controller('b', `127.0.0.1:${port}`);
  assert.equal(await second.ended, 1);
  assert.match(second.log(), /cannot listen on 127\.0\.0\.1:\d+ \(FP259\)/);
  await ends(first);
});

test('a leader whose cloud takes calls and never answers ends all the same, and gives the Lease back', async (t) => {
  await using cluster = await smallCluster();
  cluster.objects.set('nodenetworks', [nodeNetwork]);
  cluster.objects.set('nodes', [{ metadata, spec: { providerID: 'vpc:///zone/i-1' } }]);
  const sockets = new Set<Socket>();
  let calls = 0;
  const cloud = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', () => calls++);
  }).listen(cluster.cloudSocket);
  t.after(() => {
    cloud.close();
    for (const socket of sockets) socket.destroy();
  });
  const one = cluster.controller('a');
  await eventually('it asks the cloud', () => calls > 0, 30);
  await ends(one);
  assert.equal(cluster.lease()?.holderIdentity, null);
});

test('a leader whose Lease is younger than what earlier ones wrote leads in a later term than theirs', async () => {
  await using cluster = await smallCluster();
  cluster.objects.set('nodenetworks', [{ ...nodeNetwork, status: { term: 41, instance: 'i-1' } }]);
  const port = await freePort();
  const one = cluster.controller('a', `127.0.0.1:${port}`);
  await eventually(
    'it serves',
    async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok && cluster.lease()?.leaseTransitions === 42,
    30,
  );
  assert.match(one.log(), /written in term 41/);
  await ends(one);
});
