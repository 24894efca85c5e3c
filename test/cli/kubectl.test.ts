/**
 * `kubectl flatpod` and the kubectl below it. The real one and a real cluster are in test/cluster/kubectl.e2e.ts; here a script stands in for it, to say
 * what a real one says only when something is wrong.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const plugin = resolve(import.meta.dirname, '../../bin/kubectl-flatpod');

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** A folder with a `kubectl` that runs this shell script. */
function standIn(script: string): { readonly dir: string; run(...args: string[]): Promise<Ended> } & Disposable {
  const dir = mkdtempSync(join(tmpdir(), 'fpt-kubectl-'));
  const program = join(dir, 'kubectl');
  writeFileSync(program, `#!/bin/sh\necho "$*" >> '${dir}/calls'\n${script}\n`);
  chmodSync(program, 0o755);
  return {
    dir,
    async run(...args) {
      const env = { ...process.env, KUBECTL: program };
      const child = spawn(plugin, args, { stdio: ['ignore', 'pipe', 'pipe'], env, timeout: 60_000 });
      const status = new Promise<number | null>((done) => child.once('close', done));
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
      return { status: await status, out, err };
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Answers by the path that is asked for; what is not among them is not found. */
function answering(answers: Readonly<Record<string, object>>, more = ''): string {
  const cases = Object.entries(answers).map(([path, answer]) => `  *"--raw ${path}"*) echo '${JSON.stringify(answer)}' ;;`);
  return [
    'case "$*" in',
    ...cases,
    more,
    `  *exec*) echo 'error: unable to upgrade connection' >&2; exit 1 ;;`,
    `  *"config view"*) echo shop ;;`,
    `  *) echo 'Error from server (NotFound): the server could not find the requested resource' >&2; exit 1 ;;`,
    'esac',
  ].join('\n');
}

const metadata = { namespace: 'shop', name: 'web-0', uid: 'u' };
const list = (...items: object[]): object => ({ kind: 'List', metadata: {}, items });
const pods = '/api/v1/namespaces/shop/pods';
const crds = '/apis/flatpod.dev/v1alpha1';
const nic = { id: 'nic-1', mac: '02:00:00:00:00:01', subnet: 'pods', deviceIndex: 0, mtu: 1500, blocks: ['10.20.0.17/32'] };
const network = {
  metadata: { name: 'n1', uid: 'u', resourceVersion: '1' },
  spec: { demand: [] },
  status: { instance: 'i-1', nics: [nic], growth: [] },
};
const cluster = {
  [`${pods}/web-0`]: { metadata, spec: { nodeName: 'n1' }, status: { phase: 'Running', podIP: '10.20.0.17' } },
  '/api/v1/namespaces/shop/events?': list(),
  '/api/v1/namespaces/shop': { metadata: { name: 'shop', uid: 's' } },
  '/api/v1/nodes/n1': { metadata: { name: 'n1', uid: 'u' }, spec: { providerID: 'vpc:///a/i-1' } },
  '/api/v1/nodes?': list(),
  '/api/v1/pods?fieldSelector': list(),
  '/api/v1/pods?': list({ metadata: { namespace: 'kube-system', name: 'flatpod-agent-x', uid: 'a' }, spec: { nodeName: 'n1' } }),
  [`${crds}/podsubnets`]: list({ metadata: { name: 'pods' }, spec: { cloudSubnet: 's', default: true } }),
  [`${crds}/nodenetworks/n1`]: network,
  [`${crds}/nodenetworks?`]: list(network),
  [`${crds}/namespaces/shop/ipclaims`]: list(),
  [`${crds}/ipclaims`]: list(),
  '/apis/coordination.k8s.io/v1/leases': list(),
};

test('no kubectl: FP260 kubectlMissing', async () => {
  using it = standIn('exit 0');
  rmSync(join(it.dir, 'kubectl'));
  const { status, err } = await it.run('status');
  assert.equal(status, 1);
  assert.match(err, /^flatpod: kubectl cannot be started \(FP260\): .*ENOENT.*KUBECTL\n$/);
});

test('a kubectl that refuses is quoted: FP261 kubectlRefused; with --json as an object', async () => {
  using it = standIn(`echo 'E1 noise' >&2; echo 'error: context "x" does not exist' >&2; exit 1`);
  const { status, err } = await it.run('status', '--context', 'x');
  assert.equal(status, 1);
  assert.match(err, /^flatpod: .* list \w+\.flatpod\.dev \(FP261\): error: context "x" does not exist; /);
  const json = await it.run('why', 'shop/web-0', '--json');
  assert.equal(json.status, 1);
  assert.match(json.out, /^\{"error":\{"code":261,/);
});

test('a Pod that is not there: FP262 podUnknown, in the namespace of the context, of -n, or before the slash', async () => {
  using it = standIn(answering({}));
  assert.match((await it.run('why', 'web-9')).err, /there is no Pod shop\/web-9 \(FP262\)/);
  assert.match((await it.run('pod', '-n', 'bank', 'web-9')).err, /there is no Pod bank\/web-9 \(FP262\)/);
  assert.match((await it.run('pod', '-n', 'bank', 'zoo/web-9')).err, /there is no Pod zoo\/web-9 \(FP262\)/);
  assert.match((await it.run('pod', 'a/b/c')).err, /write NAMESPACE\/NAME/);
});

test('a cluster without Flatpod: FP263 flatpodMissing', async () => {
  using it = standIn(answering({}));
  const { status, err } = await it.run('status');
  assert.equal(status, 1);
  assert.match(err, /this cluster has no Flatpod \(FP263\): its API server does not know \w+\.flatpod\.dev/);
});

test('an agent that cannot be asked: the rest is shown, with the reason, FP264 agentNotAsked', async () => {
  using it = standIn(answering(cluster));
  const { status, out, err } = await it.run('pod', 'web-0');
  assert.equal(status, 1, 'the kernel may hold nothing');
  assert.match(out, /^10\.20\.0\.17 +10\.20\.0\.17\/32 +nic-1 +0 /m, err);
  assert.match(out, /^AGENT {2}the agent on node n1 could not be asked: error: unable to upgrade connection; /m);
});

test('a PodSubnet that selects the Pod by its service account is said to; of one that may not be read nothing is said', async () => {
  const selecting = { cloudSubnet: 's', serviceAccountSelector: { matchLabels: { role: 'robot' } } };
  const robots = {
    ...cluster,
    [`${pods}/web-0`]: {
      metadata,
      spec: { nodeName: 'n1', serviceAccountName: 'robot' },
      status: { phase: 'Running', podIP: '10.20.0.17' },
    },
    [`${crds}/podsubnets`]: list({ metadata: { name: 'pods' }, spec: selecting }),
  };
  const account = { metadata: { namespace: 'shop', name: 'robot', labels: { role: 'robot' } } };
  using it = standIn(answering({ '/api/v1/namespaces/shop/serviceaccounts/robot': account, ...robots }));
  assert.match((await it.run('pod', 'web-0')).out, /its spec\.serviceAccountSelector \(role=robot\) selects its service account/);
  const forbidden = `case "$*" in *serviceaccounts/robot*) echo 'Error from server (Forbidden): not you' >&2; exit 1 ;; esac`;
  using other = standIn(`${forbidden}\n${answering(robots)}`);
  const { out, err } = await other.run('pod', 'web-0');
  assert.match(out, /nothing chooses it for this Pod now/, err);
});

test('an agent that answers completes the picture, and why and ip are answered', async () => {
  const report = { node: 'n1', address: '10.20.0.17', state: 'leased', subnet: 'pods', nic: 'nic-1', block: '10.20.0.17/32', former: [] };
  const holder = { pod: 'shop/web-0', container: 'c1', ifname: 'eth0', since_ms: 1000 };
  const lease = { pod: 'shop/old', container: 'c0', subnet: 'pods', nic: 'nic-1', from_ms: 0, until_ms: 500 };
  const answer = JSON.stringify({ ...report, holder, former: [lease] });
  using it = standIn(
    answering(
      cluster,
      `  *"exec -n kube-system flatpod-agent-x -c agent -- /opt/flatpod/bin/flatpod ip 10.20.0.17 --json"*) echo '${answer}' ;;`,
    ),
  );
  const ip = await it.run('ip', '10.20.0.17');
  assert.equal(ip.status, 0, ip.err);
  assert.match(ip.out, /- its agent: 10\.20\.0\.17 is shop\/web-0's \(container c1, eth0\) since 1970-01-01T00:00:01Z/);
  assert.match(ip.out, /^shop\/old +n1 +1970-01-01T00:00:00Z +1970-01-01T00:00:00Z +pods +nic-1$/m);
  const why = await it.run('why', 'web-0');
  assert.equal(why.status, 0, why.err);
  assert.match(why.out, /^shop\/web-0 has 10\.20\.0\.17 of PodSubnet pods, on NIC nic-1 of node n1\n\n- Pod: uid u/);
  const foreign = await it.run('ip', '192.0.2.1', '--json');
  assert.equal(foreign.status, 1);
  assert.match(foreign.out, /"kind":"nobody"/);
});

test('an object that cannot be read is named and left out; long lists come page by page', async () => {
  const page = (names: string[], next?: string): object => ({
    kind: 'List',
    metadata: next === undefined ? {} : { continue: next },
    items: names.map((name) => ({
      kind: 'PodSubnet',
      metadata: { name },
      spec: name === 'odd' ? { cloudSubnet: 7 } : { cloudSubnet: 's' },
    })),
  });
  const pages = { [`${crds}/podsubnets?limit=500&continue=two`]: page(['c']), [`${crds}/podsubnets?limit=500`]: page(['a', 'odd'], 'two') };
  using it = standIn(answering({ ...pages, ...cluster }));
  const { status, out } = await it.run('status', '--json');
  assert.equal(status, 1, 'nobody leads');
  // What the command prints is what the test of its shape is about.
  const report = JSON.parse(out) as { subnets: { name: string }[]; unreadable: string[]; controller: null };
  assert.deepEqual(
    report.subnets.map(({ name }) => name),
    ['a', 'c'],
  );
  assert.match(report.unreadable.join(), /^PodSubnet odd: spec\.cloudSubnet: /);
});

test('wrong use ends with 2; help names the commands as people type them, with an example; a link on PATH will do', async () => {
  using it = standIn('exit 1');
  for (const args of [[], ['pod'], ['why'], ['ip'], ['nonsense'], ['status', '--nonsense']])
    assert.equal((await it.run(...args)).status, 2, args.join(' '));
  for (const name of ['status', 'pod', 'why', 'ip']) {
    const { status, out } = await it.run(name, '--help');
    assert.equal(status, 0);
    assert.match(out, new RegExp(`^Usage: kubectl flatpod ${name} [^]*Example:\\n {2}kubectl flatpod ${name} ?`));
  }
  const link = join(it.dir, 'kubectl-flatpod');
  symlinkSync(plugin, link);
  const child = spawn(link, ['--help'], { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env } });
  assert.match(await text(child.stdout), /^Usage: kubectl flatpod \[options\] \[command\]/);
});
