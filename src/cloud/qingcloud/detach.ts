/** NICs detached. */
import type { InstanceId, NicId } from '../cloud.ts';
import { refuse } from '../wire/asked.ts';
import { jobOf } from './answers.ts';
import type { MoveUse } from './attach.ts';
import type { ApiCall } from './call.ts';
import type { Patience } from './patience.ts';
import { readNic } from './vxnet.ts';

/** See Cloud.detachNic. */
export async function detachNic(use: MoveUse, nic: NicId, patience: Patience): Promise<void> {
  const { api, moves } = use;
  if (moves.moveOf(nic)?.state === 'detaching') return;
  moves.tell(nic);
  const call: ApiCall = { action: 'DetachNics', about: nic, parameters: { nics: [nic] } };
  const found = await readNic(use, nic, patience);
  if (found?.isUsed === false && moves.moveOf(nic) === undefined) return;
  if (found?.at?.place === 0) throw refuse.invalid(api.asked(call), `it is the first NIC of ${found.at.instance}`);
  // Also one that the list lacks: it may be too new for it.
  const job = await api.call(call, jobOf, patience);
  const { instance, place } = found?.at ?? { instance: '' as InstanceId, place: 1 };
  await moves.follow(call, job, nic, { instance, place, state: 'detaching' }, patience);
}
