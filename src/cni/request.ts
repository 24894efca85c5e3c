/**
 * A CNI request: what a runtime asks, checked. The order of the checks and their codes are those of libcni's plugin side:
 * names (4), missing variables (4), stdin (5), JSON (6), network name (7), version (1), verb against version (1); then our own keys.
 *
 * DEL must be able to go on whatever else is wrong: beyond those checks it reads nothing but the container's and the interface's name.
 */
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import { type Mac, tryParseUnicastMac } from '../net/mac.ts';
import { type PodIdentity, parseArgs } from './args.ts';
import { type NetworkConfig, readConfig } from './config.ts';
import { fieldsOf, inner, list, raw, text } from './fields.ts';
import { decodeConfig, describe, topText } from './json.ts';
import { acceptable, type NetnsPath, tryContainerId, tryIfName, tryNetnsPath } from './names.ts';
import { readResult, unsupported } from './prev-result.ts';
import type { Result } from './result.ts';
import { addressMember, type RuntimeConfig, readRuntimeConfig } from './runtime-config.ts';
import { type AttachmentName, readValidAttachments } from './valid-attachments.ts';
import { type CniVersion, isAtLeast, isCniVersion, newestVersion, unsaidVersion, type Verb, verbSince } from './versions.ts';

/** What every request but VERSION has. */
interface Asked {
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

/** ADD: give this container an interface. */
export interface AddRequest extends Asked, AttachmentName {
  readonly verb: 'add';
  readonly netns: NetnsPath;
  readonly config: NetworkConfig;
  readonly pod: PodIdentity;
  /** Addresses asked for, from the most specific place that names any: runtimeConfig, args.cni, CNI_ARGS. */
  readonly ips: readonly Ip[];
  /** Ethernet address asked for, found likewise. */
  readonly mac: Mac | undefined;
  readonly runtime: RuntimeConfig;
  /** The result so far, when other plugins of the list went first. */
  readonly prevResult: Result | undefined;
}

/** CHECK: is the interface as ADD made it? */
export interface CheckRequest extends Omit<AddRequest, 'verb' | 'prevResult'> {
  readonly verb: 'check';
  /** The result of the whole list. */
  readonly prevResult: Result;
}

/** DEL: take the interface away. */
export interface DelRequest extends Asked, AttachmentName {
  readonly verb: 'del';
  /** Absent when the runtime gives none or nonsense: the namespace is gone then. */
  readonly netns: NetnsPath | undefined;
}

/** GC: take away what is not in the list. */
export interface GcRequest extends Asked {
  readonly verb: 'gc';
  readonly config: NetworkConfig;
  /** undefined: the runtime said nothing about what is valid. */
  readonly validAttachments: readonly AttachmentName[] | undefined;
}

/** STATUS: could an ADD be served? */
export interface StatusRequest extends Asked {
  readonly verb: 'status';
  readonly config: NetworkConfig;
}

/** VERSION: which versions are spoken? */
export interface VersionRequest {
  readonly verb: 'version';
  /** The version asked in, echoed in the answer. */
  readonly cniVersion: CniVersion;
}

/** Any request, told apart by its verb. */
export type CniRequest = AddRequest | CheckRequest | DelRequest | GcRequest | StatusRequest | VersionRequest;

type Variables = ReadonlyMap<string, string>;

const verbs: ReadonlyMap<string, Verb> = new Map([
  ['ADD', 'add'],
  ['DEL', 'del'],
  ['CHECK', 'check'],
  ['GC', 'gc'],
  ['STATUS', 'status'],
  ['VERSION', 'version'],
] as const);

/** Checks and reads a request. @throws Failure of FP100–FP111, FP117, FP119: the first thing that is wrong. */
export function parseRequest(variables: Variables, stdin: Uint8Array): CniRequest {
  const verb = verbOf(variables);
  if (verb === 'version') return { verb, cniVersion: versionForAnswer(stdin) };
  const plugin = variables.get('FLATPOD_PLUGIN') ?? 'flatpod';
  if (plugin !== 'flatpod') throw failure('pluginLater', { plugin });
  const source = { variables, stdin };
  switch (verb) {
    case 'add':
      return addRequest(source);
    case 'check':
      return checkRequest(source);
    case 'del': {
      const { container, ifname, netns } = namesIn(variables, verb);
      return { verb, container, ifname, netns, ...configOf(verb, source).asked };
    }
    case 'gc': {
      const { object, asked, network } = configOf(verb, source);
      return { verb, ...asked, config: readConfig(object, network), validAttachments: readValidAttachments(object) };
    }
    case 'status': {
      const { object, asked, network } = configOf(verb, source);
      return { verb, ...asked, config: readConfig(object, network) };
    }
    default:
      return verb satisfies never;
  }
}

/** What the executable handed over. */
interface Source {
  readonly variables: Variables;
  readonly stdin: Uint8Array;
}

/** stdin after the checks that all verbs share. */
function configOf(verb: Verb, { variables, stdin }: Source): { object: Record<string, unknown>; network: string; asked: Asked } {
  const object = decodeConfig(stdin);
  const network = networkName(object);
  return { object, network, asked: { cniVersion: versionFor(verb, object), trace: traceOf(variables) } };
}

function addRequest(source: Source): AddRequest {
  const { prevResult, ...attachment } = attachmentIn('add', source);
  return { verb: 'add', ...attachment, prevResult };
}

function checkRequest(source: Source): CheckRequest {
  const { prevResult, ...attachment } = attachmentIn('check', source);
  if (prevResult === undefined) throw failure('prevResultMissing', {});
  return { verb: 'check', ...attachment, prevResult };
}

/** What ADD and CHECK have in common. */
function attachmentIn(verb: 'add' | 'check', source: Source): Omit<AddRequest, 'verb'> {
  const names = namesIn(source.variables, verb);
  const { object, network, asked } = configOf(verb, source);
  const fields = fieldsOf(object, '');
  const config = readConfig(object, network);
  const args = parseArgs(source.variables.get('CNI_ARGS') ?? '');
  const runtime = readRuntimeConfig(raw(fields, 'runtimeConfig'));
  const section = inner(fields, 'args');
  const hints = section && inner(section, 'cni');
  const hinted = {
    ips: hints && list(hints, 'ips', addressMember),
    mac: hints && text(hints, 'mac', 'a unicast Ethernet address', tryParseUnicastMac),
  };
  const ips = [runtime.ips, hinted.ips ?? [], args.ips].find((some) => some.length > 0) ?? [];
  const prev = raw(fields, 'prevResult');
  const prevResult = prev === undefined ? undefined : readResult(prev, 'prevResult', asked.cniVersion);
  return { ...asked, ...names, config, pod: args.pod, ips, mac: runtime.mac ?? hinted.mac ?? args.mac, runtime, prevResult };
}

/** The attachment that a DEL frame releases, whatever its configuration says: for releases out of the spool. @throws Failure FP100, FP101. */
export function releaseIn(variables: Variables): AttachmentName {
  const { container, ifname } = namesIn(variables, 'del');
  return { container, ifname };
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

function traceOf(variables: Variables): Trace {
  return { traceparent: variables.get('TRACEPARENT'), tracestate: variables.get('TRACESTATE'), baggage: variables.get('BAGGAGE') };
}
