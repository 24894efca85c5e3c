/** The agent's sweep, end to end: a runtime's list of sandboxes on one side, Pods with real interfaces on the other. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDatabase } from '../../src/store/sqlite.ts';
import { refuse, reply, runtimeServer, sandboxList } from '../cri/server.ts';
import { eventually, testLab } from './lab.ts';

const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a' } } };
const kubelets = (name: string) => ({
  env: { CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name};K8S_POD_UID=u-${name}` },
});

test('a Pod that the runtime forgot is released, with link, routes and address; one that it lists, one that is stopped, and a podman container stay', async () => {
  let asked = 0;
  let mode: 'refuses' | 'hangs' | 'lists' = 'refuses';
  let [ready, stopped]: [string[], string[]] = [[], []];
  await using runtime = await runtimeServer(({ stream }) => {
    asked++;
    if (mode === 'refuses') refuse(stream, 2, 'server is not initialized yet');
    else if (mode === 'lists') reply(stream, sandboxList(ready, stopped));
  });
  const node = `cooldown_s: 0, sweepEvery_s: 1, sweepGrace_s: 1, runtimeSocket: '${runtime.socket}'`;
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a', node } } });
  const n1 = lab.node(0);
  const [listed, notReady, forgotten, podman] = [n1.container(), n1.container(), n1.container(), n1.container()];
  [ready, stopped] = [[listed.container], [notReady.container]];
  const [address = ''] = await n1.add(forgotten, kubelets('forgotten'));
  await n1.add(listed, kubelets('listed'));
  await n1.add(notReady, kubelets('stopped'));
  await n1.add(podman, { env: { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=podman' } });
  const attached = async (): Promise<number> => (await n1.report()).pods.length;

  // Rounds in which it refuses, and one in which it hangs, release nothing.
  await eventually('refused rounds', () => asked >= 7, 30);
  mode = 'hangs';
  const before = asked;
  await eventually('a round that hangs', () => asked > before);
  assert.equal(await attached(), 4);
  assert.equal(n1.log().split("no attachment is compared with the runtime's sandboxes").length, 2, 'said once');
  assert.match(n1.ip('route show table all proto 114'), new RegExp(`^${address} dev fp`, 'm'));

  await runtime.stop();
  mode = 'lists';
  await runtime.start();
  await eventually('the sweep', async () => (await attached()) === 3, 30);
  assert.match(n1.log(), new RegExp(`swept ${forgotten.container}/eth0: the container runtime has no such sandbox and no DEL came`));
  assert.match(n1.log(), /answers again: attachments are compared with its sandboxes/);
  assert.doesNotMatch(n1.ip('route show table all proto 114'), new RegExp(`^${address} `, 'm'));
  const rounds = asked;
  await eventually('more rounds', () => asked >= rounds + 2, 30);
  assert.equal(await attached(), 3);
  assert.equal((await n1.call('DEL', forgotten)).status, 0, 'a DEL that comes late succeeds');
});

test('an agent whose runtime hangs stops at once', async () => {
  let asked = 0;
  await using runtime = await runtimeServer(() => asked++);
  const node = `sweepEvery_s: 1, runtimeSocket: '${runtime.socket}'`;
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a', node } } });
  await eventually('a question that nobody answers', () => asked > 0);
  await lab.node(0).stop();
  assert.doesNotMatch(lab.node(0).log(), /until .* answers/, 'giving up is no news');
});

test('check names rules that belong to no Pod, --repair removes them; those of living Pods, of a Pod without a record, and of others stay', async () => {
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a', node: 'cooldown_s: 0' } } });
  const n1 = lab.node(0);
  const [pod, lost] = [n1.container(), n1.container()];
  const [address = ''] = await n1.add(pod);
  const [lostAddress = ''] = await n1.add(lost);
  await n1.kill9();
  // Its record is gone, as after a database that was put aside.
  const database = openDatabase(join(n1.dir, 'state'));
  database.exec(`DELETE FROM leases WHERE container = '${lost.container}'; DELETE FROM attachments WHERE container = '${lost.container}'`);
  database.close();
  await n1.start();
  n1.ip('rule add to 10.20.0.200/32 lookup main priority 700 protocol 114');
  n1.ip('rule add from 10.20.0.200/32 lookup 7001 priority 740 protocol 114');
  n1.ip('rule add from 10.20.0.201/32 lookup 7001 priority 740 protocol 99');
  const { differences } = await n1.ask<{ differences: string[] }>('check');
  assert.equal(differences.length, 2, differences.join());
  for (const difference of differences) assert.match(difference, /^rule .*10\.20\.0\.200.* in host: belongs to no Pod and no interface$/);
  assert.deepEqual((await n1.ask<{ differences: string[] }>('repair')).differences, differences);
  assert.deepEqual((await n1.ask<{ differences: string[] }>('check')).differences, []);
  const rules = n1.ip('rule show');
  assert.doesNotMatch(rules, /10\.20\.0\.200/);
  assert.match(rules, /10\.20\.0\.201/);
  for (const kept of [address, lostAddress]) assert.match(n1.ip('route show table 7000'), new RegExp(`^${kept} dev fp`, 'm'));
});
