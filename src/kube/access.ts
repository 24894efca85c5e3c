/** Where an API server is and who we are to it: what kubeconfig files and mounted ServiceAccounts have in common. */
import { constants, readFileSync, statSync } from 'node:fs';
import { failure } from '../errors/failure.ts';

/** Proof of who we are, as of now. */
export interface Credentials {
  /** Bearer token (RFC 6750). */
  readonly token?: string;
  /** Certificate and key, PEM. */
  readonly client?: { readonly certificate: string; readonly key: string };
  /** Whom the server's certificate must be signed by, PEM; absent: the public authorities. */
  readonly authority?: string;
}

/** A way to an API server. */
export interface Access {
  /** `https://HOST:PORT`, perhaps with a path behind which the API lies; no slash at the end. */
  readonly server: string;
  /** The name to expect in the server's certificate; absent: the server's host. */
  readonly serverName?: string;
  /** The server's certificate is not looked at, because somebody said so in as many words. */
  readonly unverified: boolean;
  /** The namespace this access is at home in, when it says so. */
  readonly namespace?: string;
  /**
   * Reads credentials anew: files among them may have rotated. Costs a few small reads.
   * @throws Failure credentialUnreadable
   */
  credentials(): Credentials;
}

/** Certificates of many authorities are some hundred KiB. */
const LARGEST_bytes = 1 << 20;

/** The text of a file that proves something; `what` names it for people. @throws Failure credentialUnreadable */
export function readCredential(path: string, what: string): string {
  const wrong = (text: string, cause?: unknown) => failure('credentialUnreadable', { what, path, text }, cause);
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > LARGEST_bytes) throw new RangeError(`it has ${size} bytes, at most ${LARGEST_bytes} are read`);
    text = readFileSync(path, { encoding: 'utf8', flag: constants.O_RDONLY | constants.O_NONBLOCK });
  } catch (cause) {
    throw wrong(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (text.trim() === '') throw wrong('it is empty');
  return text;
}

/** A token as it may stand in a header; what comes with a file, such as its last newline, is left out. @throws Failure credentialUnreadable */
export function readToken(path: string): string {
  const token = readCredential(path, 'the token').trim();
  if (isToken(token)) return token;
  throw failure('credentialUnreadable', {
    what: 'the token',
    path,
    text: 'it holds more than one token has: blanks, or letters that are not ASCII',
  });
}

/** Whether it can stand in a header (RFC 6750, section 2.1; API servers take any visible ASCII). */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}
