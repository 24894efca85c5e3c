/** How much an agent logs: its configuration says it, and the controller another while it runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { followLevel } from '../../src/cli/agent-level.ts';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { createLog, type Level } from '../../src/log.ts';
import type { NodeNetworkStatus } from '../../src/store/node-network.ts';
import { nodeNetworksIn } from '../../src/store/node-networks-sqlite.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { stateDir } from '../store/support.ts';

test('the level of the log is the controller’s as soon as it is said, also of one that said it before, and the own one again when it says none', async () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const store = nodeNetworksIn(database);
  const [lines, own]: [string[], Level] = [[], 'warn'];
  let level: Level | undefined;
  const log = createLog(
    'test',
    () => level ?? own,
    (line) => lines.push(line),
  );
  const follow = (): Promise<() => void> => followLevel(store, 'n1', log, (told) => void (level = told));
  const status: NodeNetworkStatus = { vpcCidrs: [], nics: [], growth: [] };
  const tell = async (name: string, settings: NodeNetworkStatus['settings']): Promise<void> => {
    await store.writeStatus(name, { ...status, ...(settings !== undefined && { settings }) });
    await turn();
    await turn();
  };
  const logged = (): string[] => {
    lines.length = 0;
    for (const one of ['debug', 'info', 'warn', 'error'] as const) log[one](one);
    return lines.map((line) => String(JSON.parse(line).msg));
  };
  for (const name of ['n1', 'n2']) await store.writeSpec(name, { instance: 'i-1' as InstanceId, demand: [], returned: [] });
  const stop = await follow();
  assert.deepEqual(logged(), ['warn', 'error']);
  await tell('n2', { log: 'debug' });
  assert.deepEqual(logged(), ['warn', 'error'], 'that was said to another node');
  await tell('n1', { log: 'debug' });
  assert.deepEqual(logged(), ['debug', 'info', 'warn', 'error']);
  await tell('n1', { log: 'error', mtu: 1400 });
  assert.match(lines.join(''), /logs error and what is worse, as the controller says/, 'nobody wonders where the lines are');
  assert.deepEqual(logged(), ['error']);
  stop();
  await tell('n1', { log: 'info' });
  assert.deepEqual(logged(), ['error'], 'nobody follows any more');
  level = undefined;
  const again = await follow();
  assert.deepEqual(logged(), ['info', 'warn', 'error'], 'as it was said before the start');
  await tell('n1', { mtu: 1400 });
  assert.deepEqual(logged(), ['warn', 'error']);
  again();
});
