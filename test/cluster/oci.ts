/** Images made without a builder: an OCI image layout (github.com/opencontainers/image-spec) in a tar, which `ctr images import` takes. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** An image to be made. */
export interface Image {
  /** All its names. */
  readonly names: readonly string[];
  /** Root file systems, the lowest first, as folders. Images that name the same folder share the layer. */
  readonly layers: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command?: readonly string[];
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

const type = 'application/vnd.oci.image';

/** Writes all images into one tar. `work`: an empty folder for what comes between. */
export async function writeOci(tar: string, images: readonly Image[], work: string): Promise<void> {
  const blobs = join(work, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (value: unknown): Blob => {
    const bytes = Buffer.from(JSON.stringify(value));
    const hash = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hash), bytes);
    return { digest: `sha256:${hash}`, size: bytes.length };
  };
  const packed = new Map<string, Blob>();
  for (const folder of new Set(images.flatMap(({ layers }) => layers))) packed.set(folder, await pack(folder, blobs));
  const manifests = images.flatMap((image) => {
    const layers = image.layers.flatMap((folder) => packed.get(folder) ?? []);
    const config = put({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Entrypoint: image.entrypoint, Cmd: image.command ?? [], Env: ['PATH=/usr/bin:/bin:/usr/sbin:/sbin:/'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    });
    const manifest = put({
      schemaVersion: 2,
      mediaType: `${type}.manifest.v1+json`,
      config: { mediaType: `${type}.config.v1+json`, ...config },
      layers: layers.map((layer) => ({ mediaType: `${type}.layer.v1.tar`, ...layer })),
    });
    return image.names.map((name) => ({
      mediaType: `${type}.manifest.v1+json`,
      ...manifest,
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
    }));
  });
  writeFileSync(join(work, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(work, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  execFileSync('tar', ['-C', work, '-cf', tar, 'oci-layout', 'index.json', 'blobs']);
}

/** A folder as a layer, the same bytes for the same files. */
async function pack(folder: string, blobs: string): Promise<Blob> {
  const file = join(blobs, 'part');
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  execFileSync('tar', [...same, '-C', folder, '-cf', file, '.']);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const name = hash.digest('hex');
  renameSync(file, join(blobs, name));
  return { digest: `sha256:${name}`, size: statSync(join(blobs, name)).size };
}
