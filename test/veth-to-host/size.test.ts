/** As much as a connection can carry at a time, there and back, by every way: no packet is too large for an interface further on, and nobody learns of a wrong way. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { proxy } from './kube-proxy.ts';
import { macvlan, openLan } from './lan.ts';
import { everybody, NODE_PORT, scene, service } from './matrix.ts';
import { length, onLan, type Place } from './wires.ts';

const BYTES = 200_000;
const PORT = 8080;
/** Takes all that is sent, and sends as much back. */
const taker = `require('net').createServer({ allowHalfOpen: true }, (c) => {
  let n = 0;
  c.on('data', (part) => (n += part.length)).on('end', () => c.end(Buffer.alloc(n))).on('error', () => 0);
}).listen(${PORT}, () => console.log('up'))`;
const sender = (host: string, port: number): string => `let n = 0;
  const c = require('net').connect({ host: '${host}', port: ${port}, timeout: 20_000 }, () => c.end(Buffer.alloc(${BYTES})));
  c.on('data', (part) => (n += part.length)).on('timeout', () => c.destroy()).on('error', () => 0).on('close', () => console.log(n));`;

async function takeAt(place: Place, open: DisposableStack): Promise<void> {
  const server = spawn('nsenter', [`--net=${place.netns}`, process.execPath, '-e', taker], { stdio: ['ignore', 'pipe', 'inherit'] });
  open.defer(() => server.kill('SIGKILL'));
  await once(server.stdout, 'data');
}

/** How much of it came back. */
function carried(from: Place, to: string, port = PORT): number {
  return Number(from.sh(`exec "${process.execPath}" -e "${sender(to, port)}"`));
}

for (const [what, mtu, families] of [
  // The newer family first: nothing has told anybody yet who has which address.
  ['as large as', 1500, [6, 4]],
  ['smaller than', 1380, [6]],
] as const)
  test(`the main interface’s MTU is ${what} that of hostInterface: by every way all is carried, there and back`, async () => {
    using open = new DisposableStack();
    await using lan = await openLan({ main: { ...macvlan, mtu }, agents: true });
    const found = await scene(lan);
    const { host, pod } = found;
    assert.match(pod.sh('ip link show veth0'), new RegExp(`mtu ${mtu} `), 'what the host sends back in fits through the main interface');
    for (const place of [pod, ...everybody(found, 4).map(([, at]) => at)]) await takeAt(place, open);
    const mac = pod.result.interfaces[0]?.mac ?? '';
    for (const family of families)
      for (const [who, place, address] of everybody(found, family)) {
        const lead = (endpoint: string): void =>
          proxy(host, 'nftables', {
            family,
            service: service[family],
            nodePort: NODE_PORT,
            endpoint,
            pods: `${pod.address(family)}/${length[family]}`,
          });
        lead(address);
        assert.equal(carried(pod, service[family], 80), BYTES, `IPv${family} to ${who} by a Service`);
        assert.equal(carried(pod, address), BYTES, `IPv${family} to ${who}`);
        assert.equal(carried(place, pod.address(family)), BYTES, `IPv${family} from ${who}`);
        lead(pod.address(family));
        assert.equal(carried(place, onLan(family, 1), NODE_PORT), BYTES, `IPv${family} from ${who} by the port of the host`);
        const known = place.sh(`ip neigh show ${pod.address(family)}`).match(/lladdr \S+/g) ?? [];
        if (place === lan.machine) assert.deepEqual(known, [`lladdr ${mac}`], `IPv${family}: the machine knows the Pod by its own MAC`);
      }
  });
