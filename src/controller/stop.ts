/** Why nothing is asked of the cloud for now. */
import type { Growth } from '../store/node-network.ts';

/** See the head of this file: who or what stops it, and the sentence. */
export type Stop = Omit<Growth, 'subnet'>;
