/** Links that stand on another one: macvlan, ipvlan, vlan (linux/if_link.h, IFLA_INFO_DATA of each kind). */
import type { Message } from './message.ts';
import { changeLink, type Link, newLink, type NewLink } from './link.ts';

/** Modes of macvlan (enum macvlan_mode) and of ipvlan (enum ipvlan_mode), by the names of ip-link(8). */
const macvlanModes = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
const ipvlanModes = { l2: 0, l3: 1, l3s: 2 } as const;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_VLAN_ID = 1;

/** What kind of child it is. */
export type ChildKind =
  | { readonly type: 'macvlan'; readonly mode: keyof typeof macvlanModes }
  | { readonly type: 'ipvlan'; readonly mode: keyof typeof ipvlanModes }
  /** One VLAN of the parent, 1–4094. */
  | { readonly type: 'vlan'; readonly id: number };

/** Makes a child of the link with that index, in the namespace of `link`: one that is born elsewhere and moved would wait for rcu_barrier with RTNL held. */
export function newChild(link: NewLink, kind: ChildKind, parent: number): Message {
  return newLink(link, kind.type, (message) => dataOf(message, kind), parent);
}

/** Gives a child of that kind the mode of `kind`, while it works. Between passthru and other modes, and between VLANs, there is no way (EINVAL, or nothing happens). */
export function changeChild(index: number, kind: ChildKind): Message {
  return changeLink(index, kind.type, (message) => dataOf(message, kind));
}

/** What a link of the same kind is instead, in words; undefined: it is as `kind` says. */
export function otherVariant({ variant }: Pick<Link, 'variant'>, kind: ChildKind): string | undefined {
  if (variant === undefined || variant === variantOf(kind)) return undefined;
  if (kind.type === 'vlan') return `its VLAN is ${variant}`;
  const modes: Readonly<Record<string, number>> = kind.type === 'macvlan' ? macvlanModes : ipvlanModes;
  return `its mode is ${Object.keys(modes).find((mode) => modes[mode] === variant) ?? variant}`;
}

function variantOf(kind: ChildKind): number {
  switch (kind.type) {
    case 'macvlan':
      return macvlanModes[kind.mode];
    case 'ipvlan':
      return ipvlanModes[kind.mode];
    case 'vlan':
      return kind.id;
  }
}

function dataOf(message: Message, kind: ChildKind): void {
  const variant = variantOf(kind);
  switch (kind.type) {
    case 'macvlan':
      message.u32(IFLA_MACVLAN_MODE, variant);
      return;
    case 'ipvlan':
      message.u16(IFLA_IPVLAN_MODE, variant);
      return;
    case 'vlan':
      message.u16(IFLA_VLAN_ID, variant);
  }
}
