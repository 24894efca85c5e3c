/** STATUS where addresses come out of a range: a node with none yet is ready, since the first Pod brings the first. */
import assert from 'node:assert/strict';
import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NodeReport } from '../../src/agent/status-report.ts';
import { askAgent } from '../../src/cli/ask.ts';
import { type CniAnswer, cni } from '../../src/cli/demo/cni.ts';
import { start } from '../../src/cli/demo/processes.ts';
import { testLan } from '../kernel/lan.ts';
import { testNetns } from '../kernel/namespace.ts';
import { eventually, patientStatus } from '../life/lab.ts';

/** Too few to give a node any beforehand. */
const config = (parent: string): string => `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: one}
spec: {node: one, cloud: {type: none}}
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: pods}
spec:
  range: {parent: ${parent}, ipv4: {cidr: 10.9.0.0/24, first: 10.9.0.5, last: 10.9.0.9}}
  datapath: macvlan
  default: true
`;

test('a range that gives nodes nothing beforehand: a node is ready, and its first Pod has an address; without the interface it is not', async () => {
  using lan = testLan(1);
  using pod = testNetns('pod');
  for (const parent of ['eth0', 'eth9']) {
    using dir = mkdtempDisposableSync(join(tmpdir(), 'fpt-status-'));
    const [socket, file] = [join(dir.path, 'cni.sock'), join(dir.path, 'node.yaml')];
    const places = { FLATPOD_SOCKET: socket, FLATPOD_STATE: join(dir.path, 'state') };
    writeFileSync(file, config(parent));
    const agent = await start(dir.path, {
      name: 'one',
      args: ['agent', '--config', file],
      netns: lan.host(0).path,
      ready: socket,
      env: places,
    });
    try {
      const call = (verb: 'STATUS' | 'ADD' | 'DEL'): Promise<CniAnswer> => {
        const env = {
          ...places,
          ...patientStatus,
          ...(verb !== 'STATUS' && { CNI_CONTAINERID: 'c1', CNI_NETNS: pod.path, CNI_IFNAME: 'eth0' }),
        };
        return cni({ verb, env, config: JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'flatpod' }) });
      };
      const { pools } = await eventually('the controller has spoken', async () => {
        const report = await askAgent<NodeReport>(socket, 'report', 20_000);
        assert.ok(report.pools.length > 0);
        return report;
      });
      assert.deepEqual(
        pools.map(({ held }) => held),
        [0],
      );
      if (parent === 'eth9') {
        assert.match((await call('STATUS')).stdout, /no PodSubnet has an address on this node/);
        continue;
      }
      await eventually('it is ready', async () => (await call('STATUS')).status === 0);
      const added = await call('ADD');
      assert.match(added.stdout, /"10\.9\.0\.\d\/24"/, added.stdout + added.stderr);
      assert.equal((await call('DEL')).status, 0);
    } finally {
      await agent.stop('SIGKILL');
    }
  }
});
