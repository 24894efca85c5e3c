/** Where in the Kubernetes API the objects live that Flatpod reads and writes. */
import type { Collection } from '../../kube/paths.ts';

const flatpod = { group: 'flatpod.dev', version: 'v1alpha1' } as const;
const core = { group: '', version: 'v1' } as const;
/** hostnic's own kinds. */
const qingcloud = { group: 'network.qingcloud.com', version: 'v1alpha1' } as const;

/** All collections, by the name of what is in them. */
export const resources = {
  podSubnets: { ...flatpod, resource: 'podsubnets' },
  nodeNetworks: { ...flatpod, resource: 'nodenetworks' },
  addressLedgers: { ...flatpod, resource: 'addressledgers' },
  ipClaims: { ...flatpod, resource: 'ipclaims' },
  nodes: { ...core, resource: 'nodes' },
  pods: { ...core, resource: 'pods' },
  events: { group: 'events.k8s.io', version: 'v1', resource: 'events' },
  namespaces: { ...core, resource: 'namespaces' },
  serviceAccounts: { ...core, resource: 'serviceaccounts' },
  configMaps: { ...core, resource: 'configmaps' },
  vxNetPools: { ...qingcloud, resource: 'vxnetpools' },
  ipPools: { ...qingcloud, resource: 'ippools' },
  ipamBlocks: { ...qingcloud, resource: 'ipamblocks' },
  services: { ...core, resource: 'services' },
  endpointSlices: { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' },
} as const satisfies Record<string, Collection>;
