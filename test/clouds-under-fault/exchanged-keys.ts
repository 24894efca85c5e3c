/** Keys that are exchanged while `flatpod controller` runs, as it is installed: before a real API server, with a Secret that is mounted as kubelet does. */
import assert from 'node:assert/strict';
import { accessOf } from '../../src/cli/kube-access.ts';
import { openApi } from '../../src/kube/api.ts';
import { createLog } from '../../src/log.ts';
import { agent, subnet } from '../controller/harness.ts';
import { eventually } from '../life/lab.ts';
import { kubeBeside } from '../openstack/kube-beside.ts';
import { networksOf } from './kube-networks.ts';
import { processes } from './process.ts';
import type { LockedKind } from './rotated.ts';
import { secretFolder } from './secret-folder.ts';

/** Everything else on the machine may want its processors. */
const LIMIT_s = 120;
const kinds = 'nodenetworks.flatpod.dev,podsubnets.flatpod.dev,ipclaims.flatpod.dev,nodes,pods,events,configmaps,secrets,leases';

/**
 * The server refuses the old key before the Secret has the new one. @throws AssertionError when the refusal is not told, when the controller does not go on by
 * the new key, or when a secret stands in its log or in an object.
 */
export async function keysAreExchanged(kind: LockedKind): Promise<void> {
  await using open = new AsyncDisposableStack();
  const locked = open.use(await kind.open());
  const [before, after] = locked.files;
  const secret = open.use(secretFolder(kind.credentialsFile, before));
  const kube = open.use(await kubeBeside({ cluster: 'rotated', cloud: { type: 'vpc', endpoint: 'http://127.0.0.1:1' } }));
  const root = open.adopt(openApi(accessOf(kube.rootConfig), { userAgent: 'test/1' }), (api) => api.close());
  const spec = { cloudSubnet: locked.subnet, default: true, warm: { spare: 0 } };
  const config = subnet('pods', spec);
  await kube.apply({ apiVersion: config.apiVersion, kind: config.kind, metadata: config.metadata, spec });
  const controllers = open.use(processes(kube, root, 'rotated', locked.configured(secret.path)));
  const instance = await locked.launch();
  await kube.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: { providerID: `any:///zone/${instance}` } });
  const networks = open.adopt(
    networksOf(
      root,
      'n1',
      createLog('test', 'error', () => undefined),
    ),
    (one) => one.stop(),
  );
  const node = open.adopt(await agent(networks, instance, config), (it) => it.stop());
  const served = async (count: number): Promise<void> => {
    await eventually(`${count} Pods have addresses`, async () => assert.equal(node.leases.length, count, controllers.log()), LIMIT_s);
  };
  const refusals = (): number => controllers.log().split('FP173').length - 1;
  await node.want(1);
  await served(1);
  assert.equal(refusals(), 0);

  await locked.exchange();
  await node.want(2);
  await eventually('the refusal is told', async () => assert.ok(refusals() > 0), LIMIT_s);
  assert.equal(node.leases.length, 1);
  const told = await kube.kubectl('get', kinds, '-A', '-o', 'yaml', '--show-managed-fields');
  assert.match(told, /FP173|credentials for/, 'it stands in an object too');

  secret.rotate(after);
  await served(2);
  const cloud = locked.honest(secret.path);
  const held = (await cloud.nics({ instance })).flatMap(({ blocks }) => blocks);
  assert.equal(held.length, 2, 'the new key has done it');
  const everything = [controllers.log(), told, await kube.kubectl('get', kinds, '-A', '-o', 'yaml', '--show-managed-fields')].join('\n');
  for (const one of locked.secrets) assert.ok(!everything.includes(one), 'a secret is in a log or an object');
}
