/**
 * Driver for QingCloud. What its NICs lack, names and reserved addresses make up for: names.ts, blocks.ts. How its refusals are read, and what it costs:
 * docs/clouds/qingcloud.md.
 *
 * Invariants
 * - a changing call has a deadline in all, and sends nothing after it
 * - an answer is believed only when it has the shape that is documented and answers what was asked
 */
import { askedLately } from '../asked-lately.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Cloud, CloudInstance, CloudNetwork, InstanceId } from '../cloud.ts';
import { idsNamed } from '../named.ts';
import type { SecurityGroup } from '../security-group.ts';
import { refuse } from '../wire/asked.ts';
import { type InstanceRecord, instanceRecord } from './answers.ts';
import { attaching } from './attach.ts';
import { assign, unassign } from './blocks.ts';
import { apiOf } from './call.ts';
import { credentialsOf } from './credentials.ts';
import { JobWatch } from './jobs.ts';
import { nothingKnown } from './known.ts';
import { noneLeaving } from './leaving.ts';
import { namesOf } from './names.ts';
import { createNic } from './create-nic.ts';
import { deleteNic } from './delete-nic.ts';
import { detachNic } from './detach.ts';
import { findNics, type NicUse } from './find-nics.ts';
import { securityGroupOf } from './groups.ts';
import { noOrphans } from './orphans.ts';
import { noMoves } from './tracked.ts';
import { deniedActions } from './permissions.ts';
import { noTokens } from './tokens.ts';
import { noTurns } from './turns.ts';
import { type QingCloudOptions, settingsOf } from './options.ts';
import { type Patience, patienceFor } from './patience.ts';
import { sharedReads } from './shared.ts';
import { contentsOf, readVxnets, subnetOf } from './vxnet.ts';
import { thoseKnown } from './those-known.ts';

/** What the driver offers. */
export interface QingCloud extends Cloud, Disposable {
  /** Where the options name one. */
  readonly securityGroup?: SecurityGroup;
}

/** QingCloud as a cloud. Dispose of it to close its connections and to watch no more jobs. */
export function qingCloud(options: QingCloudOptions, clock: Clock = systemClock): QingCloud {
  const settings = settingsOf(options);
  const api = apiOf(credentialsOf(options, clock), clock, options.caFile);
  const reader = { api, names: namesOf(settings.longestName), settings };
  const jobs = new JobWatch(api, clock);
  const leaving = noneLeaving(api, jobs, clock);
  const known = nothingKnown(reader, clock);
  const reading = (): Patience => patienceFor(clock, settings.readDeadline_ms);
  const changing = (): Patience => patienceFor(clock, settings.deadline_ms);
  const use: NicUse = {
    ...reader,
    jobs,
    leaving,
    clock,
    known,
    askedFor: askedLately(() => clock.now_ms()),
    turns: noTurns(clock),
    contents: sharedReads((vxnet, patience) => contentsOf({ ...reader, leaving }, vxnet, patience), reading),
    moves: noMoves(api, jobs),
    tokens: noTokens(clock),
    orphans: noOrphans(reader, clock),
  };
  const attach = attaching(use);
  const { securityGroup } = settings;
  return {
    ...(securityGroup !== undefined && { securityGroup: securityGroupOf({ api, jobs, clock, reading, changing }, securityGroup) }),
    name: 'qingcloud',
    network: () => networkOf(use, reading()),
    async instance(id) {
      const [found] = await instancesOf(use, [id], reading());
      if (found === undefined)
        throw refuse.notFound(api.asked({ action: 'DescribeInstances', about: id, parameters: {} }), 'no such instance is listed');
      return found;
    },
    instances: (ids) => instancesOf(use, ids, reading()),
    async subnets(named) {
      const ids = idsNamed(named, 'qingcloud');
      if (ids.length === 0) return [];
      const [found, zone] = [await readVxnets(use, ids, reading()), await api.zone()];
      known.noteVxnets(found);
      return found.filter(({ id }) => ids.includes(id)).map((vxnet) => subnetOf(vxnet, zone));
    },
    nics: (filter) => findNics(use, filter, reading()),
    createNic: (request) => createNic(use, request, changing()),
    attachNic: (nic, instance, deviceIndex) => attach(nic, instance, deviceIndex, changing()),
    attachBranch: (nic) =>
      Promise.reject(refuse.invalid(api.asked({ action: 'AttachNics', about: nic, parameters: {} }), 'there are no trunks')),
    detachNic: (nic) => detachNic(use, nic, changing()),
    deleteNic: (nic) => deleteNic(use, nic, changing()),
    assign: (nic, want, whose) => assign(use, nic, { want, ...(whose && { whose }) }, changing()),
    unassign: (nic, blocks) => unassign(use, nic, blocks, changing()),
    missingPermissions: () => deniedActions(api, settings, reading()),
    [Symbol.dispose]() {
      jobs.close();
      api.close();
    },
  };
}

/** The addresses of the VPC that the account's vxnets are in; of the one that is configured, where there are several. */
async function networkOf(use: NicUse, patience: Patience): Promise<CloudNetwork> {
  const asked = use.api.asked({ action: 'DescribeVxnets', about: 'all vxnets', parameters: {} });
  const { router } = use.settings;
  const routers = new Map(
    (await readVxnets(use, undefined, patience)).flatMap((vxnet) => (vxnet.router ? [[vxnet.router.id, vxnet.router]] : [])),
  );
  const mine = [...routers.values()].filter(({ id }) => router === undefined || id === router);
  if (mine.length > 1)
    throw refuse.invalid(asked, `there are several VPCs: name the router of yours, one of ${[...routers.keys()].join(', ')}`);
  const [one] = mine;
  if (one === undefined) throw refuse.notFound({ ...asked, object: router ?? 'a VPC' }, 'no vxnet of such a VPC is listed');
  return { cidrs: [one.vpc ?? one.cidr] };
}

async function instancesOf({ api, settings }: NicUse, ids: readonly InstanceId[], patience: Patience): Promise<CloudInstance[]> {
  if (ids.length === 0) return [];
  const one = { action: 'DescribeInstances', set: 'instance_set', read: instanceRecord, keyOf: ({ id }: InstanceRecord) => id };
  const found = await thoseKnown(ids, (instances) =>
    api.list({ ...one, about: instances.join(', ').slice(0, 200), parameters: { instances } }, patience),
  );
  const zone = await api.zone();
  const limits = { nics: settings.nicsPerInstance, addressSlotsPerNic: settings.addressSlotsPerNic, ipv6SlotsPerNic: 0 };
  return found.filter(({ id }) => ids.includes(id)).map(({ id, type, status }) => ({ id, zone, type, limits, state: stateOf(status) }));
}

/** A machine that is stopped comes back with its NICs. */
function stateOf(status: InstanceRecord['status']): CloudInstance['state'] {
  return status === 'terminated' || status === 'ceased' ? 'terminated' : 'running';
}
