/**
 * Where our executable stands in for another under its name, its callers may compare the words of the one error that libcni itself gives on behalf of
 * every plugin (cni v1.3.0, pkg/skel): a verb that the configuration's version has not.
 */
import { versionForAnswer } from '../../cni/asked.ts';
import type { Reply, RequestFrame } from '../../cni/frame.ts';
import { isFailure } from '../../errors/failure.ts';

const theirs = new Set(['host-local', 'static', 'whereabouts']);

/** The reply in libcni's words, when the failure is that one and the plugin goes under another's name. */
export function theirReply(error: unknown, { variables, stdin }: RequestFrame): Reply | undefined {
  if (!theirs.has(variables.get('FLATPOD_PLUGIN') ?? '') || !isFailure(error, 'verbNeedsVersion')) return undefined;
  const msg = `config version does not allow ${variables.get('CNI_COMMAND')}`;
  return { status: 1, stdout: `${JSON.stringify({ cniVersion: versionForAnswer(stdin), code: error.cni, msg })}\n` };
}
