/** Conditions as Kubernetes has them: how something stands, and since when. Pure; whoever writes them compares first. */
import type { Condition } from '../store/schema-parts.ts';

/** How something stands now. */
export interface Standing {
  readonly status: 'True' | 'False' | 'Unknown';
  /** In one word, for programs. */
  readonly reason: string;
  /** In a sentence, for people. */
  readonly message: string;
  /** The metadata.generation this is about. */
  readonly observedGeneration?: number;
}

/** The conditions with Ready as it stands now; its time is another only when its status is. */
export function withReady(before: readonly Condition[], standing: Standing, now_ms: number): Condition[] {
  const known = before.find(({ type }) => type === 'Ready');
  const lastTransitionTime = known?.status === standing.status ? known.lastTransitionTime : new Date(now_ms).toISOString();
  return [...before.filter(({ type }) => type !== 'Ready'), { type: 'Ready', ...standing, lastTransitionTime }];
}
