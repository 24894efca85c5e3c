/**
 * A request to the main plugin: what a runtime asks, checked: first what all plugins' requests have (asked.ts), then our own keys.
 *
 * DEL must be able to go on whatever else is wrong: beyond the common checks it reads nothing but the container's and the interface's name.
 */
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import { type Mac, tryParseUnicastMac } from '../net/mac.ts';
import { type PodIdentity, parseArgs } from './args.ts';
import { type Asked, type AttachmentAsked, interfaceIn, parseAsked, prevResultIn, type VersionRequest } from './asked.ts';
import { type NetworkConfig, readConfig } from './config.ts';
import { fieldsOf, inner, list, raw, text } from './fields.ts';
import type { NetnsPath } from './names.ts';
import type { Result } from './result.ts';
import { addressMember, type RuntimeConfig, readRuntimeConfig } from './runtime-config.ts';
import { type AttachmentName, readValidAttachments } from './valid-attachments.ts';

/** ADD: give this container an interface. */
export interface AddRequest extends Asked, AttachmentName {
  readonly verb: 'add';
  readonly netns: NetnsPath;
  /** CNI_IFNAME, by which the runtime knows the attachment; `ifname` is what the configuration makes of it. */
  readonly calledAs: string;
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

/** Any request, told apart by its verb. */
export type CniRequest = AddRequest | CheckRequest | DelRequest | GcRequest | StatusRequest | VersionRequest;

/** Checks and reads a request. @throws Failure of FP100–FP111, FP119: the first thing that is wrong. */
export function parseRequest(variables: ReadonlyMap<string, string>, stdin: Uint8Array): CniRequest {
  const asked = parseAsked(variables, stdin);
  switch (asked.verb) {
    case 'version':
      return asked;
    case 'add':
      return { verb: 'add', ...attachmentIn(asked), prevResult: prevResultIn(asked) };
    case 'check': {
      const attachment = attachmentIn(asked);
      const prevResult = prevResultIn(asked);
      if (prevResult === undefined) throw failure('prevResultMissing', {});
      return { verb: 'check', ...attachment, prevResult };
    }
    case 'del': {
      const { verb, container, netns, cniVersion, trace, object } = asked;
      return { verb, container, ifname: interfaceIn(object) ?? asked.ifname, netns, cniVersion, trace };
    }
    case 'gc':
    case 'status': {
      const { verb, object, network, cniVersion, trace } = asked;
      const common = { cniVersion, trace, config: readConfig(object, network) };
      return verb === 'status' ? { verb, ...common } : { verb, ...common, validAttachments: readValidAttachments(object) };
    }
  }
}

/** What ADD and CHECK have in common. */
function attachmentIn(asked: AttachmentAsked): Omit<AddRequest, 'verb' | 'prevResult'> {
  const { container, netns, cniVersion, trace } = asked;
  const fields = fieldsOf(asked.object, '');
  const config = readConfig(asked.object, asked.network);
  const args = parseArgs(asked.args);
  const runtime = readRuntimeConfig(raw(fields, 'runtimeConfig'));
  const section = inner(fields, 'args');
  const hints = section && inner(section, 'cni');
  const hinted = {
    ips: hints && list(hints, 'ips', addressMember),
    mac: hints && text(hints, 'mac', 'a unicast Ethernet address', tryParseUnicastMac),
  };
  const ips = [runtime.ips, hinted.ips ?? [], args.ips].find((some) => some.length > 0) ?? [];
  const mac = runtime.mac ?? hinted.mac ?? args.mac;
  const ifname = config.interface ?? asked.ifname;
  return { container, ifname, calledAs: asked.ifname, netns, cniVersion, trace, config, pod: args.pod, ips, mac, runtime };
}
