/** Imports of files that a test writes, and what the account of one says. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '../../src/import/account.ts';
import type { SystemName } from '../../src/cli/import/commands.ts';
import { importFrom } from '../../src/cli/import/import.ts';
import type { Made } from '../../src/import/made.ts';

/** The path of a fixture. */
export function fixture(path: string): string {
  return join(import.meta.dirname, 'import-fixtures', path);
}

/** Its text. */
export function textOfFixture(path: string): string {
  return readFileSync(fixture(path), 'utf8');
}

/** A folder for files, gone with the block. */
export function folder(): { readonly path: string; write(name: string, content: string | object): string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'fp-import-'));
  return {
    path,
    write(name, content) {
      const file = join(path, name);
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
      return file;
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** What is imported from these contents, each a file of its own. */
export function importOf(system: SystemName, ...contents: readonly (string | object)[]): ReturnType<typeof importFrom> {
  using files = folder();
  return importFrom(
    system,
    contents.map((content, i) => files.write(`${i}`, content)),
  );
}

/** The one entry about that setting. */
export function entryOf({ account }: ReturnType<typeof importFrom>, key: string): Entry {
  const found = account.entries.filter((entry) => entry.key === key);
  assert.equal(found.length, 1, `${key}: ${JSON.stringify(found)}`);
  return found[0] ?? assert.fail(key);
}

/** The spec of a document. */
export function specOf(made: readonly Made[], kind: Made['kind'], name?: string): Readonly<Record<string, unknown>> {
  const found = made.filter((one) => one.kind === kind && (name === undefined || one.name === name));
  assert.equal(found.length, 1, `${kind} ${name ?? ''}: ${made.map((one) => `${one.kind} ${one.name}`).join(', ')}`);
  return found[0]?.spec ?? assert.fail(kind);
}

/** What our own programs would refuse in the documents, less what no import can know. */
export function unfinished({ account }: ReturnType<typeof importFrom>): string[] {
  return account.entries
    .filter(({ fate, from }) => fate === 'left' && /^(PodSubnet|IPClaim|NodeConfig|ControllerConfig) /.test(from))
    .filter(({ from, key }) => !(from.startsWith('ControllerConfig ') && key === 'spec.cluster'))
    .map(({ from, key, text }) => `${from} ${key} ${text}`);
}
