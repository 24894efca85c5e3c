/** The EC2 front for a test, and the official SDK as its client: what it accepts, it was not we who judged. */
import assert from 'node:assert/strict';
import { EC2Client } from '@aws-sdk/client-ec2';
import type { VpcOptions } from '../../src/vpc/start.ts';
import { type Ec2Front, ec2Front, type Ec2Options } from '../../src/vpc/ec2/ec2.ts';
import { call, type Reply, testVpc, type TestVpc } from '../vpc/support.ts';

/** The key of the test account. */
export const key = { id: 'AKIAFLATPODTEST00001', secret: 'a secret of the tests/that+is=no secret' };

/** A VPC with the front, and a client. */
export interface Ec2Bed extends AsyncDisposable {
  readonly vpc: TestVpc;
  readonly front: Ec2Front;
  readonly url: string;
  readonly ec2: EC2Client;
  /** Another client; closed with the bed. */
  client(more?: { id?: string; secret?: string; sessionToken?: string; region?: string; skew_ms?: number }): EC2Client;
  /** A fault of the VPC's own API. */
  fault(fault: object): Promise<Reply>;
}

/** Without packets unless asked for. The clients never try again: each answer is seen. */
export async function ec2Bed(options: Partial<Ec2Options> = {}, vpcOptions: Partial<VpcOptions> = {}): Promise<Ec2Bed> {
  const front = ec2Front({ listen: '127.0.0.1:0', keys: [key], ...options });
  const vpc = await testVpc({ ...vpcOptions, fronts: [front] });
  const clients: EC2Client[] = [];
  const urlNow = (): string => vpc.frontUrls['ec2'] ?? '';
  const client: Ec2Bed['client'] = ({ id = key.id, secret = key.secret, sessionToken, region = 'eu-west-1', skew_ms = 0 } = {}) => {
    const one = new EC2Client({
      endpoint: urlNow(),
      region,
      maxAttempts: 1,
      systemClockOffset: skew_ms,
      credentials: { accessKeyId: id, secretAccessKey: secret, ...(sessionToken !== undefined && { sessionToken }) },
    });
    clients.push(one);
    return one;
  };
  return {
    vpc,
    front,
    url: urlNow(),
    ec2: client(),
    client,
    fault: (fault) => call(vpc.url, 'POST', '/v1/faults', fault),
    async [Symbol.asyncDispose]() {
      for (const one of clients) one.destroy();
      await vpc[Symbol.asyncDispose]();
    },
  };
}

/** Asserts that it is refused with that code, and with that status where one is given. */
export async function refusedAs(code: string, attempt: Promise<unknown>, status?: number): Promise<void> {
  await assert.rejects(attempt, (error: unknown) => {
    assert.ok(error instanceof Error);
    assert.equal(error.name, code, `${error.name}: ${error.message}`);
    const { $metadata } = error as { $metadata?: { httpStatusCode?: number; requestId?: string } }; // what every error of the SDK has
    if (status !== undefined) assert.equal($metadata?.httpStatusCode, status);
    assert.ok($metadata?.requestId);
    return true;
  });
}
