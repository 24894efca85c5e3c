/** The objects that docs/objects.md shows. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

/** One of them, as it stands there. */
export interface ShownObject {
  readonly kind: string;
  readonly spec: unknown;
}

/** All of them, in the order of the page. */
export function objectsShown(): ShownObject[] {
  const page = readFileSync(join(resolve(import.meta.dirname, '../..'), 'docs/objects.md'), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  // The page's own YAML: whether it is right is what the tests ask.
  return blocks.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as ShownObject));
}
