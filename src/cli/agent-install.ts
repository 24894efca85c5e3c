/** An agent in a Pod installs on its node what a runtime needs, by itself: the files a person would have put there with `flatpod install`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, sentence } from '../errors/failure.ts';
import { install } from '../install/install.ts';
import { uninstall } from '../install/uninstall.ts';
import type { Log } from '../log.ts';
import { type InstallArguments, installation } from './install.ts';

/** What of `flatpod install` an agent is told. */
export type AgentInstallArguments = Pick<InstallArguments, 'binDir' | 'confDir' | 'network' | 'chain' | 'cniVersion'>;

/** An installation that goes on by itself. */
export interface Installing {
  /** Does nothing more; what is there stays. */
  stop(): void;
  /** Takes away what is there. @throws Failure installFile */
  undo(): void;
}

const AGAIN_ms = 5_000;

/**
 * Installs as soon as the agent serves, and tries again until it is done; every step is logged. Files that are right already are not touched.
 * @throws Failure badOption at once.
 */
export function installWhenReady(
  options: AgentInstallArguments,
  { socket, state, config, runtimeSocket }: Pick<InstallArguments, 'socket' | 'state' | 'config' | 'runtimeSocket'>,
  log: Log,
): Installing {
  const what = installation({
    binDir: options.binDir,
    confDir: options.confDir,
    network: options.network,
    chain: options.chain,
    ...(options.cniVersion !== undefined && { cniVersion: options.cniVersion }),
    ...(runtimeSocket !== undefined && { runtimeSocket }),
    socket,
    state,
    config,
    wait: '3600',
    json: false,
  });
  const ended = new AbortController();
  const { agent } = what;
  // Waiting for readiness may take an hour, and an agent that is told to end must not wait for it.
  const patient =
    agent === undefined ? what : { ...what, agent: { ...agent, notReady: () => (ended.signal.throwIfAborted(), agent.notReady()) } };
  const told = {
    step: ({ done, path, note }: { done: string; path: string; note: string }) => log.info(`${path}: ${done}`, { note }),
    waiting: (reason: string) => log.info(`the network configuration is written when the agent can serve: ${reason}`),
    note: (text: string) => log.info(text),
  };
  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      try {
        await install(patient, told);
        return;
      } catch (error) {
        if (ended.signal.aborted) return;
        log.error(`installing failed, again in ${AGAIN_ms / 1000} s: ${sentence(asFailure(error))}`);
        await sleep(AGAIN_ms, undefined, { ref: false });
      }
    }
  };
  void run();
  return {
    stop: () => ended.abort(),
    undo() {
      ended.abort();
      uninstall({ binDir: options.binDir, confDir: options.confDir }, told.step);
    },
  };
}
