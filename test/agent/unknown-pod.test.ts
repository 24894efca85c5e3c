/** A Pod that the API server has not told of, static ones while it is away: it is served by what its namespace said when it was last read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attach } from '../../src/agent/attach.ts';
import { recordByDatapath } from '../../src/agent/interface-record.ts';
import { Locks } from '../../src/agent/locks.ts';
import type { CloudPart, NodeAgent } from '../../src/agent/node-agent.ts';
import { Pools } from '../../src/agent/pools.ts';
import { readAttachedInterface } from '../../src/datapath/stored.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { createLog } from '../../src/log.ts';
import { openAttachments } from '../../src/store/attachments.ts';
import type { ClusterNamespace } from '../../src/store/kubernetes/core-objects.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { config, good } from '../errors/support.ts';
import { stateDir } from '../store/support.ts';

const log = createLog('test', 'error', () => undefined);
const subnet = (name: string, spec: object) =>
  podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec: { cloudSubnet: 's', ...spec } });
const subnets = [
  subnet('common', { default: true }),
  subnet('assigned', { assignable: true }),
  subnet('gold', { namespaceSelector: { matchLabels: { tier: 'gold' } } }),
];

const said: readonly [what: string, namespace: Partial<ClusterNamespace> | undefined, subnet: string][] = [
  ['nothing', undefined, 'common'],
  ['which PodSubnet is for it', { annotations: { 'flatpod.dev/pod-subnet': 'assigned' } }, 'assigned'],
  ['labels that a PodSubnet selects', { labels: { tier: 'gold' } }, 'gold'],
];

for (const [what, namespace, wanted] of said)
  test(`a Pod nobody knows, in a namespace that said ${what}, gets its address of PodSubnet ${wanted}`, async () => {
    using dir = stateDir();
    using database = openDatabase(dir.path);
    using kernel = openKernel();
    const pools = new Pools(subnets, { demandChanged: () => undefined });
    const pods = {
      list: () => [],
      find: () => Promise.resolve(undefined),
      namespace: (name: string) =>
        namespace === undefined || name !== 'shop' ? undefined : { name, uid: 'u', labels: {}, annotations: {}, ...namespace },
      stop: () => undefined,
    };
    const grants = {
      subnets,
      nics: [],
      status: undefined,
      plan: [],
      viaNode: [],
      draining: undefined,
      demandChanged: () => undefined,
      drain: () => undefined,
      leave: () => [],
      stop: () => undefined,
    };
    const cloud: CloudPart = { name: 'n1', config: { ...config.config.spec, addressWait_s: 0 }, pools, grants, pods, hasKind: () => true };
    const attachments = openAttachments(database, readAttachedInterface);
    const node: NodeAgent = { kernel, database, attachments, interrupted: new Set(), locks: new Locks(), log, cloud };
    const request = good('add', {}, { CNI_ARGS: 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=static-n1' });
    // There are no addresses at all here; the error tells of which subnet one was wanted.
    await assert.rejects(attach(node, cloud, { ...request, claims: true }, recordByDatapath(node, cloud, request)), (error: Error) => {
      assert.match(`${error.message} ${'details' in error ? String(error.details) : ''}`, new RegExp(`\\b${wanted}\\b`));
      return true;
    });
  });
