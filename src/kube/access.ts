/** Where an API server is and who we are to it: what kubeconfig files and mounted ServiceAccounts have in common. */

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
