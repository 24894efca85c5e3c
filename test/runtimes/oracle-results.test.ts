/** Good requests to our plugin and to the reference's: results of the same shape in every version, the same answers along a Pod's life. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { type CniVersion, cniVersions, isAtLeast } from '../../src/cni/versions.ts';
import { NAMED } from '../../src/kernel/netns.ts';
import { codeOf, configFor, oracle, type Oracle, type Plugin } from './oracle.ts';

/** Lines of a shape that one side may have alone. */
const differences: readonly (readonly [lines: RegExp, reason: string])[] = [
  [/^dns: an empty object$/, 'how Go writes a struct without content; the current plugins leave it out from 1.0.0 on, too'],
  [/routes\[\d+\]\.gw: string$/, 'a link-local gateway, said where the reference leaves it to `ips[].gateway`: both are optional'],
  [/^interfaces\[\d+\]\.mtu: number$/, 'came with 1.1.0 (ptp does not fill it in); libcni itself keeps it when it converts to 1.0.0'],
];

/** What is where in a result, and of which type: `ips[0].address: string`. */
function shapeOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [`${path}: ${value === null ? 'null' : typeof value}`];
  const members = Object.entries(value);
  if (members.length === 0) return [`${path}: an empty ${Array.isArray(value) ? 'list' : 'object'}`];
  return members.flatMap(([key, member]) =>
    shapeOf(member, Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`),
  );
}

function comparable(result: unknown): string[] {
  return shapeOf(result)
    .filter((line) => !differences.some(([lines]) => lines.test(line)))
    .toSorted();
}

/** A container, and one plugin called for it. */
interface Pod {
  call(verb: string, keys?: object, env?: object): ReturnType<Plugin['call']>;
  /** ADD that must succeed: its result. */
  add(): Promise<Result>;
  /** `ip` inside. */
  ip(...args: string[]): string;
}

function podOf(plugin: Plugin, netns: string, cniVersion: string, CNI_CONTAINERID: string): Pod {
  const variables = { CNI_CONTAINERID, CNI_NETNS: netns, CNI_IFNAME: 'eth0', CNI_PATH: plugin.folder };
  const call: Pod['call'] = (CNI_COMMAND, keys = {}, env = {}) =>
    plugin.call({ ...variables, CNI_COMMAND, ...env }, configFor(plugin, { cniVersion, ...keys }));
  return {
    call,
    async add() {
      const ending = await call('ADD');
      assert.equal(codeOf(ending), 0, `${plugin.name}: ${ending.stdout}`);
      return JSON.parse(ending.stdout) as Result;
    },
    ip: (...args) =>
      execFileSync('ip', ['-n', netns.slice(NAMED.length + 1), ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
  };
}

/** What a test looks at; the rest is compared by its shape. */
interface Result {
  readonly cniVersion: string;
  readonly interfaces?: readonly { readonly name: string; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly address: string; readonly interface: number; readonly version?: string }[];
}

for (const families of [[6], [4, 6]] as const) {
  test(`IPv${families.join(' and IPv')}: in every version the result has the shape of the reference's, and CHECK, DEL and VERSION answer alike`, async () => {
    await using plugins = await oracle(families);
    const { ours, current, debian } = plugins;
    for (const version of cniVersions) {
      const lives = version === '1.1.0' ? [ours, current] : [ours, current, debian];
      const shapes = await Promise.all(lives.map((plugin) => life(plugins, plugin, version)));
      for (const [i, plugin] of lives.entries()) assert.deepEqual(shapes[i], shapes[0], `${version}: ${plugin.name}`);
    }
    assert.equal(await plugins.pods(), 0);
  });
}

/** The shape of the result, and the codes of everything after it; what must hold for each by itself is asserted. */
async function life(plugins: Oracle, plugin: Plugin, version: CniVersion): Promise<string[]> {
  const netns = plugins.container();
  const pod = podOf(plugin, netns, version, `c${version}`);
  const result = await pod.add();
  assert.equal(result.cniVersion, version);
  const sandboxes = isAtLeast(version, '0.3.0') ? [undefined, netns] : undefined;
  assert.deepEqual(
    result.interfaces?.map(({ sandbox }) => sandbox),
    sandboxes,
  );
  for (const ip of result.ips ?? []) assert.equal(ip.interface, 1);
  const checked = await pod.call('CHECK', { prevResult: result });
  const deleted = await pod.call('DEL', { prevResult: result });
  assert.ok(!pod.ip('link').includes('eth0'));
  const again = await pod.call('DEL', {}, { CNI_NETNS: '' });
  assert.deepEqual([deleted.stdout, again.stdout], ['', '']);
  // As podman asks.
  const { stdout } = await pod.call('VERSION', {}, { CNI_NETNS: 'dummy', CNI_IFNAME: 'dummy' });
  const versions = JSON.parse(stdout) as { supportedVersions: string[] };
  assert.ok(versions.supportedVersions.includes(version));
  return [...comparable(result), ...shapeOf(versions).slice(0, 2), ...[checked, deleted, again].map((ending) => String(codeOf(ending)))];
}

test("a Pod's life is answered alike", async (t) => {
  await using plugins = await oracle([4]);
  const { ours, current, debian } = plugins;
  const all = [ours, current, debian];
  const newPod = (plugin: Plugin, container: string, version = '1.0.0'): Pod => podOf(plugin, plugins.container(), version, container);

  await t.test('a second ADD of the same interface is refused, and the first stays whole', async () => {
    for (const plugin of all) {
      const pod = newPod(plugin, 'twice');
      const prevResult = await pod.add();
      assert.ok(codeOf(await pod.call('ADD')) >= 100, plugin.name);
      // ptp has put its interface into a half-torn state by now.
      if (plugin === ours) assert.equal(codeOf(await pod.call('CHECK', { prevResult })), 0);
      assert.equal(codeOf(await pod.call('DEL')), 0);
    }
  });

  await t.test('an interface of that name that is there already is left alone, and ADD is refused', async () => {
    for (const plugin of all) {
      const pod = newPod(plugin, 'taken');
      pod.ip('link', 'add', 'eth0', 'type', 'bridge');
      assert.ok(codeOf(await pod.call('ADD')) >= 100, plugin.name);
      assert.match(pod.ip('-d', 'link', 'show', 'eth0'), /bridge/, plugin.name);
    }
    assert.equal(await plugins.pods(), 0);
  });

  await t.test('CHECK fails with the result of another Pod, and after the address was taken away; DEL succeeds all the same', async () => {
    for (const plugin of all) {
      const [pod, other] = [newPod(plugin, 'one'), newPod(plugin, 'two')];
      const [prevResult, another] = [await pod.add(), await other.add()];
      assert.ok(codeOf(await pod.call('CHECK', { prevResult: another })) >= 100, plugin.name);
      pod.ip('addr', 'del', prevResult.ips?.[0]?.address ?? '', 'dev', 'eth0');
      assert.ok(codeOf(await pod.call('CHECK', { prevResult })) >= 100, plugin.name);
      for (const one of [pod, other]) assert.equal(codeOf(await one.call('DEL')), 0, plugin.name);
    }
  });

  await t.test('STATUS and GC of 1.1.0 are silent when all is well', async () => {
    for (const plugin of [ours, current]) {
      const pod = newPod(plugin, 'none', '1.1.0');
      for (const verb of ['STATUS', 'GC']) {
        const { status, stdout } = await pod.call(verb, { 'cni.dev/valid-attachments': [] });
        assert.deepEqual([status, stdout], [0, ''], `${plugin.name} ${verb}`);
      }
    }
  });

  await t.test(
    "the node's own namespace is refused with 8 before anything is done to it; the reference notices late or never",
    async () => {
      const pod = podOf(ours, ours.ownNetns, '1.0.0', 'own');
      // An address of the node that has just come ceases to be tentative meanwhile.
      const addresses = (): string => pod.ip('addr').replaceAll(' tentative', '');
      const before = addresses();
      assert.equal(codeOf(await pod.call('ADD')), 8);
      assert.equal(addresses(), before);
    },
  );
});
