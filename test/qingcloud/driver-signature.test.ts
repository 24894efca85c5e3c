/** Signatures of the driver's requests, by the two vectors that are published. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flattened, signedQuery, timeStamp } from '../../src/cloud/qingcloud/signature.ts';

test('a request is signed as the public SDK’s test does', () => {
  const pairs = flattened({
    action: 'DescribeInstance',
    access_key_id: 'ENV_ACCESS_KEY_ID',
    signature_method: 'HmacSHA256',
    signature_version: 1,
    time_stamp: '0001-01-01T00:00:00Z',
    'instance.0': 'i-xxxxxxxx',
    verbose: 1,
  });
  assert.match(signedQuery('GET', '/iaas', pairs, 'ENV_SECRET_ACCESS_KEY'), /&signature=ZHa2iQ8PeyP1ktMF9C%2BDjOQBl537ti9RnYZ1Qqr6KRg%3D$/);
});

test('a request is signed as the documentation’s example is, and its path counts', () => {
  const pairs = flattened({
    action: 'RunInstances',
    count: 1,
    image_id: 'centos64x86a',
    instance_name: 'demo',
    instance_type: 'small_b',
    login_mode: 'passwd',
    login_passwd: 'QingCloud20130712',
    version: 1,
    vxnets: ['vxnet-0'],
    zone: 'pek1',
    access_key_id: 'QYACCESSKEYIDEXAMPLE',
    signature_method: 'HmacSHA256',
    signature_version: 1,
    time_stamp: '2013-08-27T14:30:10Z',
  });
  const ends = /&signature=32bseYy39DOlatuewpeuW5vpmW51sD1A%2FJdGynqSpP8%3D$/;
  assert.match(signedQuery('GET', '/iaas/', pairs, 'SECRETACCESSKEY'), ends);
  assert.doesNotMatch(signedQuery('GET', '/iaas', pairs, 'SECRETACCESSKEY'), ends);
  assert.doesNotMatch(signedQuery('POST', '/iaas/', pairs, 'SECRETACCESSKEY'), ends);
});

test('values are trimmed, and every character but the unreserved ones is encoded in upper-case hex', () => {
  const query = signedQuery('GET', '/iaas', flattened({ a: ' b c ', d: "!'()*~-_.", e: 'é/+', f: '' }), 's');
  assert.match(query, /^a=b%20c&d=%21%27%28%29%2A~-_\.&e=%C3%A9%2F%2B&f=&signature=/);
});

test('lists are numbered from 1, and what lists of objects have stands behind the number', () => {
  const pairs = flattened({ nics: ['a', 'b'], rules: [{ priority: 1, action: 'accept' }], none: [] });
  assert.deepEqual(
    [...pairs],
    [
      ['nics.1', 'a'],
      ['nics.2', 'b'],
      ['rules.1.priority', '1'],
      ['rules.1.action', 'accept'],
    ],
  );
});

test('a moment is written in UTC, to the second', () => {
  assert.equal(timeStamp(Date.UTC(2026, 0, 2, 3, 4, 5, 999)), '2026-01-02T03:04:05Z');
});
