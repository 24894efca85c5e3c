/** What tests and people ask of the double itself, beside the API: counts, switches, faults. JSON, without a signature, never disturbed. */
import type * as z from 'zod';
import { asked, type OwnFaults } from './faults.ts';
import { Problem } from './problem.ts';
import type { Request, Response } from './serve.ts';
import { type Switches, turned } from './switches.ts';

/** Where it is: `/double/…`. */
export const ASIDE = '/double/';
const LARGEST = 64 * 1024;

/** What these calls work on. */
export interface AsideParts {
  readonly counts: Map<string, number>;
  readonly own: OwnFaults;
  readonly switches: () => Switches;
  /** Turns them, and resolves when the network shows it. */
  readonly turn: (to: z.output<typeof turned>) => Promise<void>;
}

/** Answers such a call: `GET|DELETE /double/counts`, `GET|PUT /double/switches`, `POST|DELETE /double/faults`. */
export async function answerAside(parts: AsideParts, request: Request, response: Response): Promise<void> {
  const what = `${request.method} ${request.url}`;
  try {
    const body = await perform(parts, what, await bodyOf(request));
    if (body === undefined) response.writeHead(204).end();
    else send(response, 200, body);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    send(response, 400, { message: error.message });
  }
}

async function perform({ counts, own, switches, turn }: AsideParts, what: string, body: unknown): Promise<object | undefined> {
  switch (what) {
    case 'GET /double/counts':
      return Object.fromEntries(counts);
    case 'DELETE /double/counts':
      counts.clear();
      return undefined;
    case 'GET /double/switches':
      return switches();
    case 'PUT /double/switches':
      await turn(parsed(turned, body));
      return switches();
    case 'POST /double/faults':
      own.add(parsed(asked, body));
      return undefined;
    case 'DELETE /double/faults':
      own.clear();
      return undefined;
    default:
      throw new Problem('malformed', `there is no ${what.slice(0, 80)}`);
  }
}

function parsed<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Problem('malformed', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not understood'}`);
}

async function bodyOf(request: Request): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST) throw new Problem('malformed', `the body is larger than ${LARGEST} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new Problem('malformed', 'the body is not JSON');
  }
}

function send(response: Response, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}
