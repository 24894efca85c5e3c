/** `flatpod import aws-node`: the DaemonSet of the AWS VPC CNI, ENIConfigs, SecurityGroupPolicies, and the VPC's subnets. */
import { type Account, below, type Setting } from '../../../import/account.ts';
import type { Document } from '../../../import/document.ts';
import type { Imported, Made } from '../../../import/made.ts';
import { type Found, objectsIn, sayFound } from '../../../import/objects.ts';
import { asName } from '../../../import/values.ts';
import { type EniConfig, EXTERNAL_LABEL, readEniConfigs, USUAL_NAME } from './eni-configs.ts';
import { readEnvironment } from './environment.ts';
import { ofPolicies, POLICY, readGroupPolicies } from './group-policies.ts';
import { type NamedBy, otherNames } from './nodes.ts';
import type { AwsPlan } from './plan.ts';
import { ofConfigs, ofSubnets } from './pod-subnets.ts';
import { readSubnets } from './subnets.ts';

/** Reads them. Undefined: the DaemonSet is not among them. */
export function readAwsNode(documents: readonly Document[], account: Account): Imported | undefined {
  const found = objectsIn(documents, account);
  const daemonSets = found.filter(({ kind, name }) => kind === 'DaemonSet' && name === 'aws-node');
  const eniConfigs = found.filter(({ kind }) => kind === 'ENIConfig');
  const answers = found.filter(({ kind, object }) => kind === '' && Array.isArray(below(object, 'Subnets').value));
  const policies = found.filter(({ kind }) => kind === POLICY);
  const nodes = found.filter(({ kind }) => kind === 'Node');
  refuseOthers(found, [...daemonSets, ...eniConfigs, ...answers, ...policies, ...nodes], account);
  const [daemonSet, second] = daemonSets.map(({ object }) => object);
  if (second !== undefined) account.wrong({ ...second, name: 'DaemonSet aws-node' }, 'stands there twice', 'give it once');
  if (daemonSet === undefined) return undefined;

  const plan = readEnvironment(daemonSet, account);
  const configs = readEniConfigs(objectsOf(eniConfigs), plan.customBy !== undefined, account);
  const subnets = answers.flatMap(({ object }) => readSubnets(object, plan, account));
  const custom = (label: string): Made[] => {
    const by = { label, annotation: plan.customByAnnotation ?? USUAL_NAME };
    remarksOnCustom(daemonSet, by, configs, nodes.length > 0, account);
    return ofConfigs(plan, by, configs, otherNames(objectsOf(nodes), configs, by, account));
  };
  const podSubnets = plan.customBy === undefined ? ofSubnets(plan, subnets, account) : custom(plan.customBy);
  const withGroups = readGroupPolicies(objectsOf(policies), plan, account);
  noteWhatIsLeft(account);
  const made = [nodeConfigOf(plan), controllerConfigOf(plan), ...podSubnets, ...ofPolicies(withGroups, plan, podSubnets)];
  return { made, kept: [], ...(Object.keys(plan.takeover).length > 0 && { agent: { awsNode: plan.takeover } }) };
}

function objectsOf(found: readonly Found[]): Setting[] {
  return found.map(({ object }) => object);
}

function refuseOthers(found: readonly Found[], ours: readonly Found[], account: Account): void {
  for (const one of found) {
    if (ours.includes(one)) continue;
    const remedy = `give the DaemonSet aws-node, ENIConfigs, ${POLICY} objects, Nodes and the answer of aws ec2 describe-subnets; leave this out`;
    account.wrong(one.object, `is ${sayFound(one)}, which this import does not read`, remedy);
  }
}

function nodeConfigOf({ snat, cooldown_s, log }: AwsPlan): Made {
  const spec = {
    cluster: {},
    ...(Object.keys(snat).length > 0 && { snat }),
    ...(cooldown_s !== undefined && { cooldown_s }),
    ...(log !== undefined && { log }),
  };
  return { kind: 'NodeConfig', name: 'node', spec, comment: 'Of every node. The chart writes it itself, from values.' };
}

function controllerConfigOf({ cluster, changes, vpc, mtu, endpoint }: AwsPlan): Made {
  const options = {
    ...(vpc !== undefined && { vpc }),
    ...(endpoint !== undefined && { endpoint }),
    ...(mtu !== undefined && { mtu }),
    ...(changes === false && { changes }),
  };
  const spec = { ...(cluster !== undefined && { cluster }), cloud: { type: 'aws', ...options } };
  return {
    kind: 'ControllerConfig',
    name: 'controller',
    spec,
    comment: 'The chart writes it itself, from values.',
  };
}

function remarksOnCustom(daemonSet: Setting, by: NamedBy, configs: readonly EniConfig[], areNodesGiven: boolean, account: Account): void {
  if (configs.length === 0)
    account.wrong(
      { ...daemonSet, name: 'AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG' },
      'is true, but there is no ENIConfig among the files',
      'add what kubectl get eniconfigs -o yaml prints',
    );
  for (const { name, from } of configs) {
    if (asName(name) !== name) account.wrong(from, `ENIConfig ${name} has a name that no object may have`, 'make the dump again');
  }
  if (areNodesGiven) return;
  const what = `the label ${EXTERNAL_LABEL} and the annotation ${by.annotation} go before the label ${by.label} in the AWS plugin`;
  account.left('the nodes', EXTERNAL_LABEL, what, 'add what kubectl get nodes -o yaml prints, if nodes have any of them');
}

function noteWhatIsLeft(account: Account): void {
  account.left(
    'the cluster',
    'aws-node',
    'it and Flatpod must not serve the same node',
    'docs/migrate/aws-node.md tells the order: its Pods keep their network until they end',
  );
}
