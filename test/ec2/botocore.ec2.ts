/** The EC2 front under botocore: another client than the SDK, and AWS's own description of the API as the judge of every answer. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { actions } from '../../src/vpc/ec2/actions/all.ts';
import { withSubnet } from '../vpc/support.ts';
import { ec2Bed, key } from './bed.ts';
import { motoPython } from './moto.ts';

/** What is only ever refused: there is one VPC. */
const never = ['CreateVpc'];

test('EC2: every answer has the shape that AWS describes, for every action there is', async () => {
  await using bed = await ec2Bed();
  const subnet = await withSubnet(bed.vpc);
  const script = join(import.meta.dirname, 'judge.py');
  const output = await new Promise<string>((resolve, reject) => {
    const options = { timeout: 120_000, env: { PATH: process.env['PATH'] ?? '', PYTHONDONTWRITEBYTECODE: '1' } };
    execFile(motoPython(), [script, bed.url, 'eu-west-1', key.id, key.secret, subnet], options, (error, out, err) =>
      error === null ? resolve(out) : reject(new Error(`${out}\n${err}`)),
    );
  });
  const lines = output.trim().split('\n');
  assert.deepEqual(
    lines.filter((line) => line.startsWith('wrong ')),
    [],
  );
  const judged = lines.map((line) => line.replace(/^judged /, ''));
  assert.deepEqual(judged, [...actions.keys()].filter((name) => !never.includes(name)).sort());
});
