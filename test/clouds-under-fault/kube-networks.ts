/** NodeNetworks in a real API server as the agents of several nodes have them: each follows its own object, and what it says arrives in order. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '../../src/errors/failure.ts';
import type { KubeApi } from '../../src/kube/api.ts';
import type { Log } from '../../src/log.ts';
import { mirroredNodeNetwork } from '../../src/store/kubernetes/mirrored-node-network.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { readNodeNetwork, type StoredNodeNetwork } from '../../src/store/kubernetes/stored-node-network.ts';
import type { NodeNetworks } from '../../src/store/node-network.ts';
import { memoryNetworks } from '../controller/harness.ts';

/** That node's alone. `stop` it. */
export function networksOf(api: KubeApi, node: string, log: Log): NodeNetworks & { stop(): void } {
  const mirrored = mirroredNodeNetwork(api, memoryNetworks(), node, log);
  let last: Promise<void> = Promise.resolve();
  let isOver = false;
  const said = async (spec: Parameters<NodeNetworks['writeSpec']>[1]): Promise<void> => {
    for (;;) {
      try {
        return await mirrored.writeSpec(node, spec);
      } catch (error) {
        // The controller makes it, sooner or later.
        if (isOver) return;
        if (!isFailure(error, 'kubeNotFound')) throw error;
        await sleep(50);
      }
    }
  };
  return {
    ...mirrored,
    writeSpec: (_, spec) => (last = last.then(() => said(spec))),
    stop() {
      isOver = true;
      mirrored.stop();
    },
  };
}

/** All there are, as the controllers left them. */
export async function storedNetworks(api: KubeApi): Promise<readonly StoredNodeNetwork[]> {
  return (await api.list(resources.nodeNetworks, readNodeNetwork)).items;
}
