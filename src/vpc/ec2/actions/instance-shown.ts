/** An instance as EC2 tells it. */
import { networkOf } from '../../model/find.ts';
import type { Instance, Nic, State } from '../../model/objects.ts';
import { factsOf } from '../notes.ts';
import { timeOf } from '../xml.ts';
import type { Fields, Setting } from './action.ts';
import { groupSet, shownWithin } from './interface-shown.ts';
import { tagSet } from './tag-sets.ts';

/** EC2's codes of states. */
export const stateSets = { running: { code: 16, name: 'running' }, terminated: { code: 48, name: 'terminated' } } as const;

/** Its NICs by device index. */
export function nicsOf(state: State, { id }: Instance): Nic[] {
  const all = [...state.nic.values()].filter(({ attachment }) => attachment?.instance === id);
  return all.sort((a, b) => (a.attachment?.deviceIndex ?? 0) - (b.attachment?.deviceIndex ?? 0));
}

/** The reservation that it was launched with; one of its own when the VPC's own API launched it. */
export function reservationOf(state: State, { id }: Instance): string {
  return factsOf(state, id).reservation ?? id.replace(/^i-/, 'r-');
}

/** The private DNS name of its first address. */
export function privateDnsName(first: Nic | undefined, region: string): string {
  return first?.primary4 === undefined ? '' : `ip-${first.primary4.replaceAll('.', '-')}.${region}.compute.internal`;
}

/** The instance with its interfaces. */
export function shownInstance(state: State, instance: Instance, setting: Setting): Fields {
  const nics = nicsOf(state, instance);
  const [first] = nics;
  const facts = factsOf(state, instance.id);
  const alive = instance.state === 'running';
  return {
    instanceId: instance.id,
    imageId: facts.image ?? 'ami-00000000000000000',
    instanceState: stateSets[instance.state],
    privateDnsName: privateDnsName(first, setting.region),
    dnsName: '',
    amiLaunchIndex: Number(facts.launchIndex ?? '0'),
    instanceType: instance.type,
    launchTime: timeOf(instance.launchedAt_ms),
    placement: { availabilityZone: instance.zone, groupName: '', tenancy: 'default' },
    monitoring: { state: 'disabled' },
    ...(alive && first !== undefined && { subnetId: first.subnet, vpcId: networkOf(state).id, privateIpAddress: first.primary4 }),
    sourceDestCheck: true,
    groupSet: groupSet(state, first?.securityGroups ?? []),
    architecture: 'x86_64',
    hypervisor: 'xen',
    virtualizationType: 'hvm',
    networkInterfaceSet: nics.map((nic) => shownWithin(state, nic, setting)),
    metadataOptions: {
      state: 'applied',
      httpTokens: 'required',
      httpPutResponseHopLimit: 1,
      httpEndpoint: 'enabled',
      httpProtocolIpv6: 'disabled',
      instanceMetadataTags: 'disabled',
    },
    tagSet: tagSet(instance.tags),
  };
}
