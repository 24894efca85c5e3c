/** The client beside a server that speaks as an API server does: what goes over the wire, what refusals mean, what is sent again and what is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure, sentence } from '../../src/errors/failure.ts';
import { type KubeApi, openApi } from '../../src/kube/api.ts';
import type { ObjectPath } from '../../src/kube/paths.ts';
import { answer, ApiServer, refuse, things } from './api-server.ts';
import { authority } from './certificates.ts';

const as = (value: unknown) => value;
const thing = (name: string): ObjectPath => ({ ...things, name });

/** A server with a client that is closed with it. */
async function room(): Promise<{ server: ApiServer; api: KubeApi } & AsyncDisposable> {
  const server = await new ApiServer().start();
  const api = openApi(server.access, { userAgent: 'flatpod-test/1.0' });
  return {
    server,
    api,
    async [Symbol.asyncDispose]() {
      api.close();
      await server.stop();
    },
  };
}

test('each verb is asked as the API wants it', async () => {
  await using at = await room();
  const { server, api } = at;
  server.put('a');
  assert.match(JSON.stringify(await api.get(thing('a'), as)), /"name":"a"/);
  const echo = () => server.instead.push((asked, response) => answer(response, { ...asked, headers: undefined }));
  const pod = { group: '', version: 'v1', resource: 'pods', namespace: 'default', name: 'web' };
  const asked: unknown[] = [];
  for (const call of [
    () => api.create({ ...things, namespace: 'ns' }, { metadata: { name: 'b' } }, as),
    () => api.replace({ ...thing('b'), subresource: 'status' }, { x: 1 }, as),
    () => api.patch(pod, { kind: 'merge', body: { x: null } }, as),
    () => api.patch(pod, { kind: 'json', body: [{ op: 'test' }] }, as),
    () => api.patch(pod, { kind: 'apply', body: { y: 1 } }, as),
    () => api.delete(pod, { uid: 'u' }),
    () => api.get({ ...pod, name: 'a b/c' }, as),
  ]) {
    echo();
    await call();
    const last = server.asked.at(-1);
    asked.push([last?.method, `${last?.path}?${last?.query.toString()}`, last?.headers['content-type'], last?.body]);
  }
  assert.deepEqual(asked, [
    ['POST', '/apis/test.flatpod.dev/v1/namespaces/ns/things?', 'application/json', { metadata: { name: 'b' } }],
    ['PUT', '/apis/test.flatpod.dev/v1/things/b/status?', 'application/json', { x: 1 }],
    ['PATCH', '/api/v1/namespaces/default/pods/web?', 'application/merge-patch+json', { x: null }],
    ['PATCH', '/api/v1/namespaces/default/pods/web?', 'application/json-patch+json', [{ op: 'test' }]],
    ['PATCH', '/api/v1/namespaces/default/pods/web?fieldManager=flatpod-test&force=true', 'application/apply-patch+yaml', { y: 1 }],
    [
      'DELETE',
      '/api/v1/namespaces/default/pods/web?',
      'application/json',
      { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: 'u' } },
    ],
    ['GET', '/api/v1/namespaces/default/pods/a%20b%2Fc?', undefined, undefined],
  ]);
  assert.equal(server.asked[0]?.headers['user-agent'], 'flatpod-test/1.0');
  assert.equal(server.sessions, 1, 'all on one connection');
});

test('a name that would lead elsewhere is refused before it is asked for', async () => {
  await using at = await room();
  for (const name of ['', '.', '..']) await assert.rejects(at.api.get(thing(name), as), RangeError);
  assert.deepEqual(at.server.asked, []);
});

test("every refusal becomes the failure that says what to do, with the server's own words", async () => {
  await using at = await room();
  const { server, api } = at;
  const cases = [
    [401, 'Unauthorized', 'kubeUnauthorized'],
    [403, 'Forbidden', 'kubeForbidden'],
    [409, 'AlreadyExists', 'kubeAlreadyExists'],
    [409, 'Conflict', 'kubeConflict'],
    [410, 'Expired', 'kubeExpired'],
    [422, 'Invalid', 'kubeInvalid'],
    [400, 'BadRequest', 'kubeInvalid'],
    [413, 'RequestEntityTooLarge', 'kubeInvalid'],
    [429, 'TooManyRequests', 'kubeBusy'],
    [500, 'InternalError', 'kubeFailing'],
    [504, 'Timeout', 'kubeFailing'],
  ] as const;
  for (const [code, reason, kind] of cases) {
    for (let i = 0; i < 5; i++) server.instead.push((_, response) => refuse(response, code, reason, `the ${reason} of it`));
    await assert.rejects(api.replace(thing('a'), {}, as), (error) => {
      assert.ok(isFailure(error, kind), `${code} ${reason}: ${String(error)}`);
      assert.match(sentence(error), new RegExp(`the ${reason} of it`));
      assert.match(sentence(error), /things\.test\.flatpod\.dev a/);
      return true;
    });
    server.instead.length = 0;
  }
});

test('what is not there: an object, its namespace, its kind', async () => {
  await using at = await room();
  const { server, api } = at;
  await assert.rejects(api.get(thing('a'), as), { kind: 'kubeNotFound', message: 'there is no things.test.flatpod.dev a' });
  assert.equal(await api.find(thing('a'), as), undefined);
  await api.delete(thing('a'));
  server.instead.push((_, response) => refuse(response, 404, 'NotFound', 'namespaces "ns" not found', { name: 'ns', kind: 'namespaces' }));
  await assert.rejects(api.create({ ...things, namespace: 'ns' }, { metadata: { name: 'a' } }, as), {
    message: 'there is no namespaces ns',
  });
  // Both ways in which a server says that it does not serve a kind.
  const other = { group: 'flatpod.dev', version: 'v1alpha1', resource: 'podsubnets' };
  await assert.rejects(api.find({ ...other, name: 'web' }, as), {
    kind: 'kubeNoSuchResource',
    message: 'the Kubernetes API has no podsubnets.flatpod.dev',
  });
  server.instead.push((_, response) => refuse(response, 404, 'NotFound', 'the server could not find the requested resource'));
  await assert.rejects(api.list(other, as), { kind: 'kubeNoSuchResource', hint: /install the CRDs/ });
});

test('an answer is believed only when the parse function took it', async () => {
  await using at = await room();
  const { server, api } = at;
  server.put('a');
  const wrong = () => {
    throw new TypeError('spec.x must be a number');
  };
  await assert.rejects(api.get(thing('a'), wrong), { kind: 'kubeGarbled', details: 'spec.x must be a number' });
  await assert.rejects(api.list(things, wrong), { kind: 'kubeGarbled' });
  server.instead.push((_, response) => void response.writeHead(200).end('<html>log in first</html>'));
  await assert.rejects(api.get(thing('a'), as), { kind: 'kubeGarbled', details: /no JSON: <html>/, hint: /^is https:\/\/127/ });
  server.instead.push((_, response) => answer(response, { kind: 'ThingList', items: 3 }));
  await assert.rejects(api.list(things, as), { kind: 'kubeGarbled', details: /metadata.*items/ });
});

test('a GET is sent again after a cut and after a failure of the server; a change is not, for it may have been done', async () => {
  await using at = await room();
  const { server, api } = at;
  server.put('a');
  const cut = () => server.instead.push(() => server.cut());
  cut();
  server.instead.push((_, response) => refuse(response, 500, 'InternalError'));
  await api.get(thing('a'), as);
  assert.equal(server.asked.length, 3);
  cut();
  await assert.rejects(api.create(things, { metadata: { name: 'b' } }, as), { kind: 'kubeUnreachable' });
  assert.equal(server.asked.length, 4);
  server.instead.push((_, response) => refuse(response, 500, 'InternalError'));
  await assert.rejects(api.patch(thing('a'), { kind: 'merge', body: {} }, as), { kind: 'kubeFailing' });
  assert.equal(server.asked.length, 5);
});

test('what the server did not take up is sent again, whatever it is: 429, and 503 with Retry-After', async () => {
  await using at = await room();
  const { server, api } = at;
  server.instead.push((_, response) => refuse(response, 429, 'TooManyRequests', 'later', {}, { 'retry-after': '0' }));
  server.instead.push((_, response) => refuse(response, 503, 'ServiceUnavailable', 'later', {}, { 'retry-after': '0' }));
  server.instead.push(({ body }, response) => answer(response, body));
  assert.deepEqual(await api.create(things, { metadata: { name: 'b' } }, as), { metadata: { name: 'b' } });
  assert.equal(server.asked.length, 3);
  // A pause that would outlast the deadline is not begun.
  server.instead.push((_, response) => refuse(response, 429, 'TooManyRequests', 'much later', {}, { 'retry-after': '3600' }));
  await assert.rejects(api.get(thing('a'), as), { kind: 'kubeBusy', details: 'much later' });
});

test('a call ends by its deadline, though the server never answers, or answers without end', async () => {
  await using at = await room();
  const { server, api } = at;
  server.put('a');
  // Connecting takes its time too.
  await api.get(thing('a'), as);
  for (const how of ['silent', 'endless'] as const) {
    server.instead.push((_, response) => void (how === 'endless' && response.writeHead(200).write('{')));
    await assert.rejects(api.get(thing('a'), as, { deadline_ms: 100 }), { kind: 'kubeUnreachable', details: /: no answer within 100 ms$/ });
    // Where this process was held up so long that the call was over before it arrived, nobody has taken it.
    server.instead.length = 0;
  }
  await api.get(thing('a'), as);
});

test('an answer longer than its limit is not read to its end', async () => {
  await using at = await room();
  const { server, api } = at;
  const block = Buffer.alloc(1 << 20, ' ');
  let sent = 0;
  server.instead.push((_, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (sent < 200 && !response.destroyed && !response.writableEnded) {
        sent++;
        if (!response.write(block)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  });
  // So much takes its time.
  await assert.rejects(api.get(thing('a'), as, { deadline_ms: 60_000 }), { kind: 'kubeTooLarge', details: 'more than 67108864 bytes' });
  assert.ok(sent < 200);
});

test('a list is read in pages of one moment, and in one piece when the server forgot that moment', async () => {
  await using at = await room();
  const { server, api } = at;
  for (let i = 0; i < 1200; i++) server.put(`t${i}`);
  const names = (listed: { items: readonly unknown[] }) =>
    listed.items.map((item) => (item as { metadata: { name: string } }).metadata.name); // of the server above
  const first = await api.list(things, as);
  assert.deepEqual([new Set(names(first)).size, first.resourceVersion], [1200, '1300']);
  assert.deepEqual(
    server.asked.map(({ query }) => query.toString()),
    ['limit=500', 'limit=500&continue=c0', 'limit=500&continue=c1'],
  );
  server.asked.length = 0;
  server.instead.push(() => false);
  server.instead.push(() => {
    server.remove('t0');
    server.compact();
    return false;
  });
  const second = await api.list(things, as, { notOlderThan: '1300', labelSelector: 'app in (a,b)' });
  assert.deepEqual([names(second).length, second.resourceVersion], [1199, '1301']);
  assert.deepEqual(
    server.asked.map(({ query }) => query.toString()),
    [
      'limit=500&labelSelector=app+in+%28a%2Cb%29&resourceVersion=1300&resourceVersionMatch=NotOlderThan',
      'limit=500&labelSelector=app+in+%28a%2Cb%29&continue=c2',
      'labelSelector=app+in+%28a%2Cb%29',
    ],
  );
});

test('a version that the server does not have is given up for the newest', async () => {
  await using at = await room();
  const { server, api } = at;
  server.put('a');
  server.instead.push((_, response) => refuse(response, 504, 'Timeout', 'Too large resource version', {}, { 'retry-after': '1' }));
  assert.equal((await api.list(things, as, { notOlderThan: '999' })).resourceVersion, '101');
});

test('a token is sent; one that has rotated is read again as soon as the old one is refused', async () => {
  await using at = await room();
  const { server } = at;
  let token = 'one';
  server.token = 'one';
  server.put('a');
  const api = openApi({ ...server.access, credentials: () => ({ ...server.access.credentials(), token }) }, { userAgent: 'x/1' });
  await api.get(thing('a'), as);
  server.token = 'two';
  await assert.rejects(api.get(thing('a'), as), { kind: 'kubeUnauthorized' });
  token = 'two';
  await api.get(thing('a'), as);
  assert.deepEqual(
    server.asked.map(({ headers }) => headers['authorization']),
    ['Bearer one', 'Bearer one', 'Bearer one', 'Bearer two'],
  );
  api.close();
});

test('a client certificate proves who we are', async () => {
  await using at = await room();
  const { server } = at;
  const client = server.authority.issue('somebody');
  const api = openApi({ ...server.access, credentials: () => ({ authority: server.authority.certificate, client }) }, { userAgent: 'x/1' });
  server.instead.push((_, response) => {
    const { socket } = response.stream.session as unknown as { socket: import('node:tls').TLSSocket }; // it is a TLS server
    answer(response, { name: socket.getPeerCertificate().subject.CN, proven: socket.authorized });
  });
  assert.deepEqual(await api.get(thing('a'), as), { name: 'somebody', proven: true });
  api.close();
});

test('a server that does not prove who it is gets nothing: another authority, another name', async (t) => {
  await using at = await room();
  const { server } = at;
  const asking = async (access: object, kind: 'kubeUntrusted' | undefined): Promise<void> => {
    const api = openApi({ ...server.access, ...access }, { userAgent: 'x/1' });
    t.after(() => api.close());
    if (kind !== undefined) await assert.rejects(api.get(thing('a'), as), { kind, details: /./ });
    else await api.get(thing('a'), as);
  };
  server.put('a');
  await asking({ credentials: () => ({ authority: authority().certificate }) }, 'kubeUntrusted');
  await asking({ serverName: 'elsewhere' }, 'kubeUntrusted');
  assert.deepEqual(server.asked, []);
  await asking({ credentials: () => ({ authority: authority().certificate }), unverified: true }, undefined);
});

test('a server that is not there is said so, and found again when it is back', async () => {
  await using at = await room();
  const { server, api } = at;
  server.put('a');
  await api.get(thing('a'), as);
  await server.stop();
  await assert.rejects(api.get(thing('a'), as), { kind: 'kubeUnreachable', details: /ECONNREFUSED/ });
  await assert.rejects(api.create(things, {}, as), { kind: 'kubeUnreachable', details: /ECONNREFUSED/ });
  await server.start();
  await api.get(thing('a'), as);
  assert.equal(server.sessions, 2);
});

test('a server that asks us to leave gets no new calls on that connection; those under way end well', async () => {
  await using at = await room();
  const { server, api } = at;
  server.put('a');
  let finish = (): void => {};
  server.instead.push((_, response) => void (finish = () => answer(response, 'late')));
  const slow = api.get(thing('a'), as);
  while (server.asked.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  server.sendAway();
  while (server.sessions < 2) await api.get(thing('a'), as);
  finish();
  assert.equal(await slow, 'late');
  assert.equal(server.sessions, 2);
});

test('what is closed stays closed: calls under way fail, and none connects again', async () => {
  await using at = await room();
  const { server, api } = at;
  server.instead.push(() => api.close());
  await assert.rejects(api.get(thing('a'), as), { kind: 'kubeUnreachable' });
  await assert.rejects(api.get(thing('a'), as), { kind: 'kubeUnreachable', details: /closed from here/ });
  assert.deepEqual([server.sessions, server.asked.length], [1, 1]);
});

test('an API that lies behind a path is asked there', async () => {
  await using at = await room();
  const { server } = at;
  const api = openApi({ ...server.access, server: `${server.access.server}/k8s/clusters/c-1` }, { userAgent: 'x/1' });
  server.instead.push(({ path }, response) => answer(response, path));
  assert.equal(await api.get(thing('a'), as), '/k8s/clusters/c-1/apis/test.flatpod.dev/v1/things/a');
  api.close();
});
