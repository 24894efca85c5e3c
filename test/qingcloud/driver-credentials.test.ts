/** Where keys come from, and what is said when there are none. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { credentialsOf } from '../../src/cloud/qingcloud/credentials.ts';
import { isFailure, sentence } from '../../src/errors/failure.ts';
import { deadlines } from '../cloud/deadlines.ts';
import { fails, scriptedServer } from '../cloud/scripted-server.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { keyFile, keyText } from './key-file.ts';

const clock = virtualClock();

test('a file says everything, also where the API of a private cloud is', async () => {
  using file = keyFile('K', 'S', 'zone: sh1\nhost: api.example.com\nport: 7777\nprotocol: http\nuri: /iaas/\nconnection_retries: 3\n');
  const credentials = credentialsOf({ credentials: { from: 'file', path: file.path } }, clock);
  assert.deepEqual(await credentials.now(), { origin: 'http://api.example.com:7777', path: '/iaas/', zone: 'sh1', key: 'K', secret: 'S' });
  const told = credentialsOf({ credentials: { from: 'file', path: file.path }, endpoint: 'https://other:8443/x', zone: 'z' }, clock);
  assert.deepEqual(await told.now(), { origin: 'https://other:8443', path: '/x', zone: 'z', key: 'K', secret: 'S' });
});

test('what a file does not say is the public cloud', async () => {
  using file = keyFile('K', 'S', 'zone: pek3a\n');
  const { origin, path } = await credentialsOf({ credentials: { from: 'file', path: file.path } }, clock).now();
  assert.deepEqual([new URL(origin).hostname, path], ['api.qingcloud.com', '/iaas']);
});

test('a file that is exchanged is read again, and one that cannot be used is named without its values', async () => {
  using file = keyFile('K', 'S', 'zone: z\n');
  const credentials = credentialsOf({ credentials: { from: 'file', path: file.path } }, clock);
  assert.equal((await credentials.now()).key, 'K');
  file.replace(keyText('K2', 'S2', 'zone: z\n'));
  assert.deepEqual([(await credentials.now()).key, (await credentials.now()).secret], ['K2', 'S2']);
  const wrong: readonly [string, RegExp][] = [
    [`qy_access_key_id: K\n`, /lacks qy_secret_access_key/],
    [`qy_secret_access_key: HIDDEN\nqy_access_key_id: ''\n`, /lacks qy_access_key_id/],
    [`qy_access_key_id: K\nqy_secret_access_key: "HIDDEN\nzone: [`, /cannot be read as YAML/],
    [`HIDDEN`, /no list of keys/],
    [keyText('K', 'HIDDEN'), /no zone/],
  ];
  for (const [text, words] of wrong) {
    file.replace(text);
    const error: unknown = await credentials.now().catch((thrown: unknown) => thrown);
    assert.ok(isFailure(error, 'cloudCredentials'), String(error));
    assert.match(sentence(error), words);
    assert.ok(!inspect(error, { depth: 20, showHidden: true }).includes('HIDDEN'), inspect(error));
  }
  rmSync(file.path);
  await assert.rejects(credentials.now(), fails('cloudCredentials', /cannot be read/));
  writeFileSync(file.path, keyText('K3', 'S3', 'zone: z\n'));
  assert.equal((await credentials.now()).key, 'K3');
});

test('the environment has keys and zone, or it is said which are missing', async (t) => {
  const names = ['QINGCLOUD_ACCESS_KEY_ID', 'QINGCLOUD_SECRET_ACCESS_KEY', 'QINGCLOUD_ZONE'];
  const before = names.map((name) => process.env[name]);
  t.after(() => {
    for (const [i, name] of names.entries()) {
      const value = before[i];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) delete process.env[name];
  const credentials = credentialsOf({ credentials: { from: 'environment' } }, clock);
  await assert.rejects(credentials.now(), fails('cloudCredentials', /QINGCLOUD_ACCESS_KEY_ID/));
  [process.env['QINGCLOUD_ACCESS_KEY_ID'], process.env['QINGCLOUD_SECRET_ACCESS_KEY'], process.env['QINGCLOUD_ZONE']] = ['K', 'S', 'z'];
  const { key, secret, zone } = await credentials.now();
  assert.deepEqual([key, secret, zone], ['K', 'S', 'z']);
});

test('an endpoint that is none is said to be none', async () => {
  using file = keyFile('K', 'S');
  for (const endpoint of ['api.qingcloud.com', 'ftp://x/iaas']) {
    const made = (): unknown => credentialsOf({ credentials: { from: 'file', path: file.path }, endpoint, zone: 'z' }, clock);
    assert.throws(made, fails('cloudCredentials', /is no http/));
  }
});

test('a role’s keys are asked for once, before they end, and the old ones do while new ones cannot be had', async (t) => {
  // The service is this process, which may be held up.
  deadlines(t);
  const time = virtualClock();
  let [asked, answer, status]: [number, object | string, number] = [0, {}, 200];
  await using server = await scriptedServer((_, response) => {
    asked++;
    response.writeHead(status).end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
  const credentials = credentialsOf({ credentials: { from: 'role', metadata: server.url }, zone: 'z' }, time);
  using _end = { [Symbol.dispose]: () => credentials.close() };
  const keys = (name: string, expires_ms: number) => ({
    ret_code: 0,
    access_key: name,
    secret_key: 'HIDDEN',
    id_token: 'HIDDEN-TOO',
    jti: 'x',
    expiration: Math.floor(expires_ms / 1000),
  });
  answer = keys('first', time.now_ms() + 3_600_000);
  const [a, b] = await Promise.all([credentials.now(), credentials.now()]);
  assert.deepEqual([a.key, a.token, a.path, b.key, asked], ['first', 'HIDDEN-TOO', '/iam', 'first', 1]);
  await time.advance(3_000_000);
  await credentials.now();
  assert.equal(asked, 1);
  await time.advance(400_000);
  [answer, status] = ['busy', 503];
  assert.equal((await credentials.now()).key, 'first', 'they still are good');
  [answer, status] = [{ ...keys('second', 0), expiration: new Date(time.now_ms() + 7_200_000).toISOString().slice(0, 19) }, 200];
  assert.equal((await credentials.now()).key, 'second');
  credentials.refused();
  answer = `not JSON with HIDDEN`;
  const error: unknown = await credentials.now().catch((thrown: unknown) => thrown);
  assert.ok(isFailure(error, 'cloudGarbled') && !inspect(error, { depth: 20, showHidden: true }).includes('HIDDEN'), inspect(error));
  status = 404;
  await assert.rejects(credentials.now(), fails('cloudCredentials', /no role/));
  await time.advance(8_000_000);
  [answer, status] = [{ ...keys('third', 0), secret_key: 7, id_token: 'HIDDEN' }, 200];
  await assert.rejects(credentials.now(), fails('cloudGarbled', /secret_key should be text/));
});
