/** NICs made: what QingCloud has no tokens for is found again by its name. */
import { isFailure } from '../../errors/failure.ts';
import type { Ip } from '../../net/address.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { CloudNic, CreateNic, SubnetId, Wanted } from '../cloud.ts';
import { type Asked, refuse, wantedOf } from '../wire/asked.ts';
import { withFormer } from './adopt-primary.ts';
import { planAdopting } from './adopt-vips.ts';
import { madeOf, type NicRecord, type VxnetRecord } from './answers.ts';
import { bear, bearerOf, pictureOf } from './blocks.ts';
import type { ApiCall } from './call.ts';
import { deleteNic } from './delete-nic.ts';
import { cloudNic, type NicUse } from './find-nics.ts';
import { primaryFor } from './primary.ts';
import type { Patience } from './patience.ts';
import { checkWanted, UNBORN } from './plan-blocks.ts';
import { putTags } from './put-tags.ts';
import { blocksByNic, ownVips, type Picture, readNic, readNicsCalled } from './vxnet.ts';
import { isUnclear } from './refusals.ts';

type Made = ReturnType<typeof madeOf>;

/** See Cloud.createNic. */
export async function createNic(use: NicUse, request: CreateNic, patience: Patience): Promise<CloudNic> {
  const { api, names, known, settings, tokens } = use;
  const { subnet, want = {}, clientToken: token, tags } = request;
  const call: ApiCall = { action: 'CreateNics', about: `a NIC in ${subnet}`, parameters: {}, wanted: wantedOf(subnet, want, 1) };
  const asked = api.asked(call);
  checkRequest(request, asked);
  const name = names.forNic({ tags, token });
  if (name === undefined) throw refuse.invalid(asked, `the name with its tags would have more than ${settings.longestName} characters`);
  tokens.note(request, asked);
  const vxnet = await known.vxnet(subnet, patience);
  const [there] = await readNicsCalled(use, name, patience);
  if (there !== undefined && there.vxnet !== subnet) throw refuse.invalid(asked, `${there.id} was made with this token, in ${there.vxnet}`);
  if (there === undefined && tokens.mayBeMade(token))
    throw refuse.unavailable(asked, 'an earlier call with this token may have made it: lists are too old to tell');
  const isWanting = (want.these?.length ?? 0) + (want.addresses4 ?? 0) + (want.prefixes4 ?? 0) > 0;
  const picture = isWanting ? await pictureOf(use, vxnet, patience) : undefined;
  const record = there ?? (await make(use, { call, name }, vxnet, request, picture, patience));
  known.noteNic(record.id, subnet);
  if (settings.allowSpoofing !== undefined) {
    const parameters = { nic: record.id, enable_aspoof: settings.allowSpoofing ? 1 : 0 };
    await api.call({ action: 'ModifyNicAttributes', about: record.id, parameters }, () => undefined, patience);
  }
  const newBy = there === undefined ? token : undefined;
  await takingAway(use, record, newBy, patience, () => putTags(use, record.id, patience));
  if (picture === undefined && there === undefined) return cloudNic(use, record, []);
  const blocks = await birthBlocks(use, { record, vxnet, newBy }, request, picture, patience);
  return cloudNic(use, record, blocks);
}

function checkRequest({ multiMac, isTrunk, securityGroups, want = {} }: CreateNic, asked: Asked): void {
  if (multiMac === true) throw refuse.invalid(asked, 'NICs have one Ethernet address each: macvlan does not work in a vxnet');
  if (isTrunk === true) throw refuse.invalid(asked, 'there are no trunks');
  if (securityGroups.length > 0) throw refuse.invalid(asked, 'security groups are of instances, not of NICs: leave securityGroups empty');
  checkWanted(want, asked);
}

/** Makes it where there is room for all that it is to have. */
async function make(
  use: NicUse,
  { call, name }: { readonly call: ApiCall; readonly name: string },
  vxnet: VxnetRecord,
  { want = {}, clientToken: token }: CreateNic,
  picture: Picture | undefined,
  patience: Patience,
): Promise<NicRecord> {
  const { api, names, settings } = use;
  const asked = api.asked(call);
  // Nothing is made that would have to be deleted again.
  if (picture !== undefined) planAdopting({ picture, names, settings, avoided: new Set() }, UNBORN, want, asked);
  const made = await madeAnywhere(use, { call, name }, vxnet, { want, token, picture }, patience);
  const record: NicRecord = { ...made, name, isUsed: false, vxnet: vxnet.id, createdAt_ms: api.now_ms() };
  await checkName(use, record, asked, patience);
  return record;
}

/** With any address that is free; where none is, with one that a former plugin has reserved. */
async function madeAnywhere(
  use: NicUse,
  { call, name }: { readonly call: ApiCall; readonly name: string },
  vxnet: VxnetRecord,
  { want, token, picture }: { readonly want: Wanted; readonly token: string; readonly picture: Picture | undefined },
  patience: Patience,
): Promise<Made> {
  const asked = use.api.asked(call);
  const callWith = (ip: Ip | undefined): ApiCall => {
    const parameters = { vxnet: vxnet.id, nic_name: name, count: 1, ...(ip && { private_ips: [ip] }) };
    return { ...call, parameters };
  };
  try {
    const ip = picture === undefined || want.these === undefined ? undefined : primaryFor(picture, want, asked);
    return await madeInTurn(use, callWith(ip), vxnet.id, token, patience);
  } catch (error) {
    if (!isFailure(error, 'cloudSubnetFull')) throw error;
    const made = await withFormer(use, vxnet, want, asked, patience, (own) => madeNow(use, callWith(own), token, patience));
    if (made === undefined) throw error;
    return made;
  }
}

/** The cloud gives it any address that is free: so not while one is that is being taken over. */
async function madeInTurn(use: NicUse, call: ApiCall, vxnet: SubnetId, token: string, patience: Patience): Promise<Made> {
  using _turn = await use.turns.take(vxnet, 'make', use.api.asked(call), patience);
  return await madeNow(use, call, token, patience);
}

async function madeNow({ api, tokens }: NicUse, call: ApiCall, token: string, patience: Patience): Promise<Made> {
  try {
    return await api.call(call, madeOf, patience);
  } catch (error) {
    if (isUnclear(error)) tokens.noteUnclear(token);
    throw error;
  }
}

/** How long a name may be is written down nowhere: one longer than all before is looked at, and a NIC whose name was cut is taken away again. */
async function checkName(use: NicUse, { id, name }: NicRecord, asked: Asked, patience: Patience): Promise<void> {
  const { known } = use;
  if (known.isProven(name.length)) return;
  const shown = (await readNic(use, id, patience))?.name;
  // A list that does not show it yet proves nothing.
  if (shown === undefined) return;
  if (shown === name) return known.noteProven(name.length);
  await deleteNic(use, id, patience);
  const text = `of its name of ${name.length} characters the cloud keeps ${shown.length}: set longestName to ${shown.length}, or choose shorter names`;
  throw refuse.invalid(asked, text);
}

/** The blocks it has, with those it lacks of what it was to be born with. One that is new and cannot have them is taken away again. */
async function birthBlocks(
  use: NicUse,
  { record, vxnet, newBy }: { readonly record: NicRecord; readonly vxnet: VxnetRecord; readonly newBy: string | undefined },
  { want = {} }: CreateNic,
  before: Picture | undefined,
  patience: Patience,
): Promise<readonly Cidr[]> {
  const picture = before ?? (await pictureOf(use, vxnet, patience));
  const held = blocksByNic(ownVips(picture.vips, use.names)).get(record.mac)?.whole ?? [];
  if (before === undefined) return held;
  const others = held.filter((block) => want.these?.includes(block) !== true);
  const lacking = (wanted: number | undefined, length: string): number =>
    Math.max(0, (wanted ?? 0) - others.filter((block) => block.endsWith(length)).length);
  const rest = { ...want, addresses4: lacking(want.addresses4, '/32'), prefixes4: lacking(want.prefixes4, '/28') };
  const nics = picture.nics.some(({ id }) => id === record.id) ? picture.nics : [...picture.nics, record];
  const given = await takingAway(use, record, newBy, patience, () =>
    bear(use, bearerOf(use, record, vxnet), rest, { ...picture, nics }, patience),
  );
  return [...new Set([...held, ...given])];
}

/** Does what is part of making the NIC; one that is new, made with the token `newBy`, goes again where that is refused. */
async function takingAway<T>(
  use: NicUse,
  { id }: NicRecord,
  newBy: string | undefined,
  patience: Patience,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // After an unclear answer the NIC is found by its name as soon as lists show it, and finished. That it cannot be deleted now, the sweep makes good.
    if (newBy !== undefined && isFailure(error, 'cloudUnavailable')) use.tokens.noteUnclear(newBy);
    else if (newBy !== undefined) await deleteNic(use, id, patience).catch(() => undefined);
    throw error;
  }
}
