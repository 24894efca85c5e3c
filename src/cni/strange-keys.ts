/** Keys of a plugin's configuration that are none of its own: harmless, or a slip of the pen. */
import { failure } from '../errors/failure.ts';
import { describe } from './json.ts';

/** Keys of the specification and of libcni that stand beside a plugin's own, and are read elsewhere or need no reading. */
const standard = new Set(
  ['cniVersion', 'cniVersions', 'name', 'type', 'args', 'capabilities', 'runtimeConfig', 'prevResult', 'ipam'].concat([
    'disableCheck',
    'disableGC',
    'loadOnlyInlinedPlugins',
    'plugins',
  ]),
);

/** The keys that have no effect, for the log. @throws Failure configKeyUnknown for one that resembles a key of `ours`. */
export function strangeKeys(config: Record<string, unknown>, ours: readonly string[]): string[] {
  const strange = Object.keys(config).filter((key) => !standard.has(key) && !ours.includes(key) && !key.startsWith('cni.dev/'));
  for (const key of strange) {
    const nearest = ours.find((own) => resembles(key, own));
    if (nearest !== undefined)
      throw failure('configKeyUnknown', { key: JSON.stringify(key.slice(0, 40)), value: describe(config[key]), nearest });
  }
  return strange;
}

/** Whether one is the other but for case, dashes, or a single letter added, left out, changed or swapped with its neighbour. */
function resembles(key: string, of: string): boolean {
  const [plain, own] = [key.toLowerCase().replaceAll(/[-_]/g, ''), of.toLowerCase()];
  if (plain === own) return true;
  if (own.length < 5 || Math.abs(plain.length - own.length) > 1) return false;
  let [start, end] = [0, 0];
  while (start < own.length && plain[start] === own[start]) start++;
  while (end < own.length - start && end < plain.length - start && plain.at(-1 - end) === own.at(-1 - end)) end++;
  const [left, right] = [plain.slice(start, plain.length - end), own.slice(start, own.length - end)];
  return (left.length <= 1 && right.length <= 1) || (left.length === 2 && left === `${right[1]}${right[0]}`);
}
