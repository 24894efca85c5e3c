/** Servers whose one account has a key now and gets another one, for a controller that reads them from a mounted Secret. */
import assert from 'node:assert/strict';
import type { Cloud, InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { awsBed } from '../aws/ground.ts';
import { key } from '../ec2/bed.ts';
import { account, qingGround } from '../qingcloud/ground.ts';
import { keyText } from '../qingcloud/key-file.ts';
import type { Configured } from './fronts.ts';

/** A cloud with a subnet 10.20.0.0/24. */
export interface Locked extends AsyncDisposable {
  readonly subnet: SubnetId;
  /** What a controller is configured with. */
  configured(credentialsFile: string): Configured;
  /** What is in the file before, and after. */
  readonly files: readonly [string, string];
  /** What nobody may ever read anywhere. */
  readonly secrets: readonly string[];
  launch(): Promise<InstanceId>;
  /** The server knows the first key no more, and the second from now on. */
  exchange(): Promise<void>;
  /** By the key in that file. */
  honest(credentialsFile: string): Cloud;
}

/** See the head of this file. */
export interface LockedKind {
  readonly name: string;
  readonly credentialsFile: string;
  open(): Promise<Locked>;
}

async function aws(): Promise<Locked> {
  const bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const next = { id: 'AKIAFLATPODROTATED02', secret: 'the secret that came/after+it' };
  const fileOf = ({ id, secret }: typeof next): string => `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`;
  return {
    subnet,
    configured: (credentialsFile) => ({
      cloud: { type: 'aws', region: 'eu-west-1', vpc: bed.vpcId, endpoint: bed.url, credentialsFile },
      env: { AWS_EC2_METADATA_DISABLED: 'true' },
    }),
    files: [fileOf(key), fileOf(next)],
    secrets: [key.secret, next.secret],
    launch: () => bed.launch(subnet),
    exchange: async () => void bed.front.keys.splice(0, bed.front.keys.length, next),
    honest: (credentialsFile) => bed.driver({ credentialsFile, env: { AWS_EC2_METADATA_DISABLED: 'true' } }),
    [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose](),
  };
}

async function qingcloud(): Promise<Locked> {
  const next = { accessKeyId: 'QYKEYTHATCAMEAFTER', secretAccessKey: 'another-secret-that-nobody-may-see' };
  const ground = await qingGround({}, {}, [next]);
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const turn = async (revoked: string): Promise<void> => {
    const { status } = await ground.aside('PUT', '/double/switches', { revoked: [revoked] });
    assert.ok(status < 300);
  };
  await turn(next.accessKeyId);
  return {
    subnet,
    configured: (credentialsFile) => ({
      cloud: { type: 'qingcloud', endpoint: ground.endpoint, zone: 'pek3a', credentials: 'file', credentialsFile, nicsPerInstance: 2 },
      env: {},
    }),
    files: [keyText(account.accessKeyId, account.secretAccessKey), keyText(next.accessKeyId, next.secretAccessKey)],
    secrets: [account.secretAccessKey, next.secretAccessKey],
    launch: () => ground.launch('n1', subnet),
    exchange: () => turn(account.accessKeyId),
    honest: (path) => ground.driver({ credentials: { from: 'file', path } }),
    [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose](),
  };
}

/** Those that have keys in a file and need nothing but this repository. */
export const lockedKinds: readonly LockedKind[] = [
  { name: 'aws', credentialsFile: 'credentials', open: aws },
  { name: 'qingcloud', credentialsFile: 'config.yaml', open: qingcloud },
];
