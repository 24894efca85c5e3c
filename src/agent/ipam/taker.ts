/** Whom addresses are for. */
export interface Taker {
  readonly container: string;
  readonly ifname: string;
  /** `namespace/name`, or empty when the runtime did not say. */
  readonly pod: string;
}

/** The taker in words, for errors. */
export function sayTaker({ container, ifname, pod }: Taker): string {
  return pod === '' ? `${container}/${ifname}` : `${pod} (${ifname})`;
}
