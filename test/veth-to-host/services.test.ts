/** Pods with a helper on hosts where kube-proxy works: wherever a Service leads, with and without ipMasq, with and without an agent. */
import { test } from 'node:test';
import { modes } from './kube-proxy.ts';
import { openLan } from './lan.ts';
import { scene, worksBehindKubeProxy } from './matrix.ts';

for (const mode of modes)
  for (const ipMasq of [false, true])
    for (const agents of [true, false])
      test(`behind kube-proxy by ${mode}, ${ipMasq ? 'with' : 'without'} ipMasq, ${agents ? 'an agent' : 'no agent'}: a Pod reaches everybody, by Services and past them, and all reach the Pod`, async () => {
        await using lan = await openLan({ chained: { ipMasq }, agents });
        await worksBehindKubeProxy(await scene(lan), { mode, ipMasq, families: [4, 6], beyond: ['the internet side'] });
      });
