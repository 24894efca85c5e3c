/** `flatpod agent --controller`: one program a node that is agent and candidate. What it is in a cluster, test/openstack/rubble.openstack.ts shows. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { launcher } from '../../src/cli/demo/processes.ts';
import { folder } from './import-support.ts';

const inCluster = `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: node}
spec: {cluster: {kubeconfig: /nonexistent}}
`;
const controller = `apiVersion: flatpod.dev/v1alpha1
kind: ControllerConfig
metadata: {name: controller}
spec: {cloud: {type: none}}
`;

/** Its exit status and what it said, from the sources, so that no build has to come first. */
function agent(args: readonly string[], dir: string): Promise<{ status: number | null; said: string }> {
  const own = ['--socket', join(dir, 'cni.sock'), '--state', join(dir, 'state')];
  const { promise, resolve } = Promise.withResolvers<{ status: number | null; said: string }>();
  const env = { ...process.env, FLATPOD_SOURCES: '1' };
  const child = execFile(launcher, ['agent', ...args, ...own], { env, timeout: 60_000 }, (_, out, said) =>
    resolve({ status: child.exitCode, said: out + said }),
  );
  return promise;
}

test('a controller beside an agent that is in no cluster, and one whose file is mistaken, are refused before there is any state', async () => {
  using files = folder();
  const nodeFile = files.write('node.yaml', inCluster);
  const mistaken = files.write('controller.yaml', controller);
  for (const [args, code, words] of [
    [['--controller', mistaken], 'FP204', /--controller .*controller\.yaml cannot be used.*spec has cluster/s],
    [['--config', nodeFile, '--controller', mistaken], 'FP190', /spec\.cluster/],
    [['--config', nodeFile, '--controller', join(files.path, 'absent.yaml')], 'FP191', /absent\.yaml/],
  ] as const) {
    const { status, said } = await agent(args, files.path);
    assert.equal(status, 1, said);
    assert.match(said, new RegExp(code));
    assert.match(said, words);
    assert.ok(!existsSync(join(files.path, 'state')) && !said.includes('.ts:'), said);
  }
});
