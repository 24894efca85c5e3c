/** What is installed: exact versions, nothing that runs at installation, nothing unused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { sources, textOf } from './files.ts';

const versions = z.record(z.string(), z.string()).default({});
const manifest = z
  .object({ dependencies: versions, devDependencies: versions, optionalDependencies: versions })
  .parse(JSON.parse(textOf('package.json')));
const lock = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        version: z.string().optional(),
        hasInstallScript: z.boolean().optional(),
        integrity: z.string().optional(),
        optional: z.boolean().optional(),
      }),
    ),
  })
  .parse(JSON.parse(textOf('package-lock.json')));
const direct = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };

/** Packages whose install script is not needed: esbuild's only replaces a launcher by the program itself. npm runs none (.npmrc). */
const goesWithout = new Set(['node_modules/esbuild']);

test('every dependency has one exact version, the same in the lock', () => {
  const wrong = Object.entries(direct).filter(([name, version]) => {
    const locked = lock.packages[`node_modules/${name}`];
    const isOtherPlatform = locked === undefined && name in manifest.optionalDependencies;
    return !/^\d+\.\d+\.\d+$/.test(version) || (!isOtherPlatform && locked?.version !== version);
  });
  assert.deepEqual(wrong, []);
});

test('no package needs a script at installation, and npm runs none', () => {
  const needy = Object.entries(lock.packages).filter(([path, { hasInstallScript }]) => hasInstallScript === true && !goesWithout.has(path));
  assert.deepEqual(needy, []);
  assert.match(textOf('.npmrc'), /^ignore-scripts=true$/m);
});

test('every locked package has a checksum', () => {
  const bare = Object.entries(lock.packages).filter(([path, { integrity }]) => path !== '' && integrity === undefined);
  assert.deepEqual(
    bare.map(([path]) => path),
    [],
  );
});

test('src imports only Node, its own files and dependencies, and every dependency is used', () => {
  const imported = sources('src').flatMap(([, text]) =>
    [...text.matchAll(/^(?:import (?:.* from )?|\} from |.*\bimport\()'([^'.][^']*)'/gm)].map(([, name = '']) => name),
  );
  const foreign = new Set(imported.filter((name) => !name.startsWith('node:')));
  assert.deepEqual([...foreign].sort(), Object.keys(manifest.dependencies).sort());
});

test('no package is installed in two versions', () => {
  assert.deepEqual(
    Object.keys(lock.packages).filter((path) => path.lastIndexOf('node_modules/') > 0),
    [],
  );
});
