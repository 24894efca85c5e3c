/** Which instance a Node is, in the shapes that the cloud providers of OpenStack, AWS and QingCloud write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readNode } from '../../../src/store/kubernetes/core-objects.ts';
import { instanceOf, zoneOf } from '../../../src/store/kubernetes/provider-id.ts';

const shapes: readonly [providerId: string | undefined, instance: string | undefined, zone: string | undefined][] = [
  ['vpc:///z1/i-1', 'i-1', 'z1'],
  ['aws:///eu-central-1a/i-0123456789abcdef0', 'i-0123456789abcdef0', 'eu-central-1a'],
  ['openstack:///5c6b1ff2-7f5e-4c45-a4fb-0d2f0c1d7a11', '5c6b1ff2-7f5e-4c45-a4fb-0d2f0c1d7a11', undefined],
  ['openstack://RegionOne/5c6b1ff2-7f5e-4c45-a4fb-0d2f0c1d7a11', '5c6b1ff2-7f5e-4c45-a4fb-0d2f0c1d7a11', 'RegionOne'],
  ['qingcloud://i-abcdefgh', 'i-abcdefgh', undefined],
  ['i-1', undefined, undefined],
  ['', undefined, undefined],
  [undefined, undefined, undefined],
];
for (const [providerId, instance, zone] of shapes)
  test(`${providerId ?? 'none'}: ${instance ?? 'no instance'}`, () =>
    assert.deepEqual([instanceOf(providerId), zoneOf(providerId)], [instance, zone]));

test("a Node without one is the instance that QingCloud's annotation names; one with both goes by its spec", () => {
  const annotations = { 'node.beta.kubernetes.io/instance-id': 'i-abcdefgh' };
  const node = (metadata: object, spec: object): string | undefined =>
    instanceOf(readNode({ metadata: { name: 'n1', uid: 'u', ...metadata }, spec }).providerId);
  assert.equal(node({ annotations }, {}), 'i-abcdefgh');
  assert.equal(node({ annotations }, { providerID: 'qingcloud://i-other' }), 'i-other');
  assert.equal(node({ annotations: { ...annotations, 'node.beta.kubernetes.io/instance-id': '' } }, {}), undefined);
  assert.equal(node({}, {}), undefined);
});
