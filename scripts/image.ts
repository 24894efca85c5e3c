/**
 * Builds the OCI image from what the repository has, without docker: `node scripts/image.ts [--json] [FILE]` writes the layout as a tar into FILE
 * (dist/flatpod-image.tar) and lists the layers. Nothing of the machine but its libraries goes in; the same input gives the same digest.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { layers } from './image/layers.ts';
import { type PackedImage, packImage } from './image/layout.ts';

const root = resolve(import.meta.dirname, '..');
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Where the image's name begins; the chart's `image.repository`. */
const REPOSITORY = 'flatpod.dev/flatpod';

function main(): void {
  const json = process.argv.includes('--json');
  const file = resolve(process.argv.slice(2).find((word) => !word.startsWith('-')) ?? join(root, 'dist/flatpod-image.tar'));
  const { version, description, license } = packageFacts();
  const architecture = architectures[process.arch];
  if (architecture === undefined)
    throw new Error(`no image for ${process.arch}: Flatpod runs on ${Object.keys(architectures).join(' and ')}`);
  const reference = `${REPOSITORY}:${version}`;
  const image = packImage(layers(), {
    reference,
    architecture,
    labels: {
      'org.opencontainers.image.title': 'flatpod',
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': license,
    },
  });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, image.tar);
  renameSync(`${file}.part`, file);
  // One image is for one architecture: its libraries are those of the machine that builds it.
  const leftOut = Object.values(architectures).filter((one) => one !== architecture);
  const { digest, layers: packed, tar } = image;
  if (json) console.log(JSON.stringify({ reference, architecture, digest, bytes: tar.length, file, layers: packed, leftOut }));
  else
    console.log(
      [
        `built     ${relative(process.cwd(), file)}: ${reference} for linux/${architecture}, ${megabytes(tar.length)}, ${digest}`,
        ...lines(image),
      ].join('\n'),
    );
  if (!json) console.log(`left out  linux/${leftOut.join(', linux/')}: build it on such a machine, with its Node.js and libraries`);
}

function lines({ layers: packed }: PackedImage): string[] {
  return packed.map(
    ({ name, bytes, unpackedBytes, digest }) =>
      `  ${name.padEnd(10)} ${megabytes(bytes).padStart(8)} packed ${megabytes(unpackedBytes).padStart(9)} unpacked  ${digest}`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

interface PackageFacts {
  readonly version: string;
  readonly description: string;
  readonly license: string;
}

function packageFacts(): PackageFacts {
  // Our own file.
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageFacts;
}

main();
