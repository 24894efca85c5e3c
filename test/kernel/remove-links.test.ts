/** Many links deleted at once: all of them go, only they go, and everybody hears that they are gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeLink, dumpLinks } from '../../src/kernel/netlink/link.ts';
import { LinkRemover } from '../../src/kernel/remove-links.ts';
import { host, type VethObject } from '../../src/kernel/state.ts';
import { localMac } from '../../src/net/mac.ts';
import { eventually } from '../life/lab.ts';
import { openHost } from './host.ts';
import { openNode, type TestNode } from './node.ts';

const MANY = 120;

/** Both ends on the host: the namespaces of a hundred Pods would tell nothing more. */
function veths(count: number): VethObject[] {
  return Array.from({ length: count }, (_, i) => {
    const peer = { where: host, name: `q${i}`, mac: localMac(Uint8Array.of(1, 0, 0, 0, i >> 8, i & 255)) };
    const mac = localMac(Uint8Array.of(2, 0, 0, 0, i >> 8, i & 255));
    return { kind: 'veth', where: host, name: `fp${i}`, mac, mtu: 1400, owner: `flatpod:c${i}:eth0`, ipv6: false, peer };
  });
}

function namesIn(node: TestNode): unknown[] {
  return node.host.ipJson('link show').map(({ ifname }) => ifname);
}

test('a hundred links are removed at once, each by a plan of its own, and nobody else’s', async () => {
  using node = openNode();
  node.host.ip('link add theirs type bridge');
  const all = veths(MANY);
  node.kernel.apply(all);
  await Promise.all(all.map((veth) => node.kernel.remove([veth])));
  assert.deepEqual(namesIn(node), ['lo', 'theirs']);
});

test('links that others delete meanwhile are removed as well, and each link may be removed by two at once', async () => {
  using node = openNode();
  const all = veths(MANY);
  node.kernel.apply(all);
  const removals = all.map((veth) => node.kernel.remove([veth]));
  const again = all.map((veth) => node.kernel.remove([veth]));
  // From another process, while the removals are under way.
  node.host.exec(
    'ip -force -batch - 2>/dev/null || true',
    all
      .map(({ name }) => `link del ${name}\n`)
      .reverse()
      .join(''),
  );
  await Promise.all([...removals, ...again]);
  assert.deepEqual(namesIn(node), ['lo']);
});

test('the watcher hears of links that others delete while many are removed here', async () => {
  using node = openNode();
  const [all, heard] = [veths(MANY), new Set<string>()];
  node.kernel.apply(all);
  const isTheirs = (veth: VethObject): boolean => Number(veth.name.slice(2)) % 4 === 0;
  const stop = node.kernel.watch((event) => event.kind === 'link-gone' && heard.add(event.link.name));
  node.host.exec(
    'ip -batch -',
    all
      .filter(isTheirs)
      .map(({ name }) => `link del ${name}\n`)
      .join(''),
  );
  await Promise.all(all.map((veth) => node.kernel.remove([veth])));
  const theirs = all.filter(isTheirs).map(({ name }) => name);
  await eventually('theirs are heard', () => theirs.every((name) => heard.has(name)));
  stop();
  assert.deepEqual(namesIn(node), ['lo']);
});

test('without anybody who tells of events, a removal ends with its message; a link that is not there is removed', async () => {
  using it = openHost();
  const remover = new LinkRemover({ socket: it.socket, netns: it.ns.netns, born: new Set() });
  try {
    it.ns.exec('ip -batch -', Array.from({ length: 40 }, (_, i) => `link add d${i} type bridge\n`).join(''));
    const links = it.socket.dump(dumpLinks(), decodeLink).filter(({ name }) => name.startsWith('d'));
    assert.equal(links.length, 40);
    await Promise.all([...links.map(({ index }) => remover.remove(index)), remover.remove(999_999)]);
    assert.deepEqual(
      it.socket.dump(dumpLinks(), decodeLink).map(({ name }) => name),
      ['lo'],
    );
  } finally {
    remover.close();
  }
});

test('a link that the kernel will not delete is refused with its words', async () => {
  using it = openHost();
  const remover = new LinkRemover({ socket: it.socket, netns: it.ns.netns, born: new Set() });
  try {
    await assert.rejects(remover.remove(it.index('lo')), { name: 'NetlinkError', message: /EOPNOTSUPP|EBUSY|EINVAL/ });
  } finally {
    remover.close();
  }
});
