/** How one subnet of Neutron is used by all PodSubnets that name it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressedOtherwise, addressingIn } from '../../src/store/addressing.ts';
import { subnet } from '../controller/harness.ts';

const pods = (name: string, more: Record<string, unknown> = {}) => subnet(name, { cloudSubnet: 'v4+v6', ...more });

test('the first PodSubnet whose Pods share interfaces decides how addresses of a subnet are had', () => {
  const [branch, nic] = [pods('a-branch', { datapath: 'branch' }), pods('b-nic', { datapath: 'nic' })];
  const [ports, plain] = [pods('c-ports', { addressing: 'ports' }), pods('d-plain')];
  assert.equal(addressingIn([branch, nic, ports], 'v4'), 'ports');
  assert.equal(addressingIn([branch, nic, ports, plain], 'v6'), 'ports');
  assert.equal(addressingIn([plain, ports], 'v4'), 'blocks', 'which is what it has where it says nothing');
  assert.deepEqual([addressingIn([branch, nic], 'v4'), addressingIn([ports], 'v5')], [undefined, undefined]);
});

test('who would have a subnet otherwise is told who has it already, for either half of a pair and each of several subnets', () => {
  const ports = pods('ports', { addressing: 'ports' });
  const fixed = (spec: Record<string, unknown>) => subnet('fixed', { addressing: 'fixed-ips', ...spec });
  const words = /^subnet v6 has addressing ports by PodSubnet ports, and fixed-ips by this one$/;
  assert.match(addressedOtherwise(fixed({ cloudSubnet: 'v6' }), [ports]) ?? '', words);
  assert.match(addressedOtherwise(fixed({ cloudSubnets: { ids: ['other', 'v4-2+v6'] } }), [ports]) ?? '', words);
  for (const other of [pods('same', { addressing: 'ports' }), pods('branch', { datapath: 'branch' }), subnet('b', { cloudSubnet: 'v5' })])
    assert.equal(addressedOtherwise(other, [ports]), undefined, other.metadata.name);
});
