/** Instances: machines in the VPC. */
import * as z from 'zod';
import { instanceCalls } from '../calls/instances.ts';
import type { Transaction } from '../model/model.ts';
import type { Instance, Nic, State } from '../model/objects.ts';
import { type Action, type Asking, change, checkOwner, isNamed, mustBeKnown, ownerOf, read, timeOf } from './action.ts';
import { countFailures } from './attach.ts';
import { groupBy, groupId, instanceBy, instanceId, interfaces, subnetBy, vxnetId } from './ids.ts';
import { busyIn, checkIdle } from './jobs.ts';
import { noteOf, putNote, removeNote } from './notes.ts';
import { freshMac } from './nics.ts';
import { int, list, page, paged, some, text } from './parameters.ts';
import { Problem } from './problem.ts';
import { tagsIn } from './tags.ts';

/** The type that every instance made here has in the model: no limits but this API's own. */
const TYPE = 'qingcloud';
const limits = { nics: 64, addressSlotsPerNic: 256, ipv6SlotsPerNic: 256 } as const;
const MOST_AT_ONCE = 20;

/** What RunInstances takes and nothing here depends on: QingCloud's own clients send some of them always. */
const unheeded = [
  'billing_id',
  'cpu_max',
  'default_passwd',
  'default_user',
  'f_resetpwd',
  'gpu_class',
  'hypervisor',
  'instance_class',
  'mem_max',
  'nic_mqueue',
  'os_disk_encryption',
  'os_disk_size',
  'place_group_id',
  'platform',
  'processor_type',
  'target_user',
  'ui_type',
  'userdata_type',
  'userdata_value',
] as const;

const run = z.strictObject({
  ...Object.fromEntries(unheeded.map((name) => [name, text.optional()])),
  image_id: some,
  instance_type: some.optional(),
  cpu: int.optional(),
  memory: int.optional(),
  cpu_model: text.optional(),
  gpu: int.optional(),
  count: int.optional(),
  instance_name: text.optional(),
  hostname: text.optional(),
  login_mode: z.enum(['keypair', 'passwd'], 'is neither keypair nor passwd'),
  login_keypair: text.optional(),
  login_passwd: text.optional(),
  security_group: some.optional(),
  vxnets: list,
  need_newsid: int.optional(),
  need_userdata: int.optional(),
  userdata_file: text.optional(),
  userdata_path: text.optional(),
  dry_run: text.optional(),
});
const describe = z.strictObject({
  ...page,
  instances: list.optional(),
  status: list.optional(),
  instance_type: list.optional(),
  instance_name: text.optional(),
  is_cluster_node: int.optional(),
  not_transition: text.optional(),
  tags: list.optional(),
});

/** The actions of this file. */
export const instanceActions: readonly Action[] = [
  read(['DescribeInstances', 'ListInstances'], describe, (state, wanted, asking) => {
    const [busy, tags] = [busyIn(state), tagsIn(state)];
    mustBeKnown(asking, wanted.instances, [...state.instance.keys()].map(instanceId));
    const found = [...state.instance.values()]
      .filter(
        (instance) =>
          instance.kind === 'vm' &&
          (wanted.instances?.includes(instanceId(instance.id)) ?? true) &&
          (wanted.status?.includes(statusOf(busy, instance).status) ?? true) &&
          isNamed(nameOf(state, instance), wanted.instance_name, asking) &&
          (wanted.search_word === undefined || nameOf(state, instance).includes(wanted.search_word)) &&
          (wanted.owner === undefined || wanted.owner === ownerOf(noteOf(state, 'instance', instance.id), asking)),
      )
      .toSorted((a, b) => a.launchedAt_ms - b.launchedAt_ms);
    return paged('instance_set', found, wanted, (instance) => ({
      ...shown(state, busy, instance, asking),
      tags: tags(instanceId(instance.id)),
    }));
  }),
  change(['RunInstances', 'LaunchInstance'], run, (transaction, wanted, changing) => {
    const { count = 1, instance_name = '', security_group, vxnets } = wanted;
    if (count < 1 || count > MOST_AT_ONCE) throw new Problem('malformed', `parameter [count] is not between 1 and ${MOST_AT_ONCE}`);
    const [vxnet = '', another] = vxnets;
    if (another !== undefined) throw new Problem('denied', 'an instance is born in one vxnet here: attach further NICs');
    const group = security_group === undefined ? undefined : groupBy(transaction.state, security_group);
    const subnet = subnetBy(transaction.state, vxnet);
    transaction.put('type', { id: TYPE, limits });
    const ids = Array.from({ length: count }, () => {
      const groups = group === undefined ? [] : [group.id];
      const instance = launch(transaction, { name: freeName(transaction.state, instance_name), subnet: subnet.id, securityGroups: groups });
      putNote(transaction, 'instance', instance.id, { name: instance_name, owner: changing.account.owner });
      return instanceId(instance.id);
    });
    return { instances: ids, job_id: changing.start(transaction, ids, { kind: 'record', of: ids }).id };
  }),
  change(['TerminateInstances', 'TerminateInstance'], z.strictObject({ instances: list }), (transaction, { instances: ids }, changing) => {
    const { state } = transaction;
    for (const id of ids) {
      const instance = instanceBy(state, id);
      checkOwner(state, 'instance', instance.id, id, changing);
      if (instance.state !== 'running') throw new Problem('denied', `instance [${id}] is terminated`);
    }
    checkIdle(state, ids);
    return { job_id: changing.start(transaction, ids, { kind: 'terminate', of: ids }).id };
  }),
];

/** Ends the instances; their first NICs go with them, the others become available. */
export function terminateNow(transaction: Transaction, ids: readonly string[]): number {
  return countFailures(ids, (id) => {
    const instance = instanceBy(transaction.state, id);
    const primary = nicsOf(transaction.state, instance).find(({ attachment }) => attachment?.deviceIndex === 0);
    callOf('TerminateInstance')(transaction, instance.id, undefined);
    if (primary !== undefined) removeNote(transaction, 'nic', primary.id);
  });
}

function shown(state: State, busy: Busy, instance: Instance, asking: Asking): object {
  const nics = nicsOf(state, instance).toSorted((a, b) => (a.attachment?.deviceIndex ?? 0) - (b.attachment?.deviceIndex ?? 0));
  return {
    instance_id: instanceId(instance.id),
    instance_name: nameOf(state, instance),
    instance_type: instance.type,
    vcpus_current: 2,
    memory_current: 4096,
    ...statusOf(busy, instance),
    zone_id: asking.zone,
    security_group: { security_group_id: groupId(nics[0]?.securityGroups[0] ?? ''), is_default: 1 },
    vxnets: nics.map((nic) => ({
      nic_id: nic.mac,
      private_ip: nic.primary4 ?? '',
      role: nic.attachment?.deviceIndex === 0 ? 1 : 0,
      vxnet_id: vxnetId({ id: nic.subnet }),
      vxnet_name: state.subnet.get(nic.subnet)?.name ?? '',
      vxnet_type: 1,
    })),
    owner: ownerOf(noteOf(state, 'instance', instance.id), asking),
    create_time: timeOf(instance.launchedAt_ms),
    status_time: timeOf(instance.terminatedAt_ms ?? instance.launchedAt_ms),
  };
}

type Busy = ReturnType<typeof busyIn>;

function statusOf(busy: Busy, { id, state }: Instance): { readonly status: string; readonly transition_status: string } {
  const work = busy.get(instanceId(id));
  if (state === 'terminated') return { status: 'terminated', transition_status: '' };
  if (work?.kind === 'record') return { status: 'pending', transition_status: 'creating' };
  return { status: 'running', transition_status: work?.kind === 'terminate' ? 'terminating' : '' };
}

function nicsOf(state: State, { id }: Instance): Nic[] {
  return interfaces(state).filter(({ attachment }) => attachment?.instance === id);
}

function nameOf(state: State, { id, name }: Instance): string {
  return noteOf(state, 'instance', id)?.['name'] ?? name;
}

/** The model's names are those of namespaces, one instance each; this API's may repeat and hold anything. */
function freeName(state: State, wanted: string): string {
  const taken = new Set([...state.instance.values()].flatMap((one) => (one.state === 'running' ? [one.name] : [])));
  const base = /^[a-z0-9]([a-z0-9.-]{0,26}[a-z0-9])?$/.test(wanted) ? wanted : 'instance';
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(name) && name !== 'fabric' && name !== 'internet') return name;
  }
}

function launch(
  transaction: Transaction,
  body: { readonly name: string; readonly subnet: string; readonly securityGroups: readonly string[] },
): Instance {
  const before = new Set(transaction.state.instance.keys());
  callOf('LaunchInstance')(transaction, '', { kind: 'vm', type: TYPE, tags: {}, publicAddress: false, ...body });
  const made = [...transaction.state.instance.values()].find(({ id }) => !before.has(id));
  if (made === undefined) throw new Error('LaunchInstance made none');
  const [nic] = nicsOf(transaction.state, made);
  if (nic !== undefined) transaction.put('nic', { ...nic, mac: freshMac(transaction.state) });
  return made;
}

/** The VPC's own call of that name; `body` as its schema would leave it. */
function callOf(name: string): (transaction: Transaction, id: string, body: unknown) => void {
  const call = instanceCalls.find((one) => one.name === name);
  if (call?.does !== 'change') throw new Error(`the VPC has no call ${name}`);
  return (transaction, id, body) => void call.run(transaction, { id, body, query: undefined }, {});
}
