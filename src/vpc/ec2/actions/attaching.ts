/** Attaching interfaces to instances, and detaching them by the id of the attachment. */
import { newId } from '../../calls/token.ts';
import type { Nic, State } from '../../model/objects.ts';
import { eniOf, instanceIdOf, instanceIn, nicIdOf, notFound } from '../ids.ts';
import { attachmentOf, loseMark, noteFacts } from '../notes.ts';
import { invalid, Refused } from '../refused.ts';
import { type Action, changes, done, ownCall } from './action.ts';
import { knownNic } from './interfaces.ts';

/** The actions of this file. */
export const attachingActions: readonly Action[] = [
  changes('AttachNetworkInterface', 'AttachNic', (parameters) => {
    const id = nicIdOf(parameters.needed('NetworkInterfaceId'));
    const instance = instanceIdOf(parameters.needed('InstanceId'));
    parameters.needed('DeviceIndex');
    const deviceIndex = parameters.whole('DeviceIndex', 0, 255) ?? 0;
    const card = parameters.whole('NetworkCardIndex', 0, 15) ?? 0;
    return (transaction, setting) => {
      const nic = knownNic(transaction.state, id, setting);
      const { name } = instanceIn(transaction.state, instance);
      // To repeat an attachment is no success here, unlike in the VPC's own API.
      if (nic.attachment !== undefined || nic.branch !== undefined)
        throw new Refused('InvalidNetworkInterface.InUse', `Interface: [${eniOf(id)}] in use.`);
      if (card > 0) throw invalid(`Instance '${instance}' has no network card ${card}`);
      if (deviceIndex === 0) throw invalid(`Instance '${instance}' (${name}) already has an interface attached at device index '0'.`);
      ownCall('AttachNic', transaction, id, { instance, deviceIndex });
      const attachment = newId('eni-attach');
      noteFacts(transaction, id, {
        attachedTo: `${instance} ${deviceIndex}`,
        attachment,
        attachedAt_ms: String(setting.now_ms()),
        deleteOnTermination: 'no',
      });
      return { attachmentId: attachment, networkCardIndex: 0 };
    };
  }),
  changes(
    'DetachNetworkInterface',
    'DetachNic',
    (parameters) => {
      const attachment = parameters.needed('AttachmentId');
      parameters.flag('Force');
      return (transaction, _setting, disturbance) => {
        const nic = attachedAs(transaction.state, attachment);
        if (nic === undefined) throw notFound('InvalidAttachmentID.NotFound', 'attachment', attachment);
        ownCall('DetachNic', transaction, nic.id, undefined, disturbance);
        loseMark(transaction, nic);
        return done;
      };
    },
    { InUse: 'IncorrectState' },
  ),
];

function attachedAs(state: State, attachment: string): Nic | undefined {
  return [...state.nic.values()].find((nic) => attachmentOf(state, nic)?.id === attachment);
}
