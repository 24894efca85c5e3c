/** Who there is around a Pod with a helper, and whether all reach each other, by address and by Services. */
import assert from 'node:assert/strict';
import { type Mode, proxy } from './kube-proxy.ts';
import { type Lan, serverAt, type TestHost, type TestPod } from './lan.ts';
import { type Family, onLan, type Place } from './wires.ts';

/** Addresses of a Service. */
export const service: Record<Family, string> = { 4: '10.96.0.10', 6: 'fd00:96::10' };
/** Its port on every node. */
export const NODE_PORT = 30080;

/** Two hosts, two Pods on the first, one on the second. */
export interface Scene {
  readonly lan: Lan;
  readonly host: TestHost;
  readonly pod: TestPod;
  readonly sibling: TestPod;
  readonly other: TestPod;
}

/** Makes the Pods. */
export async function scene(lan: Lan): Promise<Scene> {
  const [host, second] = [lan.host(0), lan.host(1)];
  return { lan, host, pod: await host.add(11), sibling: await host.add(12), other: await second.add(21) };
}

/** Everybody but the Pod, with an address that others reach it by. */
export function everybody(
  { lan, host, sibling, other }: Scene,
  family: Family,
): readonly (readonly [who: string, place: Place, address: string])[] {
  return [
    ['the host', host, onLan(family, 1)],
    ['a Pod beside it', sibling, sibling.address(family)],
    ["another host's Pod", other, other.address(family)],
    ['another host', lan.host(1), onLan(family, 2)],
    ['a machine of the underlay', lan.machine, onLan(family, 100)],
    ['the internet side', lan.server, serverAt(family)],
  ];
}

/** How a matrix is set up. */
export interface Matrix {
  readonly mode: Mode;
  readonly ipMasq: boolean;
  readonly families: readonly Family[];
  /** Who, by its name, is beyond the network of the Pods: the host has an address of its own for it with `ipMasq`, and for a Service always. */
  readonly beyond: readonly string[];
}

/** Whom kube-proxy takes for Pods: those of the underlay (`own`), or those of an overlay alone. */
const strangers: Record<Family, string> = { 4: '10.244.0.0/16', 6: 'fd00:244::/48' };
const somebody = /^[\d.]+$|^[\da-f:]+$/;

/**
 * Behind kube-proxy: the Pod reaches everybody, by address and by a Service that leads there, whether it is taken for a Pod or for a stranger; everybody
 * reaches the Pod, by address and by the port of its host; who comes by address is seen as itself, unless masqueraded at home.
 */
export async function worksBehindKubeProxy(found: Scene, { mode, ipMasq, families, beyond }: Matrix): Promise<void> {
  const { lan, host, pod } = found;
  for (const family of families) {
    const lead = (endpoint: string, pods: string): void =>
      proxy(host, mode, { family, service: service[family], nodePort: NODE_PORT, endpoint, pods });
    const [own, itself] = [`${pod.address(family)}/${family === 4 ? 24 : 64}`, pod.address(family)];
    for (const [who, place, address] of everybody(found, family)) {
      const isBeyond = beyond.includes(who);
      lead(address, strangers[family]);
      assert.match(await lan.seen(pod, service[family], place, 80), somebody, `IPv${family} to ${who} by a Service, as a stranger`);
      lead(address, own);
      const through = isBeyond ? onLan(family, 1) : itself;
      assert.equal(await lan.seen(pod, service[family], place, 80), through, `IPv${family} to ${who} by a Service`);
      assert.equal(await lan.seen(pod, address, place), isBeyond && ipMasq ? onLan(family, 1) : itself, `IPv${family} to ${who}`);
    }
    lead(itself, own);
    assert.match(await lan.seen(pod, service[family], pod, 80), somebody, `IPv${family} to itself by a Service`);
    assert.match(await lan.seen(host, service[family], pod, 80), somebody, `IPv${family} from the host by a Service`);
    for (const [who, place, address] of everybody(found, family)) {
      assert.match(await lan.seen(place, onLan(family, 1), pod, NODE_PORT), somebody, `IPv${family} from ${who} by the port of the host`);
      // To a Pod of another network it is the Pod that is beyond.
      const isMasqueraded = ipMasq && place === found.other && beyond.includes(who);
      assert.equal(await lan.seen(place, itself, pod), isMasqueraded ? onLan(family, 2) : address, `IPv${family} from ${who}`);
    }
  }
  assert.equal(await host.check(pod), '');
}
