/**
 * A request to the plugin veth-to-host: first what all plugins' requests have (asked.ts), then its own keys and the result of the plugins before it.
 *
 * DEL must be able to go on whatever else is wrong: beyond the common checks it reads the helper's name at most, and only if that can be read.
 */
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import { cidrOf, lengthOf, splitPrefix } from '../net/cidr.ts';
import { type Asked, type AttachmentAsked, parseAsked, prevResultIn, type VersionRequest } from './asked.ts';
import { fieldsOf, raw, wrong } from './fields.ts';
import { type IfName, type NetnsPath, tryIfName } from './names.ts';
import type { Result } from './result.ts';
import { type AttachmentName, readValidAttachments } from './valid-attachments.ts';
import { isPlain, readVethToHostConfig, type VethToHostConfig } from './veth-to-host-config.ts';

/** ADD and CHECK. */
export interface VethToHostAttachment extends Asked, AttachmentName {
  readonly verb: 'add' | 'check';
  readonly netns: NetnsPath;
  readonly config: VethToHostConfig;
  /** Of ADD that of the plugins before us, of CHECK that of the whole list. */
  readonly prevResult: Result;
  /** What the plugins before us gave the main interface; not empty. */
  readonly addresses: readonly { readonly ip: Ip; readonly subnet: Cidr }[];
  /** What else they said is reached by it, without default routes. */
  readonly further: readonly Cidr[];
}

/** DEL. */
export interface VethToHostRelease extends Asked, AttachmentName {
  readonly verb: 'del';
  /** The helper's name, where the configuration says it. */
  readonly name: IfName | undefined;
}

/** GC: take away what is not in the list. */
export interface VethToHostGc extends Asked {
  readonly verb: 'gc';
  readonly network: string;
  /** undefined: the runtime said nothing about what is valid. */
  readonly validAttachments: readonly AttachmentName[] | undefined;
}

/** STATUS: could an ADD be served? */
export interface VethToHostStatus extends Asked {
  readonly verb: 'status';
  readonly config: VethToHostConfig;
}

/** Any request, told apart by its verb. */
export type VethToHostRequest = VethToHostAttachment | VethToHostRelease | VethToHostGc | VethToHostStatus | VersionRequest;

/** Checks and reads a request. @throws Failure of FP100–FP110, FP119, FP340, FP341: the first thing that is wrong. */
export function parseVethToHost(variables: ReadonlyMap<string, string>, stdin: Uint8Array): VethToHostRequest {
  const asked = parseAsked(variables, stdin);
  switch (asked.verb) {
    case 'version':
      return asked;
    case 'add':
    case 'check':
      return attachmentIn(asked);
    case 'del': {
      const { verb, container, ifname, cniVersion, trace, object } = asked;
      return { verb, container, ifname, cniVersion, trace, name: nameIn(object) };
    }
    case 'gc':
    case 'status': {
      const { verb, object, network, cniVersion, trace } = asked;
      if (verb === 'status') return { verb, cniVersion, trace, config: readVethToHostConfig(object, network) };
      return { verb, cniVersion, trace, network, validAttachments: readValidAttachments(object) };
    }
  }
}

function attachmentIn(asked: AttachmentAsked): VethToHostAttachment {
  const { verb, container, ifname, netns, cniVersion, trace, object, network } = asked;
  const config = readVethToHostConfig(object, network);
  if (!isPlain(ifname))
    throw failure('variableInvalid', {
      variable: 'CNI_IFNAME',
      found: ifname,
      wanted: 'letters, digits, - _ . + = , @ are acceptable behind veth-to-host',
    });
  if (config.containerInterface === ifname)
    throw wrong('containerInterface', ifname, `another name than that of the main interface (CNI_IFNAME ${ifname})`);
  const prevResult = prevResultIn(asked);
  if (prevResult === undefined) throw verb === 'add' ? failure('notChained', {}) : failure('prevResultMissing', {});
  const addresses = addressesOf(prevResult, ifname);
  if (addresses.length === 0) throw failure('underlayAddressUnsaid', { ifname, found: saidIn(prevResult) });
  const further = prevResult.routes.map(({ dst }) => dst).filter((dst) => lengthOf(dst) > 0);
  return { verb, container, ifname, netns, cniVersion, trace, config, prevResult, addresses, further };
}

/** Addresses of no interface in particular are the main interface's: results below 0.3.0 name none. */
function addressesOf({ ips, interfaces }: Result, ifname: string): VethToHostAttachment['addresses'] {
  return ips.flatMap(({ address, interface: index }) => {
    const at = index === undefined ? undefined : interfaces[index];
    const split = splitPrefix(address);
    const elsewhere = at !== undefined && (at.name !== ifname || (at.sandbox ?? '') === '');
    return split === undefined || elsewhere ? [] : [{ ip: split.ip, subnet: cidrOf(split.ip, split.length) }];
  });
}

function saidIn({ ips, interfaces }: Result): string {
  const said = ips.map(
    ({ address, interface: index }) => `${address} of ${(index === undefined ? undefined : interfaces[index]?.name) ?? 'no interface'}`,
  );
  return said.length === 0 ? 'no ips' : said.slice(0, 8).join(', ');
}

function nameIn(object: Record<string, unknown>): IfName | undefined {
  const name = raw(fieldsOf(object, ''), 'containerInterface');
  return typeof name === 'string' ? tryIfName(name) : undefined;
}
