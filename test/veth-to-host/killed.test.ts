/** Processes that answer without an agent are killed at every step, and many at once at any moment: whatever is left, the next call ends it. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { addBehind, behindMacvlan, stateOf, succeeded } from './asked.ts';
import { openLan, type Result } from './lan.ts';

for (const point of ['add:3 attachment committed', 'add:4 kernel applied'] as const)
  test(`without an agent, killed at "${point}": DEL takes away what is left, ADD makes anew, also without a DEL between`, async () => {
    await using lan = await openLan({ hosts: 1 });
    const { host, pod, prevResult } = await behindMacvlan(lan);
    const before = [stateOf(host), stateOf(pod)];
    const die = { FLATPOD_DIE_AT: point };
    assert.notEqual((await addBehind(host, pod, { prevResult }, die)).status, 0);
    succeeded(await host.call('DEL', 'veth-to-host', pod));
    assert.equal(stateOf(host), before[0]);
    succeeded(await host.call('DEL', 'macvlan', pod));
    assert.equal(await host.check(await host.addTo(pod)), '');
    succeeded(await host.call('DEL', 'veth-to-host', pod));
    succeeded(await host.call('DEL', 'macvlan', pod));
    const { stdout } = await host.call('ADD', 'macvlan', pod);
    const again = JSON.parse(stdout) as Result;
    assert.notEqual((await addBehind(host, pod, { prevResult: again }, die)).status, 0);
    const added = await addBehind(host, pod, { prevResult: again });
    assert.equal(added.status, 0, added.stdout);
    pod.result = JSON.parse(added.stdout) as Result;
    assert.equal(await host.check(pod), '');
  });

for (const point of ['del:1 request read', 'del:2 kernel removed', 'del:3 attachment closed'] as const)
  test(`without an agent, killed at "${point}": DEL is kept, and ended by the next DEL or by whoever changes something next`, async () => {
    await using lan = await openLan({ hosts: 1 });
    const host = lan.host(0);
    const before = stateOf(host);
    const die = { FLATPOD_DIE_AT: point };
    const [first, second] = [await host.add(11), await host.add(12)];
    succeeded(await host.call('DEL', 'veth-to-host', first, {}, die));
    await host.del(first);
    succeeded(await host.call('DEL', 'veth-to-host', second, {}, die));
    // What the namespace takes along is the link, and no more.
    deleteNetns(second.netns.slice(NAMED.length + 1));
    const third = await host.add(13);
    assert.doesNotMatch(host.sh('ip rule; ip -6 rule; ip route; ip -6 route'), /10\.60\.0\.12|:12 |detached/);
    assert.deepEqual(readdirSync(join(host.dir, 'state/spool')), []);
    await host.del(third);
    assert.equal(stateOf(host), before);
  });
