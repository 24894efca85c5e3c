/** The sweep believes that a namespace is gone only when it was missing twice, a minute apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Locks } from '../../src/agent/locks.ts';
import type { NodeAgent } from '../../src/agent/node-agent.ts';
import { sweep } from '../../src/agent/sweep.ts';
import { readPodInterface } from '../../src/datapath/stored.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { createLog } from '../../src/log.ts';
import { openAttachments } from '../../src/store/attachments.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { testNetns } from '../kernel/namespace.ts';

const numbers = { protocol: 114, priorityToPod: 700, priorityFromPod: 740 };

test('an attachment whose namespace stays gone is released after the grace time; one that lives, or is in use by a verb, is not', async () => {
  using ns = testNetns('sweep');
  const dir = mkdtempSync('/tmp/fpt-sweep-');
  using kernel = openKernel();
  const database = openDatabase(dir);
  try {
    const attachments = openAttachments(database, readPodInterface);
    for (const [i, netns] of [`${ns.path}-gone`, ns.path].entries()) {
      const mac = `02:00:00:00:00:0${i}`;
      const one = {
        datapath: 'routed-veth',
        netns,
        ifname: 'eth0',
        mac,
        hostEnd: `fptsweep${i}`,
        hostMac: mac,
        mtu: 1500,
        owner: 'x',
        addresses: [`192.0.2.${i}`],
        table: 254,
        numbers,
      };
      const row = {
        container: `c${i}`,
        ifname: 'eth0',
        network: 'n',
        pod: {},
        netns,
        subnet: 's',
        nic: 'nic',
        state: 'ready',
        created_ms: 0,
      } as const;
      attachments.open({ ...row, interface: readPodInterface(one) });
    }
    const lines: string[] = [];
    const log = createLog('test', 'info', (line) => lines.push(line));
    const node: NodeAgent = { kernel, attachments, interrupted: new Set(), locks: new Locks(), log, cloud: undefined };
    const missing = new Map<string, number>();
    await sweep(node, missing, 0);
    await sweep(node, missing, 59_999);
    assert.equal(attachments.list().length, 2, 'not yet');
    const held = await node.locks.take('c0/eth0');
    await sweep(node, missing, 60_000);
    assert.equal(attachments.list().length, 2, 'a verb is at work on it');
    held[Symbol.dispose]();
    await sweep(node, missing, 60_000);
    assert.deepEqual(
      attachments.list().map(({ container }) => container),
      ['c1'],
    );
    assert.match(lines.join(''), /swept c0\/eth0: its namespace .*-gone is gone and no DEL came/);
  } finally {
    database.close();
    rmSync(dir, { recursive: true });
  }
});
