/** A cloud that only its present leader may change. */
import { failure } from '../../errors/failure.ts';
import type { Cloud } from '../cloud.ts';
import { changingBy } from './changing.ts';

/**
 * The same cloud for reading; a changing call is made only while nobody else can lead for as long as the call may take, and rejects with cloudFenced
 * otherwise: then it was not sent. Wrap the driver itself: what waits for its turn must be asked when the wait is over.
 * `holdsFor_ms`: for how long from now we are sure to lead; `longest_ms`: the deadline of a call.
 */
export function fenced(cloud: Cloud, holdsFor_ms: () => number, longest_ms: number): Cloud {
  return changingBy(cloud, (call, make) => {
    const left_ms = holdsFor_ms();
    if (left_ms < longest_ms) return Promise.reject(failure('cloudFenced', { cloud: cloud.name, call, left_ms: Math.round(left_ms) }));
    return make();
  });
}
