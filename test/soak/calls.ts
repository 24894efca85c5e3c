/** Calls of the executable in a soak: made, held against what the model expects, entered into the ledger. */
import assert from 'node:assert/strict';
import type { CniAnswer } from '../../src/cli/demo/cni.ts';
import { type CallOptions, eventually } from '../life/lab.ts';
import type { Expected } from './effect.ts';
import { cooldownOf, LIMIT_s, nameOf, nodeOf, type Stage } from './stage.ts';
import type { Call } from './steps.ts';
import { boxOf } from './world.ts';

/** The code of a refusal; 0 for success. */
export function codeOf({ status, stdout, stderr }: CniAnswer): number {
  if (status === 0) return 0;
  // A refusal that is no JSON fails the soak here, as it should.
  const { code } = JSON.parse(stdout === '' ? `{"code": "${stderr}"}` : stdout) as { code: number };
  return code;
}

/** The addresses of an ADD that succeeded. */
export function addressesIn({ stdout }: CniAnswer): string[] {
  const { ips } = JSON.parse(stdout) as { ips: { address: string }[] };
  return ips.map(({ address }) => address.split('/')[0] ?? address);
}

/** Makes the call. @throws AssertionError when the answer is another. */
export async function makeCall(stage: Stage, call: Call, expected: Expected): Promise<void> {
  switch (call.verb) {
    case 'ADD':
      return add(stage, call, expected);
    case 'DEL':
      return del(stage, call);
    case 'CHECK':
      return check(stage, call, expected);
    case 'STATUS':
      return fits(await stage.lab.node(call.node).call('STATUS', {}), expected);
  }
}

async function add(stage: Stage, call: Extract<Call, { verb: 'ADD' }>, expected: Expected): Promise<void> {
  const { ledger } = stage;
  const key = nameOf(stage, call);
  const { node } = boxOf(stage.world, call.box);
  const before = ledger.addressesOf(key);
  if (typeof expected !== 'number') ledger.ending(key);
  const answer = await addOnce(stage, call);
  fits(answer, expected);
  if (answer.status === 0) {
    ledger.ended(key, cooldownOf(stage, node), before);
    ledger.given(key, node, addressesIn(answer), cooldownOf(stage, node));
    stage.results.set(key, JSON.parse(answer.stdout));
  } else if (expected === 'either') ledger.lives(key);
}

/** ADD, repeated with a healthy cloud while there is no address, for whose controller may pause after an error: the one refusal that is nobody's mistake. */
export async function addOnce(stage: Stage, call: Extract<Call, { verb: 'ADD' }>, more: CallOptions = {}): Promise<CniAnswer> {
  const config = { name: call.network, subnet: call.subnet, ...(typeof more.config === 'object' && more.config) };
  const ask = (): Promise<CniAnswer> =>
    nodeOf(stage, call.box).call('ADD', stage.container(call.box), { config, env: { CNI_IFNAME: call.ifname, ...more.env } });
  const first = await ask();
  if (!isExhausted(first)) return first;
  await stage.cloud.heal();
  let last = first;
  await eventually(`an address for ${nameOf(stage, call)}`, async () => !isExhausted((last = await ask())), LIMIT_s);
  return last;
}

/** For want of an address. */
export function isExhausted({ status, stdout }: CniAnswer): boolean {
  return status !== 0 && stdout.includes('(FP130)');
}

async function del(stage: Stage, call: Extract<Call, { verb: 'DEL' }>): Promise<void> {
  const key = nameOf(stage, call);
  const { container, netns } = stage.container(call.box);
  stage.ledger.ending(key);
  const before = stage.ledger.addressesOf(key);
  const of = { container, ...(call.netns === 'given' && { netns }) };
  const answer = await nodeOf(stage, call.box).call('DEL', of, { config: { name: call.network }, env: { CNI_IFNAME: call.ifname } });
  fits(answer, 'ok');
  stage.ledger.ended(key, cooldownOf(stage, boxOf(stage.world, call.box).node), before);
}

async function check(stage: Stage, call: Extract<Call, { verb: 'CHECK' }>, expected: Expected): Promise<void> {
  const ask = async (): Promise<void> => fits(await askCheck(stage, call), expected);
  const damaged = stage.damaged.has(boxOf(stage.world, call.box).node);
  await (damaged ? eventually(`CHECK of ${nameOf(stage, call)} after damage`, ask, LIMIT_s) : ask());
}

/** CHECK with what ADD answered, or with what it would have, had its answer arrived. */
export function askCheck(stage: Stage, of: { readonly box: number; readonly ifname: string }): Promise<CniAnswer> {
  const { container, netns } = stage.container(of.box);
  const key = `${container}/${of.ifname}`;
  const ips = stage.ledger.addressesOf(key).map((address) => ({ address: `${address}/${address.includes(':') ? 128 : 32}` }));
  const prevResult = stage.results.get(key) ?? { cniVersion: '1.1.0', interfaces: [], ips };
  return nodeOf(stage, of.box).call('CHECK', { container, netns }, { config: { prevResult }, env: { CNI_IFNAME: of.ifname } });
}

/** @throws AssertionError when the answer is not as expected. */
export function fits(answer: CniAnswer, expected: Expected): void {
  const code = codeOf(answer);
  const allowed = expected === 'either' ? [0, 122] : [expected === 'ok' ? 0 : expected];
  assert.ok(allowed.includes(code), `answered ${code}, expected ${allowed.join(' or ')}: ${answer.stdout}${answer.stderr}`);
}
