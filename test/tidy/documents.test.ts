/** What is written for people: links that lead somewhere, decisions that say why. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { paths, root, textOf } from './files.ts';

const pages = paths.filter((path) => path.endsWith('.md'));

test('every relative link leads to a file that is there, and to a heading it has', () => {
  const broken = pages.flatMap((page) => [...linksIn(textOf(page))].filter((link) => !leads(page, link)).map((link) => `${page}: ${link}`));
  assert.deepEqual(broken, []);
});

test('every path of the sources that README and CONTRIBUTING name is there', () => {
  const named = ['README.md', 'CONTRIBUTING.md'].flatMap((page) =>
    [...textOf(page).matchAll(/`((?:src|test|scripts|docs)\/[\w./-]*)`/g)].map(([, path = '']) => [page, path] as const),
  );
  assert.ok(named.length > 10);
  assert.deepEqual(
    named.filter(([, path]) => !existsSync(join(root, path))),
    [],
  );
});

test('every command of the README is one that the Makefile has', () => {
  const targets = new Set([...textOf('Makefile').matchAll(/^([a-z-]+):/gm)].map(([, target]) => target));
  const asked = [...textOf('README.md').matchAll(/\bmake ((?:[a-z-]+ ?)+)(?=[^\w]|$)/gm)].flatMap(([line, words = '']) =>
    /^make (demo|test|build|lint|fmt|clean|setup)/.test(line) ? words.trim().split(' ') : [],
  );
  assert.ok(asked.length > 3);
  assert.deepEqual(
    asked.filter((word) => /^(demo|test|build|lint|fmt|clean|setup)/.test(word) && !targets.has(word)),
    [],
  );
});

test('every decision has its context, what was decided and what was rejected, and a number of its own', () => {
  const decisions = pages.filter((page) => page.startsWith('docs/adr/'));
  assert.ok(decisions.length > 0);
  const poor = decisions.filter((page) =>
    ['Context', 'Decision', 'Rejected'].some((part) => !new RegExp(`^(\\*\\*|#+ )${part}`, 'm').test(textOf(page))),
  );
  assert.deepEqual(poor, []);
  const numbers = decisions.map((page) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(page)?.[1]);
  assert.deepEqual(
    numbers,
    decisions.map((_, i) => String(i + 1).padStart(4, '0')),
  );
});

/** Targets of links outside of code. */
function* linksIn(text: string): Generator<string> {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '``');
  for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)) yield target;
}

function leads(page: string, link: string): boolean {
  if (/^[a-z]+:/.test(link)) return link.startsWith('https://');
  const [path = '', heading] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (target.startsWith('..') || !existsSync(join(root, target))) return false;
  return heading === undefined || headingsOf(target).has(heading);
}

/** The anchors that a page's headings get: lower case, punctuation gone, dashes for blanks. */
function headingsOf(page: string): ReadonlySet<string> {
  const headings = [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
