/** A Secret as kubelet mounts it, and exchanges it: files are links into `..data`, which is a link to a folder, and a new folder takes its place at once. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** See the head of this file. It goes with its disposal. */
export interface SecretFolder extends Disposable {
  /** The file that programs are told of. */
  readonly path: string;
  /** Another content, from one moment to the next; the folder before is deleted, as kubelet does. */
  rotate(text: string): void;
}

/** With one file. */
export function secretFolder(name: string, text: string): SecretFolder {
  const folder = mkdtempSync(join(tmpdir(), 'fp-secret-'));
  let count = 0;
  const put = (content: string): void => {
    const version = `..version_${++count}`;
    mkdirSync(join(folder, version), { mode: 0o700 });
    writeFileSync(join(folder, version, name), content, { mode: 0o600 });
    symlinkSync(version, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    rmSync(join(folder, `..version_${count - 1}`), { recursive: true, force: true });
  };
  put(text);
  symlinkSync(join('..data', name), join(folder, name));
  return { path: join(folder, name), rotate: put, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
