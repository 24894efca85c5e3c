/**
 * What every plugin's request has, checked. The order of the checks and their codes are those of libcni's plugin side:
 * names (4), missing variables (4), stdin (5), JSON (6), network name (7), version (1), verb against version (1). Then each plugin reads its own keys.
 */
import { failure } from '../errors/failure.ts';
import { fieldsOf, raw } from './fields.ts';
import { decodeConfig, describe, topText } from './json.ts';
import { acceptable, type IfName, type NetnsPath, tryContainerId, tryIfName, tryNetnsPath } from './names.ts';
import { readResult, unsupported } from './prev-result.ts';
import type { Result } from './result.ts';
import type { AttachmentName } from './valid-attachments.ts';
import { type CniVersion, isAtLeast, isCniVersion, newestVersion, unsaidVersion, type Verb, verbSince } from './versions.ts';

/** What every request but VERSION has. */
export interface Asked {
  /** The configuration's; the answer carries the same. */
  readonly cniVersion: CniVersion;
  readonly trace: Trace;
}

/** W3C trace context, handed down by the runtime. */
export interface Trace {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  readonly baggage: string | undefined;
}

/** What the plugin itself reads on. */
export interface Unread {
  /** stdin. */
  readonly object: Record<string, unknown>;
  /** Name of the CNI network. */
  readonly network: string;
  /** CNI_ARGS, verbatim. */
  readonly args: string;
}

/** ADD and CHECK. */
export interface AttachmentAsked extends Asked, Unread, AttachmentName {
  readonly verb: 'add' | 'check';
  readonly netns: NetnsPath;
}

/** DEL. */
export interface ReleaseAsked extends Asked, Unread, AttachmentName {
  readonly verb: 'del';
  /** Absent when the runtime gives none or nonsense: the namespace is gone then. */
  readonly netns: NetnsPath | undefined;
}

/** GC and STATUS. */
export interface NetworkAsked extends Asked, Unread {
  readonly verb: 'gc' | 'status';
}

/** VERSION: which versions are spoken? */
export interface VersionRequest {
  readonly verb: 'version';
  /** The version asked in, echoed in the answer. */
  readonly cniVersion: CniVersion;
}

type Variables = ReadonlyMap<string, string>;

const verbs: ReadonlyMap<string, Verb> = new Map([
  ['ADD', 'add'],
  ['DEL', 'del'],
  ['CHECK', 'check'],
  ['GC', 'gc'],
  ['STATUS', 'status'],
  ['VERSION', 'version'],
] as const);

/** Checks what all plugins' requests have in common. @throws Failure of FP100–FP107: the first thing that is wrong. */
export function parseAsked(variables: Variables, stdin: Uint8Array): AttachmentAsked | ReleaseAsked | NetworkAsked | VersionRequest {
  const verb = verbOf(variables);
  switch (verb) {
    case 'version':
      return { verb, cniVersion: versionForAnswer(stdin) };
    case 'add':
    case 'check':
      return { verb, ...namesIn(variables, verb), ...unreadOf(verb, variables, stdin) };
    case 'del':
      return { verb, ...namesIn(variables, verb), ...unreadOf(verb, variables, stdin) };
    case 'gc':
    case 'status':
      return { verb, ...unreadOf(verb, variables, stdin) };
    default:
      return verb satisfies never;
  }
}

/** The result of the plugins before us; of CHECK and DEL that of the whole list. @throws Failure configInvalid, versionUnsupported. */
export function prevResultIn({ object, cniVersion }: Asked & Unread): Result | undefined {
  const found = raw(fieldsOf(object, ''), 'prevResult');
  return found === undefined ? undefined : readResult(found, 'prevResult', cniVersion);
}

/** The attachment that a DEL of the main plugin releases, whatever else its configuration says: for releases out of the spool. @throws Failure FP100, FP101. */
export function releaseIn(variables: Variables, stdin: Uint8Array): AttachmentName {
  const { container, ifname } = namesIn(variables, 'del');
  try {
    return { container, ifname: interfaceIn(decodeConfig(stdin)) ?? ifname };
  } catch {
    // A broken configuration is no reason to keep anything.
    return { container, ifname };
  }
}

/** The attachment that a DEL of a plugin other than the main one releases: by what the runtime calls it. @throws Failure FP100, FP101. */
export function releaseByName(variables: Variables): AttachmentName {
  const { container, ifname } = namesIn(variables, 'del');
  return { container, ifname };
}

/** The main plugin's own name for the interface, in a configuration of which nothing else is asked. */
export function interfaceIn(object: Record<string, unknown>): IfName | undefined {
  const found = raw(fieldsOf(object, ''), 'interface');
  return typeof found === 'string' ? tryIfName(found) : undefined;
}

/** The version that an answer to this configuration carries, readable or not: its own when that is one of ours, else the newest. Never throws. */
export function versionForAnswer(stdin: Uint8Array): CniVersion {
  try {
    const version = raw(fieldsOf(decodeConfig(stdin), ''), 'cniVersion');
    return isCniVersion(version) ? version : newestVersion;
  } catch {
    // Whatever is wrong with it is the request's error, said there; an error about an error helps nobody.
    return newestVersion;
  }
}

function verbOf(variables: Variables): Verb {
  const command = variables.get('CNI_COMMAND') ?? '';
  if (command === '') throw failure('variablesMissing', { verb: 'a request', names: 'CNI_COMMAND' });
  const verb = verbs.get(command);
  if (verb === undefined) throw failure('commandUnknown', { found: command.slice(0, 100) });
  return verb;
}

/** The names in the environment; empty ones are absent, and DEL may lack the namespace. A bad name is reported before a missing one. */
function namesIn(variables: Variables, verb: 'add' | 'check'): AttachmentName & { readonly netns: NetnsPath };
function namesIn(variables: Variables, verb: 'del'): AttachmentName & { readonly netns: NetnsPath | undefined };
function namesIn(variables: Variables, verb: 'add' | 'check' | 'del'): AttachmentName & { readonly netns: NetnsPath | undefined } {
  const container = named(variables, 'CNI_CONTAINERID', tryContainerId, acceptable.container);
  const ifname = named(variables, 'CNI_IFNAME', tryIfName, acceptable.ifname);
  const path = variables.get('CNI_NETNS') ?? '';
  const netns = verb === 'del' ? tryNetnsPath(path) : named(variables, 'CNI_NETNS', tryNetnsPath, acceptable.netns);
  if (container !== undefined && ifname !== undefined && (verb === 'del' || netns !== undefined)) return { container, ifname, netns };
  const missing = [
    container === undefined && 'CNI_CONTAINERID',
    ifname === undefined && 'CNI_IFNAME',
    netns === undefined && verb !== 'del' && 'CNI_NETNS',
  ];
  throw failure('variablesMissing', { verb: verb.toUpperCase(), names: missing.filter((name) => name !== false).join(', ') });
}

function named<T>(variables: Variables, variable: string, parse: (text: string) => T | undefined, wanted: string): T | undefined {
  const found = variables.get(variable) ?? '';
  if (found === '') return undefined;
  const name = parse(found);
  if (name === undefined) throw failure('variableInvalid', { variable, found: found.slice(0, 100), wanted });
  return name;
}

/** stdin after the checks that all verbs share. */
function unreadOf(verb: Verb, variables: Variables, stdin: Uint8Array): Asked & Unread {
  const object = decodeConfig(stdin);
  const network = networkName(object);
  const trace = { traceparent: variables.get('TRACEPARENT'), tracestate: variables.get('TRACESTATE'), baggage: variables.get('BAGGAGE') };
  return { object, network, cniVersion: versionFor(verb, object), trace, args: variables.get('CNI_ARGS') ?? '' };
}

function networkName(config: Record<string, unknown>): string {
  const name = topText(config, 'name');
  if (tryContainerId(name) !== undefined) return name;
  throw failure('networkNameInvalid', { found: describe(raw(fieldsOf(config, ''), 'name')) });
}

function versionFor(verb: Verb, config: Record<string, unknown>): CniVersion {
  const version = topText(config, 'cniVersion') || unsaidVersion;
  if (!isCniVersion(version)) throw unsupported('cniVersion', version);
  const since = verbSince[verb];
  if (!isAtLeast(version, since)) throw failure('verbNeedsVersion', { verb: verb.toUpperCase(), found: version, since });
  return version;
}
