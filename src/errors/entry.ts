/** The shape of an entry of the catalogue. */

/** One error: our code, the code on the wire, and three sentences with {facts}. */
export interface ErrorEntry {
  readonly code: number;
  readonly cni: number;
  readonly message: string;
  readonly details: string;
  readonly hint: string;
}
