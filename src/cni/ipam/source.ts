/** What every dialect reads from: the ipam section, and where else addresses are asked for. */
import { failure } from '../../errors/failure.ts';
import type { Ip } from '../../net/address.ts';
import { type CniArgs, parseArgs } from '../args.ts';
import type { Asked, Unread } from '../asked.ts';
import { type Fields, fieldsOf, inner, list, raw, textMember } from '../fields.ts';
import { addressMember } from '../runtime-config.ts';

/** The text of a file on this machine; undefined when there is none. @throws Failure ipamFileUnreadable. */
export type ReadFile = (path: string) => string | undefined;

/** See the head of this file. */
export interface IpamSource {
  readonly network: string;
  readonly section: Fields;
  /** `runtimeConfig`, keys in any case. */
  readonly runtime: Fields;
  readonly args: CniArgs;
  /** `args.cni.ips`, verbatim. */
  readonly hints: readonly string[];
  readonly readFile: ReadFile;
}

/** @throws Failure ipamMissing, configInvalid, argumentsInvalid. */
export function sourceOf({ object, network, args }: Asked & Unread, readFile: ReadFile): IpamSource {
  const top = fieldsOf(object, '', true);
  const section = inner(top, 'ipam');
  if (section === undefined) throw failure('ipamMissing', {});
  const runtime = fieldsOf(raw(top, 'runtimeConfig') ?? {}, 'runtimeConfig', true);
  const cni = inner(inner(top, 'args') ?? emptyFields, 'cni');
  const hints = (cni && list(cni, 'ips', textMember)) ?? [];
  return { network, section, runtime, args: parseArgs(args), hints, readFile };
}

const emptyFields: Fields = { path: '', values: new Map(), anyCase: true };

/** All addresses asked for, from wherever: CNI_ARGS, args.cni.ips, runtimeConfig.ips, added up as host-local does. @throws Failure configInvalid. */
export function requestedIn({ args, hints, runtime }: IpamSource): Ip[] {
  const hinted = hints.map((hint, i) => addressMember(hint, `args.cni.ips[${i}]`));
  return [...new Set([...args.ips, ...hinted, ...(list(runtime, 'ips', addressMember) ?? [])])];
}
