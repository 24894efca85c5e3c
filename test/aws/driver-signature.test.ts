/** Signatures: AWS's published examples, and those of AWS's own client. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { keys } from '../../src/cloud/aws/credentials/source.ts';
import { signed } from '../../src/cloud/aws/sigv4.ts';
import { capturing } from './sdk.ts';

const example = keys('AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY');
const vector = {
  path: '/',
  headers: { host: 'example.amazonaws.com' },
  body: '',
  region: 'us-east-1',
  service: 'service',
  now_ms: Date.UTC(2015, 7, 30, 12, 36, 0),
};

test('a request is signed as in AWS’s published examples', () => {
  const post = signed(vector, example)['authorization'];
  assert.equal(
    post,
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, ' +
      'Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  );
  const form = { ...vector, headers: { ...vector.headers, 'content-type': 'application/x-www-form-urlencoded' }, body: 'Param1=value1' };
  assert.match(signed(form, example)['authorization'] ?? '', /Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a$/);
  const token =
    'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==';
  const withToken = signed(vector, keys('AKIDEXAMPLE', example.secret(), token));
  assert.equal(withToken['x-amz-security-token'], token);
  assert.match(
    withToken['authorization'] ?? '',
    /SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead$/,
  );
});

test('AWS’s own client signs the same request the same way', async () => {
  const secret = 'a/secret+with=signs';
  for (const sessionToken of [undefined, 'token/with+signs==']) {
    using sdk = capturing({ accessKeyId: 'AKIA0', secretAccessKey: secret, ...(sessionToken !== undefined && { sessionToken }) });
    const theirs = await sdk.request('DescribeSubnets', { Filters: [{ Name: 'tag:ä b', Values: ['ü&=+ *'] }] });
    const names = /SignedHeaders=([^,]+)/.exec(theirs.headers['authorization'] ?? '')?.[1]?.split(';') ?? [];
    const added = new Set(['x-amz-date', 'x-amz-security-token']);
    const headers = Object.fromEntries(names.filter((name) => !added.has(name)).map((name) => [name, theirs.headers[name] ?? '']));
    const [, y, m, d, h, min, s] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(theirs.headers['x-amz-date'] ?? '') ?? [];
    const now_ms = Date.UTC(Number(y), Number(m) - 1, Number(d), Number(h), Number(min), Number(s));
    const ours = signed(
      { path: '/', headers, body: theirs.body, region: 'eu-west-1', service: 'ec2', now_ms },
      keys('AKIA0', secret, sessionToken),
    );
    assert.equal(ours['authorization'], theirs.headers['authorization']);
  }
});

test('keys do not show when they are looked at', () => {
  const held = keys('AKIA0', 'SECRET-0', 'TOKEN-0', '2030-01-01T00:00:00Z');
  for (const shown of [inspect(held, { depth: null, showHidden: true }), JSON.stringify(held)])
    assert.doesNotMatch(shown, /SECRET-0|TOKEN-0/);
});
