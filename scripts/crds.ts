/** Writes deploy/crds/*.yaml from the schemas in src/store: `node scripts/crds.ts`. A test says when it must be run again. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { definitions } from '../src/store/crd/definitions.ts';

/** Where the files live. */
export const crdFolder = join(resolve(import.meta.dirname, '..'), 'deploy/crds');

const head = '# Made by scripts/crds.ts from the schemas in src/store/: change those, not this file.\n';

/** File name → text. */
export function crdFiles(): Map<string, string> {
  return new Map(
    [...definitions()].map(([file, object]) => [file, head + stringify(object, { lineWidth: 140, aliasDuplicateObjects: false })]),
  );
}

if (import.meta.main) {
  mkdirSync(crdFolder, { recursive: true });
  for (const [file, text] of crdFiles()) writeFileSync(join(crdFolder, file), text);
}
