/** Images made without a builder: an OCI image layout (github.com/opencontainers/image-spec) in a tar, which `ctr images import` and `podman load` take. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programs } from '../programs.ts';

/** Names of the two images in the tar; they have the same content. */
export const images = { pause: 'localhost/pause:1', busybox: 'localhost/busybox:1' } as const;

/** Words that containers use. */
const applets = ['sh', 'sleep', 'ping', 'nc', 'wget', 'httpd', 'ip', 'cat', 'dd', 'echo', 'timeout', 'ls', 'true'];

/** Writes a tar with busybox, as `localhost/busybox:1` and, for sandboxes, `localhost/pause:1`; both sleep unless told otherwise. */
export function writeImages(tar: string): void {
  const dir = mkdtempSync(join(tmpdir(), 'fpi-'));
  try {
    const blobs = join(dir, 'layout/blobs/sha256');
    mkdirSync(blobs, { recursive: true });
    const put = (bytes: Buffer): { digest: string; size: number } => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      writeFileSync(join(blobs, hash), bytes);
      return { digest: `sha256:${hash}`, size: bytes.length };
    };
    const layer = put(busyboxLayer(join(dir, 'root')));
    const config = put(
      json({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: { Entrypoint: ['/bin/sleep', '1000000'], Env: ['PATH=/bin'] },
        rootfs: { type: 'layers', diff_ids: [layer.digest] },
      }),
    );
    const type = 'application/vnd.oci.image';
    const manifest = {
      schemaVersion: 2,
      mediaType: `${type}.manifest.v1+json`,
      config: { mediaType: `${type}.config.v1+json`, ...config },
      layers: [{ mediaType: `${type}.layer.v1.tar`, ...layer }],
    };
    const stored = { mediaType: manifest.mediaType, ...put(json(manifest)) };
    const manifests = Object.values(images).map((name) => ({
      ...stored,
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
    }));
    writeFileSync(join(dir, 'layout/oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
    writeFileSync(join(dir, 'layout/index.json'), json({ schemaVersion: 2, manifests }));
    execFileSync('tar', ['-C', join(dir, 'layout'), '-cf', tar, 'oci-layout', 'index.json', 'blobs']);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The root file system as a tar. */
function busyboxLayer(root: string): Buffer {
  mkdirSync(join(root, 'bin'), { recursive: true });
  for (const folder of ['tmp', 'etc', 'proc', 'sys', 'dev']) mkdirSync(join(root, folder));
  copyFileSync(programs.busybox(), join(root, 'bin/busybox'));
  for (const name of applets) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\n');
  const tar = join(root, '../layer.tar');
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  execFileSync('tar', [...same, '-C', root, '-cf', tar, '.']);
  return readFileSync(tar);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
