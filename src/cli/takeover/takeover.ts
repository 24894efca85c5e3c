/** `flatpod takeover`: the former plugin's own records, told to the agent; with no agent, written where the one that starts will find it. */
import { existsSync } from 'node:fs';
import { type OurNumbers, usualNumbers } from '../../agent/adopted/about.ts';
import { type FormerPod, parseTakeover, type TakeoverAsked } from '../../agent/adopted/request.ts';
import type { TakenOver } from '../../agent/adopted/take-over.ts';
import type { FormerPlugin } from '../../datapath/interface.ts';
import { isFailure } from '../../errors/failure.ts';
import { readConfigFile } from '../../store/config-file.ts';
import { askAgent } from '../ask.ts';
import { readCheckpoint } from './aws-node.ts';
import { type TakeoverOptions, USUAL_CONFIG } from './commands.ts';
import { readKept } from './kept.ts';
import { takeOverWithoutAgent } from './without-agent.ts';

const DEADLINE_ms = 60_000;

/** Prints what became of each Pod; 1 when one could not be taken over. @throws Failure takeoverMistaken, takeoverElsewhere, configFile*, runtimeSilent, agentRefused, store*. */
export async function runTakeover(plugin: FormerPlugin, options: TakeoverOptions): Promise<number> {
  const former = await formerPods(plugin, options);
  if (former === undefined) {
    process.stdout.write(
      options.json ? '{"taken":[],"known":[],"ended":[],"refused":[],"agent":false}\n' : `there is no ${options.checkpoint}\n`,
    );
    return 0;
  }
  const prefix = plugin === 'aws-node' ? { vethPrefix: options.vethPrefix } : {};
  const request = { madeBy: plugin, netnsFolder: options.netnsDir, ...prefix, pods: former.pods };
  const from = { system: plugin, path: options.kept ?? options.checkpoint };
  // Here too: with no agent nobody else looks at it.
  const asked = parseTakeover(Buffer.from(JSON.stringify(request)), from);
  const { taken: made, agent } = await told(asked, options);
  const taken = { ...made, ended: [...made.ended, ...former.gone] };
  process.stdout.write(options.json ? `${JSON.stringify({ ...taken, agent })}\n` : textOf(taken, plugin, agent));
  // What starts before the agent must not keep it from a node on account of a Pod whose address another holds.
  return taken.refused.length === 0 || options.ifAny ? 0 : 1;
}

/** By the former plugin's records; undefined: it was never on this node, which is fine with --if-any. `gone`: in words, those that are known to be. */
async function formerPods(plugin: FormerPlugin, options: TakeoverOptions): Promise<{ pods: FormerPod[]; gone: string[] } | undefined> {
  switch (plugin) {
    case 'aws-node':
      if (options.ifAny && !existsSync(options.checkpoint)) return undefined;
      return { pods: readCheckpoint(options.checkpoint), gone: [] };
    case 'hostnic':
    case 'rubble':
      return readKept(plugin, options);
  }
}

/** `agent`: whether one was told. Only when none listens is its state touched: one that is silent holds it. */
async function told(asked: TakeoverAsked, { socket, state, config }: TakeoverOptions): Promise<{ taken: TakenOver; agent: boolean }> {
  try {
    return { taken: await askAgent<TakenOver>(socket, 'takeover', DEADLINE_ms, '', asked), agent: true };
  } catch (error) {
    if (!isFailure(error, 'agentSilent')) throw error;
    return { taken: await takeOverWithoutAgent(asked, state, numbersIn(config), error), agent: false };
  }
}

/** @throws Failure configFile*: an agent would not start with such a file either. */
function numbersIn(config: string | undefined): OurNumbers {
  if (config === undefined && !existsSync(USUAL_CONFIG)) return usualNumbers;
  return readConfigFile(config ?? USUAL_CONFIG).config.spec.numbers;
}

function textOf({ taken, known, ended, refused }: TakenOver, plugin: FormerPlugin, agent: boolean): string {
  const lines = [
    ...taken.map((pod) => `taken over  ${pod}`),
    ...known.map((pod) => `known       ${pod}`),
    ...ended.map((pod) => `gone        ${pod}`),
    ...refused.map((reason) => `REFUSED     ${reason}`),
  ];
  const where = agent ? 'the agent has them' : 'no agent runs: the one that starts finds them in its state';
  const sum = `${taken.length + known.length} Pods of ${plugin} keep their network until they end; ${where}`;
  return `${[...lines, sum].join('\n')}\n`;
}
