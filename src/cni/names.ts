/** Names that a runtime gives: containers, interfaces, networks, namespaces. Checked once, here; branded from then on. */

/** A container id: `^[a-zA-Z0-9][a-zA-Z0-9_.-]*$` (CNI specification 1.1.0, section 2), so never a path. */
export type ContainerId = string & { readonly __brand: 'ContainerId' };
/** An interface name that the kernel takes as it is: 1–15 bytes (linux/netdevice.h dev_valid_name). */
export type IfName = string & { readonly __brand: 'IfName' };
/** The path of a network namespace, absolute. Whether there is one, the kernel knows. */
export type NetnsPath = string & { readonly __brand: 'NetnsPath' };

/** What is acceptable, in words, for errors. */
export const acceptable = {
  container: 'letters, digits, - _ . are acceptable, a letter or digit first',
  ifname: '1 to 15 bytes without / : % and white space are acceptable',
  netns: 'an absolute path of at most 4095 bytes is acceptable',
} as const;

/** undefined unless the text is a container id. Network names follow the same rule. */
export function tryContainerId(text: string): ContainerId | undefined {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text) ? (text as ContainerId) : undefined;
}

/** What no interface is called: names of folders, and under net/ipv4/conf what stands for every interface (devinet_sysctl_register in net/ipv4/devinet.c). */
const reserved: ReadonlySet<string> = new Set(['.', '..', 'all', 'default']);

/**
 * undefined unless the text is an interface name. `%` is refused too, although the specification allows it: the kernel takes `eth%d` for a
 * pattern and would choose another name.
 */
export function tryIfName(text: string): IfName | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes < 1 || bytes > 15 || reserved.has(text) || /[/:%\s\0]/.test(text)) return undefined;
  return text as IfName;
}

/** undefined unless the text is an absolute path that fits the kernel's PATH_MAX. */
export function tryNetnsPath(text: string): NetnsPath | undefined {
  return text.startsWith('/') && Buffer.byteLength(text) < 4096 && !text.includes('\0') ? (text as NetnsPath) : undefined;
}
