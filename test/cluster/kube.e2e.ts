/** Our API client beside a real API server: its calls and refusals, a watch through restarts of API server and etcd, elections of processes that are stopped. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { eventually } from './eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';
import type { Daemon } from './programs-in.ts';

const program = join(import.meta.dirname, 'kube-client.ts');
const client = (kubeconfig: string, ...words: string[]) => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  program,
  kubeconfig,
  ...words,
];

/** What a client has said, without its log. */
const said = (daemon: Daemon): string[] =>
  daemon
    .log()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('log '));

async function calls(cluster: Cluster, kubeconfig: string): Promise<string[]> {
  const { stdout, stderr } = await cluster.control.run(client(kubeconfig, 'calls'));
  assert.equal(stderr, '');
  return stdout.trimEnd().split('\n');
}

test('our API client and a real API server', async (t) => {
  // No node and no VPC: only the API server matters.
  const cluster = await startCluster({ nodes: 0, cni: 'ptp' });
  t.after(() => cluster[Symbol.asyncDispose]());

  await t.test('every call does what it says, and every refusal is known by its kind', async () => {
    const lines = await calls(cluster, cluster.kubeconfig);
    const expected = [
      /^delete-none ok$/,
      /^found undefined$/,
      /^find-none ok$/,
      /^get-none kubeNotFound: configmaps "kube-client-calls" not found$/,
      /^create ok$/,
      /^create-twice kubeAlreadyExists: /,
      /^create-wrong kubeInvalid: .*metadata\.name/,
      /^create-nowhere kubeNotFound: namespaces "nowhere" not found$/,
      /^replace ok$/,
      /^replace-old kubeConflict: .*the object has been modified/,
      /^merge ok$/,
      /^json ok$/,
      /^json-wrong kubeInvalid: /,
      /^apply ok$/,
      /^data {"a":"2","b":"1","c":"1"}$/,
      /^get ok$/,
      /^listed 1$/,
      /^list ok$/,
      /^list-cached ok$/,
      /^list-future ok$/,
      /^no-such-group kubeNoSuchResource: /,
      /^no-such-kind kubeNoSuchResource: /,
      /^secrets ok$/,
      /^delete-other kubeConflict: /,
      /^delete ok$/,
    ];
    for (const [i, wanted] of expected.entries()) assert.match(lines[i] ?? '', wanted);
    assert.equal(lines.length, expected.length);
  });

  await t.test('a token is who we are: what its ServiceAccount may not do is forbidden; a wrong one is nobody', async () => {
    await cluster.kubectl('create', 'serviceaccount', 'kube-client');
    const token = (await cluster.kubectl('create', 'token', 'kube-client')).trim();
    const config = readFileSync(cluster.kubeconfig, 'utf8');
    for (const [name, with_token, refusal] of [
      ['right', token, 'kubeForbidden: .*system:serviceaccount:default:kube-client'],
      ['wrong', `${token}x`, 'kubeUnauthorized: '],
    ] as const) {
      const path = join(cluster.dir, `${name}.kubeconfig`);
      writeFileSync(
        path,
        config.replace(/client-certificate-data: [^,}\s]+,?/, `token: ${with_token}`).replace(/,? *client-key-data: [^,}\s]+/, ''),
      );
      const secrets = (await calls(cluster, path)).find((line) => line.startsWith('secrets '));
      assert.match(secrets ?? '', new RegExp(`^secrets ${refusal}`));
    }
  });

  await t.test('a watch misses nothing through a killed API server and a killed etcd', async () => {
    const put = (name: string, colour: string) =>
      cluster.apply(
        stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, namespace: 'default', labels: { 'kube-client': '' } },
          data: { colour },
        }),
      );
    await put('a', 'red');
    await put('b', 'red');
    const watcher = await cluster.control.start('watcher', client(cluster.kubeconfig, 'watch'));
    t.after(() => watcher.kill());
    const wanted = ['set default/a red', 'set default/b red', 'synced'];
    const tells = (...more: string[]) =>
      eventually(more.join(', '), () => assert.deepEqual(said(watcher), [...wanted, ...more].slice(0, 9)) ?? true, 60);
    await tells();
    await put('a', 'blue');
    await tells('set default/a blue');
    await cluster.kill('kube-apiserver');
    await cluster.start('kube-apiserver');
    await cluster.kubectl('delete', 'configmap', 'b');
    await put('c', 'green');
    await tells('set default/a blue', 'gone default/b ', 'set default/c green');
    await cluster.kill('etcd');
    await cluster.start('etcd');
    await eventually('etcd is back', () => put('d', 'green').then(() => true), 60);
    await tells('set default/a blue', 'gone default/b ', 'set default/c green', 'set default/d green');
  });

  await t.test('one leads; a stopped one is followed, and knows when it wakes; one that ends makes room at once', async () => {
    const [a, b] = await Promise.all(['a', 'b'].map((name) => cluster.control.start(name, client(cluster.kubeconfig, 'stand', name))));
    assert.ok(a !== undefined && b !== undefined);
    t.after(() => Promise.all([a.kill(), b.kill()]));
    const leads = (one: Daemon) => said(one).at(-1)?.startsWith('began ') === true;
    await eventually('somebody leads', () => leads(a) !== leads(b), 30);
    const [first, second] = leads(a) ? [a, b] : [b, a];
    assert.deepEqual([said(first), said(second)], [['began 0 true'], []]);
    first.signal('SIGSTOP');
    await eventually('the other leads', () => leads(second), 40);
    assert.deepEqual(said(second), ['began 1 true']);
    first.signal('SIGCONT');
    await eventually('the first knows', () => said(first).length === 2);
    assert.match(said(first)[1] ?? '', /^ended 0 /);
    await second.kill('SIGTERM');
    await eventually('the first leads again', () => said(first).at(-1) === 'began 2 true', 10);
    assert.match(
      await cluster.kubectl('get', 'lease', 'kube-client', '-o', 'jsonpath={.spec.leaseTransitions} {.spec.leaseDurationSeconds}'),
      /^2 8$/,
    );
  });
});
