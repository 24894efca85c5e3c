/** Hosts on one Ethernet: namespaces with an eth0 each, on a bridge of their own. */
import { type TestNetns, testNetns } from './namespace.ts';

export interface TestLan extends Disposable {
  /** The namespace with the bridge `br0`, whose ports are `p0`, `p1` …, in the order of the hosts. */
  readonly lan: TestNetns;
  /** The host of that place. @throws RangeError when there is none. */
  host(place: number): TestNetns;
}

/** So many hosts, eth0 up, without addresses, lo down. */
export function testLan(hosts: number): TestLan {
  using open = new DisposableStack();
  const lan = open.use(testNetns('lan'));
  // Without snooping as a plain switch is; and no delay before a port forwards.
  lan.ip('link add br0 up type bridge mcast_snooping 0');
  const all = Array.from({ length: hosts }, (_, place) => {
    const host = open.use(testNetns(`host${place}`));
    lan.ip(`link add p${place} type veth peer name eth0 netns ${host.name}`);
    lan.ip(`link set p${place} up master br0`);
    host.ip('link set eth0 up');
    return host;
  });
  const kept = open.move();
  return {
    lan,
    host(place) {
      const found = all[place];
      if (found === undefined) throw new RangeError(`no host ${place}`);
      return found;
    },
    [Symbol.dispose]: () => kept.dispose(),
  };
}

/** The MAC of a link. */
export function macOf(host: TestNetns, link = 'eth0'): string {
  return String(host.ipJson(`link show ${link}`)[0]?.['address']);
}
