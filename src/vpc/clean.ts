/** Taking a VPC's network away when its program is gone. */
import { ownNetns, removeNetns } from './fabric/netns.ts';

/**
 * Removes every namespace of the VPC of that name, with all links in them; the state's files stay. Works after a crash, and when there is nothing.
 * Returns the names of what it removed.
 */
export function cleanVpc(name: string): string[] {
  const names = ownNetns(name);
  removeNetns(names);
  return names;
}
