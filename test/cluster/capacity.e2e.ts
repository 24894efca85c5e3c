/** The scheduler knows how many addresses there are: exactly as many Pods run as can have one, the others stay Pending, say why, and run when others end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import { startCluster } from './cluster.ts';
import { installFlatpod } from './flatpod.ts';
import { plainPod } from './life-parts.ts';

interface PodObject extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  };
}

const labels = { app: 'fit' };
const deployment = (replicas: number): string =>
  `${JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'fit', name: 'fit' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...plainPod,
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'c', image: 'localhost/busybox:1', command: ['sleep', '100000'], resources: { requests: { cpu: '1m' } } }],
        },
      },
    },
  })}\n`;

test('a subnet with fewer addresses than Pods fits exactly', async (t) => {
  const cluster = await startCluster({ vpc: { subnets: { small: { cidr4: '10.20.200.0/27' } } } });
  t.after(() => cluster[Symbol.asyncDispose]());
  const small = cluster.vpc.lab.subnets.get('small');
  assert.ok(small !== undefined);
  await installFlatpod(cluster, { subnets: { pods: { cloudSubnet: small.id, default: true, warm: { spare: 2 } } } });
  await cluster.kubectl('create', 'namespace', 'fit');
  const told = async (): Promise<number> => {
    const nodes = await cluster.admin.list<KubeObject & { status: { allocatable: Record<string, string> } }>('/api/v1/nodes');
    return nodes.reduce((sum, { status }) => sum + Number(status.allocatable['flatpod.dev/addresses'] ?? Number.NaN), 0);
  };
  const pods = (): Promise<PodObject[]> => cluster.admin.list<PodObject>('/api/v1/namespaces/fit/pods');
  const free = async (): Promise<number> => {
    const { items } = await cluster.vpc.api.call<{ items: readonly { readonly id: string; readonly free4: number }[] }>(
      'GET',
      '/v1/subnets',
    );
    return items.find(({ id }) => id === small.id)?.free4 ?? Number.NaN;
  };
  const held = async (): Promise<number> => {
    const nodes = await cluster.admin.list<KubeObject & { status?: { held?: number } }>('/apis/flatpod.dev/v1alpha1/nodenetworks');
    return nodes.reduce((sum, { status }) => sum + (status?.held ?? 0), 0);
  };
  // What further interfaces take for themselves is known when both nodes have theirs.
  const all = await eventually(
    'what both nodes say is what there is',
    async () => {
      const [said, there] = [await told(), (await free()) + (await held())];
      assert.ok(said > 10 && said === there, `nodes say ${said}, there are ${there}`);
      return said;
    },
    60,
  );
  await cluster.apply(deployment(all + 5));
  const running = async (): Promise<number> => (await pods()).filter(({ status }) => status.podIP !== undefined).length;

  await t.test('exactly as many run as there are addresses; the others are on no node, and say why', async () => {
    await eventually('all that can run do', async () => assert.equal(await running(), all), 120);
    await eventually('the others say why', async () => {
      const others = (await pods()).filter(({ status }) => status.podIP === undefined);
      assert.equal(others.length, 5);
      for (const { spec, status } of others) {
        assert.equal(spec.nodeName, undefined, `nodes say ${await told()} of ${all}`);
        assert.match(status.conditions?.find(({ type }) => type === 'PodScheduled')?.message ?? '', /Insufficient flatpod\.dev\/addresses/);
      }
    });
    assert.equal(await told(), all);
  });

  await t.test('when Pods end, those that wait run', async () => {
    const gone = (await pods()).filter(({ status }) => status.podIP !== undefined).slice(0, 4);
    await cluster.kubectl('-n', 'fit', 'scale', 'deployment/fit', `--replicas=${all}`);
    await cluster.kubectl('-n', 'fit', 'delete', 'pod', '--wait=false', ...gone.map(({ metadata }) => metadata.name));
    await eventually(
      'all run',
      async () => {
        const now = await pods();
        assert.ok(
          now.length === all && now.every(({ status }) => status.podIP !== undefined),
          `${now.length} of ${all}, ${await running()} run`,
        );
      },
      90,
    );
  });
});
