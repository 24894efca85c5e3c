/** A credentials file as QingCloud's own programs have it. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyFile extends Disposable {
  readonly path: string;
  /** Exchanges it, as a mounted Secret is. */
  replace(text: string): void;
}

export function keyText(key: string, secret: string, more = ''): string {
  return `qy_access_key_id: '${key}'\nqy_secret_access_key: '${secret}'\n${more}`;
}

/** Taken away with its folder when it is disposed of. */
export function keyFile(key: string, secret: string, more = ''): KeyFile {
  const folder = mkdtempSync(join(tmpdir(), 'fpq-'));
  const path = join(folder, 'config.yaml');
  writeFileSync(path, keyText(key, secret, more));
  return {
    path,
    replace(text) {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
