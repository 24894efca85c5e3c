/** `flatpod import`: from the files of another system to documents of ours, with an account of every setting. */
import { failure } from '../../errors/failure.ts';
import { Account } from '../../import/account.ts';
import { readAwsNode } from './aws-node/aws-node.ts';
import { checkMade, objectOf, textOf } from './check-made.ts';
import type { ImportOptions, SystemName } from './commands.ts';
import type { Document } from '../../import/document.ts';
import { readHostnic } from '../../import/hostnic/hostnic.ts';
import type { Imported } from '../../import/made.ts';
import { readFiles } from './read-files.ts';
import { readRubble } from './rubble/rubble.ts';
import { sayAccount, sayMistake } from './say-account.ts';
import { writeFiles } from './write-files.ts';

/** Reads documents of its own among those given and accounts for them; those of another kind are mistakes. Undefined: there is none at all. */
type ReadSystem = (documents: readonly Document[], account: Account) => Imported | undefined;

const systems: Readonly<Record<SystemName, { readonly read: ReadSystem; readonly wanted: string }>> = {
  rubble: { read: readRubble, wanted: 'give rubble.json, its CNI configuration, a dump of Pods or of ports (docs/migrate/rubble.md)' },
  'aws-node': { read: readAwsNode, wanted: 'give the DaemonSet aws-node as kubectl get -o yaml prints it (docs/migrate/aws-node.md)' },
  hostnic: { read: readHostnic, wanted: 'give hostnic-cfg-cm, hostnic-ipam-config or dumps of its objects (docs/migrate/hostnic.md)' },
};

/** Prints the documents and, on stderr, the account; 0. @throws Failure FP500 to FP503: then nothing was written. */
export function runImport(system: SystemName, files: readonly string[], { json, output }: ImportOptions): Promise<number> {
  const imported = importFrom(system, files);
  const { account, made, kept } = imported;
  if (output !== undefined) writeFiles(output, imported);
  if (json) {
    process.stdout.write(`${JSON.stringify({ system, documents: made.map(objectOf), kept, account: account.entries })}\n`);
    return Promise.resolve(0);
  }
  if (output === undefined) process.stdout.write(made.map(textOf).join('---\n'));
  process.stderr.write(sayAccount(process.stderr, account.entries, kept));
  return Promise.resolve(0);
}

/** What becomes of the files. @throws Failure FP500 to FP502. */
export function importFrom(system: SystemName, files: readonly string[]): Imported & { readonly account: Account } {
  const { read, wanted } = systems[system];
  const { documents, mistakes } = readFiles(files);
  const account = new Account();
  account.mistakes.push(...mistakes);
  const imported = read(documents, account);
  account.close();
  if (account.mistakes.length > 0) {
    const list = account.mistakes.slice(0, 50).map((mistake) => `\n  ${sayMistake(mistake)}`);
    throw failure('importMistaken', { count: account.mistakes.length, list: list.join('') });
  }
  if (imported === undefined) throw failure('importNothing', { system, found: `${documents.length} documents were read`, wanted });
  checkMade(imported.made, account);
  return { ...imported, account };
}
