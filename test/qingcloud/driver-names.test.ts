/** Names that carry what other clouds have tags for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type NicName, namesOf } from '../../src/cloud/qingcloud/names.ts';
import { tagKeys } from '../../src/cloud/tag-keys.ts';
import { parseMac } from '../../src/net/mac.ts';

const word = fc.string({ unit: 'binary', maxLength: 20 });
const full = ({ cluster = 'prod', node = 'node-1', subnet = 'pods', intent = 'flatpod-0f-mb1-0' } = {}): NicName => ({
  tags: { [tagKeys.cluster]: cluster, [tagKeys.node]: node, [tagKeys.subnet]: subnet, [tagKeys.intent]: intent },
  token: intent,
});

test('a NIC’s name can be read by people, and begins with what is asked for', () => {
  const names = namesOf(255);
  assert.equal(names.forNic(full()), 'flatpod_prod_node-1_pods_flatpod-0f-mb1-0_');
  assert.equal(names.beginning({ [tagKeys.cluster]: 'prod', [tagKeys.node]: 'node-1' }), 'flatpod_prod_');
});

test('whatever tags and token are, a name brings them back, also unicode, also empty ones, also those that are not there', () => {
  const names = namesOf(100_000);
  const keys = fc.oneof(
    fc.constantFrom(...Object.values(tagKeys)),
    word.filter((key) => key !== ''),
  );
  fc.assert(
    fc.property(fc.dictionary(keys, word), word, (tags, token) => {
      const name = names.forNic({ tags, token });
      assert.ok(name !== undefined && /^[A-Za-z0-9._~-]+$/.test(name));
      assert.deepEqual({ ...names.ofNic(name)?.tags }, { ...tags });
      assert.equal(names.ofNic(name)?.token, token);
    }),
  );
});

test('a long node is a digest in the name, and known again by the words of a filter, also after a restart', () => {
  const node = `node.${'x'.repeat(240)}`;
  const name = namesOf(255).forNic(full({ node }));
  assert.ok(name !== undefined && name.length <= 255);
  const names = namesOf(255);
  assert.match(names.ofNic(name)?.tags[tagKeys.node] ?? '', /^~~[0-9a-f]{24}$/);
  names.beginning({ [tagKeys.cluster]: 'prod', [tagKeys.node]: ['other', node] });
  assert.deepEqual(names.ofNic(name), full({ node }));
});

test('a long cluster is a digest wherever it stands, so that names begin with it', () => {
  const cluster = `cluster.${'x'.repeat(100)}`;
  const names = namesOf(255);
  const name = names.forNic(full({ cluster })) ?? '';
  const beginning = namesOf(255).beginning({ [tagKeys.cluster]: cluster });
  assert.ok(name.startsWith(beginning) && beginning.length > 'flatpod_'.length);
  assert.deepEqual(names.ofNic(name), full({ cluster }));
  assert.equal(names.clusterOf({ [tagKeys.cluster]: cluster }), beginning.split('_')[1]);
});

test('what cannot be said in so many characters is not cut', () => {
  assert.equal(namesOf(255).forNic(full({ subnet: 'x'.repeat(250) })), undefined);
  assert.equal(namesOf(20).forVip({ mac: parseMac('52:54:00:00:00:01'), length: 28, cluster: 'c' }), undefined);
});

test('names of others are none of ours', () => {
  const names = namesOf(255);
  for (const name of [
    '',
    'flatpod',
    'flatpod_a_b',
    'hostnic_i-12345678',
    'flatpod_a_b_c_d_e_f',
    'flatpod_a_b_c_%20_',
    'my_flatpod_a_b_c_d_',
  ])
    assert.equal(names.ofNic(name), undefined, name);
  for (const name of ['', 'hostnic_vxnet-1', 'flatpod_525400000001_27_c', 'flatpod_5254000001_28_c', 'flatpod_525400000001_28_c_d'])
    assert.equal(names.ofVip(name), undefined, name);
});

test('a reserved address’ name says the NIC, the length of its block, and the cluster', () => {
  const names = namesOf(255);
  const says = { mac: parseMac('52:54:00:0a:0b:0c'), length: 28, cluster: 'prod' } as const;
  assert.equal(names.forVip(says), 'flatpod_5254000a0b0c_28_prod');
  assert.deepEqual(names.ofVip('flatpod_5254000a0b0c_28_prod'), says);
});
