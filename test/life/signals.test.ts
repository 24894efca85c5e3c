/** Signals that operators send to daemons. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, testLab } from './lab.ts';

test('SIGHUP ends no agent, and says how a new configuration is read', async () => {
  const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a' } } };
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  node.agent.process.kill('SIGHUP');
  await eventually('it says so', () => node.log().includes('SIGHUP changes nothing'));
  assert.equal((await node.add(node.container())).length, 1);
});
