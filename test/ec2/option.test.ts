/** The options of `flatpod vpc` for its EC2 front. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { frontsOf } from '../../src/cli/vpc-fronts.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { testVpc } from '../vpc/support.ts';

const typed = { ec2: '127.0.0.1:0', ec2Key: 'AKIAONE:a:secret', ec2Region: 'eu-north-1', qingcloudKey: 'a:b' };

test('EC2: the front that was asked for serves the key and the region that were given', async () => {
  await using vpc = await testVpc({ fronts: frontsOf(typed) });
  const credentials = { accessKeyId: 'AKIAONE', secretAccessKey: 'a:secret' };
  const client = new EC2Client({ endpoint: vpc.frontUrls['ec2'] ?? '', region: 'eu-north-1', credentials });
  try {
    assert.equal((await client.send(new DescribeVpcsCommand({}))).Vpcs?.length, 1);
  } finally {
    client.destroy();
  }
});

test('EC2: no front without an address, and a key that is none is refused without being shown', () => {
  const { ec2: _none, ...without } = typed;
  assert.deepEqual(frontsOf(without), []);
  assert.throws(
    () => frontsOf({ ...typed, ec2Key: 'hush-hush' }),
    (error: unknown) => isFailure(error, 'vpcOptions') && !`${error.message} ${error.details}`.includes('hush'),
  );
});
