/** SecurityGroupPolicies: which Pods of a namespace have an interface of their own, a branch, with which security groups. */
import { type Account, below, membersOf, type Setting } from '../../../import/account.ts';
import type { Made } from '../../../import/made.ts';
import { asName, textIn } from '../../../import/values.ts';
import type { AwsPlan } from './plan.ts';

/** The kind, as in `kubectl get securitygrouppolicies`. */
export const POLICY = 'SecurityGroupPolicy';

/** A policy that a PodSubnet can stand for. */
interface GroupPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly securityGroups: readonly string[];
  /** Absent: whatever the Pod's labels. */
  readonly podSelector?: unknown;
  /** Absent: whatever service account it runs as. With both, both must hold. */
  readonly serviceAccountSelector?: unknown;
}

/** Those of the objects that have an equal, and what becomes of all of them in the account. */
export function readGroupPolicies(objects: readonly Setting[], { podEni }: AwsPlan, account: Account): GroupPolicy[] {
  if (podEni !== undefined && objects.length === 0) {
    const why = 'which Pods have security groups of their own stands in SecurityGroupPolicy objects, which are not among the files';
    account.none(podEni, why, 'add what kubectl get securitygrouppolicies -A -o yaml prints, or nothing if that is empty');
  }
  if (podEni !== undefined && objects.length > 0) {
    account.taken(podEni, 'PodSubnets with spec.datapath: branch');
    const what = 'how many branches an instance of each type may have: EC2 does not tell';
    account.left(
      'ControllerConfig controller',
      'spec.cloud.branches',
      what,
      'write them by type, as in {m5.large: 9}; types without have none',
    );
    const asks =
      'EKS’s webhook lets each Pod that one selects ask for vpc.amazonaws.com/pod-eni, which nodes of Flatpod do not offer: it stays Pending';
    account.left(
      'Kubernetes',
      'SecurityGroupPolicies',
      asks,
      'delete them once their PodSubnets are there, before such Pods start on nodes of Flatpod',
    );
    if (objects.length > 1) {
      const why = 'a Pod that several policies select has the groups of all there, and of the first PodSubnet here';
      account.left('the PodSubnets', 'spec.priority', why, 'write one more PodSubnet with all groups and a higher priority for such Pods');
    }
  }
  return objects.flatMap((object) => readOne(object, podEni !== undefined, account) ?? []);
}

function readOne(object: Setting, used: boolean, account: Account): GroupPolicy | undefined {
  const [name, namespace] = ['name', 'namespace'].map((key) => below(object, 'metadata', key).value);
  if (typeof name !== 'string' || typeof namespace !== 'string') {
    account.wrong(object, 'has no metadata.name or no metadata.namespace', 'make the dump again');
    return undefined;
  }
  const setting = { ...below(object, 'spec'), name: `${POLICY} ${namespace}/${name}`, value: undefined };
  if (!used) {
    account.none(setting, 'ENABLE_POD_ENI is not true, so nobody uses it', 'nothing, if that is as it should be');
    return undefined;
  }
  const [podSelector, serviceAccountSelector] = ['podSelector', 'serviceAccountSelector'].map((key) => below(object, 'spec', key).value);
  if (podSelector === undefined && serviceAccountSelector === undefined) {
    account.none(
      setting,
      'it has neither podSelector nor serviceAccountSelector, so it is nobody’s',
      'nothing, if that is as it should be',
    );
    return undefined;
  }
  const list = below(object, 'spec', 'securityGroups', 'groupIds');
  const securityGroups = list.value === undefined ? [] : membersOf(account, list).flatMap((member) => textIn(account, member) ?? []);
  if (securityGroups.length === 0) {
    account.wrong({ ...list, name: `${setting.name} spec.securityGroups.groupIds` }, 'names no group', 'add one, or leave the policy out');
    return undefined;
  }
  account.taken(setting, `PodSubnets ${nameOf({ namespace, name })}…, with spec.datapath: branch`);
  return {
    namespace,
    name,
    securityGroups,
    ...(!selectsAll(podSelector) && { podSelector }),
    ...(!selectsAll(serviceAccountSelector) && { serviceAccountSelector }),
  };
}

function selectsAll(selector: unknown): boolean {
  return selector === undefined || (typeof selector === 'object' && Object.keys(selector ?? {}).length === 0);
}

function nameOf({ namespace, name }: Pick<GroupPolicy, 'namespace' | 'name'>): string {
  return asName(`${namespace}-${name}`);
}

/** For each policy a PodSubnet beside each of those that the nodes have: there are the branches. */
export function ofPolicies(policies: readonly GroupPolicy[], plan: AwsPlan, beside: readonly Made[]): Made[] {
  return policies.flatMap((policy) =>
    beside.map(({ name, spec }) => {
      const { cloudSubnet, cloudSubnets, nodeSelector, nodeAnnotationSelector, families } = spec;
      const { namespace, securityGroups, podSelector, serviceAccountSelector } = policy;
      return {
        kind: 'PodSubnet' as const,
        name: asName(beside.length === 1 ? nameOf(policy) : `${nameOf(policy)}-${name}`),
        spec: {
          ...(cloudSubnet !== undefined && { cloudSubnet }),
          ...(cloudSubnets !== undefined && { cloudSubnets }),
          ...(nodeSelector !== undefined && { nodeSelector }),
          ...(nodeAnnotationSelector !== undefined && { nodeAnnotationSelector }),
          ...(families !== undefined && { families }),
          namespaces: [namespace],
          ...(podSelector !== undefined && { podSelector }),
          ...(serviceAccountSelector !== undefined && { serviceAccountSelector }),
          datapath: 'branch',
          securityGroups,
          // A branch for each address: none is kept ready on nodes that may never have such a Pod.
          warm: { spare: 0 },
        },
        comment: `SecurityGroupPolicy ${namespace}/${policy.name}${plan.customBy === undefined ? '' : `, where ENIConfig ${name} is`}`,
      };
    }),
  );
}
