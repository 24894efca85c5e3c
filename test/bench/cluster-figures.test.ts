/** What the parts on a cluster read out of logs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedIn, isPeriodic, isWrite } from '../../bench/cluster/audit.ts';
import { sandboxTimes } from '../../bench/cluster/sandboxes.ts';

const sandbox = (time: string, uid: string, rest: string): string =>
  `time="2026-11-21T16:16:${time}Z" level=info msg="RunPodSandbox for name:\\"p\\"  uid:\\"${uid}\\"  namespace:\\"bench\\"${rest}"`;

test('a sandbox takes from the first call for its Pod to the answer of the call that succeeded', () => {
  const answer = ' returns sandbox id \\"e14d\\"';
  const log = [
    sandbox('45.000000001', 'one', ''),
    sandbox('45.100000000', 'two', ''),
    sandbox('45.250999999', 'one', answer),
    'time="2026-11-21T16:16:45.3Z" level=error msg="RunPodSandbox for name:\\"p\\" uid:\\"two\\" failed, error"',
    sandbox('46.000000000', 'two', ''),
    sandbox('46.300000000', 'two', answer),
    sandbox('46.300000000', 'two', answer),
    sandbox('47.000000000', 'late', ''),
  ].join('\n');
  assert.deepEqual(
    [...sandboxTimes(`${log}\n`)],
    [
      ['one', 250],
      ['two', 1200],
    ],
  );
});

const event = (auditID: string, username: string, verb: string, objectRef?: object): string =>
  JSON.stringify({ kind: 'Event', auditID, stage: 'ResponseComplete', verb, user: { username }, objectRef });

test('requests are counted once each, by component, verb and resource', () => {
  const agent = 'system:serviceaccount:kube-system:flatpod-agent';
  const asked = askedIn(
    [
      event('1', agent, 'patch', { resource: 'nodenetworks', name: 'n1' }),
      event('2', 'system:serviceaccount:kube-system:flatpod-controller', 'patch', { resource: 'nodenetworks', subresource: 'status' }),
      event('3', 'system:node:n1', 'watch', { resource: 'pods' }),
      event('3', 'system:node:n1', 'watch', { resource: 'pods' }),
      event('4', 'admin', 'create', { resource: 'pods' }),
      event('5', agent, 'get'),
      '',
    ].join('\n'),
  );
  assert.deepEqual(asked, [
    { by: 'agent', verb: 'patch', resource: 'nodenetworks' },
    { by: 'controller', verb: 'patch', resource: 'nodenetworks/status' },
    { by: 'kubelet', verb: 'watch', resource: 'pods' },
    { by: 'agent', verb: 'get', resource: 'other' },
  ]);
  assert.deepEqual(asked.map(isWrite), [true, true, false, false]);
});

test('what comes and goes without Pods is told apart', () => {
  const of = (by: 'agent' | 'kubelet', verb: string, resource: string): boolean => isPeriodic({ by, verb, resource });
  assert.ok(of('kubelet', 'patch', 'nodes/status') && of('agent', 'update', 'leases') && of('agent', 'watch', 'pods'));
  assert.ok(!of('agent', 'patch', 'nodes/status') && !of('kubelet', 'patch', 'pods/status') && !of('agent', 'patch', 'nodenetworks'));
});
