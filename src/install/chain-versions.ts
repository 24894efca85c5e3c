/** Which CNI versions a chain of plugins has in common: each says so itself, when executed with CNI_COMMAND=VERSION (CNI specification, section 2). */
import { spawnSync } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { failure } from '../errors/failure.ts';
import type { VersionChoice } from './config-list.ts';

const ANSWER_WITHIN_ms = 5000;

const answer = z.object({ supportedVersions: z.array(z.string()) });

/**
 * The choice without what a plugin of the chain does not know: a list of such a version would fail every Pod.
 * @throws Failure pluginUnusable when a plugin does not answer, or when no version is left.
 */
export function knownToChain(choice: VersionChoice, binDir: string, chain: readonly string[]): VersionChoice {
  const known = chain.map((plugin) => ({ plugin, versions: versionsOf(join(binDir, plugin)) }));
  const limits = known.filter(({ versions }) => !wanted(choice).every((version) => versions.includes(version)));
  if (limits.length === 0) return choice;
  const left = [...fallbacks, ...wanted(choice)].filter((version, i, all) => {
    return all.indexOf(version) === i && known.every(({ versions }) => versions.includes(version));
  });
  const best = left.includes(choice.cniVersion) ? choice.cniVersion : left.at(-1);
  if (best === undefined) {
    const text = limits.map(({ plugin, versions }) => `${plugin} knows ${versions.join(', ')}`).join('; ');
    throw failure('pluginUnusable', { plugin: limits[0]?.plugin ?? '', directory: binDir, text });
  }
  return choice.cniVersions === undefined ? { cniVersion: best } : { cniVersion: best, cniVersions: left };
}

/** What lists are written in when the newest cannot be used, oldest first. */
const fallbacks = ['0.4.0', '1.0.0'] as const;

function wanted({ cniVersion, cniVersions = [cniVersion] }: VersionChoice): readonly string[] {
  return cniVersions;
}

function versionsOf(path: string): readonly string[] {
  const { stdout, status, error } = spawnSync(path, [], {
    input: '{"cniVersion":"1.0.0"}',
    env: { CNI_COMMAND: 'VERSION' },
    encoding: 'utf8',
    timeout: ANSWER_WITHIN_ms,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  try {
    // A plugin need not read the request: then writing it may fail, and the answer counts all the same.
    if (status !== 0) throw error ?? new Error(`it ended with ${status ?? 'a signal'}`);
    return answer.parse(JSON.parse(stdout)).supportedVersions;
  } catch (cause) {
    const [plugin, directory] = [basename(path), dirname(path)];
    throw failure('pluginUnusable', { plugin, directory, text: cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '' }, cause);
  }
}
