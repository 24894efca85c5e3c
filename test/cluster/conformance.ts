/** Kubernetes' own end-to-end tests, run against a cluster by ginkgo. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programs } from '../programs.ts';
import type { Cluster } from './cluster.ts';

/** What became of them. */
export interface Verdict {
  readonly passed: readonly string[];
  /** Name and what it said. */
  readonly failed: readonly { readonly name: string; readonly text: string }[];
  /** The end of what the runner printed. */
  readonly output: string;
}

/** How they are run. */
export interface ConformanceOptions {
  /** Regular expression over the names of the tests. */
  readonly focus: string;
  readonly skip?: string;
  /** At once; four unless told otherwise; with more each takes longer. */
  readonly processes?: number;
  readonly limit_s: number;
}

/** Runs those tests whose names match; their namespaces are gone afterwards. They talk to the cluster from the control plane's machine. */
export async function runConformance(cluster: Cluster, options: ConformanceOptions): Promise<Verdict> {
  const reports = join(cluster.dir, 'conformance');
  rmSync(reports, { recursive: true, force: true });
  const kubectl = programs.kube('kubectl');
  const command = [
    programs.e2e('ginkgo'),
    `--procs=${options.processes ?? 4}`,
    '--no-color',
    `--focus=${options.focus}`,
    ...(options.skip === undefined ? [] : [`--skip=${options.skip}`]),
    `--timeout=${options.limit_s}s`,
    programs.e2e('e2e.test'),
    '--',
    `--kubeconfig=${cluster.kubeconfig}`,
    `--kubectl-path=${kubectl}`,
    '--provider=skeleton',
    `--report-dir=${reports}`,
    '--allowed-not-ready-nodes=0',
    '--disable-log-dump',
  ];
  // Some tests call kubectl by its name alone.
  const env = { PATH: `${dirname(kubectl)}:/usr/sbin:/usr/bin:/sbin:/bin` };
  const { stdout, stderr } = await cluster.control.run(command, { env, limit_s: options.limit_s + 60 });
  return { ...verdictOf(reports), output: (stdout + stderr).slice(-4000) };
}

/** Reads the JUnit reports (a `testcase` a test, with its `status`); tests that were not chosen are `skipped`. */
function verdictOf(reports: string): Omit<Verdict, 'output'> {
  const passed: string[] = [];
  const failed: { name: string; text: string }[] = [];
  for (const file of filesIn(reports).filter((name) => /^junit.*\.xml$/.test(name))) {
    const text = readFileSync(join(reports, file), 'utf8');
    for (const [, name = '', status = '', rest = ''] of text.matchAll(
      /<testcase name="([^"]*)"[^>]* status="(\w+)"[^>]*>([\s\S]*?)<\/testcase>/g,
    )) {
      if (!name.startsWith('[It]')) continue;
      if (status === 'passed') passed.push(plain(name));
      else if (status !== 'skipped')
        failed.push({ name: plain(name), text: plain(/<failure[^>]* message="([^"]*)"/.exec(rest)?.[1] ?? status) });
    }
  }
  return { passed, failed };
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it never came to a report
  }
}

function plain(xml: string): string {
  const entities: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: '<', gt: '>', amp: '&' };
  return xml.replaceAll(/&(?:#x?\w+|(\w+));/g, (all, name: string | undefined) => (name === undefined ? ' ' : (entities[name] ?? all)));
}
