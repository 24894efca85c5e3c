/** The installer and the runtime that reads what it wrote: two real containerds, and runtimes that behave as those here do not. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runtimeStatus } from '../../src/cri/runtime.ts';
import { integerField, mapField, messageField, textField } from '../../src/cri/wire.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { writeListAgain } from '../../src/install/config-folder.ts';
import { untilLoaded } from '../../src/install/runtime.ts';
import { reply, type RuntimeServer, runtimeServer } from '../cri/server.ts';
import { eventually, patientVerbs, testLab } from '../life/lab.ts';
import { type Containerd, programs } from '../programs.ts';
import { startContainerd } from './containerd.ts';
import { flatpod, type Folders, folders, installed } from './folders.ts';

const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a', type: 'v1.small' } } };

/** Whether the runtime calls its network ready. */
async function isReady(socket: string): Promise<boolean> {
  return (await runtimeStatus(socket, false, { deadline_ms: 60_000 })).conditions.some(
    ({ type, status }) => type === 'NetworkReady' && status,
  );
}

function listOf(at: Folders): { cniVersion: string; plugins: { type: string }[] } {
  // The list as it was written by the installer.
  return JSON.parse(readFileSync(join(at.net, '10-flatpod.conflist'), 'utf8')) as { cniVersion: string; plugins: { type: string }[] };
}

for (const [program, cniVersion] of [
  [programs.containerd1, '1.0.0'],
  [programs.containerd2, '1.1.0'],
] as const) {
  test(`${program.name}: NetworkReady comes with the config list, after the agent; changes are noticed; uninstall takes it away`, async () => {
    const containerd: Containerd = program();
    using at = folders();
    for (const plugin of ['loopback', 'portmap', 'bandwidth']) copyFileSync(join(programs.plugins('1.9.1'), plugin), join(at.bin, plugin));
    await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
    const node = lab.node(0);
    await node.stop();
    await using runtime = await startContainerd(containerd, at.bin, at.net, {
      FLATPOD_SOCKET: node.socket,
      ...patientVerbs,
    });
    const args = [...at.args, '--socket', node.socket, '--runtime-socket', runtime.socket];

    // The installer waits for the agent; only then there is a list, and the runtime is ready.
    const installing = flatpod(['install', ...args, '--wait', '60', '--chain', 'portmap,bandwidth', '--json']);
    await eventually('the executables are there', () => statSync(join(at.bin, 'veth-to-host')).isFile());
    assert.deepEqual(at.configs(), []);
    assert.equal(await isReady(runtime.socket), false);
    await node.start();
    const ended = await installing;
    assert.equal(ended.status, 0, ended.out + ended.err);
    assert.match(ended.err, /^waiting for the agent: no agent answers/);
    assert.match(ended.out, /the runtime has loaded the config list"/);
    assert.equal(listOf(at).cniVersion, cniVersion);
    assert.equal(await isReady(runtime.socket), true);

    // A changed list is read too: the installer compares what the runtime loaded word by word.
    const changed = await flatpod(['install', ...args, '--chain', 'portmap']);
    assert.equal(changed.status, 0, changed.err);
    assert.deepEqual(
      listOf(at).plugins.map(({ type }) => type),
      ['flatpod', 'portmap'],
    );

    assert.equal((await flatpod(['uninstall', ...at.args])).status, 0);
    await eventually('the network is not ready', async () => !(await isReady(runtime.socket)));
    assert.equal((await flatpod(['install', ...args])).status, 0, 'the folder is watched still');

    // Another file first: the runtime goes on with that, and the installer says which.
    writeFileSync(join(at.net, '05-other.conflist'), '{"cniVersion": "1.0.0", "name": "their-net", "plugins": [{"type": "loopback"}]}');
    const hidden = await flatpod(['install', ...args]);
    assert.equal(hidden.status, 1);
    assert.match(hidden.err, /FP215.*it uses their-net/);
    assert.match(hidden.out, /note: 05-other\.conflist in .* sorts before ours/);
  });
}

test('containerd that missed the list, because it came from another folder, has it after it was written once more', async () => {
  using at = folders('loopback');
  await installed(at, { cniVersion: '1.0.0' });
  const path = join(at.net, '10-flatpod.conflist');
  const text = readFileSync(path, 'utf8');
  rmSync(path);
  const elsewhere = join(at.root, 'elsewhere');
  mkdirSync(elsewhere);
  await using runtime = await startContainerd(programs.containerd1(), at.bin, at.net);
  writeFileSync(join(elsewhere, 'list'), text);
  renameSync(join(elsewhere, 'list'), path);
  let again = 0;
  const writeAgain = (): void => {
    again++;
    writeListAgain(at.net, text);
  };
  // So long also a containerd that is held up needs not to notice.
  assert.equal(await untilLoaded(runtime.socket, path, text, writeAgain, 5000), '');
  assert.equal(again, 1, 'it goes on without, until somebody writes');
});

/** A runtime whose network is in that state, that tells that much beside. */
function statusServer(ready: boolean, info: () => Readonly<Record<string, string>>): Promise<RuntimeServer> {
  const condition = messageField(
    1,
    textField(1, 'NetworkReady'),
    integerField(2, ready),
    textField(3, ready ? '' : 'NetworkPluginNotReady'),
  );
  return runtimeServer(({ stream, method }) => {
    if (method === 'RuntimeService/Status') reply(stream, Buffer.concat([messageField(1, condition), mapField(2, info())]));
    else reply(stream, Buffer.concat([textField(2, 'cri-o'), textField(3, '1.34.0')]));
  });
}

test('a runtime that does not tell what it loaded is believed when it calls its network ready, and gets 1.1.0', async () => {
  using at = folders('loopback');
  await using runtime = await statusServer(true, () => ({ config: '{}', cniconfig: 'of another form' }));
  const { notes } = await installed(at, { runtimeSocket: runtime.socket });
  assert.deepEqual(notes, ['the runtime has loaded the config list']);
  assert.equal(listOf(at).cniVersion, '1.1.0');
});

test('a list that is not noticed is written once more, and not twice', async () => {
  const theirs = [{ Config: { Name: 'cni-loopback', Source: '{}' } }, { Config: { Name: 'flatpod', Source: 'an older text' } }];
  const told = { Networks: theirs };
  await using runtime = await statusServer(true, () => ({ cniconfig: JSON.stringify(told), lastCNILoadStatus: 'cni config load failed' }));
  let again = 0;
  const never = untilLoaded(runtime.socket, '/x', 'ours', () => again++, 50);
  await assert.rejects(
    never,
    (error) => isFailure(error, 'runtimeIgnores') && error.details === 'it uses flatpod (of another text); cni config load failed',
  );
  assert.equal(again, 1);
  const notice = (): void => void theirs.push({ Config: { Name: 'flatpod', Source: 'ours' } });
  assert.equal(await untilLoaded(runtime.socket, '/x', 'ours', notice, 50), '');
});

test('a runtime that has the list but whose network is not ready is quoted; one that does not answer ends it before anything is written', async () => {
  using at = folders('loopback');
  await using unready = await statusServer(false, () => ({
    cniconfig: JSON.stringify({ Networks: [{ Config: { Name: 'flatpod', Source: 'ours' } }] }),
  }));
  assert.equal(await untilLoaded(unready.socket, '/x', 'ours', () => undefined), 'NetworkPluginNotReady');
  const silent = await flatpod(['install', ...at.args, '--no-wait', '--runtime-socket', join(at.root, 'none')]);
  assert.equal(silent.status, 1);
  assert.match(silent.err, /no container runtime answers on/);
  assert.deepEqual(at.configs(), []);
});
