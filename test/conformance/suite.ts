/** One of the reference plugins' test suites, compiled, run with an IPAM plugin of choice first on PATH. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { programs } from '../programs.ts';

/** The main plugins whose tests execute their IPAM plugin; but dummy, whose tests compile it each time they run. */
export const suites = ['bridge', 'host-device', 'ipvlan', 'macvlan', 'ptp', 'tap', 'vlan'] as const;
/** One of them. */
export type Suite = (typeof suites)[number];

/** What became of one case. */
export interface Case {
  /** Its texts, and how often they were met before: tables repeat them. */
  readonly name: string;
  /** Its texts alone. */
  readonly text: string;
  readonly passed: boolean;
  /** Why not, on one line. */
  readonly reason: string;
}

const LIMIT_ms = 1_200_000;

/** With what a suite runs. */
export interface Setting {
  /** The folder with the IPAM plugins. */
  readonly bin: string;
  /** For reports, and where it runs. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs it to its end, or only its cases with these texts. @throws Error when it leaves no report. */
export async function runSuite(suite: Suite, { bin, dir, env }: Setting, only?: readonly string[]): Promise<Case[]> {
  const report = join(dir, `${suite}.json`);
  const path = `${bin}:${process.env['PATH'] ?? ''}`;
  // A run that is killed leaves none: that of the run before is not to be taken for it.
  rmSync(report, { force: true });
  await new Promise<void>((done) => {
    // It is matched with the suite's own description before the texts.
    const focus = only === undefined ? [] : [`--ginkgo.focus= (?:${only.map(escaped).join('|')})$`];
    const args = ['--ginkgo.no-color', `--ginkgo.json-report=${report}`, ...focus];
    execFile(
      programs.conformance(suite),
      args,
      { cwd: dir, env: { ...process.env, ...env, PATH: path }, timeout: LIMIT_ms, killSignal: 'SIGKILL', maxBuffer: 1 << 28 },
      // A failing case makes the suite fail: the report says which.
      () => done(),
    );
  });
  const cases = casesIn(JSON.parse(readFileSync(report, 'utf8')));
  return only === undefined ? cases : cases.filter(({ text }) => only.includes(text));
}

/** For Go's regular expressions (golang.org/s/re2syntax). */
function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
}

function casesIn(report: unknown): Case[] {
  const met = new Map<string, number>();
  return listIn(report).flatMap((suite) =>
    listIn(fieldsIn(suite)['SpecReports']).flatMap((spec) => {
      const { LeafNodeType, LeafNodeText, ContainerHierarchyTexts, State, Failure } = fieldsIn(spec);
      if (LeafNodeType !== 'It' || State === 'skipped' || State === 'pending') return [];
      const text = [...listIn(ContainerHierarchyTexts), LeafNodeText].join(' ');
      const times = (met.get(text) ?? 0) + 1;
      met.set(text, times);
      const message = fieldsIn(Failure)['Message'];
      return [{ name: `${text} #${times}`, text, passed: State === 'passed', reason: typeof message === 'string' ? oneLine(message) : '' }];
    }),
  );
}

/** The sentence in a failed expectation, without the addresses of Go's values. */
function oneLine(message: string): string {
  return message
    .replaceAll(/0x[0-9a-f]+/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
}

function listIn(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function fieldsIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
