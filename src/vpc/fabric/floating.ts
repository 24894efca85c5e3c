/**
 * Addresses that float: any NIC of their subnet may speak for them, and who has one is asked on the wire, as nobody's books say it. Pure.
 * What the packet filter makes of it stands in ports.nft.
 */
import { firstOf } from '../../net/cidr.ts';
import type { GroupId, State } from '../model/objects.ts';
import type { Add } from './elements.ts';
import { floatingMark, portName, subnetMark } from './names.ts';
import { chainOf, comboOf } from './security.ts';
import { pluggedNics } from './wanted.ts';

/** Adds the elements for floating addresses and for NICs that may send from any. */
export function addFloating(add: Add, state: State, peers: ReadonlySet<GroupId>): void {
  const plugged = pluggedNics(state);
  for (const { nic } of plugged) if (nic.anySource === true) add('ports', 'any_source', `"${portName(nic.id)}"`);
  for (const { id, subnet, blocks, floating, account, securityGroups } of state.nic.values()) {
    if (floating === undefined || floating === 'by no NIC') continue;
    const mine = plugged.filter(({ nic }) => nic.subnet === subnet && nic.account === account);
    const speakers = mine.filter(({ nic }) => floating === 'by all NICs' || nic.anySource === true);
    const floatMark = floatingMark(id);
    for (const { nic } of speakers) add('ports', 'speaker', `"${portName(nic.id)}" . ${floatMark}`);
    const combo = comboOf(securityGroups);
    for (const ip of blocks.map(firstOf)) {
      add('ports', 'floating4', `${subnetMark(subnet)} . ${ip}`);
      add('ports', 'floats4', ip);
      add('ports', 'float_of', `${ip} : ${floatMark}`);
      add('ports', 'taken4', ip);
      add('security', 'out4', `${ip} : jump ${chainOf('out', combo)}`);
      add('security', 'in4', `${ip} : jump ${chainOf('in', combo)}`);
      for (const group of securityGroups) if (peers.has(group)) add('security', `${chainOf('members', group)}_4`, ip);
    }
  }
}
