/**
 * Whether a table of ours still holds the rules it was loaded with. Each chain and rule of a table is numbered by the kernel as it comes, and a number never
 * comes twice (nf_tables_alloc_handle() in net/netfilter/nf_tables_api.c): so what was taken out leaves too few, and what was put in or replaced has a
 * number that no rule of the first load can have. Nothing has to be kept for that. For CHECK and repair, of tables without sets.
 */
import { attributesOf, Message, type Received, textOf } from './netlink/message.ts';
import { nfgenmsg, protocolFamily, subsystem, typeIn } from './netlink/netfilter.ts';
import type { NetlinkSocket } from './netlink/socket.ts';
import type { NftTableObject } from './state.ts';

const [NEWCHAIN, GETCHAIN, NEWRULE, GETRULE] = [3, 4, 6, 7].map((message) => typeIn(subsystem.nftables, message)) as [
  number, // as many as there are numbers
  number,
  number,
  number,
];
/** linux/netfilter/nf_tables.h: enum nft_chain_attributes and nft_rule_attributes. */
const CHAIN = { table: 1, name: 3, policy: 5 } as const;
const RULE = { table: 1, chain: 2, handle: 3 } as const;
const NF_ACCEPT = 1;

/** What differs from the rules of the table's text, in words; undefined: nothing. All chains of such a text accept what no rule decides. @throws NetlinkError. */
export function compareRules(socket: NetlinkSocket, { family, table, text }: NftTableObject): string | undefined {
  const wanted = rulesIn(text);
  const header = nfgenmsg(protocolFamily[family]);
  const chains = socket.dump(new Message(GETCHAIN, 0, header), (received) => chainIn(received, table));
  const rules = socket.dump(new Message(GETRULE, 0, header).text(RULE.table, table), ruleIn);
  const first = BigInt(wanted.size) + 1n;
  for (const [chain, count] of wanted) {
    const known = chains.find(({ name }) => name === chain);
    if (known === undefined) return `without its chain ${chain}`;
    if (known.policy !== undefined && known.policy !== NF_ACCEPT) return `its chain ${chain} drops what no rule accepts`;
    const found = rules.filter((rule) => rule.chain === chain).length;
    if (found !== count) return `its chain ${chain} has ${found} rules instead of ${count}`;
  }
  const strange = chains.find(({ name }) => !wanted.has(name));
  if (strange !== undefined) return `with a chain ${strange.name} that somebody put in`;
  const replaced = rules.find(({ handle }) => handle >= first + BigInt(rules.length));
  return replaced && `a rule of its chain ${replaced.chain} was replaced`;
}

/** How many rules each chain of a table's text has. */
function rulesIn(text: string): Map<string, number> {
  const plain = text.replaceAll(/#.*/g, '');
  return new Map(
    [...plain.matchAll(/\bchain\s+(\w+)\s*\{/g)].map((match) => [match[1] ?? '', statementsIn(plain.slice(match.index + match[0].length))]),
  );
}

/** Up to the brace that closes the block. What says of which kind a chain is counts as none. */
function statementsIn(text: string): number {
  let [depth, end] = [1, 0];
  while (depth > 0 && end < text.length) {
    if (text[end] === '{') depth++;
    else if (text[end] === '}') depth--;
    end++;
  }
  const statements = text.slice(0, end - 1).split(/[;\n]/);
  return statements.filter((statement) => !/^\s*(type\b|policy\b|$)/.test(statement)).length;
}

function chainIn({ type, payload }: Received, table: string): { readonly name: string; readonly policy: number | undefined } | undefined {
  const attributes = attributesOf(payload, 4);
  if (type !== NEWCHAIN || textOf(attributes, CHAIN.table) !== table) return undefined;
  const policy = attributes.get(CHAIN.policy);
  return { name: textOf(attributes, CHAIN.name) ?? '', policy: policy?.readUInt32BE(0) };
}

function ruleIn({ type, payload }: Received): { readonly chain: string; readonly handle: bigint } | undefined {
  if (type !== NEWRULE) return undefined;
  const attributes = attributesOf(payload, 4);
  return { chain: textOf(attributes, RULE.chain) ?? '', handle: attributes.get(RULE.handle)?.readBigUInt64BE(0) ?? 0n };
}
