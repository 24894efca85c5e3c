/** Certificates in a file, by which a cloud of somebody's own is known. */
import { type Connections, connections, Untrusted } from './http.ts';
import { markOf, textIn } from './watched-file.ts';

/** The certificates, in PEM. `unusable` makes the error, with what is wrong with the file. @throws what `unusable` makes */
export function certificatesIn(path: string, unusable: (what: string) => Error): string {
  const pem = textIn(path, unusable);
  // TLS takes what has none without a word, and then knows nobody.
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw unusable(`${path} has no certificate in it`);
  return pem;
}

/**
 * Connections that know servers by the certificates of the file instead of the system's; by the system's where none is named. The file is looked at before each
 * call over TLS, and read again when it is another one; calls under way then end with the old ones. An exchange throws Untrusted when it cannot be used.
 */
export function connectionsBy(path: string | undefined): Connections {
  if (path === undefined) return connections();
  const plain = connections();
  let known: { readonly mark: string; readonly secure: Connections } | undefined;
  const now = (): Connections => {
    const mark = markOf(path);
    if (known?.mark === mark) return known.secure;
    const secure = connections({ ca: certificatesIn(path, (what) => new Untrusted(what)) });
    known = { mark, secure };
    return secure;
  };
  return {
    async exchange(call, deadline_ms) {
      return await (call.endpoint.startsWith('https:') ? now() : plain).exchange(call, deadline_ms);
    },
    close() {
      plain.close();
      known?.secure.close();
    },
  };
}
