/**
 * A program that uses our API client inside the cluster's network, and says on stdout what it sees, a line each: `kube-client.ts KUBECONFIG calls`,
 * `… watch` (ConfigMaps of the namespace default that are labelled kube-client), `… stand NAME` (for the Lease kube-client).
 */
import { hostname } from 'node:os';
import { isFailure } from '../../src/errors/failure.ts';
import { type KubeApi, openApi } from '../../src/kube/api.ts';
import { watchObjects } from '../../src/kube/cache.ts';
import { stand } from '../../src/kube/election.ts';
import { accessFromKubeconfig } from '../../src/kube/kubeconfig.ts';
import { createLog } from '../../src/log.ts';

const configMaps = { group: '', version: 'v1', resource: 'configmaps', namespace: 'default' } as const;
const one = { ...configMaps, name: 'kube-client-calls' };

const log = createLog('kube-client', 'debug', (line) => process.stdout.write(`log ${line}`));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface ConfigMap {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
}
// The API server's word for it is enough here.
const as = (value: unknown): ConfigMap => value as ConfigMap;

/** How it ended: `ok`, or the failure's name. */
async function ending(what: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
    say(`${what} ok`);
  } catch (error) {
    say(`${what} ${isFailure(error) ? `${error.kind}: ${error.details}` : String(error)}`);
  }
}

async function calls(api: KubeApi): Promise<void> {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: one.name }, data: { a: '1' } };
  await ending('delete-none', () => api.delete(one));
  await ending('find-none', async () => say(`found ${JSON.stringify(await api.find(one, as))}`));
  await ending('get-none', () => api.get(one, as));
  let made: ConfigMap | undefined;
  await ending('create', async () => (made = await api.create(configMaps, object, as)));
  await ending('create-twice', () => api.create(configMaps, object, as));
  await ending('create-wrong', () => api.create(configMaps, { ...object, metadata: { name: 'No Name' } }, as));
  await ending('create-nowhere', () => api.create({ ...configMaps, namespace: 'nowhere' }, object, as));
  await ending('replace', () => api.replace(one, { ...object, ...made, data: { a: '2' } }, as));
  await ending('replace-old', () => api.replace(one, { ...object, ...made, data: { a: '3' } }, as));
  await ending('merge', () => api.patch(one, { kind: 'merge', body: { data: { b: '1' } } }, as));
  await ending('json', () => api.patch(one, { kind: 'json', body: [{ op: 'test', path: '/data/b', value: '1' }] }, as));
  await ending('json-wrong', () => api.patch(one, { kind: 'json', body: [{ op: 'test', path: '/data/b', value: '2' }] }, as));
  await ending('apply', () => api.patch(one, { kind: 'apply', body: { ...object, data: { c: '1' } } }, as));
  await ending('get', async () => say(`data ${JSON.stringify((await api.get(one, as)).data)}`));
  await ending('list', async () =>
    say(`listed ${(await api.list(configMaps, as, { fieldSelector: `metadata.name=${one.name}` })).items.length}`),
  );
  await ending('list-cached', () => api.list(configMaps, as, { notOlderThan: '0' }));
  await ending('list-future', () => api.list(configMaps, as, { notOlderThan: '99999999' }));
  await ending('no-such-group', () => api.list({ group: 'nowhere.dev', version: 'v1', resource: 'things' }, as));
  await ending('no-such-kind', () => api.list({ group: 'apps', version: 'v1', resource: 'things' }, as));
  await ending('secrets', () => api.list({ group: '', version: 'v1', resource: 'secrets' }, as));
  await ending('delete-other', () => api.delete(one, { uid: 'another' }));
  await ending('delete', () => api.delete(one, { uid: made?.metadata.uid ?? '' }));
}

function watch(api: KubeApi): void {
  const cache = watchObjects(
    api,
    { at: configMaps, labelSelector: 'kube-client', parse: (value) => as(value).data?.['colour'] ?? 'none' },
    { log, changed: ({ kind, key, ...rest }) => say(`${kind} ${key} ${'object' in rest ? rest.object : ''}`) },
  );
  void cache.synced.then(() => say('synced'));
}

function candidate(api: KubeApi, name: string): void {
  const election = stand(api, {
    namespace: 'default',
    lease: 'kube-client',
    candidate: `${name}-${hostname()}`,
    log,
    began: (term) => say(`began ${term} ${election.holdsFor_ms() > 0}`),
    ended: (why) => say(`ended ${election.holdsFor_ms()} ${why}`),
  });
  process.once('SIGTERM', () => void election.stop().then(() => process.exit()));
}

const [path = '', what = '', name = ''] = process.argv.slice(2);
const api = openApi(accessFromKubeconfig(path), { userAgent: 'flatpod-test/1.0' });
if (what === 'calls') await calls(api).finally(() => api.close());
// Alarms and connections that wait do not keep a process alive.
else setInterval(() => {}, 1000);
if (what === 'watch') watch(api);
if (what === 'stand') candidate(api, name);
