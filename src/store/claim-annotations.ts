/** Annotations by which a Pod asks for addresses of its own (docs/objects.md, IPClaim). */

/** `fixed`, or addresses by value. */
export const IP = 'flatpod.dev/ip';
/** The name of an IPClaim. */
export const CLAIM = 'flatpod.dev/ip-claim';
/** What becomes of the addresses when the Pod is gone. */
export const RECLAIM = 'flatpod.dev/ip-reclaim';

/** Whether a Pod with these annotations is to have addresses of its own. */
export function asksForAddresses(annotations: Readonly<Record<string, string>>): boolean {
  return annotations[IP] !== undefined || annotations[CLAIM] !== undefined;
}
