/** What the kernel holds of one Pod, in and around it, a line for each thing, with names in place of what differs from Pod to Pod. */
import type { Place } from './scene.ts';

/** Whose state it is. */
export interface Whose {
  readonly pod: Place;
  readonly node: Place;
  readonly address: string;
}

/** Of IPv4, and of links. */
export function stateOf({ pod, node, address }: Whose): string[] {
  const named = (text: string): string =>
    [...names(pod, node, address)].reduce(
      (line, [what, name]) => line.replaceAll(new RegExp(`${what.replaceAll('.', '\\.')}(?![0-9])`, 'g'), name),
      text,
    );
  const lines = (of: 'Pod' | 'host', kind: string, text: string): string[] =>
    text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [`${of} ${kind}: ${named(line.trim().replaceAll(/\s+/g, ' '))}`]));
  const isAbout = (line: string): boolean => new RegExp(`\\b${address.replaceAll('.', '\\.')}(?![0-9])`).test(line);
  const about = (text: string): string => text.split('\n').filter(isAbout).join('\n');
  return [
    ...lines('Pod', 'link', linkOf(pod, 'eth0')),
    ...lines('Pod', 'address', pod.sh("ip -4 -o addr show dev eth0 | sed 's/.*inet \\([^ ]*\\).*/\\1/'")),
    ...lines('Pod', 'route', pod.sh('ip route show table main')),
    ...lines('Pod', 'neighbour', pod.sh('ip -4 neigh show nud permanent')),
    ...lines('Pod', 'rule', pod.sh('ip rule | grep -v "lookup \\(local\\|main\\|default\\)" || true')),
    ...lines('host', 'link', linkOf(node, hostEndOf(node, pod))),
    ...lines('host', 'route', about(node.sh('ip route show table all'))),
    ...lines('host', 'rule', about(node.sh('ip rule'))),
    ...lines('host', 'neighbour', about(node.sh('ip -4 neigh'))),
  ].toSorted();
}

/** Its kind, MTU and state, and its alias. */
function linkOf({ sh }: Place, name: string): string {
  const [link] = JSON.parse(sh(`ip -d -j link show ${name}`)) as {
    linkinfo?: { info_kind: string };
    mtu: number;
    operstate: string;
    ifalias?: string;
  }[];
  return `${link?.linkinfo?.info_kind} mtu ${link?.mtu} ${link?.operstate}${link?.ifalias === undefined ? '' : ' with our alias'}`;
}

/** The host's end of eth0: by the index that the Pod sees. */
function hostEndOf(node: Place, pod: Place): string {
  const [, index] = /eth0@if(\d+)/.exec(pod.sh('ip -o link show eth0')) ?? [];
  const [, name] = new RegExp(`^${index}: ([^@:]+)`, 'm').exec(node.sh('ip -o link')) ?? [];
  return name ?? 'none';
}

function names(pod: Place, node: Place, address: string): Map<string, string> {
  const hostEnd = hostEndOf(node, pod);
  const [, mac = 'none'] = /ether (\S+)/.exec(node.sh(`ip link show ${hostEnd}`)) ?? [];
  return new Map([
    [address, 'POD'],
    [hostEnd, 'HOST-END'],
    [mac, 'HOST-MAC'],
  ]);
}
