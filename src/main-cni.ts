/** `flatpod cni`, in a bundle of its own: a runtime waits for it, and reading all of the command would take most of the time. */
import { answerOnce } from './cli/cni.ts';

const state = process.env['FLATPOD_STATE'] ?? '/var/lib/flatpod';
const [, , , crowd, path = ''] = process.argv;

/** What a crowd needs is read by who answers one. */
async function answer(): Promise<void> {
  if (crowd !== 'crowd') return await answerOnce(state);
  const { answerCrowd } = await import('./cli/cni-crowd.ts');
  await answerCrowd(state, path);
}

// Not awaited: the bundle is CommonJS.
void answer();
