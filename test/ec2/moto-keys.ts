/** moto as it asks for keys: users of its IAM, whose signatures botocore checks, and whose policies it heeds. */
import assert from 'node:assert/strict';
import type { Moto } from './moto.ts';

/** An access key of a user. */
export interface MotoKey {
  readonly id: string;
  readonly secret: string;
}

/** From now on only these are let in, each to those of EC2's actions that it names (`ec2:Describe*`), until the server is emptied. */
export async function checksKeys<Name extends string>(moto: Moto, users: Readonly<Record<Name, string>>): Promise<Record<Name, MotoKey>> {
  const keys: Partial<Record<Name, MotoKey>> = {};
  // Object.entries forgets the keys' type.
  for (const [UserName, action] of Object.entries(users) as [Name, string][]) {
    await iam(moto, { Action: 'CreateUser', UserName });
    const Statement = [{ Effect: 'Allow', Action: action, Resource: '*' }];
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
    await iam(moto, { Action: 'PutUserPolicy', UserName, PolicyName: 'its', PolicyDocument });
    const said = await iam(moto, { Action: 'CreateAccessKey', UserName });
    const [id, secret] = [/<AccessKeyId>([^<]+)</.exec(said)?.[1], /<SecretAccessKey>([^<]+)</.exec(said)?.[1]];
    assert.ok(id !== undefined && secret !== undefined, said);
    keys[UserName] = { id, secret };
  }
  assert.ok((await fetch(`${moto.url}/moto-api/reset-auth`, { method: 'POST', body: '0' })).ok);
  return keys as Record<Name, MotoKey>; // all were made
}

/** A request to its IAM, which it knows by what the signature is for. */
async function iam(moto: Moto, parameters: Readonly<Record<string, string>>): Promise<string> {
  const scope = 'Credential=AKIAMOTO/20260101/us-east-1/iam/aws4_request';
  const headers = { authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0` };
  const answer = await fetch(moto.url, { method: 'POST', headers, body: new URLSearchParams({ Version: '2010-05-08', ...parameters }) });
  const text = await answer.text();
  assert.ok(answer.ok, text);
  return text;
}
