/** What the executable prints and how it ends: results, silence, errors (CNI specification 1.1.0, sections "Success" and "Error"). */
import type { Failure } from '../errors/failure.ts';
import type { Reply } from './frame.ts';
import { type Result, resultJson } from './result.ts';
import { type CniVersion, cniVersions } from './versions.ts';

/** The answer to an ADD that succeeded. @throws Failure resultInexpressible. */
export function resultReply(result: Result, version: CniVersion): Reply {
  return { status: 0, stdout: `${resultJson(result, version)}\n` };
}

/** The answer to a DEL, CHECK, GC or STATUS that succeeded. */
export const silentReply: Reply = { status: 0, stdout: '' };

/** The answer to VERSION. */
export function versionReply(version: CniVersion): Reply {
  return { status: 0, stdout: `${JSON.stringify({ cniVersion: version, supportedVersions: cniVersions })}\n` };
}

/** The answer to whatever failed. Runtimes show `msg` and `details` only, so the way out stands in `details`. */
export function errorReply(failed: Failure, version: CniVersion): Reply {
  const details = [failed.details, failed.hint].filter((part) => part !== '').join('; ');
  const body = { cniVersion: version, code: failed.cni, msg: `${failed.message} (FP${failed.code})`, ...(details !== '' && { details }) };
  return { status: 1, stdout: `${JSON.stringify(body)}\n` };
}
