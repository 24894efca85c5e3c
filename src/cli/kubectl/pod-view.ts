/** Everything behind a Pod, from the cloud's address to the kernel, in one object. Pure. */
import type { AttachmentReport, PodReport } from '../../agent/pod-report.ts';
import { placeOf } from '../../store/nic-shares.ts';
import type { ClusterNamespace, ClusterServiceAccount } from '../../store/kubernetes/core-objects.ts';
import type { StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { NodeAnswer } from './ask-node.ts';
import type { PodView } from './core.ts';
import type { SubnetView } from './objects.ts';
import type { StoredNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
import { sayCloudSubnets } from '../../store/subnet-id.ts';
import { sayChoice } from './subnet-reason.ts';
import { askingOf } from './why-facts.ts';

/** What was read. */
export interface PodObjects {
  readonly pod: PodView;
  readonly namespace: ClusterNamespace | undefined;
  readonly serviceAccount: ClusterServiceAccount | undefined;
  readonly subnets: readonly SubnetView[];
  readonly network: StoredNodeNetwork | undefined;
  /** Of the Pod's namespace. */
  readonly claims: readonly StoredClaim[];
  readonly agent: NodeAnswer<PodReport>;
}

/** What `kubectl flatpod pod` tells; plain JSON, texts are empty where there is nothing to tell. */
export interface PodStack {
  readonly pod: Pick<PodView, 'namespace' | 'name' | 'uid' | 'phase' | 'ips' | 'hostNetwork'> & { readonly node: string };
  readonly subnet: { readonly name: string; readonly cloudSubnet: string; readonly why: string };
  /** Where the cloud has each address; `nic` is empty when no grant has it. */
  readonly cloud: readonly {
    readonly address: string;
    readonly instance: string;
    readonly nic: string;
    readonly deviceIndex: number;
    readonly mac: string;
    readonly block: string;
    readonly claimed: boolean;
  }[];
  readonly claims: readonly {
    readonly name: string;
    readonly address: string;
    readonly phase: string;
    readonly node: string;
    readonly reclaim: string;
  }[];
  readonly attachments: readonly AttachmentReport[];
  /** Why the agent's part is missing; empty when it is not. */
  readonly agentProblem: string;
}

/** See {@link PodStack}. */
export function podStack({ pod, namespace, serviceAccount, subnets, network, claims, agent }: PodObjects): PodStack {
  const { namespace: of, name, uid, phase, ips, hostNetwork, node = '' } = pod;
  const attachments = 'answer' in agent ? agent.answer.attachments : [];
  const nics = network?.status?.nics ?? [];
  const addresses = ips.length > 0 && !hostNetwork ? ips : [];
  const cloud = addresses.map((address) => {
    const { nic, block, subnet } = placeOf(nics, address) ?? {};
    return {
      address,
      instance: network?.instance ?? '',
      nic: nic?.id ?? '',
      deviceIndex: nic?.deviceIndex ?? -1,
      mac: nic?.mac ?? '',
      block: block ?? '',
      claimed: block !== undefined && nic?.claimed?.includes(block) === true,
      subnet: subnet ?? '',
    };
  });
  const chosen = attachments[0]?.subnet ?? cloud.find(({ subnet }) => subnet !== '')?.subnet ?? '';
  return {
    pod: { namespace: of, name, uid, phase, ips, hostNetwork, node },
    subnet: {
      name: chosen,
      cloudSubnet: subnets.filter(({ metadata }) => metadata.name === chosen).map(sayCloudSubnets)[0] ?? '',
      why: chosen === '' ? '' : sayChoice(chosen, subnets, askingOf({ pod, namespace, serviceAccount })),
    },
    cloud: cloud.map(({ subnet: _, ...rest }) => rest),
    claims: claims.flatMap((claim) =>
      claim.status.addresses
        .filter(({ podUid, address }) => podUid === uid || ips.includes(address))
        .map(({ address, phase: held, node: on = '' }) => ({
          name: claim.name,
          address,
          phase: held,
          node: on,
          reclaim: claim.spec.reclaim,
        })),
    ),
    attachments,
    agentProblem: 'problem' in agent ? agent.problem : '',
  };
}
