/** What survives: a stop, a kill at any moment, a network that somebody took apart. Needs root and network namespaces. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFailure } from '../../src/errors/failure.ts';
import { cleanVpc } from '../../src/vpc/clean.ts';
import { startVpc } from '../../src/vpc/start.ts';
import { eventually } from '../life/lab.ts';
import { pingEach, unanswered } from './site.ts';
import { call, quiet, testVpc, withSubnet } from './support.ts';

let lastVpc = 0;
const freshName = (): string => `fpr${process.pid % 1000}-${++lastVpc}`;
const sh = (netns: string, line: string): string =>
  execFileSync('nsenter', [`--net=${netns}`, 'sh', '-c', `${line} 2>&1 || true`], { encoding: 'utf8' });
const program = new URL('./program.ts', import.meta.url).pathname;

/** An instance with a second NIC, and a namespace beside it that is to have that one; whoever asks takes the namespace away. */
async function podBesideNic(vpc: Awaited<ReturnType<typeof testVpc>>, name: string) {
  const subnet = await withSubnet(vpc);
  const one = (await vpc.call('POST', '/v1/instances', { name: 'n1', type: 'v1.small', subnet })).body;
  const nic = (await vpc.call('POST', '/v1/nics', { clientToken: 't', subnet })).body;
  await vpc.call('POST', `/v1/nics/${nic.id}/attach`, { instance: one.id, deviceIndex: 1 });
  const pod = `${name}x-pod`;
  execFileSync('ip', ['netns', 'add', pod]);
  return { one, nic, pod };
}

test('a restart keeps every object, and instances keep running meanwhile', async () => {
  const vpcName = freshName();
  await using vpc = await testVpc({ fabric: true, name: vpcName });
  const subnet = await withSubnet(vpc);
  // The rules, each as often as it is there.
  const rules = (): string[] =>
    sh(`/run/netns/${vpcName}-fabric`, 'nft list ruleset')
      .split('\n')
      .filter((line) => /^\t\t(\w.* )?(accept|drop|goto|set|jump)\b/.test(line));
  const launch = async (name: string) => (await vpc.call('POST', '/v1/instances', { name, type: 'v1.small', subnet })).body;
  const [one, two] = [await launch('n1'), await launch('n2')];
  const lists = () =>
    Promise.all(
      ['network', 'subnets', 'instances', 'nics', 'security-groups', 'instance-types'].map(
        async (what) => (await vpc.call('GET', `/v1/${what}`)).body,
      ),
    );
  const [before, rulesBefore] = [await lists(), rules()];
  assert.ok(rulesBefore.length > 50);
  sh(one.netns, 'ip addr add 192.0.2.77/32 dev lo');
  const watching = spawn('nsenter', [`--net=${one.netns}`, ...pingEach(two.addresses[0], 0.02, 60).split(' ')]);
  // It may end while the program is away.
  const watched = once(watching, 'close');
  let out = '';
  watching.stdout.on('data', (part: Buffer) => (out += part.toString()));
  await vpc.restart();
  assert.deepEqual(await lists(), before);
  assert.deepEqual(rules(), rulesBefore, 'each rule once');
  await watched;
  assert.deepEqual(unanswered(out, 60), [], 'the network stands while the program does not');
  assert.match(sh(one.netns, 'ip addr show lo'), /192\.0\.2\.77/, 'it is the same namespace');
  assert.match(sh(one.netns, 'ip -o link'), /eth0/);
});

test('killed in the middle of its work, it comes back with everything it answered for, and the network agrees', async (t) => {
  const [stateDir, name] = [mkdtempSync(join(tmpdir(), 'fpr-')), freshName()];
  t.after(() => {
    cleanVpc(name);
    rmSync(stateDir, { recursive: true, force: true });
  });
  const answered: string[] = [];
  for (const [round, kill_ms] of [7, 23, 61].entries()) {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, stateDir, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const url = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])).toString().trim();
    assert.match(url, /^http:/, 'it starts again whatever the kill left behind');
    const subnet = (await call(url, 'POST', '/v1/subnets', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/22', clientToken: 'a' })).body.id;
    const work = async (): Promise<void> => {
      for (let i = 0; ; i++) {
        const reply = await call(url, 'POST', '/v1/instances', { name: `r${round}n${i}`, type: 'v1.small', subnet });
        if (reply.status === 0) return;
        answered.push(reply.body.id);
      }
    };
    const working = work();
    while (answered.length <= round * 2) await new Promise((resolve) => setTimeout(resolve, 1));
    setTimeout(() => child.kill('SIGKILL'), kill_ms);
    await Promise.all([working, once(child, 'exit')]);
  }
  await using vpc = await testVpc({ fabric: true, name, stateDir });
  const instances = (await vpc.call('GET', '/v1/instances?limit=1000')).body.items;
  for (const id of answered)
    assert.ok(
      instances.some((one: { id: string }) => one.id === id),
      `${id} was answered for`,
    );
  const addresses = instances.flatMap((one: { addresses: string[] }) => one.addresses);
  assert.equal(new Set(addresses).size, addresses.length);
  for (const one of instances) assert.match(sh(one.netns, 'ip -o addr show eth0'), new RegExp(one.addresses[0]));
  assert.match(sh(instances[0].netns, `ping -n -c1 -W10 ${instances.at(-1).addresses[0]}`), / 0% packet loss/);
});

test('a network that somebody took apart is made whole by the next start, and by the next change', async () => {
  await using vpc = await testVpc({ fabric: true, name: freshName() });
  const subnet = await withSubnet(vpc);
  const launch = async (name: string) => (await vpc.call('POST', '/v1/instances', { name, type: 'v1.small', subnet })).body;
  const [one, two] = [await launch('n1'), await launch('n2')];
  const fabric = one.netns.replace(/-n1$/, '-fabric');
  const works = (): void => assert.match(sh(one.netns, `ping -n -c1 -W10 ${two.addresses[0]}`), / 0% packet loss/);
  sh(fabric, `for l in $(ip -o link | grep -o ' [ps][0-9a-f]\\{12\\}' ); do ip link del $l; done; ip route flush proto 86`);
  await vpc.restart();
  works();
  sh(two.netns, 'ip link del eth0');
  await launch('n3');
  works();
});

test('a NIC whose namespace died with it inside comes back to its instance', async (t) => {
  const name = freshName();
  await using vpc = await testVpc({ fabric: true, name });
  const { one, nic, pod } = await podBesideNic(vpc, name);
  t.after(() => execFileSync('ip', ['netns', 'del', pod]));
  sh(one.netns, `ip link set eth1 netns ${pod}`);
  assert.doesNotMatch(sh(one.netns, 'ip -o link'), /eth1/);
  execFileSync('ip', ['netns', 'del', pod]);
  execFileSync('ip', ['netns', 'add', pod]);
  await eventually('it is back', () => assert.match(sh(one.netns, 'ip -o link show eth1'), new RegExp(nic.mac)), 60);
  await eventually('an event says so', async () =>
    (await vpc.call('GET', '/v1/events')).body.items.some(
      ({ text }: { text: string }) => text.includes(nic.id) && text.includes('plugged in again'),
    ),
  );
});

test('a NIC that was moved into another namespace and renamed works there, through restarts and changes, until it is detached', async (t) => {
  const name = freshName();
  await using vpc = await testVpc({ fabric: true, name });
  const subnet = await withSubnet(vpc);
  const launch = async (of: string) => (await vpc.call('POST', '/v1/instances', { name: of, type: 'v1.small', subnet })).body;
  const [one, two] = [await launch('n1'), await launch('n2')];
  const nic = (await vpc.call('POST', '/v1/nics', { clientToken: 't', subnet })).body;
  await vpc.call('POST', `/v1/nics/${nic.id}/attach`, { instance: one.id, deviceIndex: 1 });
  const pod = `${name}x-pod`;
  execFileSync('ip', ['netns', 'add', pod]);
  t.after(() => execFileSync('ip', ['netns', 'del', pod]));
  sh(one.netns, `ip link set eth1 netns ${pod} name net7`);
  const inside = `/run/netns/${pod}`;
  sh(inside, `ip addr add ${nic.primary4}/24 dev net7; ip link set net7 up; ip route add default via 10.20.0.1`);
  const works = (): void => assert.match(sh(inside, `ping -n -c1 -W10 ${two.addresses[0]}`), / 0% packet loss/);
  works();
  // ip says an error first when it meets a peer whose namespace is going.
  const indexNow = (): string | undefined => /^(\d+): net7/m.exec(sh(inside, 'ip -o link show net7'))?.[1];
  const index = indexNow();
  await vpc.restart();
  await launch('n3');
  works();
  assert.ok(index !== undefined);
  assert.equal(indexNow(), index, 'it was not plugged in anew');
  await vpc.call('POST', `/v1/nics/${nic.id}/detach`);
  assert.doesNotMatch(sh(inside, 'ip -o link'), /net7/);
});

test('a NIC that comes back and finds its name taken has another one', async (t) => {
  const name = freshName();
  await using vpc = await testVpc({ fabric: true, name });
  const { one, nic, pod } = await podBesideNic(vpc, name);
  t.after(() => spawnSync('ip', ['netns', 'del', pod]));
  sh(one.netns, `ip link set eth1 netns ${pod}; ip link add eth1 type bridge`);
  execFileSync('ip', ['netns', 'del', pod]);
  const links = (): string => sh(one.netns, 'ip -o link');
  await eventually('it is back', () => assert.match(links(), new RegExp(`eth2.*${nic.mac}`)), 60);
});

test('stopping with destroy, terminating, and cleaning up after a crash leave no namespace', async (t) => {
  const name = freshName();
  const vpc = await testVpc({ fabric: true, name });
  const one = (await vpc.call('POST', '/v1/instances', { name: 'n1', type: 'v1.small', subnet: await withSubnet(vpc) })).body;
  assert.ok(existsSync(one.netns));
  await vpc.call('DELETE', `/v1/instances/${one.id}`);
  assert.ok(!existsSync(one.netns));
  await vpc[Symbol.asyncDispose]();
  assert.ok(!existsSync(`/run/netns/${name}-fabric`) && !existsSync(`/run/netns/${name}-internet`));

  const [stateDir, crashed] = [mkdtempSync(join(tmpdir(), 'fpr-')), freshName()];
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, stateDir, crashed], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  execFileSync('ip', ['netns', 'add', `${crashed}-other`]);
  try {
    assert.deepEqual(cleanVpc(crashed).sort(), [`${crashed}-fabric`, `${crashed}-internet`], 'what is not marked as its own stays');
  } finally {
    execFileSync('ip', ['netns', 'del', `${crashed}-other`]);
  }
  assert.deepEqual(cleanVpc(crashed), []);
});

test('it says clearly why it cannot start', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'fpr-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const options = { stateDir, listen: '127.0.0.1:0', name: 'fpr', fabric: false, log: quiet };
  const fails = (kind: 'vpcOptions' | 'vpcState' | 'vpcListen', more: object) =>
    assert.rejects(startVpc({ ...options, ...more }), (error) => isFailure(error, kind));
  await fails('vpcOptions', { name: '../etc' });
  await fails('vpcOptions', { listen: 'everywhere' });
  const running = await startVpc(options);
  await fails('vpcState', {});
  await fails('vpcListen', { stateDir: join(stateDir, 'two'), listen: running.url.replace('http://', '') });
  await running.stop();
  await fails('vpcOptions', { name: 'other' });
  writeFileSync(join(stateDir, 'vpc.db'), 'this is no database, and has never been one');
  await fails('vpcState', {});
  await fails('vpcState', { stateDir: '/proc/nowhere' });
});
