/** `flatpod import aws-node`: the DaemonSet of the AWS VPC CNI, ENIConfigs, and the VPC's subnets. */
import { type Account, below, type Setting } from '../account.ts';
import type { Document } from '../document.ts';
import { type Imported, type Made, warmFields } from '../made.ts';
import { type Found, objectsIn, sayFound } from '../objects.ts';
import { asName } from '../values.ts';
import { type EniConfig, EXTERNAL_LABEL, readEniConfigs } from './eni-configs.ts';
import { readEnvironment } from './environment.ts';
import type { AwsPlan } from './plan.ts';
import { type AwsSubnet, readSubnets } from './subnets.ts';

const ZONE = 'topology.kubernetes.io/zone';

/** Reads them. Undefined: the DaemonSet is not among them. */
export function readAwsNode(documents: readonly Document[], account: Account): Imported | undefined {
  const found = objectsIn(documents, account);
  const daemonSets = found.filter(({ kind, name }) => kind === 'DaemonSet' && name === 'aws-node');
  const eniConfigs = found.filter(({ kind }) => kind === 'ENIConfig');
  const answers = found.filter(({ kind, object }) => kind === '' && Array.isArray(below(object, 'Subnets').value));
  refuseOthers(found, [...daemonSets, ...eniConfigs, ...answers], account);
  const [daemonSet, second] = daemonSets.map(({ object }) => object);
  if (second !== undefined) account.wrong({ ...second, name: 'DaemonSet aws-node' }, 'stands there twice', 'give it once');
  if (daemonSet === undefined) return undefined;

  const plan = readEnvironment(daemonSet, account);
  const configs = readEniConfigs(
    eniConfigs.map(({ object }) => object),
    plan.customBy !== undefined,
    account,
  );
  const subnets = answers.flatMap(({ object }) => readSubnets(object, account));
  const podSubnets = plan.customBy === undefined ? ofSubnets(plan, subnets) : ofConfigs(plan, plan.customBy, configs);
  if (plan.customBy !== undefined) remarksOnCustom(daemonSet, plan.customBy, configs, account);
  noteWhatIsLeft(account);
  return { made: [nodeConfigOf(plan), controllerConfigOf(plan), ...podSubnets], kept: [] };
}

function refuseOthers(found: readonly Found[], ours: readonly Found[], account: Account): void {
  for (const one of found) {
    if (ours.includes(one)) continue;
    const remedy = 'give the DaemonSet aws-node, ENIConfigs and the answer of aws ec2 describe-subnets; leave this out';
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

function controllerConfigOf({ cluster, changes, vpc, mtu }: AwsPlan): Made {
  const options = { ...(vpc !== undefined && { vpc }), ...(mtu !== undefined && { mtu }), ...(changes === false && { changes }) };
  const spec = { ...(cluster !== undefined && { cluster }), cloud: { type: 'aws', ...options } };
  return {
    kind: 'ControllerConfig',
    name: 'controller',
    spec,
    comment: 'The chart writes it itself, from values.',
  };
}

/** What all PodSubnets have in common. */
function commonOf({ warm, unit, families }: AwsPlan): Record<string, unknown> {
  return {
    ...((families.length > 1 || families[0] === 6) && { families }),
    ...(unit !== undefined && { unit }),
    ...warmFields(warm),
  };
}

/** Without ENIConfigs: one for each subnet, or a first one whose subnet is to be filled in. */
function ofSubnets(plan: AwsPlan, subnets: readonly AwsSubnet[]): Made[] {
  if (subnets.length === 0)
    return [
      {
        kind: 'PodSubnet',
        name: 'pods',
        spec: { default: true, ...commonOf(plan) },
        comment: 'To be completed, and copied for each zone.',
      },
    ];
  return subnets.map(({ id, zone }) => ({
    kind: 'PodSubnet',
    name: asName(id),
    spec: { cloudSubnet: id, default: true, nodeSelector: { matchLabels: { [ZONE]: zone } }, ...commonOf(plan) },
    comment: `Nodes of zone ${zone}`,
  }));
}

function ofConfigs(plan: AwsPlan, label: string, configs: readonly EniConfig[]): Made[] {
  return configs.map(({ name, subnet, securityGroups }) => ({
    kind: 'PodSubnet',
    name: asName(name),
    spec: {
      cloudSubnet: subnet,
      default: true,
      nodeSelector: selectorFor(name, label),
      ...(securityGroups.length > 0 && { securityGroups }),
      useFirstNic: false,
      ...commonOf(plan),
    },
    comment: `ENIConfig ${name}`,
  }));
}

/** The ENIConfig "default" is for nodes without the label. */
function selectorFor(name: string, label: string): Record<string, unknown> {
  if (name === 'default') return { matchExpressions: [{ key: label, operator: 'DoesNotExist' }] };
  return { matchLabels: { [label]: name } };
}

function remarksOnCustom(daemonSet: Setting, label: string, configs: readonly EniConfig[], account: Account): void {
  if (configs.length === 0)
    account.wrong(
      { ...daemonSet, name: 'AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG' },
      'is true, but there is no ENIConfig among the files',
      'add what kubectl get eniconfigs -o yaml prints',
    );
  for (const { name, from } of configs) {
    if (asName(name) !== name) account.wrong(from, `ENIConfig ${name} has a name that no object may have`, 'make the dump again');
  }
  account.left(
    'the nodes',
    EXTERNAL_LABEL,
    `it goes before ${label} in the AWS plugin; PodSubnets go by ${label} alone`,
    `set ${label} where it says another ENIConfig`,
  );
  account.left(
    'the nodes',
    'annotations',
    `an annotation goes before the label in the AWS plugin; PodSubnets go by labels`,
    `set the label ${label} on nodes that have the annotation`,
  );
}

function noteWhatIsLeft(account: Account): void {
  account.left(
    'the cluster',
    'aws-node',
    'it and Flatpod must not serve the same node',
    'docs/migrate/aws-node.md tells the order: its Pods keep their network until they end',
  );
}
