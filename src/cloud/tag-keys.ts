/** The keys of our tags. What they are for: src/controller/tags.ts. */
export const tagKeys = {
  cluster: 'flatpod.dev/cluster',
  node: 'flatpod.dev/node',
  subnet: 'flatpod.dev/subnet',
  intent: 'flatpod.dev/intent',
  service: 'flatpod.dev/service',
} as const;
