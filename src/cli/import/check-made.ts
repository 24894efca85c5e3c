/** Our documents as text, and what our own programs would say about them. */
import * as z from 'zod';
import { stringify } from 'yaml';
import { parseConfig, parseControllerConfig } from '../../store/check-config.ts';
import { ConfigText } from '../../store/config-text.ts';
import { checkSubnet } from '../../store/cross-checks.ts';
import { ipClaimSpec } from '../../store/ip-claim.ts';
import { type PodSubnet, podSubnet } from '../../store/pod-subnet.ts';
import { metadata, name } from '../../store/schema-parts.ts';
import type { Account } from '../../import/account.ts';
import type { Made } from '../../import/made.ts';

const ipClaim = z.strictObject({
  apiVersion: z.literal('flatpod.dev/v1alpha1'),
  kind: z.literal('IPClaim'),
  // Its name is the Pod's, which may be longer than those of other objects.
  metadata: metadata.extend({ name: z.string().min(1).max(253), namespace: name }),
  spec: ipClaimSpec,
});

/** The object as it would be given to the API server. */
export function objectOf({ kind, name: called, namespace, spec }: Made): Record<string, unknown> {
  return { apiVersion: 'flatpod.dev/v1alpha1', kind, metadata: { name: called, ...(namespace !== undefined && { namespace }) }, spec };
}

/** The document in YAML, with the comment on top. Texts that kubectl's YAML 1.1 would take for something else are in quotes. */
export function textOf(made: Made): string {
  const comment = made.comment === '' ? '' : `# ${made.comment}\n`;
  return `${comment}${stringify(objectOf(made), { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' })}`;
}

/** Reads each as the program does that it is for; what is missing or wrong is left to the user. */
export function checkMade(made: readonly Made[], account: Account): void {
  const names = new Set<string>();
  for (const one of made) {
    const what = `${one.kind} ${[one.namespace, one.name].filter((part) => part !== undefined).join('/')}`;
    if (names.has(what)) account.left(what, 'metadata.name', 'another of its kind has this name too', 'give one of them another name');
    names.add(what);
    // A path begins with the object's name, which stands in the account already.
    for (const problem of problemsOf(one)) account.left(what, problem.path.split(': ').at(-1) ?? '', problem.what, problem.remedy);
  }
}

function problemsOf(made: Made): readonly { readonly path: string; readonly what: string; readonly remedy: string }[] {
  const text = textOf(made);
  switch (made.kind) {
    case 'NodeConfig':
      return mistakesOf(parseConfig(text));
    case 'ControllerConfig':
      return mistakesOf(parseControllerConfig(text));
    case 'PodSubnet':
      return readWith(text, podSubnet, (subnet: PodSubnet) => checkSubnet(subnet));
    case 'IPClaim':
      return readWith(text, ipClaim, () => []);
  }
}

function mistakesOf(parsed: ReturnType<typeof parseConfig> | ReturnType<typeof parseControllerConfig>) {
  return 'problems' in parsed ? parsed.problems : [];
}

function readWith<T extends object>(text: string, schema: z.ZodType<T>, check: (object: T) => ReturnType<typeof checkSubnet>) {
  const file = new ConfigText(text);
  const right: T[] = [];
  for (const { document, value } of file.objects()) file.read(document, value, schema, right);
  file.reportClashes(right.flatMap(check));
  return file.problems;
}
