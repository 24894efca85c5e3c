/**
 * Connections of clients through load balancers of a real Octavia to Pods, while these come and go. What carries them is a stand-in for an amphora that does
 * what Octavia says and nothing else, on an Ethernet of the test's own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../life/lab.ts';
import { testLan } from '../kernel/lan.ts';
import { ServiceApi } from '../controller/service-api.ts';
import { answering, carrierOn, whoAnswers } from './octavia-carrier.ts';
import { addressOf, octaviaGround, serve } from './octavia-ground.ts';

const LIMIT_s = 60;
/** For an answer that comes: the Pod, or what carries to it, may be held up. */
const PATIENCE_ms = 20_000;

test('clients reach the Pods of a Service over TCP and UDP by the address that its status tells, other Pods a moment after they are ready, and nobody once it is deleted', async () => {
  await using ground = await octaviaGround();
  using lan = testLan(4);
  const client = lan.host(3);
  for (const [place, last] of [209, 210, 211, 212].entries()) lan.host(place).ip(`addr add 10.20.0.${last}/24 dev eth0`);
  const ports = { tcp: 8080, udp: 5353 };
  await using _first = await answering(lan.host(1), 'first', ports);
  await using _second = await answering(lan.host(2), 'second', ports);
  await using carrying = await carrierOn(lan.host(0));
  ground.octavia.setHook(carrying.url);
  const services = new ServiceApi();
  const named = [
    { name: 'web', protocol: 'TCP', port: 80 },
    { name: 'dns', protocol: 'UDP', port: 53 },
  ];
  const targets = [
    { name: 'web', protocol: 'TCP', port: ports.tcp },
    { name: 'dns', protocol: 'UDP', port: ports.udp },
  ];
  // Neutron gives at random, and would not know of those above.
  services.service('web', { ports: named }, { 'flatpod.dev/load-balancer-address': '10.20.0.50' });
  services.endpoints('web', ['10.20.0.210'], targets);
  await using _serving = serve(ground, services);
  const address = await addressOf(services, 'web');
  const answers = (patience_ms?: number): string[] => [
    whoAnswers(client, 'TCP', address, 80, patience_ms),
    whoAnswers(client, 'UDP', address, 53, patience_ms),
  ];
  assert.deepEqual([address, ...answers(PATIENCE_ms)], ['10.20.0.50', 'first', 'first']);
  services.endpoints('web', ['10.20.0.210', '10.20.0.211'], targets);
  await eventually('the second Pod answers too', () => whoAnswers(client, 'TCP', address, 80) === 'second', LIMIT_s);
  services.endpoints('web', ['10.20.0.211'], targets);
  await eventually('only the second Pod answers', () => [...answers(), ...answers()].every((one) => one === 'second'), LIMIT_s);
  services.delete('web');
  await eventually('the Service is gone', () => services.find('web') === undefined, LIMIT_s);
  assert.deepEqual([answers(), await ground.left()], [['', ''], []]);
});
