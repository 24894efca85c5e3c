/** The bed itself: what it leaves when its process is killed, and options that need servers of their own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../life/lab.ts';
import { openStackBed } from './bed.ts';
import { alive, birthOf } from './bed/processes.ts';
import { as } from './client.ts';

const program = `
  import { openStackBed } from ${JSON.stringify(join(import.meta.dirname, 'bed.ts'))};
  const bed = await openStackBed({ nova: false });
  console.log(JSON.stringify({ state: bed.state, pids: ['keystone', 'neutron'].map((name) => bed.pidOf(name)) }));
  setInterval(() => {}, 1000);
`;

/** A process that opens a bed and never closes it; its word once the bed is there. */
async function forgetful(): Promise<{ child: ChildProcess; state: string; pids: number[] }> {
  const env = { ...process.env };
  delete env['FLATPOD_OPENSTACK_BED'];
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'], env });
  let said = '';
  for await (const part of child.stdout) {
    said += String(part);
    if (said.includes('\n')) break;
  }
  return { child, ...JSON.parse(said) };
}

test('servers end with the process that opened the bed, however that ends; the next bed takes away what is left, and tokens are as short-lived as it is told', async () => {
  const { state, pids, child } = await forgetful();
  const servers = pids.map((pid) => ({ pid, birth: birthOf(pid) ?? '' }));
  assert.ok(servers.every(alive));
  child.kill('SIGKILL');
  await eventually('its servers are gone', () => !servers.some(alive), 60);
  assert.ok(existsSync(state));
  {
    // Longer than the first request takes, for which Neutron has to ask Keystone, where others want the processors.
    await using bed = await openStackBed({ nova: false, tokenTtl_s: 15 });
    assert.ok(!existsSync(state));
    const demo = await as(bed, 'demo');
    assert.equal(demo.url('compute'), undefined);
    assert.equal((await demo.network('GET', '/networks')).status, 200);
    await eventually('the token has expired', async () => (await demo.network('GET', '/networks')).status === 401, 60);
    assert.ok(existsSync(bed.state));
  }
});

test('an unknown folder has no bed, and says so', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bed.ts'), 'status', '/nonexistent'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  for await (const part of child.stderr) said += String(part);
  assert.match(said, /there is no bed in \/nonexistent/);
});
