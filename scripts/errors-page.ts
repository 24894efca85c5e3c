/** docs/errors.md, made from the catalogue: `node scripts/docs.ts` writes it. */
import { join, resolve } from 'node:path';
import { areas } from '../src/errors/catalogue.ts';
import type { ErrorEntry } from '../src/errors/entry.ts';

/** Where the page lives. */
export const errorsPath = join(resolve(import.meta.dirname, '..'), 'docs/errors.md');

const introduction = `# Errors

*Made by \`scripts/docs.ts\` from the catalogue in \`src/errors/areas/\`: change that, not this page.*

Every error says what happened to which object and what to do next, and carries a code that never changes: \`FP130\`. Logs and terminals show
\`message (FPnnn): details; hint\`. A container runtime shows the message and the details, which there end with the hint.

Words in braces stand for the object at hand; where there is nothing else, the sentence is made on the spot. "To the runtime" is the number in the field \`code\` of the answer that the runtime gets: one of the
CNI specification where it has one, else the number of the error itself.

| to the runtime | what it tells |
|---|---|
`;

/** The codes that the CNI specification and libcni (pkg/types) give a meaning, as far as the catalogue uses them. */
const wire: ReadonlyMap<number, string> = new Map([
  [1, 'the CNI version, or something in it, is not supported'],
  [2, 'a key of the network configuration is not supported'],
  [3, 'the container is not known'],
  [4, 'an environment variable is missing or wrong'],
  [5, 'the request could not be read'],
  [6, 'the network configuration cannot be decoded'],
  [7, 'the network configuration is wrong'],
  [8, 'the network namespace is wrong'],
  [11, 'try again later: nothing needs to be changed for that'],
  [50, 'no Pod can be added on this node now'],
  [999, 'a defect of Flatpod'],
]);

/** The whole page. */
export function errorsPage(): string {
  const codes = [...wire].map(([code, meaning]) => `| ${code} | ${meaning} |`).join('\n');
  const index = areas.map(({ title, entries }) => `| ${title} | ${inOrder(entries).map(linkTo).join(' ')} |`).join('\n');
  const sections = areas.map(({ title, entries }) => `## ${title}\n\n${inOrder(entries).map(section).join('\n')}`);
  return `${introduction}${codes}\n\n| area | errors |\n|---|---|\n${index}\n\n${sections.join('\n')}`;
}

type Named = readonly [name: string, entry: ErrorEntry];

function inOrder(entries: Readonly<Record<string, ErrorEntry>>): Named[] {
  return Object.entries(entries).sort(([, a], [, b]) => a.code - b.code);
}

function linkTo([name, { code }]: Named): string {
  return `[FP${code}](#fp${code} "${name}")`;
}

function section([name, { code, cni, message, details, hint }]: Named): string {
  const rows = [
    `**${escaped(message)}**`,
    ...(details === '' ? [] : [`Details: ${escaped(details)}`]),
    `What to do: ${escaped(hint)}`,
    `Called \`${name}\` in the sources; to the runtime: ${cni}${wire.has(cni) ? ` (${wire.get(cni)})` : ''}.`,
  ];
  return `### FP${code}\n\n${rows.join('\n\n')}\n`;
}

/** Keeps Markdown from taking characters for its own. */
function escaped(text: string): string {
  return text.replaceAll(/[*_<>|]/g, '\\$&');
}
