/** An OCI image layout (github.com/opencontainers/image-spec 1.1: image-layout, index, manifest, config) as a tar that `ctr images import` and others take. */
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync } from 'node:zlib';
import type { Layer } from './layers.ts';
import { type Entry, tarOf } from './tar.ts';

/** What the image says about itself. */
export interface ImageFacts {
  /** Full reference, such as `flatpod.dev/flatpod:0.1.0`. */
  readonly reference: string;
  /** As in the specification: `amd64` or `arm64`. */
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A layer as it is stored. */
export interface PackedLayer {
  readonly name: string;
  /** Of the compressed bytes. */
  readonly digest: string;
  /** Of the tar. */
  readonly diffId: string;
  readonly bytes: number;
  readonly unpackedBytes: number;
}

/** The image, packed. */
export interface PackedImage {
  /** Of the manifest: what a registry would call it. */
  readonly digest: string;
  readonly layers: readonly PackedLayer[];
  /** The layout. */
  readonly tar: Buffer;
}

/** Above this level a megabyte less costs seconds more. */
const LEVEL = 6;
const OCI = 'application/vnd.oci.image';

/** Packs the layers. The same layers and facts give the same bytes. */
export function packImage(layers: readonly Layer[], { reference, architecture, labels }: ImageFacts): PackedImage {
  const blobs = new Map<string, Uint8Array>();
  const put = (bytes: Uint8Array): { digest: string; size: number } => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  };
  const packed = layers.map(({ name, entries }): PackedLayer => {
    const tar = tarOf(entries);
    const { digest, size } = put(zstdCompressSync(tar, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }));
    return { name, digest, diffId: digestOf(tar), bytes: size, unpackedBytes: tar.length };
  });
  const config = {
    architecture,
    os: 'linux',
    // Root unless the Pod says otherwise: the agent has to be.
    config: { Entrypoint: ['/usr/bin/flatpod'], Env: ['PATH=/usr/bin'], WorkingDir: '/', Labels: labels },
    rootfs: { type: 'layers', diff_ids: packed.map(({ diffId }) => diffId) },
    history: packed.map(({ name }) => ({ created_by: `scripts/image.ts: ${name}` })),
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: { mediaType: `${OCI}.config.v1+json`, ...put(json(config)) },
    layers: packed.map(({ digest, bytes }) => ({ mediaType: `${OCI}.layer.v1.tar+zstd`, digest, size: bytes })),
    annotations: labels,
  };
  const stored = put(json(manifest));
  const index = {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [
      {
        mediaType: manifest.mediaType,
        ...stored,
        platform: { architecture, os: 'linux' },
        annotations: { 'io.containerd.image.name': reference, 'org.opencontainers.image.ref.name': reference },
      },
    ],
  };
  return { digest: stored.digest, layers: packed, tar: tarOf(layoutOf(index, blobs)) };
}

function layoutOf(index: object, blobs: ReadonlyMap<string, Uint8Array>): Entry[] {
  const file = (path: string, contents: Uint8Array): Entry => ({ kind: 'file', path, mode: 0o644, contents });
  return [
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
    file('index.json', json(index)),
    { kind: 'folder', path: 'blobs', mode: 0o755 },
    { kind: 'folder', path: 'blobs/sha256', mode: 0o755 },
    ...[...blobs].map(([digest, bytes]) => file(`blobs/${digest.replace(':', '/')}`, bytes)),
  ];
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
