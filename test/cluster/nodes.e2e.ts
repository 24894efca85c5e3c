/** A Node that goes while its instance lives keeps its addresses; one whose instance is terminated leaves nothing; one that comes back goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import { sharedCluster } from './shared.ts';

interface NodeNetworkObject extends KubeObject {
  readonly status?: {
    readonly instance?: string;
    readonly nics?: readonly { readonly id: string; readonly blocks: readonly string[] }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[];
  };
}

interface Nic {
  readonly id: string;
  readonly attachment?: { readonly instance: string };
  readonly tags?: Readonly<Record<string, string>>;
}

test('NodeNetworks follow their Nodes and instances', async (t) => {
  const cluster = await sharedCluster();
  const at = '/apis/flatpod.dev/v1alpha1/nodenetworks';
  const find = async (name: string): Promise<NodeNetworkObject | undefined> =>
    (await cluster.admin.list<NodeNetworkObject>(at)).find(({ metadata }) => metadata.name === name);
  const subnet = cluster.vpc.lab.subnets.get('nodes')?.id;
  const launch = async (name: string): Promise<string> => {
    const { id } = await cluster.vpc.api.call<{ id: string }>('POST', '/v1/instances', { name, type: 'v1.large', subnet });
    t.after(() => cluster.vpc.api.call('DELETE', `/v1/instances/${id}`).catch(() => undefined));
    return id;
  };
  const speak = (): Promise<unknown> =>
    cluster.admin.ask('PATCH', `${at}/ghost`, { spec: { demand: [{ subnet: 'pods', inUse: 0, cooling: 0, waiting: 2 }] } });
  /** A Node without a kubelet, whose agent has spoken. */
  const join = async (instance: string): Promise<void> => {
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'ghost' },
      spec: { providerID: `vpc:///zone-a/${instance}`, unschedulable: true },
    };
    await cluster.admin.ask('POST', '/api/v1/nodes', node);
    await eventually('its agent has spoken', speak);
  };
  const granted = (instance: string): Promise<readonly { readonly id: string }[]> =>
    eventually(
      `${instance} has addresses`,
      async () => {
        // As an agent does: the NodeNetwork that heard it may have been that of the instance before, and on its way out.
        await speak();
        const { status } = (await find('ghost')) ?? {};
        assert.equal(status?.instance, instance);
        const nics = (status?.nics ?? []).filter(({ blocks }) => blocks.length > 0);
        assert.ok(nics.length > 0);
        return nics;
      },
      60,
    );
  const nicsNow = async (): Promise<readonly Nic[]> => (await cluster.vpc.api.call<{ items: readonly Nic[] }>('GET', '/v1/nics')).items;
  t.after(() => cluster.kubectl('delete', 'node/ghost', 'nn/ghost', '--ignore-not-found'));
  const first = await launch('ghost-1');
  const second = await launch('ghost-2');

  await join(first);
  const nics = await granted(first);

  await t.test('while the instance lives, everything stays and says why', async () => {
    await cluster.kubectl('delete', 'node', 'ghost');
    await eventually(
      'it is told',
      async () => {
        const ready = (await find('ghost'))?.status?.conditions?.find(({ type }) => type === 'Ready');
        assert.equal(ready?.reason, 'NodeGone');
        assert.match(ready?.message ?? '', new RegExp(`its instance ${first} runs`));
      },
      60,
    );
    assert.deepEqual(
      (await find('ghost'))?.status?.nics?.filter(({ blocks }) => blocks.length > 0).map(({ id }) => id),
      nics.map(({ id }) => id),
    );
  });

  await t.test('the same Node on the same instance goes on with what it had', async () => {
    await join(first);
    assert.deepEqual(
      (await granted(first)).map(({ id }) => id),
      nics.map(({ id }) => id),
    );
    await eventually('it is ready again', async () => {
      assert.notEqual((await find('ghost'))?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'NodeGone');
    });
  });

  await t.test('the same Node on another instance has interfaces of that one, those that outlived the first among them', async () => {
    await cluster.kubectl('delete', 'node', 'ghost');
    await cluster.vpc.api.call('DELETE', `/v1/instances/${first}`);
    await join(second);
    const others = await granted(second);
    await eventually('they hang on it', async () => {
      const all = (await nicsNow()).filter(({ id }) => others.some((one) => one.id === id));
      assert.deepEqual(
        all.map(({ attachment }) => attachment?.instance),
        others.map(() => second),
      );
    });
  });

  await t.test('when Node and instance are gone, so are its NodeNetwork and its interfaces', async () => {
    await cluster.kubectl('delete', 'node', 'ghost');
    await cluster.vpc.api.call('DELETE', `/v1/instances/${second}`);
    await eventually('its NodeNetwork is gone', async () => assert.equal(await find('ghost'), undefined), 60);
    assert.equal(
      (await nicsNow()).some(({ tags }) => tags?.['flatpod.dev/node'] === 'ghost'),
      false,
    );
  });
});
