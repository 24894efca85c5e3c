/** Branches on trunks, by VLAN. */
import { newId, once } from '../../calls/token.ts';
import { detached } from '../../calls/nics.ts';
import type { Nic, State } from '../../model/objects.ts';
import { type Fields as Filterable, filtered, filtersOf } from '../filters.ts';
import { eniOf, nicIdOf, nicIn, notFound } from '../ids.ts';
import { associationOf, loseMark, noteFacts } from '../notes.ts';
import { paged, pageIn } from '../pages.ts';
import { Refused } from '../refused.ts';
import { type Action, changes, type Fields, ownCall, tells } from './action.ts';
import { knownNic } from './interfaces.ts';
import { tagSet } from './tag-sets.ts';

/** The actions of this file. */
export const trunkActions: readonly Action[] = [
  changes(
    'AssociateTrunkInterface',
    'AttachBranch',
    (parameters) => {
      const request = {
        clientToken: parameters.text('ClientToken'),
        branch: nicIdOf(parameters.needed('BranchInterfaceId')),
        trunk: nicIdOf(parameters.needed('TrunkInterfaceId')),
        vlan: parameters.whole('VlanId', 1, 4094),
      };
      if (request.vlan === undefined)
        throw new Refused('MissingParameter', 'The request must contain the parameter VlanId: GRE is not supported here');
      return (transaction, setting) => {
        const { state } = transaction;
        const { branch: id, trunk, vlan } = request;
        const nic = knownNic(state, id, setting);
        knownNic(state, trunk, setting);
        once(transaction, 'AssociateTrunkInterface', request, 'nic', () => {
          if (nic.branch !== undefined || nic.attachment !== undefined)
            throw new Refused('InvalidNetworkInterface.InUse', `Interface: [${eniOf(id)}] in use.`);
          ownCall('AttachBranch', transaction, id, { trunk, vlan });
          noteFacts(transaction, id, { association: newId('trunk-assoc'), associatedTo: `${trunk} ${vlan}` });
          return id;
        });
        return { interfaceAssociation: shown(state, nicIn(state, id)), clientToken: request.clientToken };
      };
    },
    { NotAttached: 'IncorrectState', WrongZone: 'InvalidParameterCombination' },
  ),
  changes('DisassociateTrunkInterface', 'DetachNic', (parameters) => {
    const association = parameters.needed('AssociationId');
    const clientToken = parameters.text('ClientToken');
    return (transaction) => {
      const nic = branches(transaction.state).find((one) => associationOf(transaction.state, one) === association);
      if (nic === undefined) throw notFound('InvalidAssociationID.NotFound', 'association', association);
      transaction.put('nic', detached(nic));
      loseMark(transaction, nic);
      return { return: true, clientToken };
    };
  }),
  tells('DescribeTrunkInterfaceAssociations', 'ListNics', (parameters) => {
    const ids = parameters.texts('AssociationId');
    const filters = filtersOf(parameters);
    const page = pageIn(parameters, ids, 255);
    return (state) => {
      const all = branches(state);
      const unknown = ids.find((id) => !all.some((nic) => associationOf(state, nic) === id));
      if (unknown !== undefined) throw notFound('InvalidAssociationID.NotFound', 'association', unknown);
      const wanted = ids.length === 0 ? all : all.filter((nic) => ids.includes(associationOf(state, nic) ?? ''));
      const { items, nextToken } = paged(filtered(wanted, filters, filterable), page, filters);
      return { interfaceAssociationSet: items.map((nic) => shown(state, nic)), nextToken };
    };
  }),
];

const filterable: Filterable<Nic> = { 'interface-protocol': () => 'VLAN', 'gre-key': () => undefined };

function branches(state: State): Nic[] {
  return [...state.nic.values()].filter(({ branch }) => branch !== undefined);
}

function shown(state: State, nic: Nic): Fields {
  return {
    associationId: associationOf(state, nic),
    branchInterfaceId: eniOf(nic.id),
    trunkInterfaceId: nic.branch && eniOf(nic.branch.trunk),
    interfaceProtocol: 'VLAN',
    vlanId: nic.branch?.vlan,
    tagSet: tagSet({}),
  };
}
