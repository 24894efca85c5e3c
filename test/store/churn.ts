/** A program for crash tests: opens, answers and closes attachments for ever, and says on stdout what it has committed. Arguments: directory, first number. */
import { writeSync } from 'node:fs';
import { openDatabase } from '../../src/store/sqlite.ts';
import { addressOf, attachment, attachmentsIn, type TestAttachment } from './support.ts';

const [, , dir = '', first = '0'] = process.argv;
const attachments = attachmentsIn(openDatabase(dir));
const open: TestAttachment[] = [];
for (let i = Number(first); ; i++) {
  const one = attachment(`c${i}`, addressOf(i), `::ffff:${addressOf(i)}`);
  attachments.open(one);
  writeSync(1, `open c${i}\n`);
  attachments.answered(one.container, one.ifname);
  open.push(one);
  const oldest = i % 3 === 0 ? open.shift() : undefined;
  if (oldest === undefined) continue;
  writeSync(1, `closing ${oldest.container}\n`);
  attachments.close(oldest, Date.now() + 180_000);
  writeSync(1, `closed ${oldest.container}\n`);
}
