/**
 * What the controller writes down beside its grants, in the same half of the same object, so that a new controller goes on where the last one stopped.
 *
 * - intents: NICs that are to be created, written before the call. The token makes the call repeatable: after a crash or a lost answer the same intent
 *   gives the same NIC.
 * - foreign: blocks the first NIC already had when we first saw it. Somebody else uses them; no Pod gets them and we never take them away. While the NIC is
 *   another program's, its blocks are not told: what it has when that ends counts as seen first.
 */
import type { SubnetId, Wanted } from '../cloud/cloud.ts';
import { type Cidr, tryParseCidr } from '../net/cidr.ts';
import type { NodeNetworkStatus } from '../store/node-network.ts';

/** A NIC that is to be; everything its call needs, so that the call can be repeated word for word. */
export interface NicIntent {
  readonly token: string;
  /** Name of the PodSubnet. */
  readonly subnet: string;
  readonly cloudSubnet: SubnetId;
  readonly securityGroups: readonly string[];
  readonly want: Wanted;
  /** What it is for, when that is not many Pods; see uses.ts. */
  readonly use?: 'pod' | 'branch' | 'trunk';
  readonly multiMac?: boolean;
  readonly since_ms: number;
  /** When its call was made last, or about to be; absent: never. */
  readonly called_ms?: number;
}

/** What is written down for one node. */
export interface Notes {
  readonly intents: readonly NicIntent[];
  readonly foreign: readonly Cidr[];
  /** The first NIC is another program's. */
  readonly firstUnseen?: boolean;
}

/** The notes of a status that was read; undefined when there are none, or when what is there is not what we write. */
export function notesOf(status: NodeNetworkStatus): Notes | undefined {
  const noted = status.notes;
  if (!isRecord(noted) || !Array.isArray(noted['intents']) || !Array.isArray(noted['foreign'])) return undefined;
  const foreign = noted['foreign'].filter((block): block is Cidr => typeof block === 'string' && tryParseCidr(block) === block);
  return { intents: noted['intents'].filter(isIntent), foreign, ...(noted['firstUnseen'] === true && { firstUnseen: true }) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function areBlocks(value: unknown): boolean {
  return Array.isArray(value) && value.every((block) => typeof block === 'string' && tryParseCidr(block) === block);
}

function isIntent(value: unknown): value is NicIntent {
  return (
    isRecord(value) &&
    [value['token'], value['subnet'], value['cloudSubnet']].every((text) => typeof text === 'string' && text !== '') &&
    Array.isArray(value['securityGroups']) &&
    value['securityGroups'].every((group) => typeof group === 'string') &&
    isRecord(value['want']) &&
    Object.entries(value['want']).every(([key, one]) =>
      key === 'within' || key === 'these' ? areBlocks(one) : Number.isSafeInteger(one),
    ) &&
    [undefined, 'pod', 'branch', 'trunk'].some((use) => use === value['use']) &&
    (value['multiMac'] === undefined || typeof value['multiMac'] === 'boolean') &&
    Number.isSafeInteger(value['since_ms']) &&
    (value['called_ms'] === undefined || Number.isSafeInteger(value['called_ms']))
  );
}
