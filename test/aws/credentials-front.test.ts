/** Keys while the driver runs, before a server that checks every signature: rotated, expired, taken away; region and VPC from the metadata. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { awsCloud } from '../../src/cloud/aws/aws.ts';
import { isFailure, sentence } from '../../src/errors/failure.ts';
import { deadlines } from '../cloud/deadlines.ts';
import { scriptedServer } from '../cloud/scripted-server.ts';
import { key } from '../ec2/bed.ts';
import { awsBed } from './ground.ts';

const denied = (words: RegExp) => (error: unknown) => {
  assert.ok(isFailure(error, 'cloudCredentials'), String(error));
  assert.match(sentence(error), words);
  return true;
};

test('keys in a file are rotated while the driver runs; between the two it says that it is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fpkeys-'));
  try {
    const credentialsFile = join(folder, 'credentials');
    const write = ({ id, secret }: { id: string; secret: string }): void =>
      writeFileSync(credentialsFile, `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`);
    write(key);
    await using bed = await awsBed({ credentialsFile, env: { HOME: folder, AWS_EC2_METADATA_DISABLED: 'true' } });
    await bed.cloud.network();
    const next = { id: 'AKIAFLATPODTEST00002', secret: 'another secret altogether' };
    bed.front.keys.splice(0, bed.front.keys.length, next);
    await assert.rejects(bed.cloud.network(), denied(/./));
    write(next);
    await bed.cloud.network();
    write({ ...next, secret: 'not that one' });
    await assert.rejects(bed.cloud.network(), denied(/SignatureDoesNotMatch|AuthFailure/));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a clock that is an hour off is set right by the server’s', async () => {
  await using bed = await awsBed();
  for (const off_ms of [3_600_000, -3_600_000]) {
    const cloud = bed.driver({ now_ms: () => Date.now() + off_ms });
    assert.equal((await cloud.network()).cidrs.length > 0, true);
  }
});

test('region, VPC and keys of the instance’s role come from its metadata', async (t) => {
  // The metadata are this process's, which may be held up for longer than the driver asks for them.
  deadlines(t);
  await using bed = await awsBed();
  const answers: Record<string, string> = {
    'placement/region': 'eu-west-1',
    mac: '02:00:00:00:00:01\n',
    'network/interfaces/macs/02:00:00:00:00:01/vpc-id': bed.vpcId,
    'iam/security-credentials/': 'role',
    'iam/security-credentials/role': JSON.stringify({
      AccessKeyId: key.id,
      SecretAccessKey: key.secret,
      Token: '',
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    }),
  };
  await using server = await scriptedServer(({ method, url = '' }, response) => {
    const text = method === 'PUT' ? 'token' : answers[url.replace('/latest/meta-data/', '')];
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  const env = { HOME: '/nonexistent', AWS_EC2_METADATA_SERVICE_ENDPOINT: server.url, AWS_ENDPOINT_URL: bed.url };
  using cloud = awsCloud({ env });
  assert.deepEqual(await cloud.network(), await bed.cloud.network());
  delete answers['placement/region'];
  using lost = awsCloud({ env });
  await assert.rejects(lost.network(), (error: unknown) => isFailure(error, 'cloudInvalid') && /no region/.test(sentence(error)));
  using elsewhere = awsCloud({ env, region: 'eu-west-1', endpoint: 'ftp://x' });
  await assert.rejects(
    elsewhere.network(),
    (error: unknown) => isFailure(error, 'cloudInvalid') && /endpoint "ftp:\/\/x"/.test(sentence(error)),
  );
});
