/** Pods with a helper on hosts where kube-proxy works: wherever a Service leads, with and without ipMasq, with and without an agent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modes, proxy } from './kube-proxy.ts';
import { openLan } from './lan.ts';
import { NODE_PORT, scene, service, worksBehindKubeProxy } from './matrix.ts';
import { onLan } from './wires.ts';

for (const mode of modes)
  for (const ipMasq of [false, true])
    for (const agents of [true, false])
      test(`behind kube-proxy by ${mode}, ${ipMasq ? 'with' : 'without'} ipMasq, ${agents ? 'an agent' : 'no agent'}: a Pod reaches everybody, by Services and past them, and all reach the Pod`, async () => {
        await using lan = await openLan({ chained: { ipMasq }, agents });
        await worksBehindKubeProxy(await scene(lan), { mode, ipMasq, families: [4, 6], beyond: ['the internet side'] });
      });

test('an answer of a Service whose sender the host could not put back does not leave the Pod: the client would break off', async () => {
  await using lan = await openLan({ hosts: 1, families: [4] });
  const host = lan.host(0);
  const pod = await host.add(11);
  proxy(host, 'nftables', { family: 4, service: service[4], nodePort: NODE_PORT, endpoint: pod.address(4), pods: '10.60.0.0/24' });
  const answered = (): string => /packets (\d+)/.exec(host.sh('nft list table inet watch'))?.[1] ?? '';
  const rule = 'iifname "vth*" tcp flags syn,ack / syn,ack counter';
  host.sh('nft -f -', `table inet watch {\n chain out { type filter hook prerouting priority -500; ${rule}\n }\n}\n`);
  assert.equal(await lan.seen(lan.machine, onLan(4, 1), pod, NODE_PORT), onLan(4, 1));
  assert.equal(answered(), '1');
  pod.sh('nft -f -', 'table inet blind {\n chain in { type filter hook prerouting priority raw; iifname "veth0" notrack; }\n}\n');
  assert.equal(await lan.seen(lan.machine, onLan(4, 1), pod, NODE_PORT), 'timeout');
  assert.equal(answered(), '1');
});
