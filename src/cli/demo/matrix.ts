/** Who reaches whom over TCP, and as whom the other side sees them: measured with real sockets in the namespaces concerned. */
import type { Server } from 'node:net';
import { openNetns } from '../../kernel/netns.ts';
import { askWhoAmI, listenIn } from '../../kernel/sockets.ts';
import { parseIp } from '../../net/address.ts';

const PORT = 8080;
const DEADLINE_ms = 3000;

/** An end of the matrix. */
export interface End {
  readonly name: string;
  readonly netns: string;
  readonly address: string;
}

/** A question: does `from` reach `to` at `address`, and is it then seen as one of `seenAs`? An empty list: it must not get through. */
export interface Question {
  readonly group: string;
  readonly from: End;
  readonly to: { readonly name: string; readonly address: string; readonly port?: number };
  readonly seenAs: readonly string[];
}

/** What became of a question. */
export interface Answer extends Question {
  /** The address the other side saw; undefined when nothing got through. */
  readonly seen: string | undefined;
  /** Why nothing got through. */
  readonly problem: string | undefined;
  readonly right: boolean;
}

/** Listens on {@link PORT} in each namespace. Dispose of it to stop. */
export async function answerIn(namespaces: readonly string[]): Promise<Disposable> {
  const servers: Server[] = [];
  for (const path of new Set(namespaces)) {
    using netns = openNetns(path);
    servers.push(await listenIn(netns, PORT));
  }
  return { [Symbol.dispose]: () => servers.forEach((server) => void server.close()) };
}

/** Asks all questions, a few at once; `done` hears of each. */
export async function ask(questions: readonly Question[], done: (answer: Answer) => void): Promise<Answer[]> {
  const answers: Answer[] = [];
  const queue = [...questions.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const answer = await askOne(next[1]);
      answers[next[0]] = answer;
      done(answer);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return answers;
}

async function askOne(question: Question): Promise<Answer> {
  using netns = openNetns(question.from.netns);
  try {
    const seen = await askWhoAmI(netns, parseIp(question.to.address), question.to.port ?? PORT, DEADLINE_ms);
    return { ...question, seen, problem: undefined, right: question.seenAs.includes(seen) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { ...question, seen: undefined, problem, right: question.seenAs.length === 0 };
  }
}
