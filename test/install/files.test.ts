/** What the installer leaves in the two folders, whatever was there. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFailure } from '../../src/errors/failure.ts';
import { isOurs } from '../../src/install/config-list.ts';
import { placeFile } from '../../src/install/place-file.ts';
import type { Step } from '../../src/install/step.ts';
import { uninstall } from '../../src/install/uninstall.ts';
import { programs } from '../programs.ts';
import { built, type Folders, folders, installed } from './folders.ts';

const names = ['flatpod', 'flatpod-ipam', 'veth-to-host'];
/** A process id that nobody can have (proc(5): pid_max is at most 2^22). */
const NOBODY = 2 ** 22 + 1;

test('an installation leaves three executables and one config list, and no other file', async () => {
  using at = folders('loopback');
  const { steps, notes } = await installed(at);
  assert.deepEqual(steps, [...names.map((name) => `written bin/${name}`), 'written net.d/10-flatpod.conflist']);
  assert.deepEqual(notes, []);
  for (const name of names) {
    assert.deepEqual(readFileSync(join(at.bin, name)), readFileSync(join(built, name)));
    assert.equal(statSync(join(at.bin, name)).mode & 0o7777, 0o755);
  }
  assert.deepEqual(readdirSync(at.bin).toSorted(), [...names, 'loopback'].toSorted());
  assert.deepEqual(at.configs(), ['10-flatpod.conflist']);
  assert.equal(statSync(join(at.net, '10-flatpod.conflist')).mode & 0o7777, 0o644);
});

test('what is right already is not touched by a second installation', async () => {
  using at = folders('loopback');
  await installed(at);
  const look = (): unknown =>
    [at.bin, at.net].flatMap((folder) =>
      readdirSync(folder).map((name) => {
        const { ino, mtimeMs, ctimeMs } = statSync(join(folder, name));
        return [name, ino, mtimeMs, ctimeMs];
      }),
    );
  const before = look();
  const { steps } = await installed(at);
  assert.ok(
    steps.every((step) => step.startsWith('unchanged ')),
    steps.join(),
  );
  assert.deepEqual(look(), before);
});

test('an executable with the wrong mode, another content or a link in its place is replaced', async () => {
  using at = folders('loopback');
  await installed(at);
  chmodSync(join(at.bin, 'flatpod'), 0o644);
  writeFileSync(join(at.bin, 'flatpod-ipam'), 'something else');
  const { steps } = await installed(at);
  assert.deepEqual(steps.slice(0, 3), ['written bin/flatpod', 'written bin/flatpod-ipam', 'unchanged bin/veth-to-host']);

  using other = folders();
  const target = join(other.root, 'target');
  copyFileSync(join(built, 'flatpod'), target);
  symlinkSync(target, join(other.bin, 'flatpod'));
  writeFileSync(target, 'whose?');
  await installed(other);
  assert.equal(readFileSync(target, 'utf8'), 'whose?', 'never written through a link');
  assert.deepEqual(readFileSync(join(other.bin, 'flatpod')), readFileSync(join(built, 'flatpod')));
});

test('an executable is replaced while it runs, and the one that runs goes on', async () => {
  using at = folders();
  // It waits for the end of stdin.
  copyFileSync(join(built, 'flatpod'), join(at.bin, 'flatpod'));
  writeFileSync(join(at.bin, 'flatpod'), 'more', { flag: 'a' });
  const running = spawn(join(at.bin, 'flatpod'), { env: { CNI_COMMAND: 'VERSION' }, stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    assert.deepEqual((await installed(at)).steps[0], 'written bin/flatpod');
    assert.equal(running.exitCode, null);
  } finally {
    running.stdout.resume();
    running.stdin.end('{}');
    assert.deepEqual(await once(running, 'close'), [0, null]);
  }
});

test('what an installer that was killed left is removed by the next one, what one that runs is writing is not', async () => {
  using at = folders();
  const left = [join(at.bin, `.flatpod.${NOBODY}`), join(at.net, `.10-flatpod.${NOBODY}.tmp`)];
  const busy = join(at.bin, `.flatpod-ipam.${process.ppid}`);
  for (const path of [...left, busy]) writeFileSync(path, 'half');
  await installed(at);
  assert.deepEqual(left.filter(existsSync), []);
  assert.ok(existsSync(busy));
});

test('a file that cannot be written leaves the old one and no other (FP210)', async () => {
  using at = folders();
  const path = join(at.bin, 'flatpod');
  mkdirSync(path);
  await assert.rejects(
    installed(at),
    (error) => isFailure(error, 'installFile') && error.message === `cannot write ${path}` && /EISDIR/.test(error.details),
  );
  assert.deepEqual(readdirSync(at.bin), ['flatpod']);
  assert.deepEqual(at.configs(), [], 'no config list without its executable');
  // A file system without room: nothing half is left in the place.
  const small = join(at.root, 'small');
  mkdirSync(small);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'fpt', small]);
  assert.equal(mounted.status, 0, mounted.stderr.toString());
  try {
    const place = { path: join(small, 'x'), mode: 0o755, temporary: '.x' };
    placeFile({ ...place, contents: Buffer.from('old') });
    assert.throws(
      () => placeFile({ ...place, contents: Buffer.alloc(1 << 20) }),
      (error) => isFailure(error, 'installFile') && /ENOSPC/.test(error.details),
    );
    assert.equal(readFileSync(place.path, 'utf8'), 'old');
    assert.deepEqual(readdirSync(small), ['x']);
  } finally {
    execFileSync('umount', [small]);
  }
});

test('a list of ours that nobody edited is replaced; any other is kept beside as .bak, and never lost (FP213)', async () => {
  using at = folders('portmap');
  const path = join(at.net, '10-flatpod.conflist');
  await installed(at);
  assert.deepEqual((await installed(at, { list: { network: 'flatpod', chain: ['portmap'] } })).steps.slice(3), [
    'written net.d/10-flatpod.conflist',
  ]);

  const edited = readFileSync(path, 'utf8').replace('"flatpod"', '"my-net"');
  assert.equal(isOurs(edited), false);
  writeFileSync(path, edited);
  assert.deepEqual((await installed(at)).steps.slice(3), ['set aside net.d/10-flatpod.conflist.bak', 'written net.d/10-flatpod.conflist']);
  assert.equal(readFileSync(`${path}.bak`, 'utf8'), edited);

  writeFileSync(path, '{"name": "theirs"}');
  await assert.rejects(installed(at), (error) => isFailure(error, 'configListForeign'));
  assert.equal(readFileSync(path, 'utf8'), '{"name": "theirs"}');
  assert.equal(readFileSync(`${path}.bak`, 'utf8'), edited);
  assert.deepEqual(at.configs(), ['10-flatpod.conflist', '10-flatpod.conflist.bak']);
});

test('a plugin of the chain that is missing, or an executable that was not built, is found before anything is written (FP211, FP212)', async () => {
  using at = folders('portmap');
  const list = { network: 'flatpod', chain: ['portmap', 'bandwidth'] };
  await assert.rejects(
    installed(at, { list }),
    (error) => isFailure(error, 'pluginMissing') && error.message.startsWith('the plugin bandwidth is not in'),
  );
  await assert.rejects(installed(at, { from: at.root }), (error) => isFailure(error, 'executableNotBuilt'));
  assert.deepEqual(readdirSync(at.bin), ['portmap']);
  assert.deepEqual(at.configs(), []);
});

test('the list is of a version that every plugin of the chain knows; one that knows none is refused before anything is written', async () => {
  const listIn = (at: Folders): { cniVersion: string; cniVersions?: string[] } =>
    JSON.parse(readFileSync(join(at.net, '10-flatpod.conflist'), 'utf8'));
  const list = { network: 'flatpod', chain: ['portmap'] };
  using at = folders('loopback');
  cpSync(join(programs.plugins('debian'), 'portmap'), join(at.bin, 'portmap'));
  assert.match(
    (await installed(at, { list })).notes.join(),
    /^the list is of CNI 1\.0\.0: newer ones are not known to all plugins of the chain$/,
  );
  assert.deepEqual([listIn(at).cniVersion, listIn(at).cniVersions], ['1.0.0', ['0.4.0', '1.0.0']]);
  assert.match((await installed(at, { list, cniVersion: '1.1.0' })).notes.join(), /is of CNI 1\.0\.0/);
  assert.deepEqual([listIn(at).cniVersion, listIn(at).cniVersions], ['1.0.0', undefined]);
  rmSync(join(at.bin, 'portmap'));
  cpSync(join(programs.plugins('1.9.1'), 'portmap'), join(at.bin, 'portmap'));
  assert.deepEqual((await installed(at, { list, cniVersion: '1.1.0' })).notes, []);
  assert.equal(listIn(at).cniVersion, '1.1.0');

  using bare = folders('loopback');
  writeFileSync(join(bare.bin, 'portmap'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  await assert.rejects(installed(bare, { list }), (error) => isFailure(error, 'pluginUnusable'));
  writeFileSync(join(bare.bin, 'portmap'), `#!/bin/sh\necho '{"supportedVersions":["0.2.0"]}'\n`, { mode: 0o755 });
  await assert.rejects(
    installed(bare, { list }),
    (error) => isFailure(error, 'pluginUnusable') && /portmap knows 0\.2\.0/.test(error.details),
  );
  assert.deepEqual([readdirSync(bare.bin), bare.configs()], [['loopback', 'portmap'], []]);
});

test('without the plugin loopback, and behind a configuration that sorts first, the installer says so', async () => {
  using at = folders();
  writeFileSync(join(at.net, '05-other.conf'), '{}');
  writeFileSync(join(at.net, '05-other.bak'), '{}');
  writeFileSync(join(at.net, '87-podman-bridge.conflist'), '{}');
  const { notes } = await installed(at);
  assert.match(notes.join('\n'), /^the plugin loopback is not in .*\n05-other\.conf in .* sorts before ours: /);
});

test('uninstall takes the config list first, keeps the folders and what is not ours, and a second run is a quiet success', async () => {
  using at = folders('loopback');
  const places = { binDir: at.bin, confDir: at.net };
  await installed(at);
  writeFileSync(join(at.net, `.10-flatpod.${NOBODY}.tmp`), 'half');
  const steps: Step[] = [];
  uninstall(places, (step) => steps.push(step));
  assert.deepEqual(
    steps.map(({ done, path }) => `${done} ${path.slice(at.root.length + 1)}`),
    ['removed net.d/10-flatpod.conflist', `removed net.d/.10-flatpod.${NOBODY}.tmp`, ...names.map((name) => `removed bin/${name}`)],
  );
  assert.deepEqual(readdirSync(at.bin), ['loopback']);
  assert.deepEqual(at.configs(), []);

  const again: Step[] = [];
  uninstall(places, (step) => again.push(step));
  assert.ok(again.length > 0 && again.every(({ done }) => done === 'absent'));
  uninstall({ binDir: join(at.root, 'never'), confDir: join(at.root, 'never') }, () => undefined);

  writeFileSync(join(at.net, '10-flatpod.conflist'), '{"name": "theirs"}');
  const kept: Step[] = [];
  uninstall(places, (step) => kept.push(step));
  assert.equal(kept[0]?.done, 'kept');
  assert.equal(readFileSync(join(at.net, '10-flatpod.conflist'), 'utf8'), '{"name": "theirs"}');
});
