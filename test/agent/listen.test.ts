/** The agent's socket lets go of clients that hang up before they asked. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { listen } from '../../src/agent/listen.ts';

test('a client that hangs up before its request is complete is closed at once', async () => {
  const dir = mkdtempSync('/tmp/fpt-listen-');
  const server = await listen(`${dir}/s`, () => ({ take: () => undefined, answered: () => undefined }));
  try {
    for (const bytes of ['', 'part of a request']) {
      const client = connect(`${dir}/s`);
      client.resume().end(bytes);
      await once(client, 'close');
      assert.ok(client.destroyed);
    }
  } finally {
    await new Promise<void>((closed) => server.close(() => closed()));
    rmSync(dir, { recursive: true });
  }
});
