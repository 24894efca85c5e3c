/** Objects followed through all that happens to a watch: what is told, once each, and that nothing is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KubeApi, openApi } from '../../src/kube/api.ts';
import { type CacheOptions, type Change, type ObjectCache, watchObjects, type Watched } from '../../src/kube/cache.ts';
import { elapsedClock, type ElapsedClock } from '../../src/kube/clock.ts';
import { createLog } from '../../src/log.ts';
import { eventually } from '../life/lab.ts';
import { ApiServer, refuse, things } from './api-server.ts';

/** A clock on which pauses between tries are short. */
const hurried: ElapsedClock = {
  elapsed_ms: () => performance.now() * 50,
  after: (delay_ms, ring) => elapsedClock.after(delay_ms / 50, ring),
};

/** What is kept of a thing: its colour. */
const colour = (value: unknown): string => {
  const { colour: found } = value as { colour?: unknown }; // checked in the next line
  if (found !== undefined && typeof found !== 'string') throw new TypeError('colour must be a text');
  return found ?? 'none';
};

/** A server, a client, a cache over it, what it told and what it logged. */
interface Room extends AsyncDisposable {
  readonly server: ApiServer;
  readonly api: KubeApi;
  readonly cache: ObjectCache<string>;
  readonly told: string[];
  readonly log: string[];
}

const say = (change: Change<string>): string =>
  change.kind === 'gone' ? `${change.key} (${change.before}) gone` : `${change.key} ${change.before ?? '-'}>${change.object}`;

async function room(
  prepare: (server: ApiServer) => void = () => {},
  watched: Partial<Watched<string>> = {},
  options: Partial<CacheOptions<string>> = {},
): Promise<Room> {
  const server = await new ApiServer().start();
  prepare(server);
  const api = openApi(server.access, { userAgent: 'flatpod-test/1.0' });
  const [told, lines]: [string[], string[]] = [[], []];
  const log = createLog('test', 'info', (line) => lines.push((JSON.parse(line) as { msg: string }).msg)); // as log.ts writes it
  const cache = watchObjects(
    api,
    { at: things, parse: colour, ...watched },
    { log, clock: hurried, changed: (change) => told.push(say(change)), ...options },
  );
  return {
    server,
    api,
    cache,
    told,
    log: lines,
    async [Symbol.asyncDispose]() {
      cache.stop();
      api.close();
      await server.stop();
    },
  };
}

const up = (at: Room) => eventually('the watch is up', () => at.server.watches === 1 && at.cache.stale_ms() === 0);
/** That many watches have been asked for, and one is up. */
const begun = (at: Room, watches: number) =>
  eventually(
    `watch ${watches}`,
    () => at.server.calls.filter((call) => call === 'GET watch ').length === watches && at.server.watches === 1,
  );
const tells = (at: Room, ...said: string[]) => eventually(said.join(', '), () => assert.deepEqual(at.told, said) ?? true);

test('first all there are, then each change once; what is read is what there is', async () => {
  await using at = await room((server) => void (server.put('a', { colour: 'red' }), server.put('b', {}, 'ns')));
  await at.cache.synced;
  assert.deepEqual(at.told, ['a ->red', 'ns/b ->none']);
  assert.deepEqual(
    [at.cache.get('a'), at.cache.get('ns/b'), at.cache.get('b'), at.cache.list()],
    ['red', 'none', undefined, ['red', 'none']],
  );
  await up(at);
  at.told.length = 0;
  at.server.put('a', { colour: 'blue' });
  at.server.put('c', { colour: 'green' });
  at.server.remove('b', 'ns');
  await tells(at, 'a red>blue', 'c ->green', 'ns/b (none) gone');
  assert.deepEqual(at.cache.list(), ['blue', 'green']);
});

test('an empty list is a list', async () => {
  await using at = await room();
  await at.cache.synced;
  assert.deepEqual([at.told, at.cache.list()], [[], []]);
});

test('only what was selected is asked for and told', async () => {
  await using at = await room((server) => void (server.put('a'), server.put('b')), { fieldSelector: 'metadata.name=b' });
  await up(at);
  at.server.put('a', { colour: 'red' });
  at.server.put('b', { colour: 'blue' });
  await tells(at, 'b ->none', 'b none>blue');
  for (const { query } of at.server.asked) assert.equal(query.get('fieldSelector'), 'metadata.name=b');
});

test('after a cut the watch goes on from where it was: nothing is listed again, nothing told twice', async () => {
  await using at = await room((server) => void server.put('a'));
  await up(at);
  at.server.put('b');
  await tells(at, 'a ->none', 'b ->none');
  at.server.cut();
  at.server.put('c');
  await tells(at, 'a ->none', 'b ->none', 'c ->none');
  assert.deepEqual(at.server.calls, ['GET ', 'GET watch ', 'GET watch ']);
  assert.equal(at.server.asked.at(-1)?.query.get('resourceVersion'), '102');
  assert.match(at.log.join('\n'), /things\.test\.flatpod\.dev are not followed at the moment: .*FP220.*\n.*are followed again after/);
});

test('a watch that the server ends in good order is begun again without a word', async () => {
  await using at = await room();
  for (let i = 1; i <= 3; i++) {
    await begun(at, i);
    at.server.endWatches();
  }
  await begun(at, 4);
  assert.deepEqual(at.log, []);
});

test('bookmarks move the version on, so that a quiet watch can go on after the server forgot', async () => {
  await using at = await room((server) => void server.put('a'), { fieldSelector: 'metadata.name=a' });
  await up(at);
  for (let i = 0; i < 20; i++) at.server.put('other');
  at.server.bookmark();
  at.server.put('a', { colour: 'red' });
  await tells(at, 'a ->none', 'a none>red');
  at.server.compact();
  at.server.cut();
  await begun(at, 2);
  assert.deepEqual(at.server.calls, ['GET ', 'GET watch ', 'GET watch ']);
});

test('when the server forgot where we were, all is listed again, and what went meanwhile is told as gone', async () => {
  await using at = await room((server) => void (server.put('a'), server.put('b'), server.put('c', { colour: 'red' })));
  await up(at);
  await at.server.stop();
  at.server.remove('a');
  at.server.put('b', { colour: 'blue' });
  at.server.put('d');
  // c is another c now.
  at.server.remove('c');
  at.server.put('c', { colour: 'red' });
  at.server.compact();
  at.told.length = 0;
  await at.server.start();
  await tells(at, 'a (none) gone', 'b none>blue', 'd ->none', 'c (red) gone', 'c ->red');
  const again = at.server.asked.filter(({ query }) => !query.has('watch'));
  assert.equal(again.at(-1)?.query.get('resourceVersion'), '103', 'not older than what was seen');
});

test('a server that cannot go on from where we were is asked for all again, whatever reason it gives', async () => {
  for (const [code, reason, times] of [
    [400, 'BadRequest', 1],
    [500, 'InternalError', 5],
  ] as const) {
    // On its clock no try takes long: after a long one it would begin to count its failures anew.
    const clock = { ...hurried, elapsed_ms: () => 0 };
    await using at = await room((server) => void server.put('a'), {}, { clock });
    await up(at);
    for (let i = 0; i < times; i++) at.server.instead.push((_, response) => refuse(response, code, reason, 'not from there'));
    at.server.cut();
    await eventually('listed again', () => at.server.calls.filter((call) => call === 'GET ').length >= 2);
    await up(at);
    assert.deepEqual(at.told, ['a ->none']);
  }
});

test('a first look that may be old is asked for as such', async () => {
  await using at = await room((server) => void server.put('a'), { oldIsFine: true });
  await at.cache.synced;
  assert.equal(at.server.asked[0]?.query.get('resourceVersion'), '0');
});

test('lines in pieces, empty ones, and several at once', async () => {
  await using at = await room();
  await up(at);
  const line = (name: string, version: number) =>
    Buffer.from(
      `${JSON.stringify({ type: 'ADDED', object: { colour: 'größer', metadata: { name, uid: name, resourceVersion: String(version) } } })}\n`,
    );
  const bytes = Buffer.concat([line('a', 201), Buffer.from('\n'), line('b', 202), line('c', 203)]);
  for (let from = 0; from < bytes.length; from += 7) at.server.write(bytes.subarray(from, from + 7));
  await tells(at, 'a ->größer', 'b ->größer', 'c ->größer');
});

test('a watch that ends within a line, or says what is no event, is begun again from the last good one', async () => {
  await using at = await room((server) => void server.put('a'));
  let watches = 0;
  for (const garbage of ['{"type":"ADD', 'nonsense\n', '{"type":"GUESSED","object":{}}\n', '{"type":"ADDED","object":{"metadata":{}}}\n']) {
    await begun(at, ++watches);
    at.server.write(garbage);
    at.server.endWatches();
  }
  await begun(at, ++watches);
  at.server.put('b');
  await tells(at, 'a ->none', 'b ->none');
  assert.equal(at.server.calls.filter((call) => call === 'GET ').length, 1);
});

test('one object that cannot be read is said once, kept out, and stops no other; one that was readable stays as it was', async () => {
  await using at = await room((server) => void (server.put('a', { colour: 7 }), server.put('b', { colour: 'red' })));
  await up(at);
  assert.deepEqual([at.told, at.cache.get('a')], [['b ->red'], undefined]);
  at.server.put('a', { colour: 8 });
  at.server.put('b', { colour: 9 });
  at.server.put('c');
  await tells(at, 'b ->red', 'c ->none');
  assert.equal(at.cache.get('b'), 'red');
  assert.deepEqual(at.log, [
    'things.test.flatpod.dev a cannot be read and is left out: colour must be a text',
    'things.test.flatpod.dev b cannot be read and is taken as it was before: colour must be a text',
  ]);
  at.server.put('a', { colour: 'blue' });
  at.server.remove('b');
  await tells(at, 'b ->red', 'c ->none', 'a ->blue', 'b (red) gone');
});

test('an API that cannot list yet is asked until it can, and the log does not fill with it', async () => {
  await using at = await room((server) => {
    for (let i = 0; i < 4; i++) server.instead.push((_, response) => refuse(response, 403, 'Forbidden', 'no RBAC yet'));
    server.put('a');
  });
  assert.equal(at.cache.stale_ms(), undefined);
  await at.cache.synced;
  await up(at);
  assert.deepEqual(at.told, ['a ->none']);
  assert.equal(at.log.filter((line) => line.includes('FP226')).length, 1);
});

test('how old the news is, is known while the server is away', async () => {
  await using at = await room((server) => void server.put('a'));
  await up(at);
  await at.server.stop();
  await eventually('stale', () => (at.cache.stale_ms() ?? 0) > 0);
  assert.equal(at.cache.get('a'), 'none');
  await at.server.start();
  await up(at);
});

test('a listener is called on a later turn, may throw, and hears nothing after stop', async () => {
  let inside = false;
  let calls = 0;
  await using at = await room(
    (server) => void (server.put('a'), server.put('b')),
    {
      parse(value) {
        inside = true;
        queueMicrotask(() => (inside = false));
        return colour(value);
      },
    },
    {
      changed() {
        calls++;
        assert.equal(inside, false);
        throw new Error('of the listener');
      },
    },
  );
  await up(at);
  assert.equal(calls, 2);
  assert.equal(at.log.filter((line) => line.includes('of the listener')).length, 2);
  at.server.put('c');
  at.cache.stop();
  await eventually('the watch ends', () => at.server.watches === 0);
  assert.equal(calls, 2);
});

test('a cache that is stopped before it has anything says so to whoever waits', async () => {
  await using at = await room((server) => void server.instead.push(() => undefined));
  at.cache.stop();
  await at.cache.synced;
  assert.deepEqual(at.cache.list(), []);
});

test('a watch on which nothing comes for too long is given up', async () => {
  await using at = await room();
  const request = {
    resourceVersion: '0',
    lasts_s: 300,
    silence_ms: 50,
    signal: new AbortController().signal,
    began: () => {},
    event: () => {},
  };
  await assert.rejects(at.api.watch(things, request), { kind: 'kubeUnreachable', details: /nothing came for 50 ms$/ });
});

test('a line longer than any object ends the watch', async () => {
  await using at = await room();
  await up(at);
  at.cache.stop();
  await eventually('the watch ends', () => at.server.watches === 0);
  const watching = at.api.watch(things, {
    resourceVersion: '100',
    lasts_s: 300,
    silence_ms: 60_000,
    signal: new AbortController().signal,
    began: () => {},
    event: () => {},
  });
  await eventually('a watch', () => at.server.watches === 1);
  for (let i = 0; i < 20; i++) at.server.write(Buffer.alloc(1 << 20, 'x'));
  await assert.rejects(watching, { kind: 'kubeTooLarge', details: 'a line of more than 16777216 bytes' });
});
