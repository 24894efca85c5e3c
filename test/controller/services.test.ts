/** Services of type LoadBalancer, with a cloud in memory and a clock of the test's own: when it is asked, and what users are told. */
import assert from 'node:assert/strict';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import { test } from 'node:test';
import type { LoadBalancers, Standing, Step, WantedLoadBalancer } from '../../src/cloud/load-balancers.ts';
import { type LeftSightings, sweepLoadBalancers } from '../../src/controller/services/sweep.ts';
import { loadBalancedServices } from '../../src/controller/services/services.ts';
import { failure } from '../../src/errors/failure.ts';
import { createLog } from '../../src/log.ts';
import { parseIp } from '../../src/net/address.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { ServiceApi } from './service-api.ts';

/** A cloud that does at once what it is told, and writes down when. */
function bench() {
  const clock = virtualClock();
  const services = new ServiceApi();
  const there = new Map<string, WantedLoadBalancer>();
  /** `look`, `leave`, and the text of each step. */
  const asked: string[] = [];
  const said: string[] = [];
  const self = {
    clock,
    services,
    there,
    asked,
    said,
    /** Thrown by steps, as long as it answers. */
    refuse: (_step: Step): Error | undefined => undefined,
    /** Instead of what the cloud would say. */
    instead: undefined as Standing | undefined,
    /** How what is left of one stands. */
    leaving: undefined as Standing | undefined,
    /** Where addresses are. */
    place: undefined as SubnetId | undefined,
  };
  const step = (kind: Step['kind'], text: string, send: () => void): Step => ({
    kind,
    isRelease: kind === 'delete',
    text,
    send: () => Promise.resolve(send()),
  });
  const uidOf = (tags: WantedLoadBalancer['tags']): string => tags['flatpod.dev/service'] ?? '';
  const balancers: LoadBalancers = {
    name: 'test',
    list: () => Promise.resolve([...there].map(([uid, { tags }]) => ({ id: uid, tags }))),
    look(want) {
      asked.push('look');
      const is = there.get(uidOf(want.tags));
      if (want.membersOnly && is !== undefined) {
        const listeners = is.listeners.map((one, i) => ({ ...one, members: want.listeners[i]?.members ?? [] }));
        const isSame = JSON.stringify(is.listeners) === JSON.stringify(listeners);
        const mend = step('assign', 'mends it', () => void there.set(uidOf(want.tags), { ...is, listeners }));
        return Promise.resolve({ state: 'there', ...(!isSame && { next: mend }) });
      }
      if (want.membersOnly) return Promise.resolve({ state: 'absent' });
      if (self.instead !== undefined) return Promise.resolve(self.instead);
      const put = (): void => void there.set(uidOf(want.tags), want);
      if (is === undefined) return Promise.resolve({ state: 'absent', next: step('create', 'makes it', put) });
      const next = JSON.stringify(is.listeners) === JSON.stringify(want.listeners) ? {} : { next: step('assign', 'changes it', put) };
      return Promise.resolve({ state: 'there', id: 'lb', words: 'ONLINE', address: parseIp('192.0.2.7'), ...next });
    },
    leave(tags) {
      asked.push('leave');
      const drop = step('delete', 'deletes it', () => void there.delete(uidOf(tags)));
      if (self.leaving !== undefined && there.has(uidOf(tags)))
        return Promise.resolve({ ...self.leaving, next: step('delete', 'deletes it', () => undefined) });
      return Promise.resolve(there.has(uidOf(tags)) ? { state: 'there', next: drop } : { state: 'absent' });
    },
    async perform(one) {
      asked.push(one.text);
      const refused = self.refuse(one);
      if (refused !== undefined) throw refused;
      await one.send();
    },
  };
  const rules = { cluster: 'c', isDefault: false, subnetOf: () => self.place };
  const events = { say: ({ type, reason }: { type: string; reason: string }) => (said.push(`${type} ${reason}`), { isNews: true }) };
  const log = createLog('test', 'error', () => undefined);
  const options = { api: services.api, balancers, rules, releases: true, events, clock, log, random: () => 0.5 };
  return {
    ...self,
    self,
    step,
    members: () => [...there.values()].flatMap(({ listeners }) => listeners.flatMap((one) => one.members.map(({ address }) => address))),
    start: () => loadBalancedServices(options),
    sweep: (seen: LeftSightings, releases = true) =>
      sweepLoadBalancers({ ...options, releases, service: () => undefined, slices: () => [] }, seen),
    ready: () => services.find('web')?.status?.conditions?.[0],
    steps: () => asked.filter((one) => one.endsWith(' it')),
  };
}

test('the finalizer is there before anything is made, and what we write ourselves makes us ask nothing again', async () => {
  const { services, clock, asked, steps, start, ready, said } = bench();
  services.service('web');
  services.endpoints('web', ['10.20.0.10']);
  const running = start();
  await clock.advance(5000);
  assert.equal(services.writes[0], 'merge services shop/web');
  assert.deepEqual(services.find('web')?.metadata.finalizers, ['flatpod.dev/load-balancer']);
  assert.deepEqual([asked, ready()?.status], [['look', 'makes it', 'look'], 'True']);
  const { length } = services.writes;
  await clock.advance(300_000);
  assert.deepEqual([asked.length, services.writes.length, said], [3, length, ['Normal LoadBalancerReady']]);
  services.endpoints('web', ['10.20.0.11']);
  services.endpoints('web', ['10.20.0.12']);
  await clock.advance(3000);
  assert.deepEqual(steps(), ['makes it', 'changes it']);
  await running.stop();
});

test('when it is known where addresses are, members hear of it at once, and not at the next look', async () => {
  const b = bench();
  const { services, clock, there, steps, start } = b;
  services.service('web');
  services.endpoints('web', ['10.20.0.10']);
  const running = start();
  const subnets = (): unknown => [...there.values()].map(({ listeners }) => listeners[0]?.members.map(({ subnet }) => subnet));
  await clock.advance(5000);
  assert.deepEqual(subnets(), [[undefined]]);
  b.self.place = 'subnet-a' as SubnetId; // an id of the test's own
  running.placesChanged();
  await clock.advance(3000);
  assert.deepEqual([subnets(), steps()], [[['subnet-a']], ['makes it', 'changes it']]);
  await running.stop();
});

test('what was refused for good is asked ever more seldom however its Pods churn, until the Service is another', async () => {
  const b = bench();
  b.self.refuse = () => failure('cloudLimit', { cloud: 'test', call: 'create', text: 'quota' });
  const { services, clock, steps, start, ready } = b;
  services.service('web');
  const running = start();
  for (let n = 0; n < 120; n++) {
    services.endpoints('web', [`10.20.0.${n}`]);
    await clock.advance(1000);
  }
  const tries = steps().length;
  assert.ok(tries >= 3 && tries < 10, `${tries} tries in two minutes`);
  assert.deepEqual([ready()?.status, ready()?.reason], ['False', 'FP163']);
  b.self.refuse = () => undefined;
  services.service('web', {}, { touched: 'yes' });
  await clock.advance(2000);
  assert.equal(ready()?.status, 'True');
  await running.stop();
});

test('members follow their Pods while something else of the Service is refused: a mistake in it, or what the cloud does not give', async () => {
  const b = bench();
  const { services, clock, members, start, ready, there } = b;
  services.service('web');
  services.endpoints('web', ['10.20.0.10']);
  const running = start();
  await clock.advance(5000);
  const sources = (): unknown => [...there.values()].map(({ listeners }) => listeners[0]?.sources);
  for (const [n, spec] of [
    [20, { loadBalancerSourceRanges: ['10.0.0.1/8'] }],
    [30, { loadBalancerIP: 'ten' }],
  ] as const) {
    // In the same moment, and then far into the pause that a mistake is left alone for.
    services.service('web', spec);
    services.endpoints('web', [`10.20.0.${n}`]);
    await clock.advance(2000);
    assert.deepEqual([members(), ready()?.reason], [[`10.20.0.${n}`], 'FP370']);
    await clock.advance(400_000);
    services.endpoints('web', [`10.20.0.${n + 1}`]);
    await clock.advance(1000);
    assert.deepEqual([members(), ready()?.reason, sources()], [[`10.20.0.${n + 1}`], 'FP370', [[]]]);
  }
  // A refusal of the members themselves is asked again, and not at once.
  b.self.refuse = ({ text }) =>
    text === 'mends it' ? failure('cloudConflict', { cloud: 'test', call: 'x', object: 'lb', text: 'x' }) : undefined;
  services.endpoints('web', ['10.20.0.40']);
  await clock.advance(5000);
  const tries = b.steps().filter((one) => one === 'mends it').length;
  b.self.refuse = () => undefined;
  await clock.advance(11_000);
  assert.ok(tries < 20, `${tries} tries`);
  assert.deepEqual(members(), ['10.20.0.40']);
  b.self.refuse = ({ text }) => (text === 'changes it' ? failure('cloudDenied', { cloud: 'test', call: 'x', text: 'no' }) : undefined);
  services.service('web', { ports: [{ name: 'web', protocol: 'TCP', port: 81, targetPort: 8080 }] });
  await clock.advance(60_000);
  services.endpoints('web', ['10.20.0.50']);
  await clock.advance(1000);
  assert.deepEqual(members(), ['10.20.0.50']);
  await running.stop();
});

test('load balancers that the cloud gives up on, one after another, are made ever more seldom, and users are told each time', async () => {
  const b = bench();
  const { services, clock, start, ready, said, step, steps } = b;
  services.service('web');
  let isThere = false;
  const make = step('create', 'makes it', () => ((isThere = true), meant()));
  const drop = step('delete', 'deletes it', () => ((isThere = false), meant()));
  function meant(): void {
    b.self.instead = isThere
      ? { state: 'broken', id: 'lb', words: 'provisioning_status ERROR', next: drop }
      : { state: 'absent', next: make };
  }
  meant();
  const running = start();
  for (let n = 0; n < 600; n++) {
    services.endpoints('web', [`10.20.0.${n % 250}`]);
    await clock.advance(1000);
  }
  const made = steps().filter((one) => one === 'makes it').length;
  assert.ok(made >= 4 && made < 12, `${made} in ten minutes`);
  assert.deepEqual([ready()?.reason, said.at(-1), said.length], ['FP371', 'Warning LoadBalancerFailed', made]);
  await running.stop();
});

test('a load balancer that cannot be deleted is told, and asked ever more seldom', async () => {
  const b = bench();
  const { services, clock, start, ready, steps } = b;
  services.service('web');
  const running = start();
  await clock.advance(5000);
  // It takes the request, and fails afterwards.
  b.self.leaving = { state: 'broken', id: 'lb', words: 'provisioning_status ERROR' };
  services.delete('web');
  await clock.advance(600_000);
  assert.deepEqual([ready()?.reason, services.find('web')?.metadata.finalizers], ['FP371', ['flatpod.dev/load-balancer']]);
  const tries = steps().filter((one) => one === 'deletes it').length;
  assert.ok(tries >= 4 && tries < 12, `${tries} in ten minutes`);
  await running.stop();
});

test('a Service that changed under us, or is gone, is looked at anew; nothing is made of what it was', async () => {
  const { services, clock, asked, start } = bench();
  let refusals = 2;
  services.refuse = () => (refusals-- > 0 ? failure('kubeConflict', { object: 'services shop/web', text: 'changed' }) : undefined);
  services.service('web');
  const running = start();
  await clock.advance(1000);
  assert.equal(asked.length, 0, 'no finalizer, so nothing is made');
  await clock.advance(3000);
  assert.ok(asked.includes('makes it'));
  await running.stop();
});

test('an address that users know stays told while the cloud is at work or has given up, and is taken back when there is no load balancer', async () => {
  const b = bench();
  const { services, clock, start, ready, said } = b;
  services.service('web');
  const running = start();
  await clock.advance(5000);
  const told = (): unknown => services.find('web')?.status?.loadBalancer?.ingress;
  const again = async (standing: Standing, words: string): Promise<void> => {
    b.self.instead = standing;
    services.service('web', {}, { now: words });
    await clock.advance(400);
  };
  await again({ state: 'changing', id: 'lb' }, 'a');
  assert.deepEqual([told(), ready()?.status], [[{ ip: '192.0.2.7' }], 'True']);
  await again({ state: 'broken', id: 'lb', words: 'provisioning_status ERROR' }, 'b');
  assert.deepEqual([told(), ready()?.reason, said.at(-1)], [[{ ip: '192.0.2.7' }], 'FP371', 'Warning LoadBalancerFailed']);
  await again({ state: 'absent' }, 'c');
  assert.deepEqual([told(), ready()?.reason], [undefined, 'Making']);
  await running.stop();
});

test('a Service of another class, without a class, or of another type is not touched', async () => {
  const { services, clock, asked, start } = bench();
  services.service('web', { loadBalancerClass: 'somebody.else/lb' });
  services.service('plain', { loadBalancerClass: undefined });
  services.service('inner', { type: 'ClusterIP', loadBalancerClass: undefined });
  const running = start();
  await clock.advance(10_000);
  assert.deepEqual([asked, services.writes], [[], []]);
  await running.stop();
});

test('a Service that another class took over gives back what it had, and its status with it; a deleted one goes when nothing is left', async () => {
  const { services, clock, there, start, self } = bench();
  services.service('web');
  services.service('other');
  const running = start();
  await clock.advance(5000);
  assert.equal(there.size, 2);
  services.service('web', { loadBalancerClass: 'somebody.else/lb' });
  self.refuse = ({ kind }) =>
    kind === 'delete' ? failure('cloudConflict', { cloud: 'test', call: 'delete', object: 'lb', text: 'immutable' }) : undefined;
  services.delete('other');
  await clock.advance(5000);
  assert.deepEqual([there.size, services.find('other')?.metadata.finalizers], [2, ['flatpod.dev/load-balancer']]);
  self.refuse = () => undefined;
  await clock.advance(60_000);
  assert.deepEqual(
    [there.size, services.find('other'), services.find('web')?.status, services.find('web')?.metadata.finalizers],
    [0, undefined, {}, []],
  );
  await running.stop();
});

test('the sweep takes away what no Service has, seen twice a minute apart, and asks the API server once more before', async () => {
  const { services, clock, there, start, sweep } = bench();
  services.service('web');
  services.service('kept');
  const running = start();
  await clock.advance(5000);
  await running.stop();
  const seen: LeftSightings = { seen_ms: new Map(), told: new Set() };
  services.force('web');
  assert.deepEqual(await sweep(seen), []);
  await clock.advance(59_000);
  assert.deepEqual([await sweep(seen), there.size], [[], 2]);
  await clock.advance(2000);
  assert.deepEqual([(await sweep(seen, false)).length, there.size], [0, 2]);
  assert.deepEqual([(await sweep(seen)).length, [...there.values()].map(({ name }) => name)], [1, ['c/shop/kept']]);
});

test('one that the sweep cannot take away keeps no other, and what is told of one is forgotten with it', async () => {
  const b = bench();
  const { services, clock, there, start, sweep } = b;
  for (const name of ['one', 'two']) services.service(name);
  const running = start();
  await clock.advance(5000);
  await running.stop();
  const seen: LeftSightings = { seen_ms: new Map(), told: new Set() };
  for (const name of ['one', 'two']) services.force(name);
  await sweep(seen);
  await clock.advance(61_000);
  await sweep(seen, false);
  assert.equal(seen.told.size, 2);
  let isFirst = true;
  b.self.refuse = () => {
    const refused = isFirst ? failure('cloudDenied', { cloud: 'test', call: 'delete', text: 'no' }) : undefined;
    isFirst = false;
    return refused;
  };
  assert.deepEqual([(await sweep(seen)).length, there.size], [1, 1]);
  assert.deepEqual([(await sweep(seen)).length, there.size, seen.told.size], [1, 0, 1]);
  await sweep(seen);
  assert.deepEqual([seen.told.size, seen.seen_ms.size], [0, 0]);
});
