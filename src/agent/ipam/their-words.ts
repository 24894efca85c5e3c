/**
 * Where our executable stands in for another under its name, its callers may compare the words of errors that are about the configuration's version:
 * libcni's own of a verb that it has not (cni v1.3.0, pkg/skel), and of more addresses than it has room for (plugins v1.9.1, both IPAM plugins).
 */
import { versionForAnswer } from '../../cni/asked.ts';
import type { Reply, RequestFrame } from '../../cni/frame.ts';
import type { CniVersion } from '../../cni/versions.ts';
import type { ErrorName } from '../../errors/catalogue.ts';
import { isFailure } from '../../errors/failure.ts';

const theirs = new Set(['host-local', 'static', 'whereabouts']);

/** The reply in those words, when the failure is one of these and the plugin goes under another's name. */
export function theirReply(error: unknown, { variables, stdin }: RequestFrame): Reply | undefined {
  if (!theirs.has(variables.get('FLATPOD_PLUGIN') ?? '') || !isFailure(error)) return undefined;
  const cniVersion = versionForAnswer(stdin);
  const msg = wordsFor(error.kind, variables.get('CNI_COMMAND') ?? '', cniVersion);
  return msg === undefined ? undefined : { status: 1, stdout: `${JSON.stringify({ cniVersion, code: error.cni, msg })}\n` };
}

function wordsFor(kind: ErrorName, verb: string, version: CniVersion): string | undefined {
  if (kind === 'verbNeedsVersion') return `config version does not allow ${verb}`;
  return kind === 'familyFull' ? `CNI version ${version} does not support more than 1 address per family` : undefined;
}
