/** The config list: its contents, its version, and that it knows its own text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as holds, json, nat, oneof, property, string, tuple } from 'fast-check';
import { configListText, isOurs } from '../../src/install/config-list.ts';
import { versionFor, versionOf } from '../../src/install/runtime.ts';

const version = { cniVersion: '1.0.0' };

test('each plugin declares the capabilities it needs: without that runtimes hand over nothing', () => {
  // The shape is what the next line checks.
  const list = JSON.parse(configListText({ network: 'pods', version, chain: ['portmap', 'bandwidth', 'tuning'] })) as Record<
    string,
    unknown
  >;
  assert.deepEqual(
    { ...list, 'flatpod.dev/installed': '' },
    {
      cniVersion: '1.0.0',
      name: 'pods',
      plugins: [
        { type: 'flatpod', capabilities: { ips: true, mac: true, 'io.kubernetes.cri.pod-annotations': true } },
        { type: 'portmap', capabilities: { portMappings: true } },
        { type: 'bandwidth', capabilities: { bandwidth: true } },
        { type: 'tuning' },
      ],
      'flatpod.dev/installed': '',
    },
  );
});

test('containerd before 2.0, and in a version nobody can read, and an unknown runtime get 1.0.0, others 1.1.0', async () => {
  const of = (name: string, text: string): string => versionOf(name, text).cniVersion;
  for (const text of ['1.6.20~ds1', 'v1.7.24', '1.7.0-rc.1', '', 'devel']) assert.equal(of('containerd', text), '1.0.0', text);
  for (const text of ['v2.0.0', '2.3.1', '2.0.0-beta.1', 'v10.1.0']) assert.equal(of('containerd', text), '1.1.0', text);
  assert.equal(of('cri-o', '1.34.0'), '1.1.0');
  assert.deepEqual(await versionFor(undefined), { cniVersion: '1.0.0', cniVersions: ['0.4.0', '1.0.0', '1.1.0'] });
});

test('a list knows its own text, and every change to it', () => {
  const text = configListText({ network: 'pods', version, chain: ['portmap'] });
  assert.ok(isOurs(text));
  // Its form is nobody's business: an editor may have changed the indent.
  assert.ok(isOurs(JSON.stringify(JSON.parse(text))));
  const edit = tuple(nat(text.length - 1), string({ minLength: 1, maxLength: 3 }));
  holds(
    property(edit, ([at, piece]) => {
      const other = text.slice(0, at) + piece + text.slice(at + piece.length);
      assert.equal(isOurs(other), sameList(other, text));
    }),
  );
  holds(property(oneof(string(), json()), (other) => assert.equal(isOurs(other), false)));
});

function sameList(a: string, b: string): boolean {
  try {
    return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
  } catch {
    return false;
  }
}
