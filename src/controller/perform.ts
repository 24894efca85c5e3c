/** Makes the one call of an action, and remembers what the cloud confirmed. */
import type { Cidr } from '../net/cidr.ts';
import type { Action } from './action.ts';
import type { NodeMemory } from './memory.ts';
import { type OwnWrite, withWrite } from './own-writes.ts';
import { tagsFor, tagsOfCluster } from './tags.ts';
import { tagsForUse } from './uses.ts';
import type { World } from './world.ts';

/** The node an action is for. */
interface Target {
  readonly name: string;
  readonly spec: { readonly instance: Parameters<World['cloud']['attachNic']>[1] };
}

/** Answers with the blocks that it brought. @throws Failure cloud*; nothing is remembered then: the change may or may not have happened. */
export async function perform(world: World, memory: NodeMemory, node: Target, action: Action): Promise<readonly Cidr[]> {
  const write = await call(world, node, action);
  memory.writes = withWrite(memory.writes, write);
  if (write.did === 'attach' || write.did === 'detach') [memory.polls, memory.nextPoll_ms] = [0, 0];
  return write.did === 'assign' ? write.blocks : [];
}

async function call({ cloud, clock, cluster }: World, node: Target, action: Action): Promise<OwnWrite> {
  const at_ms = clock.now_ms();
  switch (action.do) {
    case 'assign':
      return { did: 'assign', nic: action.nic, blocks: await cloud.assign(action.nic, action.want, tagsOfCluster(cluster)), at_ms };
    case 'unassign':
      await cloud.unassign(action.nic, action.blocks);
      return { did: 'unassign', nic: action.nic, blocks: action.blocks, at_ms };
    case 'create': {
      const { token, subnet, cloudSubnet, securityGroups, want, use = 'pods', multiMac } = action.intent;
      const made = await cloud.createNic({
        clientToken: token,
        subnet: cloudSubnet,
        securityGroups,
        tags: { ...tagsFor(cluster, node.name, subnet, token), ...tagsForUse(use) },
        description: `Flatpod: ${use === 'trunk' ? 'trunk' : subnet} on ${node.name}`,
        ...(multiMac === true && { multiMac }),
        ...(use === 'trunk' && { isTrunk: true }),
        ...(Object.keys(want).length > 0 && { want }),
      });
      return { did: 'create', nic: made.id, made, at_ms };
    }
    case 'attach': {
      const { instance } = node.spec;
      await cloud.attachNic(action.nic, instance, action.deviceIndex);
      return { did: 'attach', nic: action.nic, instance, deviceIndex: action.deviceIndex, at_ms };
    }
    case 'attachBranch': {
      const { nic, trunk, vlan } = action;
      await cloud.attachBranch(nic, trunk, vlan);
      return { did: 'attachBranch', nic, trunk, vlan, at_ms };
    }
    case 'detach':
      await cloud.detachNic(action.nic);
      return { did: 'detach', nic: action.nic, at_ms };
    case 'delete':
      await cloud.deleteNic(action.nic);
      return { did: 'delete', nic: action.nic, at_ms };
    default:
      return action satisfies never;
  }
}

/** What a call is about, for the log. */
export function wordsFor(action: Action): string {
  switch (action.do) {
    case 'assign':
      return `assign ${JSON.stringify(action.want)} to ${action.nic} for ${action.subnet}`;
    case 'unassign':
      return `unassign ${action.blocks.length} blocks from ${action.nic}`;
    case 'create':
      return `create a ${action.intent.use === 'trunk' ? 'trunk' : 'NIC'} for ${action.subnet}`;
    case 'attach':
      return `attach ${action.nic} as device ${action.deviceIndex}`;
    case 'attachBranch':
      return `attach ${action.nic} as VLAN ${action.vlan} of ${action.trunk}`;
    case 'detach':
    case 'delete':
      return `${action.do} ${action.nic}`;
    default:
      return action satisfies never;
  }
}
