/** `flatpod controller`: one of several, of which one leads: it serves all nodes of the cluster; the others wait for their turn. */
import { hostname } from 'node:os';
import { createLog } from '../log.ts';
import { readControllerConfigFile } from '../store/config-file.ts';
import { startCandidate } from './candidate.ts';
import { untilSignal } from './signal.ts';

/** Options of `flatpod controller`, as typed. */
export interface ControllerArguments {
  readonly config: string;
}

/** Runs until a signal. @throws Failure when it cannot start, or cannot lead: then whoever started it should start it again. */
export async function runController({ config: file }: ControllerArguments): Promise<number> {
  await using running = new AsyncDisposableStack();
  const { spec: config } = readControllerConfigFile(file);
  const log = createLog('controller', config.log);
  const told = untilSignal();
  const candidate = running.use(await startCandidate(config, process.env['POD_NAME'] ?? hostname(), log));
  // Neither signals nor the election keep a process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  running.defer(() => clearInterval(alive));
  await Promise.race([told, candidate.failed]);
  log.info('stopping');
  return 0;
}
