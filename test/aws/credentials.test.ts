/** Keys: where they are looked for, when they are fetched again, and what is said when there are none. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { type Keyring, keyring } from '../../src/cloud/aws/credentials/chain.ts';
import type { Surroundings } from '../../src/cloud/aws/credentials/source.ts';
import { connections } from '../../src/cloud/wire/http.ts';
import { isFailure, sentence } from '../../src/errors/failure.ts';
import { deadlines } from '../cloud/deadlines.ts';
import { scriptedServer } from '../cloud/scripted-server.ts';

type Env = Record<string, string>;
type Reply = readonly [status: number, text: string];

interface Services extends AsyncDisposable {
  readonly url: string;
  /** A folder for files; HOME of what is looked for. */
  readonly folder: string;
  /** By `METHOD path`; 404 for others. */
  readonly replies: Map<string, (request: IncomingMessage, body: string) => Reply>;
  readonly asked: string[];
  now_ms: number;
  write(name: string, text: string): string;
  ring(env: Env, more?: Partial<Surroundings>): Keyring;
}

/** They are this process, which may be held up for longer than it is asked: no deadline of theirs passes before the test ends. */
async function services(t: TestContext): Promise<Services> {
  deadlines(t);
  const asked: string[] = [];
  const replies: Services['replies'] = new Map();
  const server = await scriptedServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const what = `${request.method ?? ''} ${request.url ?? ''}`;
      asked.push(what);
      const [status, text] = replies.get(what)?.(request, body) ?? [404, ''];
      response.writeHead(status).end(text);
    });
  });
  const { url } = server;
  const folder = mkdtempSync(join(tmpdir(), 'fpkeys-'));
  const kept = connections();
  const one: Services = {
    url,
    folder,
    replies,
    asked,
    now_ms: Date.UTC(2026, 0, 1),
    write(name, text) {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    },
    ring: (env, more = {}) =>
      keyring(
        {
          env: { HOME: folder, AWS_EC2_METADATA_SERVICE_ENDPOINT: url, ...env },
          connections: kept,
          sts: () => Promise.resolve({ endpoint: url, region: 'eu-west-1' }),
          ...more,
        },
        () => one.now_ms,
      ),
    async [Symbol.asyncDispose]() {
      kept.close();
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return one;
}

const at = (ms: number): string => new Date(ms).toISOString();
const json = (id: string, expires_ms: number): string =>
  JSON.stringify({ Code: 'Success', AccessKeyId: id, SecretAccessKey: `SECRET-${id}`, Token: `TOKEN-${id}`, Expiration: at(expires_ms) });
const hour_ms = 3_600_000;
/** For keys that can be had at once. */
const PATIENCE_ms = 20_000;

/** Instance metadata with a role; `id`: of the keys it gives. */
function withRole(from: Services, id: () => string): void {
  from.replies.set('PUT /latest/api/token', ({ headers }) =>
    headers['x-aws-ec2-metadata-token-ttl-seconds'] ? [200, 'meta-token'] : [400, ''],
  );
  const guarded =
    (text: () => string) =>
    ({ headers }: IncomingMessage): Reply =>
      headers['x-aws-ec2-metadata-token'] === 'meta-token' ? [200, text()] : [401, ''];
  from.replies.set(
    'GET /latest/meta-data/iam/security-credentials/',
    guarded(() => 'node-role'),
  );
  from.replies.set(
    'GET /latest/meta-data/iam/security-credentials/node-role',
    guarded(() => json(id(), from.now_ms + hour_ms)),
  );
}

function withSts(from: Services, reply: (form: URLSearchParams) => Reply): void {
  from.replies.set('POST /', ({ headers }, body) =>
    headers.authorization === undefined ? reply(new URLSearchParams(body)) : [400, 'signed'],
  );
}

const stsXml = (id: string, expires_ms: number): string =>
  `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
    <AccessKeyId>${id}</AccessKeyId><SecretAccessKey>SECRET-${id}</SecretAccessKey><SessionToken>TOKEN-${id}</SessionToken>
    <Expiration>${at(expires_ms)}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
const stsError = (code: string): string =>
  `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>because</Message></Error><RequestId>r</RequestId></ErrorResponse>`;

const refusedBecause =
  (words: RegExp, kind: Parameters<typeof isFailure>[1] = 'cloudCredentials') =>
  (error: unknown) => {
    assert.ok(isFailure(error, kind), String(error));
    assert.match(sentence(error), words);
    assert.doesNotMatch(inspect(error, { depth: null, showHidden: true }), /SECRET-|TOKEN-|JWT/);
    return true;
  };

test('sources are asked in the order of AWS’s own clients: environment, files, web identity, container, metadata', async (t) => {
  await using from = await services(t);
  withRole(from, () => 'METADATA');
  withSts(from, () => [200, stsXml('IDENTITY', from.now_ms + hour_ms)]);
  from.replies.set('GET /container', () => [200, json('CONTAINER', from.now_ms + hour_ms)]);
  const file = from.write('keys', '[default]\naws_access_key_id = FILE\naws_secret_access_key = SECRET-FILE\n');
  const found: string[] = [];
  const env: Env = {
    AWS_ACCESS_KEY_ID: 'ENV',
    AWS_SECRET_ACCESS_KEY: 'SECRET-ENV',
    AWS_SHARED_CREDENTIALS_FILE: file,
    AWS_WEB_IDENTITY_TOKEN_FILE: from.write('jwt', 'JWT\n'),
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/x',
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${from.url}/container`,
  };
  for (const gone of [
    'AWS_ACCESS_KEY_ID',
    'AWS_SHARED_CREDENTIALS_FILE',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    '',
  ]) {
    const { keyId, secret } = await from.ring(env).current(PATIENCE_ms);
    found.push(keyId);
    assert.equal(secret(), `SECRET-${keyId}`);
    if (gone === 'AWS_ACCESS_KEY_ID') delete env['AWS_SECRET_ACCESS_KEY'];
    delete env[gone];
  }
  assert.deepEqual(found, ['ENV', 'FILE', 'IDENTITY', 'CONTAINER', 'METADATA']);
});

test('a profile that is named in the configuration goes before the environment', async (t) => {
  await using from = await services(t);
  const env = {
    AWS_ACCESS_KEY_ID: 'ENV',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_CONFIG_FILE: from.write('config', '[profile a b]\nregion = eu-west-9 ; far\n'),
  };
  const credentialsFile = from.write(
    'keys',
    '# ours\n\n[default]\n[a b]\naws_access_key_id=FILE\naws_secret_access_key = S#E;C # ret\n nested = 1\nnonsense\n',
  );
  const { keyId, secret, token } = await from.ring(env, { profile: 'a b', credentialsFile }).current(PATIENCE_ms);
  assert.deepEqual([keyId, secret(), token()], ['FILE', 'S#E;C', undefined]);
});

test('files are read again when they change, and what they lack for a moment is not missed', async (t) => {
  await using from = await services(t);
  const text = (id: string): string => `[default]\naws_access_key_id = ${id}\naws_secret_access_key = SECRET-${id}\n`;
  const env = { AWS_SHARED_CREDENTIALS_FILE: from.write('keys', text('ONE')), AWS_EC2_METADATA_DISABLED: 'true' };
  const ring = from.ring(env);
  const first = await ring.current(PATIENCE_ms);
  assert.equal(await ring.current(PATIENCE_ms), first);
  from.write('keys', text('TWO-longer'));
  assert.equal((await ring.current(PATIENCE_ms)).keyId, 'TWO-longer');
  rmSync(env.AWS_SHARED_CREDENTIALS_FILE);
  assert.equal((await ring.current(PATIENCE_ms)).keyId, 'TWO-longer');
});

test('keys are fetched again five minutes before they expire; while none can be had, the old ones serve as long as they hold', async (t) => {
  await using from = await services(t);
  let id = 'ONE';
  withRole(from, () => id);
  const ring = from.ring({});
  await ring.current(PATIENCE_ms);
  const looks = from.asked.length;
  from.now_ms += hour_ms - 301_000;
  assert.equal((await ring.current(PATIENCE_ms)).keyId, 'ONE');
  assert.equal(from.asked.length, looks);
  from.now_ms += 2000;
  id = 'TWO';
  const both = await Promise.all([ring.current(PATIENCE_ms), ring.current(PATIENCE_ms)]);
  assert.deepEqual(
    both.map(({ keyId }) => keyId),
    ['TWO', 'TWO'],
  );
  assert.equal(from.asked.length, looks * 2, 'many who ask at once cause one look');
  from.replies.clear();
  from.now_ms += hour_ms - 299_000;
  assert.equal((await ring.current(PATIENCE_ms)).keyId, 'TWO');
  const tried = from.asked.length;
  assert.equal((await ring.current(PATIENCE_ms)).keyId, 'TWO');
  assert.equal(from.asked.length, tried, 'a failed look is not repeated at once');
  from.now_ms += 300_000;
  await assert.rejects(
    ring.current(PATIENCE_ms),
    refusedBecause(/there are none in the environment, the shared files, a web identity, the container’s agent, the metadata service/),
  );
});

test('keys that the cloud refused are fetched anew', async (t) => {
  await using from = await services(t);
  let id = 'ONE';
  withRole(from, () => id);
  const ring = from.ring({});
  const first = await ring.current(PATIENCE_ms);
  id = 'TWO';
  ring.drop(first);
  const second = await ring.current(PATIENCE_ms);
  assert.equal(second.keyId, 'TWO');
  ring.drop(first);
  assert.equal(await ring.current(PATIENCE_ms), second, 'what is refused late drops only itself');
});

test('the token of a web identity is read each time, goes to STS in a call that is not signed, and STS’s words come out as what they are', async (t) => {
  await using from = await services(t);
  const seen: (string | null)[] = [];
  let reply = (): Reply => [200, stsXml('IDENTITY', from.now_ms + 1000)];
  withSts(from, (form) => {
    seen.push(form.get('Action'), form.get('RoleArn'), form.get('RoleSessionName'), form.get('WebIdentityToken'));
    return reply();
  });
  const env = {
    AWS_WEB_IDENTITY_TOKEN_FILE: from.write('jwt', 'JWT-1\n'),
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/x',
    AWS_ROLE_SESSION_NAME: 'flat',
  };
  const ring = from.ring(env);
  await ring.current(PATIENCE_ms);
  from.write('jwt', 'JWT-2');
  await ring.current(PATIENCE_ms);
  const call = (token: string): string[] => ['AssumeRoleWithWebIdentity', env.AWS_ROLE_ARN, 'flat', token];
  assert.deepEqual(seen, [...call('JWT-1'), ...call('JWT-2')]);
  for (const [answer, words, kind] of [
    [[403, stsError('AccessDenied')], /AccessDenied: because/, 'cloudDenied'],
    [[400, stsError('ExpiredTokenException')], /ExpiredTokenException/, 'cloudCredentials'],
    [[400, stsError('IDPCommunicationError')], /IDPCommunicationError/, 'cloudUnavailable'],
    [[400, stsError('Throttling')], /Throttling/, 'cloudThrottled'],
    [[503, ''], /status 503/, 'cloudUnavailable'],
    [[200, '<html>welcome</html>'], /should be an object/, 'cloudGarbled'],
    [[200, stsXml('', 0).slice(0, 200)], /no XML/, 'cloudGarbled'],
  ] as const) {
    reply = () => answer;
    await assert.rejects(from.ring(env).current(PATIENCE_ms), refusedBecause(words, kind));
  }
});

test('a profile may have a web identity, and nothing that needs another program or a person', async (t) => {
  await using from = await services(t);
  withSts(from, () => [200, stsXml('IDENTITY', from.now_ms + hour_ms)]);
  const config = (text: string) => ({ AWS_CONFIG_FILE: from.write('config', `[default]\n${text}\n`), AWS_EC2_METADATA_DISABLED: 'true' });
  const role = 'role_arn = arn:aws:iam::1:role/x';
  assert.equal(
    (await from.ring(config(`${role}\nweb_identity_token_file = ${from.write('jwt', 'JWT')}`)).current(PATIENCE_ms)).keyId,
    'IDENTITY',
  );
  for (const [text, words] of [
    [`${role}\nsource_profile = other`, /profile default gets its keys by role_arn, which Flatpod does not do/],
    ['credential_process = /bin/keys', /by credential_process/],
    ['sso_session = us', /by sso_session/],
    ['aws_access_key_id = HALF', /one of the key's two halves/],
  ] as const) {
    await assert.rejects(from.ring(config(text)).current(PATIENCE_ms), refusedBecause(words));
  }
  await assert.rejects(from.ring({ AWS_PROFILE: 'gone' }).current(PATIENCE_ms), refusedBecause(/no profile gone in /));
});

test('what is set up and broken is told, and no other source’s keys are taken in its place', async (t) => {
  await using from = await services(t);
  withRole(from, () => 'METADATA');
  from.replies.set('GET /container', () => [200, '{"AccessKeyId": "SECRET-SPILLED']);
  from.replies.set('GET /refused', () => [401, 'SECRET-SPILLED']);
  for (const [env, words] of [
    [{ AWS_ACCESS_KEY_ID: 'HALF' }, /one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing/],
    [{ AWS_SHARED_CREDENTIALS_FILE: from.folder }, /cannot be read: EISDIR/],
    [{ AWS_WEB_IDENTITY_TOKEN_FILE: join(from.folder, 'none'), AWS_ROLE_ARN: 'r' }, /the token .*none cannot be read: ENOENT/],
    [{ AWS_WEB_IDENTITY_TOKEN_FILE: from.folder }, /AWS_ROLE_ARN is not/],
    [{ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${from.url}/container` }, /something that is no keys/],
    [{ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${from.url}/refused` }, /answers 401/],
    [{ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'nonsense' }, /is no URL/],
    [{ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://keys.example/x' }, /keys\.example is neither https nor an agent's own address/],
    [
      { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${from.url}/container`, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'TOKEN\r\nx: y' },
      /more than one line/,
    ],
  ] as const) {
    await assert.rejects(from.ring(env).current(PATIENCE_ms), refusedBecause(words));
  }
});

test('the container’s agent is shown its token, from a file that is read each time', async (t) => {
  await using from = await services(t);
  const shown: unknown[] = [];
  from.replies.set('GET /v1/credentials?x=1', ({ headers }) => {
    shown.push(headers.authorization);
    return [200, json('CONTAINER', from.now_ms + 1000)];
  });
  const env = {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${from.url}/v1/credentials?x=1`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: from.write('token', 'TOKEN-1\n'),
  };
  const ring = from.ring(env);
  const { keyId, token } = await ring.current(PATIENCE_ms);
  assert.deepEqual([keyId, token()], ['CONTAINER', 'TOKEN-CONTAINER']);
  from.write('token', 'TOKEN-2');
  await ring.current(PATIENCE_ms);
  assert.deepEqual(shown, ['TOKEN-1', 'TOKEN-2']);
});

test('without any source the failure says where was looked, and why metadata gave nothing', async (t) => {
  await using from = await services(t);
  from.replies.set('PUT /latest/api/token', () => [200, 'meta-token']);
  await assert.rejects(from.ring({}).current(PATIENCE_ms), refusedBecause(/the metadata service \(the instance has no role\)/));
  await assert.rejects(
    from.ring({ AWS_EC2_METADATA_DISABLED: 'true' }).current(PATIENCE_ms),
    refusedBecause(/AWS_EC2_METADATA_DISABLED says not to ask/),
  );
  from.replies.set('PUT /latest/api/token', () => [503, '']);
  await assert.rejects(from.ring({}).current(PATIENCE_ms), refusedBecause(/status 503/));
  from.replies.set('PUT /latest/api/token', () => [403, '']);
  await assert.rejects(from.ring({}).current(PATIENCE_ms), refusedBecause(/gives no token: status 403/));
});
