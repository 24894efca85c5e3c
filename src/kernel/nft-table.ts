/** Whole nftables tables of ours: replaced in one transaction, recognised by a digest of their text in the table's comment. */
import { createHash } from 'node:crypto';
import type { Netns } from './netns.ts';
import { NETFILTER } from './netlink/netfilter.ts';
import { NetlinkSocket } from './netlink/socket.ts';
import { runNft } from './nft.ts';
import { readTableComment } from './nft-read.ts';
import { compareRules } from './nft-rules.ts';
import type { NftTableObject } from './state.ts';

/** Loads the table; one that is shared only when it is missing or of another version. @throws Failure nftRefused, nftMissing; NetlinkError. */
export function ensureTable(netns: Netns | undefined, object: NftTableObject): void {
  if (object.shared !== true || compareTable(netns, object) !== undefined) loadTable(netns, object);
}

/** Replaces the table in one transaction: at no moment is there none. */
function loadTable(netns: Netns | undefined, object: NftTableObject): void {
  const name = `${object.family} ${object.table}`;
  // Declaring before deleting makes the deletion succeed when there was no table. All on one line: a refusal then counts lines as the text does.
  const text = `table ${name}; delete table ${name}; table ${name} { comment "${digestOf(object)}"; ${object.text}\n}\n`;
  runNft(netns, text, object.table);
}

/** Deletes the table; succeeds when there is none. @throws Failure nftRefused. */
export function deleteTable(netns: Netns | undefined, object: NftTableObject): void {
  const name = `${object.family} ${object.table}`;
  runNft(netns, `table ${name}\ndelete table ${name}\n`, object.table);
}

/**
 * What differs, in words; undefined when the kernel holds a table that was loaded from this text. `rules`: whether somebody took rules out of it afterwards
 * is looked at too; of the host's tables nft-watch.ts tells. @throws NetlinkError.
 */
export function compareTable(netns: Netns | undefined, object: NftTableObject, rules = false): string | undefined {
  const open = (): NetlinkSocket => new NetlinkSocket(NETFILTER);
  const socket = netns === undefined ? open() : netns.run(open);
  try {
    const comment = readTableComment(socket, object.family, object.table);
    if (comment === undefined) return 'missing';
    if (comment !== digestOf(object)) return 'of another version';
    return rules ? compareRules(socket, object) : undefined;
  } finally {
    socket.close();
  }
}

function digestOf(object: NftTableObject): string {
  return `flatpod ${createHash('sha256').update(object.text).digest('hex').slice(0, 16)}`;
}
