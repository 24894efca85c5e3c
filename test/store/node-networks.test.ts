/** NodeNetwork objects in SQLite: two writers, one half each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import type { NodeNetwork, NodeNetworkSpec, NodeNetworkStatus } from '../../src/store/node-network.ts';
import { nodeNetworksIn } from '../../src/store/node-networks-sqlite.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { stateDir } from './support.ts';

const spec = (waiting: number): NodeNetworkSpec => ({
  instance: 'i-1' as InstanceId,
  demand: [{ subnet: 'a', inUse: 1, cooling: 0, waiting }],
  returned: [parseCidr('10.0.0.1/32')],
});
const status: NodeNetworkStatus = { vpcCidrs: [parseCidr('10.0.0.0/8')], nics: [], growth: [{ subnet: 'a', stoppedBy: 'none', text: '' }] };

test('each half is kept when the other is written, and both survive a restart', async () => {
  using dir = stateDir();
  {
    using database = openDatabase(dir.path);
    const networks = nodeNetworksIn(database);
    assert.equal(await networks.get('n1'), undefined);
    await networks.writeSpec('n1', spec(1));
    await networks.writeStatus('n1', status);
    await networks.writeSpec('n1', spec(2));
  }
  using database = openDatabase(dir.path);
  assert.deepEqual(await nodeNetworksIn(database).list(), [{ name: 'n1', spec: spec(2), status }]);
});

test('a watcher hears of each change on a later turn, and of none after it stopped or the database was closed', async () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const networks = nodeNetworksIn(database);
  const heard: NodeNetwork[] = [];
  const stop = networks.watch((node) => heard.push(node));
  await networks.writeSpec('n1', spec(1));
  assert.equal(heard.length, 0);
  await turn();
  assert.deepEqual(heard, [await networks.get('n1')]);
  await networks.writeSpec('n1', spec(2));
  stop();
  await turn();
  assert.equal(heard.length, 1);
  networks.watch((node) => heard.push(node));
  await networks.writeSpec('n1', spec(3));
  database.close();
  await turn();
  assert.equal(heard.length, 1);
});

test('a grant to a node that no agent speaks for is refused, not dropped', async () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  await assert.rejects(nodeNetworksIn(database).writeStatus('n9', status), (error) => isFailure(error, 'nodeUnknown'));
});
