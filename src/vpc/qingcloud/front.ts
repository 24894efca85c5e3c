/**
 * A strict double of QingCloud's API in front of the emulated VPC: it refuses what the cloud refuses, takes the time the cloud takes, and what is attached
 * through it carries packets. For those who have no account there, and for tests.
 */
import { listen } from '../api/listen.ts';
import type { Front, Inside, OpenFront } from '../front.ts';
import { metadataIn } from '../metadata.ts';
import { type Account, Keys } from './account.ts';
import { actions } from './all.ts';
import { answerAside, ASIDE } from './aside.ts';
import { Courses } from './courses.ts';
import { OwnFaults } from './faults.ts';
import { Runner } from './jobs.ts';
import { answerMetadata } from './role.ts';
import { answer, type Double } from './serve.ts';
import { atFirst, type Switches } from './switches.ts';
import { setSpeakers, speakersOf } from './vip-holders.ts';
import { doWork } from './work.ts';

/** What the double is like. */
export interface QingcloudOptions {
  /** `HOST:PORT` (port 0: any). */
  readonly listen: string;
  /** The first one owns what is made by other ways, and is the one that instances' roles act for. */
  readonly accounts: readonly [Account, ...Account[]];
  /** The one zone there is; `pek3a` when absent. */
  readonly zone?: string;
  /** Of the durations of jobs. */
  readonly seed?: number;
  /** Switches that are not as at first. */
  readonly switches?: Partial<Switches>;
}

/** The double as a front of the VPC. */
export function qingcloud(options: QingcloudOptions): Front {
  return {
    name: 'qingcloud',
    calls: actions.map(({ name }) => name),
    open: (inside) => open(inside, options),
  };
}

/** @throws Failure vpcOptions, vpcListen. */
async function open(inside: Inside, options: QingcloudOptions): Promise<OpenFront> {
  let switches: Switches = { ...atFirst, ...options.switches };
  const keys = new Keys(options.accounts);
  // What fails is told by `converge` itself.
  const shown = (): Promise<void> => inside.converge().catch(() => {});
  const runner = new Runner(inside.model, (...job) => doWork(...job, switches), shown, inside.log);
  const double: Double = {
    inside,
    keys,
    zone: options.zone ?? 'pek3a',
    switches: () => switches,
    own: new OwnFaults(),
    runner,
    courses: new Courses(options.seed ?? 1),
    counts: new Map(),
  };
  const turn = async (to: { readonly [K in keyof Switches]?: Switches[K] | undefined }): Promise<void> => {
    const given = Object.fromEntries(Object.entries(to).filter(([, value]) => value !== undefined));
    switches = { ...switches, ...given };
    inside.model.transaction((transaction) => setSpeakers(transaction, speakersOf(switches)));
    await shown();
  };
  const aside = { ...double, turn };
  try {
    const listening = await listen(options.listen, (request, response) => {
      // A caller that goes away while we answer is no mistake of ours; the change stands.
      response.on('error', () => {});
      const { url = '' } = request;
      const answering = url.startsWith(ASIDE)
        ? answerAside(aside, request, response)
        : url.startsWith('/latest/')
          ? answerMetadata(double, request, response)
          : answer(double, request, response);
      answering.catch(() => response.destroy()); // the request broke off before its end
    });
    const metadata = metadataIn(inside.vpc, inside.log, () => (request, response) => {
      answerMetadata(double, request, response).catch(() => response.destroy()); // the request broke off before its end
    });
    return {
      url: listening.url,
      follow() {
        if (inside.hasFabric) metadata.follow(inside.model.state);
      },
      async close() {
        runner.close();
        await Promise.all([listening.close(), metadata.close()]);
      },
    };
  } catch (error) {
    runner.close();
    throw error;
  }
}
