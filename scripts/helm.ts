/** The real helm, which scripts/setup-test.sh builds from the Go module that test/go/helm pins. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** The folder of the chart. */
export const chart = join(root, 'deploy/chart/flatpod');

/** Values of the chart, as in a values file. */
export type Values = Readonly<Record<string, unknown>>;

/**
 * Runs helm to its end, with those values of the chart; its stdout.
 * @throws Error with helm's own words when it refuses, or when it was not built.
 */
export function helm(values: Values, ...args: readonly string[]): string {
  // No configuration of whoever runs this has a say.
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent' };
  const input = JSON.stringify(values);
  return execFileSync(helmProgram(), [...args, '--values', '-'], { encoding: 'utf8', env, input, stdio: 'pipe', maxBuffer: 1 << 26 });
}

/** What helm makes of the chart in the namespace kube-system. */
export function rendered(values: Values, ...args: readonly string[]): string {
  return helm(values, 'template', 'flatpod', chart, '--namespace', 'kube-system', ...args);
}

/** Path of the program, named after its pins as the script does. @throws Error when it was not built. */
export function helmProgram(): string {
  const pins = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) pins.update(readFileSync(join(root, 'test/go/helm', file)));
  const path = join(root, '.cache/bin', `helm-${pins.digest('hex').slice(0, 16)}`, 'helm');
  if (!existsSync(path)) throw new Error(`${path} is missing: run make test, or scripts/setup-test.sh alone`);
  return path;
}
