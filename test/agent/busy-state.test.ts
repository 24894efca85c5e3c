/** An agent whose database somebody else holds while it starts. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { asFailure } from '../../src/errors/failure.ts';
import { testLan } from '../kernel/lan.ts';
import { agentOn } from './range-agent.ts';

test('it ends, with FP156 as its last word, and serves as before when it is started again', async () => {
  using lan = testLan(1);
  await using node = agentOn(lan.host(0), 'one', '10.9.0.40');
  await node.start();
  const pod = node.pod();
  await node.add(pod);
  await node.running.stop('SIGKILL');
  using other = new DatabaseSync(join(node.places['FLATPOD_STATE'] ?? '', 'state.db'));
  other.exec('BEGIN IMMEDIATE');
  const refusal = asFailure(await node.start().catch((error: unknown) => error));
  assert.equal(refusal.kind, 'labProgram');
  assert.match(refusal.details, /FP156[^|]*$/);
  other.exec('ROLLBACK');
  await node.start();
  assert.equal((await node.report()).pods.length, 1);
  assert.equal((await node.call('DEL', pod)).status, 0);
});
