/** Each mistake in what a runtime sends leads to the error made for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeFrame, encodeFrame, frameLimit, frameReader } from '../../src/cni/frame.ts';
import { configLimit, depthLimit } from '../../src/cni/json.ts';
import { errorReply, resultReply } from '../../src/cni/reply.ts';
import { type ErrorName, catalogue } from '../../src/errors/catalogue.ts';
import { failure } from '../../src/errors/failure.ts';
import { network, request } from './support.ts';

/** What is sent: verb, stdin, variables. */
type Sent = Parameters<typeof request>;
const mistakes: readonly (readonly [ErrorName, Sent])[] = [
  ['variableInvalid', ['ADD', network, { CNI_IFNAME: 'x'.repeat(31) }]],
  ['variableInvalid', ['DEL', network, { CNI_CONTAINERID: '../c1' }]],
  ['variablesMissing', ['ADD', network, { CNI_NETNS: '' }]],
  ['variablesMissing', ['', network]],
  ['commandUnknown', ['ADDD', network]],
  ['requestUnreadable', ['ADD', ' '.repeat(configLimit + 1)]],
  ['configUndecodable', ['ADD', '{"name": "pods"']],
  ['configUndecodable', ['ADD', '']],
  ['configUndecodable', ['ADD', '[]']],
  ['configUndecodable', ['ADD', '['.repeat(depthLimit + 1)]],
  ['networkNameInvalid', ['ADD', { ...network, name: '/pods' }]],
  ['networkNameInvalid', ['DEL', { cniVersion: '1.0.0' }]],
  ['versionUnsupported', ['ADD', { ...network, cniVersion: '2.0.0' }]],
  ['verbNeedsVersion', ['GC', { ...network, cniVersion: '1.0.0' }]],
  ['configInvalid', ['ADD', { ...network, mtu: 'large' }]],
  ['configInvalid', ['ADD', { ...network, prevResult: { ips: [{}] } }]],
  ['configKeyUnknown', ['ADD', { ...network, sub_net: 'a' }]],
  ['argumentsInvalid', ['ADD', network, { CNI_ARGS: 'IP=300.0.0.1' }]],
  ['argumentsInvalid', ['ADD', network, { CNI_ARGS: 'COLOUR=red' }]],
  ['ipamRefused', ['ADD', { ...network, ipam: { type: 'host-local' } }]],
  ['prevResultMissing', ['CHECK', network]],
];

for (const [kind, sent] of mistakes) {
  const [verb, stdin, variables = {}] = sent;
  const shown = (typeof stdin === 'string' ? JSON.stringify(stdin) : JSON.stringify({ ...stdin })).slice(0, 60);
  test(`FP${catalogue[kind].code} ${kind}: ${verb || 'no verb'} ${JSON.stringify(variables)} ${shown}`, () => {
    assert.throws(() => request(...sent), { name: 'Failure', kind, code: catalogue[kind].code, cni: catalogue[kind].cni });
  });
}

test('a result without addresses cannot be said in CNI 0.2.0: FP112', () => {
  assert.throws(() => resultReply({ interfaces: [], ips: [], routes: [], dns: {} }, '0.2.0'), { kind: 'resultInexpressible' });
});

test('bytes on the socket that are no frame: FP118', () => {
  const frame = Buffer.from(encodeFrame({ variables: new Map([['CNI_COMMAND', 'ADD']]), stdin: Buffer.from('{}') }));
  const version2 = Buffer.from(frame);
  version2[4] = 2;
  for (const bytes of [Buffer.alloc(0), frame.subarray(0, -1), Buffer.concat([frame, frame]), version2, Buffer.from([1, 0, 0, 0, 1])])
    assert.throws(() => decodeFrame(bytes), { kind: 'frameInvalid' });
  const tooLong = Buffer.alloc(4);
  tooLong.writeUInt32LE(frameLimit + 1);
  assert.throws(() => frameReader().take(tooLong), { kind: 'frameInvalid' });
});

test('the answer of CNI carries code, sentence, FP number and the way out', () => {
  const { status, stdout } = errorReply(failure('ipamRefused', { found: 'of type "static"' }), '1.0.0');
  assert.equal(status, 1);
  assert.deepEqual(JSON.parse(stdout), {
    cniVersion: '1.0.0',
    code: 7,
    msg: 'the network configuration has an ipam section, but Flatpod allocates addresses itself (FP111)',
    details: `ipam is of type "static"; ${catalogue.ipamRefused.hint}`,
  });
});
