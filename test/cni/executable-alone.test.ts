/** The CNI executable with no agent: what it answers by itself, and the spool. */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeFrame } from '../../src/cni/frame.ts';
import { releaseIn } from '../../src/cni/asked.ts';
import { parseRequest } from '../../src/cni/request.ts';
import { cniVersions } from '../../src/cni/versions.ts';
import { requestErrors } from '../../src/errors/areas/request.ts';
import { built, type Ending, errorIn, run, scratch } from './executable.ts';

let files: ReturnType<typeof built>;
before(() => {
  files = built();
});
after(() => files[Symbol.dispose]());

const config = '{"cniVersion":"1.0.0","name":"vpc","type":"flatpod"}';
const pod = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };
const nobody = { FLATPOD_SOCKET: '/nonexistent/cni.sock', FLATPOD_STATE: '/nonexistent-state' };

const call = (env: Record<string, string>, stdin: string | Uint8Array = config, name = 'flatpod'): Promise<Ending> =>
  run(join(files.path, name), { ...nobody, ...pod, ...env }, stdin);

test('the executable has three names, is static, and is smaller than 1 MiB', async () => {
  assert.deepEqual(readdirSync(files.path).sort(), ['flatpod', 'flatpod-ipam', 'veth-to-host']);
  assert.ok(statSync(join(files.path, 'flatpod')).size < 2 ** 20);
  assert.equal(readFileSync(join(files.path, 'flatpod')).includes('ld-linux'), false);
});

test('without CNI_COMMAND it says on stderr what it is, and succeeds', async () => {
  const ending = await run(join(files.path, 'flatpod'), {}, '');
  assert.deepEqual([ending.status, ending.stdout], [0, '']);
  assert.match(ending.stderr, /^flatpod: CNI plugin.*\n.*"0\.1\.0".*"1\.1\.0"/);
});

test('VERSION needs no agent and no configuration, and echoes a version it speaks', async () => {
  for (const asked of [...cniVersions, '9.9.9', undefined]) {
    const stdin = asked === undefined ? '' : JSON.stringify({ cniVersion: asked });
    const ending = await call({ CNI_COMMAND: 'VERSION' }, stdin);
    const echoed = cniVersions.find((version) => version === asked) ?? '1.1.0';
    assert.equal(ending.status, 0);
    assert.deepEqual(JSON.parse(ending.stdout), { cniVersion: echoed, supportedVersions: [...cniVersions] });
  }
});

const answers: Record<string, [code: number, fp: string]> = {
  ADD: [11, 'FP113'],
  CHECK: [11, 'FP113'],
  GC: [11, 'FP113'],
  STATUS: [50, 'FP114'],
  NONSENSE: [4, 'FP102'],
  'ADD DEL': [4, 'FP102'],
};
for (const [CNI_COMMAND, [code, fp]] of Object.entries(answers)) {
  test(`${CNI_COMMAND} with no agent answers ${code} (${fp}) and what to do`, async () => {
    const ending = await call({ CNI_COMMAND });
    const error = errorIn(ending);
    assert.deepEqual([ending.status, error.code, error.cniVersion], [1, code, '1.0.0']);
    assert.ok(error.msg.endsWith(`(${fp})`), error.msg);
    if (code !== 4) assert.match(error.details, /\/nonexistent\/cni\.sock: No such file or directory; start the agent/);
  });
}

test('a socket file that nobody listens on reads as no agent', async () => {
  using dir = scratch();
  writeFileSync(join(dir.path, 's'), '');
  const ending = await call({ CNI_COMMAND: 'ADD', FLATPOD_SOCKET: join(dir.path, 's') });
  assert.match(errorIn(ending).details, /Connection refused/);
});

test("errors carry the configuration's version where it has one, wherever it stands", async () => {
  const configs: Record<string, string> = {
    '{"cniVersion":"0.3.1"}': '0.3.1',
    '{"name":"cniVersion","cniVersion" :\n "0.4.0"}': '0.4.0',
    '{"a":{"cniVersion":"0.2.0"},"b":[{"cniVersion":"0.3.0"}],"cniVersion":"1.0.0"}': '1.0.0',
    '{"a":"\\"cniVersion\\":\\"0.2.0\\"","cniVersion":"0.1.0"}': '0.1.0',
    '{"a":"{","cniVersion":"0.3.1"}': '0.3.1',
    '{"prevResult":{"cniVersion":"0.2.0"}}': '1.1.0',
    '{"cniVersion":"1.0.0-alpha"}': '1.1.0',
    '{"cniVersion":"\\",\\""}': '1.1.0',
    '{"cniVersion":1}': '1.1.0',
    '{"cniVersion":"1.0': '1.1.0',
    '{"cniVersion"': '1.1.0',
    '"\\': '1.1.0',
    '': '1.1.0',
  };
  // Each waits a while for an agent that is just being restarted.
  const said = await Promise.all(
    Object.keys(configs).map(async (stdin) => [stdin, errorIn(await call({ CNI_COMMAND: 'ADD' }, stdin)).cniVersion]),
  );
  assert.deepEqual(Object.fromEntries(said), configs);
});

test('whatever stands in a variable, the error is JSON', async () => {
  const FLATPOD_SOCKET = '/no/"quoted"\\\n\t\u0001\u007fü…\u{1f310}';
  const ending = await call({ CNI_COMMAND: 'ADD', FLATPOD_SOCKET });
  assert.ok(errorIn(ending).details.startsWith('/no/"quoted"\\\n\t\u0001\u007f\ufffd'));
  assert.equal(errorIn(await call({ CNI_COMMAND: '"'.repeat(20_000) })).code, 4);
  assert.equal(errorIn(await call({ CNI_COMMAND: 'ADD', FLATPOD_SOCKET: `/${'"'.repeat(20_000)}` })).code, 11);
});

test('DEL with no agent succeeds in silence and keeps the very request for the agent', async () => {
  using dir = scratch();
  const FLATPOD_STATE = join(dir.path, 'var/lib/flatpod');
  const ending = await call({ CNI_COMMAND: 'DEL', FLATPOD_STATE, TRACEPARENT: '00-a' });
  assert.deepEqual([ending.status, ending.stdout], [0, '']);
  assert.match(ending.stderr, /no answer from the agent.*DEL of c1 eth0 is kept/);
  const spool = join(FLATPOD_STATE, 'spool');
  const [name = '', ...more] = readdirSync(spool);
  assert.deepEqual(more, []);
  assert.match(name, /^c1-eth0-\d{19}-\d+\.del$/);
  const frame = decodeFrame(readFileSync(join(spool, name)));
  const request = parseRequest(frame.variables, frame.stdin);
  assert.ok(request.verb === 'del');
  assert.deepEqual([request.container, request.ifname, request.cniVersion, request.trace.traceparent], ['c1', 'eth0', '1.0.0', '00-a']);
  for (const made of [FLATPOD_STATE, spool, join(dir.path, 'var')]) assert.equal(lstatSync(made).mode & 0o777, 0o700, made);
  assert.equal(lstatSync(join(spool, name)).mode & 0o777, 0o600);
});

test('DEL with no agent succeeds with an empty namespace, a broken configuration, an endless id; each is kept apart', async () => {
  using dir = scratch();
  const env = { CNI_COMMAND: 'DEL', FLATPOD_STATE: dir.path };
  const endings = [
    await call({ ...env, CNI_NETNS: '' }),
    await call(env, '{"broken'),
    await call({ ...env, CNI_CONTAINERID: 'x'.repeat(5000) }),
  ];
  assert.deepEqual(
    endings.map(({ status, stdout }) => [status, stdout]),
    endings.map(() => [0, '']),
  );
  const kept = readdirSync(join(dir.path, 'spool')).map((name) => decodeFrame(readFileSync(join(dir.path, 'spool', name))));
  assert.deepEqual(
    kept.map(({ variables, stdin }) => releaseIn(variables, stdin).container.length).toSorted((a, b) => a - b),
    [2, 2, 5000],
  );
});

test('DEL of a nonsensical or unnamed attachment is an error even with no agent, and keeps nothing', async () => {
  using dir = scratch();
  const bad: [Record<string, string>, RegExp][] = [
    [{ CNI_CONTAINERID: '../../etc' }, /CNI_CONTAINERID is not acceptable \(FP100\)/],
    [{ CNI_CONTAINERID: '.hidden' }, /CNI_CONTAINERID is not acceptable \(FP100\)/],
    [{ CNI_IFNAME: 'a/b' }, /CNI_IFNAME is not acceptable \(FP100\)/],
    [{ CNI_IFNAME: 'x'.repeat(31) }, /CNI_IFNAME is not acceptable \(FP100\)/],
    [{ CNI_IFNAME: '..' }, /CNI_IFNAME is not acceptable \(FP100\)/],
    [{ CNI_CONTAINERID: '' }, /DEL needs variables that are not set \(FP101\)/],
    [{ CNI_IFNAME: '' }, /DEL needs variables that are not set \(FP101\)/],
  ];
  for (const [env, msg] of bad) {
    const error = errorIn(await call({ CNI_COMMAND: 'DEL', FLATPOD_STATE: dir.path, ...env }));
    assert.equal(error.code, 4);
    assert.match(error.msg, msg);
  }
  assert.deepEqual(readdirSync(dir.path), []);
});

test('DEL that cannot be kept tells the runtime to repeat it, and leaves no half of a file', async () => {
  using dir = scratch();
  writeFileSync(join(dir.path, 'file'), '');
  const blocked = await call({ CNI_COMMAND: 'DEL', FLATPOD_STATE: join(dir.path, 'file/state') });
  assert.deepEqual([blocked.status, errorIn(blocked).code], [1, 11]);
  assert.match(errorIn(blocked).msg, /cannot be kept for later \(FP116\)/);
  assert.match(errorIn(blocked).details, /cni\.sock|No such file.*Not a directory/);
  assert.equal(errorIn(await call({ CNI_COMMAND: 'DEL', FLATPOD_STATE: `/${'x'.repeat(5000)}` })).code, 11);

  // A full disk: a tmpfs of a few pages in a mount namespace of its own, which ends with the command.
  const script = 'mount -t tmpfs -o size=16k none "$FLATPOD_STATE" && "$0"; echo " exit $?"; ls -A "$FLATPOD_STATE/spool"';
  const env = { PATH: process.env['PATH'] ?? '', ...nobody, ...pod, CNI_COMMAND: 'DEL', FLATPOD_STATE: dir.path };
  const full = await run('unshare', env, Buffer.alloc(200_000, ' '), ['-m', 'sh', '-c', script, join(files.path, 'flatpod')]);
  assert.match(full.stdout, /"code":11.*FP116.*No space left on device.*\n exit 1\n$/);
});

test('a spool that is full of releases takes no more, and says so', async () => {
  using dir = scratch();
  const spool = join(dir.path, 'spool');
  mkdirSync(spool);
  for (let i = 0; i < 20_000; i++) writeFileSync(join(spool, `${i}.del`), '');
  const ending = await call({ CNI_COMMAND: 'DEL', FLATPOD_STATE: dir.path });
  assert.match(errorIn(ending).msg, /FP116/);
});

test("the executable's own errors are those of the catalogue, word for word", () => {
  const sources = ['shim.c', 'spool.c'].map((file) => readFileSync(resolve(import.meta.dirname, '../../src/cni', file), 'utf8')).join('');
  const calls = [...sources.matchAll(/\bfail\((\d+), (\d+), "([^"]+)"/g)];
  assert.ok(calls.length >= 9, `${calls.length} found`);
  for (const [, fp, cni, message] of calls) {
    const entry = Object.values(requestErrors).find(({ code }) => code === Number(fp));
    assert.equal(Number(cni), entry?.cni, `FP${fp}`);
    const pattern = entry?.message.replace(/\{\w+\}/g, '\\S+') ?? '';
    assert.match(message ?? '', new RegExp(`^${pattern}$`));
  }
});
