/** Whole nftables tables of ours: replaced in one transaction, recognised by a digest of their text in the table's comment. */
import { createHash } from 'node:crypto';
import type { Netns } from './netns.ts';
import { listNft, runNft } from './nft.ts';
import type { NftTableObject } from './state.ts';

/** Replaces the table in one transaction: at no moment is there none. @throws Failure nftRefused. */
export function loadTable(netns: Netns | undefined, object: NftTableObject): void {
  const name = `${object.family} ${object.table}`;
  // Declaring before deleting makes the deletion succeed when there was no table.
  const text = `table ${name}\ndelete table ${name}\ntable ${name} {\n  comment "${digestOf(object)}"\n${object.text}\n}\n`;
  runNft(netns, text, object.table);
}

/** Deletes the table; succeeds when there is none. @throws Failure nftRefused. */
export function deleteTable(netns: Netns | undefined, object: NftTableObject): void {
  const name = `${object.family} ${object.table}`;
  runNft(netns, `table ${name}\ndelete table ${name}\n`, object.table);
}

/** What differs, in words; undefined when the kernel holds the table as it should be. */
export function compareTable(netns: Netns | undefined, object: NftTableObject): string | undefined {
  const found = JSON.stringify(listNft(netns, 'tables'));
  if (!found.includes(`"name":"${object.table}"`) && !found.includes(`"name": "${object.table}"`)) return 'missing';
  return found.includes(digestOf(object)) ? undefined : 'of another version';
}

function digestOf(object: NftTableObject): string {
  return `flatpod ${createHash('sha256').update(object.text).digest('hex').slice(0, 16)}`;
}
