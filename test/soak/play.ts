/** Carries one step out, and holds what can be seen at once against the model. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { eventually } from '../life/lab.ts';
import { addOnce, addressesIn, askCheck, codeOf, fits, isExhausted, makeCall } from './calls.ts';
import { damageHost, damagePod } from './damage.ts';
import { expectedAway, expectedOf } from './effect.ts';
import { cooldownOf, LIMIT_s, nameOf, nodeOf, type Stage, whole } from './stage.ts';
import type { Step } from './steps.ts';
import { attachmentsOf, boxOf, type Key } from './world.ts';

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>;

/** Does it; the model is as before the step. @throws AssertionError and what else goes wrong. */
export async function play(stage: Stage, step: Step): Promise<void> {
  const { world, cloud } = stage;
  switch (step.kind) {
    case 'call':
      return makeCall(stage, step.call, expectedOf(world, step.call));
    case 'batch':
      await all(step.calls.map((call) => makeCall(stage, call, expectedOf(world, call))));
      return;
    case 'twice':
      return twice(stage, step);
    case 'ask taken':
      return askTaken(stage, step);
    case 'ask freed':
      return askFreed(stage, step);
    case 'damage host':
      stage.damaged.add(boxOf(world, step.key.box).node);
      return damageHost(stage, step.what, step.key);
    case 'damage Pod':
      return podDamage(stage, step);
    case 'GC':
      return collect(stage, step);
    case 'netns gone':
      return stage.removeNetns(step.box);
    case 'restart':
      await stage.end(step.node, step.how);
      return stage.start(step.node, step.settings);
    case 'crash':
      return crash(stage, step);
    case 'away':
      return away(stage, step);
    case 'VPC down':
      return cloud.down(step.how);
    case 'VPC up':
      return cloud.up();
    case 'cloud fault':
      return cloud.fault(step.fault);
    case 'cloud faults end':
      await stage.lab.api.call('DELETE', '/v1/faults');
      return;
    case 'cooldown passes':
      await eventually(
        'nothing rests',
        async () => (await stage.lab.node(step.node).report()).pools.every(({ cooling }) => cooling === 0),
        LIMIT_s,
      );
      return;
    case 'packets':
      return packets(stage, step);
  }
}

/** Waits for all of them, also when one fails: nothing may be under way when the step is over. */
async function all(under: readonly Promise<void>[]): Promise<void> {
  for (const one of await Promise.allSettled(under)) if (one.status === 'rejected') throw one.reason;
}

async function twice(stage: Stage, { what, key, network, subnet }: StepOf<'twice'>): Promise<void> {
  const add = { verb: 'ADD', ...key, network, subnet } as const;
  const del = { verb: 'DEL', ...key, netns: 'given', network } as const;
  if (what === 'DEL') return all([makeCall(stage, del, 'ok'), makeCall(stage, del, 'ok')]);
  const { node } = boxOf(stage.world, key.box);
  const name = nameOf(stage, key);
  const asked = performance.now();
  const answers = await Promise.all([addOnce(stage, add), what === 'ADD' ? addOnce(stage, add) : makeCall(stage, del, 'ok')]);
  const served = answers.filter((answer) => answer !== undefined && codeOf(answer) === 0);
  for (const answer of served) {
    if (answer === undefined) continue;
    stage.ledger.given(name, node, addressesIn(answer), cooldownOf(stage, node));
    stage.results.set(name, JSON.parse(answer.stdout));
  }
  assert.equal(served.length, 1, 'of two ADDs of one interface one is served');
  if (what !== 'both') return;
  // The first DEL may have come after the ADD: then the address rests since that, however much later the second one is.
  stage.ledger.ending(name, asked);
  await makeCall(stage, del, 'ok');
}

async function askTaken(stage: Stage, { box, of }: StepOf<'ask taken'>): Promise<void> {
  const [address = ''] = stage.ledger.addressesOf(nameOf(stage, of));
  const call = { verb: 'ADD', box, ifname: 'eth0', network: 'net', subnet: subnetOf(stage, of) } as const;
  fits(await addOnce(stage, call, { env: { CNI_ARGS: `IgnoreUnknown=1;IP=${address}` } }), 131);
}

/** The PodSubnet of the attachment: its addresses tell. */
function subnetOf(stage: Stage, key: Key): 'pods' | 'dual' {
  return stage.ledger.addressesOf(nameOf(stage, key)).some((address) => address.includes(':')) ? 'dual' : 'pods';
}

async function askFreed(stage: Stage, { box, by }: StepOf<'ask freed'>): Promise<void> {
  const key = { box, ifname: 'eth0' } as const;
  const add = { verb: 'ADD', ...key, network: 'net', subnet: 'pods' } as const;
  const del = { verb: 'DEL', ...key, netns: 'given', network: 'net' } as const;
  await makeCall(stage, add, 'ok');
  const [address = ''] = stage.ledger.addressesOf(nameOf(stage, key));
  await makeCall(stage, del, 'ok');
  const answer = await addOnce(
    stage,
    add,
    by === 'ips'
      ? { config: { capabilities: { ips: true }, runtimeConfig: { ips: [`${address}/32`] } } }
      : { env: { CNI_ARGS: `IgnoreUnknown=1;IP=${address}` } },
  );
  const code = codeOf(answer);
  const { node } = boxOf(stage.world, box);
  if (code === 0) {
    assert.deepEqual(addressesIn(answer), [address], 'the address that was asked for');
    stage.ledger.given(nameOf(stage, key), node, [address], cooldownOf(stage, node));
  }
  // It rests, or its block has been given back meanwhile.
  else assert.ok(code === 134 || (code === 11 && cooldownOf(stage, node) > 0), `${address}: ${answer.stdout}`);
  await makeCall(stage, del, 'ok');
}

async function podDamage(stage: Stage, { what, key, next }: StepOf<'damage Pod'>): Promise<void> {
  const { node } = boxOf(stage.world, key.box);
  await whole(stage, node);
  // A damage that a repair of something else undid is done again.
  const code = await eventually(
    `CHECK sees that somebody took the ${what}`,
    async () => {
      damagePod(stage, what, key);
      return codeOf(await askCheck(stage, key)) || false;
    },
    LIMIT_s,
  );
  assert.equal(code, 125, `CHECK after somebody took the ${what}`);
  if (next === 'DEL') return makeCall(stage, { verb: 'DEL', ...key, netns: 'given', network: 'net' }, 'ok');
  await stage.lab.node(node).ask('repair');
  await makeCall(stage, { verb: 'CHECK', ...key }, 'ok');
}

async function collect(stage: Stage, { node, network, keep }: StepOf<'GC'>): Promise<void> {
  const stale = attachmentsOf(stage.world, node).filter(({ box, ifname, of, attached }) => {
    const goes = keep === undefined ? of.goneAt !== undefined : !keep.some((key) => key.box === box && key.ifname === ifname);
    return attached.network === network && goes;
  });
  const list = keep?.map((key) => ({ containerID: stage.container(key.box).container, ifname: key.ifname }));
  for (const key of stale) stage.ledger.ending(nameOf(stage, key));
  const config = { name: network, ...(list !== undefined && { 'cni.dev/valid-attachments': list }) };
  fits(await stage.lab.node(node).call('GC', {}, { config }), 'ok');
  for (const key of stale) stage.ledger.ended(nameOf(stage, key), cooldownOf(stage, node));
}

async function crash(stage: Stage, { node, point, call }: StepOf<'crash'>): Promise<void> {
  const settings = stage.world.nodes[node]?.settings ?? { cooldown_s: 0, warm: 'much' };
  const agent = stage.lab.node(node);
  await stage.end(node, 'SIGTERM');
  await stage.start(node, settings, point);
  if (call.verb === 'ADD') {
    const { netns, container } = stage.container(call.box);
    const config = { name: call.network, subnet: call.subnet };
    // For want of an address it gets no further than the first point: then it is asked again, with a cloud that gives one.
    const dies = async (): Promise<boolean> => {
      const answer = await agent.call('ADD', { netns, container }, { config });
      if (isExhausted(answer)) await stage.cloud.heal();
      return hasDied(stage, node);
    };
    await eventually(`the agent dies at ${point}`, dies, LIMIT_s);
  } else if (call.verb === 'DEL') await makeCall(stage, call, 'ok');
  await eventually(`the agent died at ${point}`, () => hasDied(stage, node), LIMIT_s);
  await stage.start(node, settings);
  if (call.verb === 'ADD' && Number(point.charAt(4)) >= 3) await learn(stage, call);
}

function hasDied(stage: Stage, node: number): boolean {
  return stage.lab.node(node).agent.process.signalCode === 'SIGKILL';
}

/** Nobody heard the answer: the agent knows which addresses it gave. */
async function learn(stage: Stage, key: Key): Promise<void> {
  const { container } = stage.container(key.box);
  const { node } = boxOf(stage.world, key.box);
  const pod = (await nodeOf(stage, key.box).report()).pods.find((one) => one.container === container && one.ifname === key.ifname);
  assert.ok(pod, `the attachment of ${container} was committed before the agent died`);
  stage.ledger.given(`${container}/${key.ifname}`, node, pod.addresses, cooldownOf(stage, node));
}

async function away(stage: Stage, { node, how, calls }: StepOf<'away'>): Promise<void> {
  const settings = stage.world.nodes[node]?.settings ?? { cooldown_s: 0, warm: 'much' };
  await stage.end(node, how);
  // As a reboot would: nobody waits for who left it behind.
  rmSync(stage.lab.node(node).socket, { force: true });
  await all(calls.map((call) => makeCall(stage, call, expectedAway(call))));
  await stage.start(node, settings);
}

async function packets(stage: Stage, { from, to }: StepOf<'packets'>): Promise<void> {
  // A lost SYN is sent again after a second: better to wait for the repair than for that.
  for (const { node } of [boxOf(stage.world, from), boxOf(stage.world, to)]) if (stage.damaged.has(node)) await whole(stage, node);
  const addressesOf = (box: number, ifname: 'eth0' | 'net1'): string[] => stage.ledger.addressesOf(nameOf(stage, { box, ifname }));
  const own = [...addressesOf(from, 'eth0'), ...addressesOf(from, 'net1')];
  for (const address of addressesOf(to, 'eth0')) {
    if (!own.some((one) => one.includes(':') === address.includes(':'))) continue;
    await eventually(
      `packets from ${own.join(' ')} to ${address}`,
      async () => {
        const seen = await stage.lab.seenFrom(stage.container(from).netns, address, stage.container(to).netns);
        assert.ok(own.includes(seen), `${address} saw ${seen}`);
      },
      LIMIT_s,
    );
  }
}
