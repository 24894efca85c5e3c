/** A cloud in memory that keeps the rules of a real one: limits, tokens, full subnets, and answers that are lost, late or stale when told so. */
import type {
  Cloud,
  CloudInstance,
  CloudNic,
  CloudSubnet,
  CreateNic,
  InstanceId,
  InstanceLimits,
  NicFilter,
  NicId,
  SubnetId,
  Tags,
  Wanted,
} from '../../src/cloud/cloud.ts';
import { areTags } from '../../src/cloud/named.ts';
import type { Clock } from '../../src/cloud/clock.ts';
import { type Failure, failure } from '../../src/errors/failure.ts';
import { type Ip, ipFromBigInt } from '../../src/net/address.ts';
import {
  addressAt,
  type Cidr,
  cidrOf,
  contains,
  containsCidr,
  firstOf,
  hostCidr,
  overlaps,
  parseCidr,
  sizeOf,
} from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';

/** What happens to a call: nothing special, refused, lost before or after its effect, or the caller dies before or after it. */
export type Fault = 'none' | 'loseRequest' | 'loseAnswer' | 'dieBefore' | 'dieAfter' | Failure;

export interface Call {
  readonly name: keyof Cloud;
  readonly changing: boolean;
  /** Counts from 0. */
  readonly number: number;
}

export interface MemoryCloud extends Cloud {
  /** Every call that arrived or was lost on its way. */
  readonly calls: Call[];
  /** Decides what happens to each call. */
  fault: (call: Call) => Fault;
  /** Reads answer with the state of so long ago. */
  stale_ms: number;
  /** NICs stay `attaching` and `detaching` for so long. */
  moving_ms: number;
  /** Replaces what it had. */
  tagSubnet(id: SubnetId, tags: Tags): void;
  addSubnet(id: string, cidr4: string, options?: { cidr6?: string; zone?: string }): SubnetId;
  launch(id: string, subnet: SubnetId, limits?: Partial<InstanceLimits>, zone?: string): InstanceId;
  terminate(id: InstanceId): void;
  /** The truth, whatever reads say. */
  truth(): CloudNic[];
  /** Somebody else's hand. */
  pull(nic: NicId): void;
  /** As if the instance had been born with it. */
  makeTrunk(nic: NicId): void;
  removeBlock(nic: NicId, block: Cidr): void;
  addBlock(nic: NicId, block: Cidr): void;
}

interface State {
  readonly nics: ReadonlyMap<NicId, CloudNic>;
  readonly at_ms: number;
}

export function memoryCloud(clock: Clock): MemoryCloud {
  const subnets = new Map<SubnetId, CloudSubnet>();
  const subnetTags = new Map<SubnetId, Tags>();
  const instances = new Map<InstanceId, CloudInstance>();
  const tokens = new Map<string, { request: string; nic: NicId }>();
  const attempts = new Map<NicId, number>();
  let history: State[] = [{ nics: new Map(), at_ms: Number.NEGATIVE_INFINITY }];
  let made = 0;

  const now = (): ReadonlyMap<NicId, CloudNic> => history.at(-1)?.nics ?? new Map();
  const put = (change: (nics: Map<NicId, CloudNic>) => void): void => {
    const nics = new Map(now());
    change(nics);
    history.push({ nics, at_ms: clock.now_ms() });
    if (history.length > 200) history = history.slice(-100);
  };
  const moved = (nic: CloudNic, at_ms: number): CloudNic => {
    const since = attempts.get(nic.id);
    const { attachment, ...rest } = nic;
    if (attachment === undefined || since === undefined || at_ms - since < cloud.moving_ms) return nic;
    if (attachment.state === 'detaching') return rest;
    return { ...nic, attachment: { ...attachment, state: 'attached' } };
  };
  const settle = (): void => put((nics) => [...nics.values()].forEach((nic) => nics.set(nic.id, moved(nic, clock.now_ms()))));
  const seen = (): CloudNic[] => {
    const at = clock.now_ms() - cloud.stale_ms;
    const state = history.findLast(({ at_ms }) => at_ms <= at) ?? history[0];
    return [...(state?.nics.values() ?? [])].map((nic) => moved(nic, at));
  };
  const known = (id: NicId): CloudNic => {
    const nic = now().get(id);
    if (nic === undefined) throw failure('cloudNotFound', { cloud: 'memory', object: id, text: 'no such NIC' });
    return nic;
  };

  async function call<T>(name: keyof Cloud, changing: boolean, effect: () => T): Promise<T> {
    const one: Call = { name, changing, number: cloud.calls.length };
    cloud.calls.push(one);
    const fault = cloud.fault(one);
    const lost = () => failure('cloudUnavailable', { cloud: 'memory', call: name, endpoint: 'memory', text: 'lost' });
    await Promise.resolve();
    if (fault === 'loseRequest') throw lost();
    if (fault === 'dieBefore') return new Promise(() => {});
    if (typeof fault === 'object') throw fault;
    settle();
    const answer = effect();
    if (fault === 'loseAnswer') throw lost();
    if (fault === 'dieAfter') return new Promise(() => {});
    return structuredClone(answer);
  }

  function usedIn(subnet: SubnetId): Cidr[] {
    return [...now().values()]
      .filter((nic) => nic.subnet === subnet)
      .flatMap((nic) => [...(nic.primary4 ? [hostCidr(nic.primary4)] : []), ...nic.blocks]);
  }

  /** The lowest free addresses and prefixes; all or none. */
  function allocate(subnet: CloudSubnet, want: Wanted, taken: readonly Cidr[] = []): Cidr[] {
    const blocks: Cidr[] = [];
    const used = [...usedIn(subnet.id), ...taken];
    const isWithin = (block: Cidr): boolean => want.within?.some((one) => containsCidr(one, block)) !== false;
    const free = (block: Cidr): boolean => ![...used, ...blocks].some((other) => overlaps(other, block));
    const full = () =>
      failure('cloudSubnetFull', { subnet: subnet.id, wanted: JSON.stringify(want), text: `${free4(subnet)} addresses are free` });
    const cidr4 = subnet.cidr4 ?? parseCidr('0.0.0.0/32');
    for (let i = 0, at = 4; i < (want.addresses4 ?? 0); at++) {
      if (at >= Number(sizeOf(cidr4)) - 1) throw full();
      const block = hostCidr(addressAt(cidr4, at));
      if (!free(block) || !isWithin(block)) continue;
      i++;
      blocks.push(block);
    }
    for (let i = 0, at = 16; i < (want.prefixes4 ?? 0); at += 16) {
      if (at + 16 >= Number(sizeOf(cidr4))) throw full();
      const block = cidrOf(addressAt(cidr4, at), 28);
      if (!free(block) || !isWithin(block)) continue;
      i++;
      blocks.push(block);
    }
    if ((want.prefixes6 ?? 0) > 0 && subnet.cidr6 === undefined)
      throw failure('cloudInvalid', { cloud: 'memory', call: 'assign', text: 'no IPv6 here' });
    for (let i = 0, at = 1n; i < (want.prefixes6 ?? 0); at++) {
      const block = cidrOf(addressAt(subnet.cidr6 ?? parseCidr('::/0'), at << 48n), 80);
      if (!free(block)) continue;
      i++;
      blocks.push(block);
    }
    return blocks;
  }

  /** Those of the blocks that the NIC does not have yet; all may be had, or it throws. */
  function checkThese(name: string, subnet: CloudSubnet, nic: NicId | undefined, these: readonly Cidr[]): Cidr[] {
    const invalid = (text: string) => failure('cloudInvalid', { cloud: 'memory', call: name, text });
    const own = nic === undefined ? [] : known(nic).blocks;
    for (const [i, block] of these.entries()) {
      if (!['/32', '/28', '/128', '/80'].some((length) => block.endsWith(length))) throw invalid(`${block} is no block of a NIC`);
      if (these.slice(i + 1).some((other) => overlaps(block, other))) throw invalid(`${block} stands twice`);
      if (own.includes(block)) continue;
      const cidr = block.includes(':') ? subnet.cidr6 : subnet.cidr4;
      if (cidr === undefined || !containsCidr(cidr, block)) throw invalid(`${block} is outside of ${subnet.id}`);
      const reserved = [0n, 1n, 2n, 3n, sizeOf(cidr) - 1n].map((offset) => addressAt(cidr, offset));
      if (reserved.some((ip) => contains(block, ip))) throw invalid(`${block} is reserved`);
      const there = [...now().values()].filter((other) => other.subnet === subnet.id);
      if (there.some(({ primary4, primary6 }) => [primary4, primary6].some((ip) => ip !== undefined && contains(block, ip))))
        throw invalid(`${block} is a primary address`);
      const holder = there.find(({ blocks }) => blocks.some((other) => overlaps(block, other)));
      const address = block.replace(/\/(32|128)$/, '');
      if (holder !== undefined)
        throw failure('cloudAddressTaken', { cloud: 'memory', address, holder: holder.id, text: `it has ${holder.blocks.join(', ')}` });
    }
    return these.filter((block) => !own.includes(block));
  }

  /** An address nobody has, and none of those. */
  function newPrimary6(cidr6: Cidr, number: number, these: readonly Cidr[]): Ip {
    const used = [
      ...[...now().values()].flatMap(({ blocks, primary6 }) => [...blocks, ...(primary6 ? [hostCidr(primary6)] : [])]),
      ...these,
    ];
    for (let at = number + 16; ; at++) {
      const ip = addressAt(cidr6, at);
      if (!used.some((block) => contains(block, ip))) return ip;
    }
  }

  const free4 = (subnet: CloudSubnet): number =>
    Number(sizeOf(subnet.cidr4 ?? parseCidr('0.0.0.0/32'))) -
    5 -
    usedIn(subnet.id)
      .filter((block) => !block.includes(':'))
      .reduce((sum, block) => sum + Number(sizeOf(block)), 0);

  function limitsOf(nic: CloudNic): InstanceLimits | undefined {
    return nic.attachment === undefined ? undefined : instances.get(nic.attachment.instance)?.limits;
  }

  function checkSlots(nic: CloudNic, more: readonly Cidr[], limits = limitsOf(nic)): void {
    const all = [...nic.blocks, ...more];
    const slots4 = all.filter((block) => !block.includes(':')).length + (nic.primary4 ? 1 : 0);
    const slots6 = all.length - all.filter((block) => !block.includes(':')).length + (nic.primary6 ? 1 : 0);
    if (limits !== undefined && (slots4 > limits.addressSlotsPerNic || slots6 > limits.ipv6SlotsPerNic)) {
      throw failure('cloudLimit', { cloud: 'memory', call: 'assign', text: `${nic.id} has no free slot` });
    }
  }

  function newNic(request: CreateNic): CloudNic {
    const subnet = subnets.get(request.subnet);
    if (subnet === undefined) throw failure('cloudNotFound', { cloud: 'memory', object: request.subnet, text: 'no such subnet' });
    const these = checkThese('createNic', subnet, undefined, request.want?.these ?? []);
    const primary = subnet.cidr4 === undefined ? [] : allocate(subnet, { addresses4: 1 }, these);
    const blocks = [...these, ...allocate(subnet, request.want ?? {}, [...primary, ...these])];
    const number = ++made;
    return {
      id: `nic-${number}` as NicId,
      mac: parseMac(`02:00:00:00:00:${number.toString(16).padStart(2, '0')}`),
      subnet: subnet.id,
      mtu: 1500,
      ...(primary[0] && { primary4: firstOf(primary[0]) }),
      ...(subnet.cidr6 && { primary6: newPrimary6(subnet.cidr6, number, these) }),
      blocks,
      securityGroups: request.securityGroups,
      tags: request.tags,
      ...(request.multiMac === true && { multiMac: true as const }),
      ...(request.isTrunk === true && { isTrunk: true as const }),
      createdAt_ms: clock.now_ms(),
    };
  }

  const matches = (nic: CloudNic, filter: NicFilter): boolean =>
    (filter.ids?.includes(nic.id) ?? true) &&
    (filter.instance === undefined || [filter.instance].flat().some((id) => id === nic.attachment?.instance)) &&
    Object.entries(filter.tags ?? {}).every(([key, values]) => [values].flat().some((value) => nic.tags[key] === value));

  const conflict = (name: string, object: string, text: string) => failure('cloudConflict', { cloud: 'memory', call: name, object, text });

  const cloud: MemoryCloud = {
    name: 'memory',
    calls: [],
    fault: () => 'none',
    stale_ms: 0,
    moving_ms: 0,
    network: () => call('network', false, () => ({ cidrs: [parseCidr('10.20.0.0/16')] })),
    instance: (id) =>
      call('instance', false, () => {
        const found = instances.get(id);
        if (found === undefined) throw failure('cloudNotFound', { cloud: 'memory', object: id, text: 'no such instance' });
        return found;
      }),
    instances: (ids) =>
      call('instances', false, () => {
        if (ids.some((id) => id.includes(' ')))
          throw failure('cloudInvalid', { cloud: 'memory', call: 'instances', text: 'a malformed id' });
        return ids.flatMap((id) => instances.get(id) ?? []);
      }),
    subnets: (named) =>
      call('subnets', false, () => {
        const all = [...subnets.values()].map((subnet) => ({ ...subnet, free4: free4(subnet) }));
        if (areTags(named)) {
          const has = ({ id }: CloudSubnet): boolean => Object.entries(named).every(([key, value]) => subnetTags.get(id)?.[key] === value);
          return all.filter(has);
        }
        const ids = named;
        if (ids.some((id) => id.includes(' '))) throw failure('cloudInvalid', { cloud: 'memory', call: 'subnets', text: 'a malformed id' });
        return all.filter(({ id }) => ids.includes(id));
      }),
    nics: (filter) =>
      call('nics', false, () => {
        if (Object.keys(filter).length === 0) throw failure('cloudInvalid', { cloud: 'memory', call: 'nics', text: 'an empty filter' });
        return seen().filter((nic) => matches(nic, filter));
      }),
    createNic: (request) =>
      call('createNic', true, () => {
        const again = tokens.get(request.clientToken);
        const text = JSON.stringify({ subnet: request.subnet, want: request.want ?? {} });
        if (again !== undefined) {
          if (again.request !== text)
            throw failure('cloudInvalid', { cloud: 'memory', call: 'createNic', text: 'another request had this token' });
          return known(again.nic);
        }
        const nic = newNic(request);
        tokens.set(request.clientToken, { request: text, nic: nic.id });
        put((nics) => nics.set(nic.id, nic));
        return nic;
      }),
    attachNic: (id, instance, deviceIndex) =>
      call('attachNic', true, () => {
        const nic = known(id);
        if (nic.attachment?.instance === instance && nic.attachment.deviceIndex === deviceIndex) return;
        if (nic.branch !== undefined) throw conflict('attachNic', id, 'it is a branch');
        if (nic.attachment !== undefined) throw conflict('attachNic', id, `attached to ${nic.attachment.instance}`);
        const found = instances.get(instance);
        if (found === undefined) throw failure('cloudNotFound', { cloud: 'memory', object: instance, text: 'no such instance' });
        if (found.state !== 'running') throw conflict('attachNic', instance, 'not running');
        if (subnets.get(nic.subnet)?.zone !== found.zone)
          throw failure('cloudInvalid', { cloud: 'memory', call: 'attachNic', text: 'another zone' });
        const there = [...now().values()].filter(({ attachment }) => attachment?.instance === instance);
        if (there.some(({ attachment }) => attachment?.deviceIndex === deviceIndex)) throw conflict('attachNic', id, 'device index taken');
        if (there.length >= found.limits.nics) throw failure('cloudLimit', { cloud: 'memory', call: 'attachNic', text: 'no more NICs' });
        checkSlots(nic, [], found.limits);
        attempts.set(id, clock.now_ms());
        put((nics) => nics.set(id, moved({ ...nic, attachment: { instance, deviceIndex, state: 'attaching' } }, clock.now_ms())));
      }),
    attachBranch: (id, trunk, vlan) =>
      call('attachBranch', true, () => {
        const nic = known(id);
        if (nic.branch?.trunk === trunk && nic.branch.vlan === vlan) return;
        if (nic.branch !== undefined || nic.attachment !== undefined) throw conflict('attachBranch', id, 'attached');
        const invalid = (text: string) => failure('cloudInvalid', { cloud: 'memory', call: 'attachBranch', text });
        const to = known(trunk);
        if (to.isTrunk !== true || nic.isTrunk === true) throw invalid('no trunk');
        const instance = instances.get(to.attachment?.instance ?? ('' as InstanceId));
        if (instance === undefined || to.attachment?.state !== 'attached') throw conflict('attachBranch', trunk, 'not attached');
        if (subnets.get(nic.subnet)?.zone !== instance.zone) throw invalid('another zone');
        const branches = [...now().values()].filter(
          ({ branch }) => branch !== undefined && now().get(branch.trunk)?.attachment?.instance === instance.id,
        );
        if (branches.some(({ branch }) => branch?.trunk === trunk && branch.vlan === vlan))
          throw conflict('attachBranch', id, 'VLAN taken');
        if (branches.length >= (instance.limits.branches ?? 0))
          throw failure('cloudLimit', { cloud: 'memory', call: 'attachBranch', text: 'no more branches' });
        put((nics) => nics.set(id, { ...nic, branch: { trunk, vlan } }));
      }),
    detachNic: (id) =>
      call('detachNic', true, () => {
        const nic = now().get(id);
        if (nic?.branch !== undefined) {
          const { branch: _, ...rest } = nic;
          put((nics) => nics.set(id, rest));
        }
        if (nic?.attachment === undefined) return;
        if ([...now().values()].some(({ branch }) => branch?.trunk === id)) throw conflict('detachNic', id, 'it has branches');
        if (nic.attachment.deviceIndex === 0)
          throw failure('cloudInvalid', { cloud: 'memory', call: 'detachNic', text: 'the first NIC stays' });
        if (nic.attachment.state === 'detaching') return;
        attempts.set(id, clock.now_ms());
        const leaving: CloudNic = { ...nic, attachment: { ...nic.attachment, state: 'detaching' } };
        put((nics) => nics.set(id, moved(leaving, clock.now_ms())));
      }),
    deleteNic: (id) =>
      call('deleteNic', true, () => {
        if (now().get(id)?.attachment !== undefined || now().get(id)?.branch !== undefined) throw conflict('deleteNic', id, 'in use');
        put((nics) => nics.delete(id));
      }),
    assign: (id, want) =>
      call('assign', true, () => {
        const nic = known(id);
        const subnet = subnets.get(nic.subnet);
        if (subnet === undefined) throw conflict('assign', id, 'no subnet');
        const these = checkThese('assign', subnet, id, want.these ?? []);
        const more = allocate(subnet, want, these);
        const blocks = [...these, ...more];
        checkSlots(nic, blocks);
        put((nics) => nics.set(id, { ...nic, blocks: [...nic.blocks, ...blocks] }));
        return [...(want.these ?? []), ...more];
      }),
    unassign: (id, blocks) =>
      call('unassign', true, () => {
        const nic = known(id);
        put((nics) => nics.set(id, { ...nic, blocks: nic.blocks.filter((block) => !blocks.includes(block)) }));
      }),
    tagSubnet: (id, tags) => void subnetTags.set(id, tags),
    addSubnet(text, cidr4, { cidr6, zone = 'a' } = {}) {
      const id = text as SubnetId;
      const six = cidr6 === undefined ? undefined : parseCidr(cidr6);
      const four = parseCidr(cidr4);
      subnets.set(id, {
        id,
        zone,
        cidr4: four,
        gateway4: addressAt(four, 1),
        ...(six && { cidr6: six, gateway6: ipFromBigInt(0xfe80n << 112n, 6) }),
        free4: 0,
      });
      return id;
    },
    launch(text, subnet, limits = {}, zone = 'a') {
      const id = text as InstanceId;
      instances.set(id, {
        id,
        zone,
        type: 't.test',
        limits: { nics: 3, addressSlotsPerNic: 4, ipv6SlotsPerNic: 2, ...limits },
        state: 'running',
      });
      const nic = newNic({ clientToken: '', subnet, securityGroups: ['sg-node'], tags: {}, description: 'first' });
      put((nics) => nics.set(nic.id, { ...nic, attachment: { instance: id, deviceIndex: 0, state: 'attached' } }));
      return id;
    },
    terminate(id) {
      const found = instances.get(id);
      if (found !== undefined) instances.set(id, { ...found, state: 'terminated' });
      for (const nic of now().values()) {
        if (nic.attachment?.instance !== id) continue;
        const { attachment, ...rest } = nic;
        for (const one of now().values()) {
          const { branch, ...free } = one;
          if (branch?.trunk === nic.id) put((nics) => nics.set(one.id, free));
        }
        put((nics) => (attachment.deviceIndex === 0 ? nics.delete(nic.id) : nics.set(nic.id, rest)));
      }
    },
    truth() {
      settle();
      return [...now().values()];
    },
    pull(id) {
      const { attachment: _, ...rest } = known(id);
      put((nics) => nics.set(id, rest));
    },
    makeTrunk: (id) => put((nics) => nics.set(id, { ...known(id), isTrunk: true })),
    removeBlock: (id, block) => put((nics) => nics.set(id, { ...known(id), blocks: known(id).blocks.filter((own) => own !== block) })),
    addBlock: (id, block) => put((nics) => nics.set(id, { ...known(id), blocks: [...known(id).blocks, block] })),
  };
  return cloud;
}

/** Whether the address may be used by a Pod of that instance. */
export function carries(nics: readonly CloudNic[], instance: InstanceId, ip: Ip): boolean {
  return nics.some((nic) => nic.attachment?.instance === instance && nic.blocks.some((block) => contains(block, ip)));
}
