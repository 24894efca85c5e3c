/** What the driver's calls have in common. */
import type { Failure } from '../../errors/failure.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { AskedLately } from '../asked-lately.ts';
import type { NicId, SubnetId } from '../cloud.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import type { Ec2Nic } from './answers.ts';
import type { Call, Ec2, Left } from './ec2.ts';
import { filter } from './query.ts';
import type { KnownNics } from './known-nics.ts';
import { nicOf, pageOf } from './answers.ts';
import type { Refused } from './refused.ts';

/** A page of interfaces with 50 addresses each is 8 MiB of XML. */
export const nicsPage = 500;

/** EC2, and what is remembered of it. */
export interface Aws {
  readonly ec2: Ec2;
  readonly known: KnownNics;
  readonly asked: AskedLately<Cidr>;
  /** Whether a subnet has IPv6, as it was told last. */
  readonly hasIpv6: Map<SubnetId, boolean>;
  /** Branches that an instance of that type may have; empty: none has any. */
  readonly branches: Readonly<Record<string, number>>;
}

/** A failure of the driver's own, in the sentence of a call. */
export function ours(meaning: keyof typeof refuse, action: string, about: string, words: string): Failure {
  const asked: Asked = { cloud: 'aws', endpoint: 'ec2', call: action, object: about };
  return refuse[meaning](asked, words);
}

/** The failure for a refusal of a call about that interface: one that EC2 may not know yet is not unknown. */
export function refusalAbout(
  nic: NicId,
  refused: Refused,
  call: Pick<Call<unknown>, 'action' | 'object' | 'wanted'>,
  { ec2, known }: Aws,
): Failure {
  const newborn_ms = isUnknownNic(refused) ? known.newborn_ms(nic) : undefined;
  if (newborn_ms === undefined) return ec2.failure(refused, call);
  return ours(
    'conflict',
    call.action,
    nic,
    `it was made ${Math.round(newborn_ms / 1000)} s ago and is not known everywhere yet: ${refused.words}`,
  );
}

/** Whether the refusal says that there is no such interface. */
export function isUnknownNic({ code }: Refused): boolean {
  return /^InvalidNetworkInterfaceI[Dd]\.NotFound$/.test(code);
}

/** @throws Failure cloudInvalid for an interface that another program has marked as its own */
export function notOthers(action: string, nic: NicId, { known }: Aws): void {
  const whose = known.facts(nic)?.whose;
  if (whose !== undefined) throw ours('invalid', action, nic, `not sent: by its tag ${whose} ${nic} is another program's`);
}

/** Interfaces by one condition, as EC2 tells them. @throws Failure cloud* */
export async function look(name: string, values: readonly string[], ec2: Ec2, left: Left): Promise<Ec2Nic[]> {
  const parameters = { Filter: [filter(name, values)] };
  const call = { action: 'DescribeNetworkInterfaces', parameters, object: values.join(', '), read: pageOf('networkInterfaceSet', nicOf) };
  return await ec2.list(call, nicsPage, left);
}

/** One interface. @throws Failure cloudNotFound, or cloudConflict where EC2 may not know it yet */
export async function lookAt(nic: NicId, action: string, { ec2, known }: Aws, left: Left): Promise<Ec2Nic> {
  const [found] = (await look('network-interface-id', [nic], ec2, left)).filter((one) => one.nic.id === nic);
  if (found !== undefined) {
    known.note(found.nic, found.whose, found.lacksMark);
    return found;
  }
  const newborn_ms = known.newborn_ms(nic);
  if (newborn_ms === undefined) throw ours('notFound', action, nic, 'it is in no list');
  throw ours('conflict', action, nic, `it was made ${Math.round(newborn_ms / 1000)} s ago and is in no list yet`);
}
