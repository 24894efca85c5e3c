/** Places where a test may kill the agent: between any two effects of ADD and DEL. Costs one comparison when no test asks. */

/** Every place, in the order in which a verb passes them. */
export const faultPoints = [
  'add:1 request read',
  'add:2 address taken',
  'add:3 attachment committed',
  'add:4 kernel applied',
  'add:5 answered',
  'del:1 request read',
  'del:2 kernel removed',
  'del:3 attachment closed',
  'del:4 answered',
] as const;

/** One of them. */
export type FaultPoint = (typeof faultPoints)[number];

/** The place at which this process is to die, from `FLATPOD_DIE_AT`, and when it passes it for which time (`FLATPOD_DIE_ON`, the first); only tests set them. */
const { FLATPOD_DIE_AT: dieAt, FLATPOD_DIE_ON: dieOn = '1' } = process.env;
let passed = 0;

/** Kills the process by SIGKILL when a test asked for it here. */
export function faultPoint(point: FaultPoint): void {
  if (dieAt === point && ++passed === Number(dieOn)) process.kill(process.pid, 'SIGKILL');
}
