/** Bad requests to our plugin and to the reference's: the same code, the same exit status, the same form of stdout. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, configFor, oracle, type Plugin } from './oracle.ts';
import { type Row, rows, type Where } from './oracle-requests.ts';

test('there are enough of them, and each is there once', () => {
  assert.ok(rows.length >= 40, `${rows.length}`);
  assert.equal(new Set(rows.map(({ what }) => what)).size, rows.length);
  for (const { what, code, ours } of rows) assert.notEqual(ours?.[0], code, `${what}: no difference to give a reason for`);
});

test('ours answers a bad request as ptp does, of both releases', async (t) => {
  await using plugins = await oracle([4]);
  const { ours, current, debian } = plugins;
  const container = plugins.container();
  for (const row of rows) {
    await t.test(`${row.what}: ${row.ours ? `${row.ours[0]} instead of ${row.code}: ${row.ours[1]}` : row.code}`, async () => {
      assert.equal(await codeFor(current, row, container), row.code, 'the current reference');
      assert.equal(await codeFor(debian, row, container), row.debian ?? row.code, "Debian's reference");
      assert.equal(await codeFor(ours, row, container), row.ours?.[0] ?? row.code, 'ours');
    });
  }
  assert.equal(await plugins.pods(), 0, 'nothing is left');
});

/** The code that the plugin answers; what it did is undone. */
async function codeFor(plugin: Plugin, { env, netns = 'a container', stdin = {} }: Row, container: string): Promise<number> {
  const good = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: pathOf(netns, container, plugin),
    CNI_IFNAME: 'eth0',
    CNI_PATH: plugin.folder,
  };
  const ending = await plugin.call({ ...good, ...env }, typeof stdin === 'string' ? stdin : configFor(plugin, stdin));
  const undone = await plugin.call({ ...good, CNI_COMMAND: 'DEL', CNI_NETNS: container }, configFor(plugin, {}));
  assert.equal(codeOf(undone), 0, undone.stdout);
  return codeOf(ending);
}

function pathOf(where: Where, container: string, { ownNetns }: Plugin): string {
  switch (where) {
    case 'a container':
      return container;
    case 'own':
      return ownNetns;
    case 'nothing':
      return `${container}-nobody`;
    case 'a file':
      return import.meta.filename;
    case 'a folder':
      return import.meta.dirname;
    case 'a namespace of another kind':
      return '/proc/self/ns/uts';
    case 'relative':
      return container.slice(1);
    default:
      return where satisfies never;
  }
}
