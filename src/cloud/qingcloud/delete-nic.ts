/** NICs deleted. */
import { isFailure } from '../../errors/failure.ts';
import type { NicId } from '../cloud.ts';
import { refuse } from '../wire/asked.ts';
import { releaseOwn } from './blocks.ts';
import type { ApiCall } from './call.ts';
import type { NicUse } from './find-nics.ts';
import type { Patience } from './patience.ts';
import { readNic } from './vxnet.ts';

/**
 * See Cloud.deleteNic. First the NIC, then what is reserved for it: the cloud refuses to delete a NIC that is in use, however old the list is by which we
 * believe that it is not. What is left when this ends in between, the sweep finds: orphans.ts.
 */
export async function deleteNic(use: NicUse, id: NicId, patience: Patience): Promise<void> {
  const { api, known, moves, orphans } = use;
  const call: ApiCall = { action: 'DeleteNics', about: id, parameters: { nics: [id] } };
  const found = await readNic(use, id, patience);
  if (found?.isUsed === true)
    throw refuse.conflict(api.asked(call), `it is in use by ${found.at?.instance ?? 'something that is no instance'}`);
  if (moves.moveOf(id) !== undefined) throw refuse.conflict(api.asked(call), 'it is on its way to an instance');
  const vxnet = found?.vxnet ?? known.lastVxnetOf(id) ?? orphans.placesOf([id])[0];
  try {
    // Also one that the list lacks: it may be too new for it.
    await api.call(call, () => undefined, patience);
  } catch (error) {
    if (!isFailure(error, 'cloudNotFound')) throw error;
  }
  if (vxnet !== undefined) await releaseOwn(use, id, vxnet, () => true, patience);
  known.forgetNic(id);
}
