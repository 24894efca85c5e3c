/** What several tests of errors need: a configuration, and requests as a runtime sends them. */
import { parseRequest, type CniRequest } from '../../src/cni/request.ts';
import { type Config, parseConfig } from '../../src/store/check-config.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';

/** One NodeConfig and the PodSubnets `a` (the default, IPv4) and `b` (both families, for the namespace `dual`). */
export const config: Config = configOf(`
apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: node}
spec: {instance: i-1, cloud: {type: vpc, endpoint: 'http://127.0.0.1:1'}}
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: a}
spec: {cloudSubnet: subnet-a, default: true, exclude: [10.0.0.9]}
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: b}
spec: {cloudSubnet: subnet-b, families: [4, 6], namespaces: [dual]}
`);

function configOf(text: string): Config {
  const parsed = parseConfig(text);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed;
}

/** The PodSubnet of that name. */
export function subnet(name: string): PodSubnet {
  const found = config.subnets.find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new RangeError(name);
  return found;
}

/** What a runtime sends: the variables it always sets, others on top of them, and a configuration (an object, or text as it is). */
export function request(verb: string, stdin: object | string, variables: Record<string, string> = {}): CniRequest {
  const all = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: 'c1',
    CNI_IFNAME: 'eth0',
    CNI_NETNS: '/run/netns/fpt-none',
    CNI_PATH: '/opt',
    ...variables,
  };
  return parseRequest(new Map(Object.entries(all)), Buffer.from(typeof stdin === 'string' ? stdin : JSON.stringify(stdin)));
}

/** A network configuration that is right. */
export const network = { cniVersion: '1.1.0', name: 'pods', type: 'flatpod' };

/** A request of that verb that is right. @throws TypeError when parsing gives another. */
export function good<V extends CniRequest['verb']>(
  verb: V,
  stdin: object = {},
  variables: Record<string, string> = {},
): Extract<CniRequest, { verb: V }> {
  const parsed = request(verb.toUpperCase(), { ...network, ...stdin }, variables);
  if (parsed.verb !== verb) throw new TypeError(parsed.verb);
  // Narrowed by the line before, which the compiler cannot see through V.
  return parsed as Extract<CniRequest, { verb: V }>;
}
