/** The metadata service that instances ask for their role's credentials. */
import type { Double, Request, Response } from './serve.ts';

const CREDENTIALS = '/latest/meta-data/security-credentials';

/** Answers `GET /latest/meta-data/security-credentials`; all else is not there. */
export async function answerMetadata({ keys, switches }: Double, request: Request, response: Response): Promise<void> {
  for await (const _part of request as AsyncIterable<Buffer>); // to its end, so that the connection can be used again
  if (request.method !== 'GET' || request.url?.replace(/\/$/, '') !== CREDENTIALS) {
    response.writeHead(404, { 'content-length': 0 }).end();
    return;
  }
  const { clockAhead_ms, roleLifetime_ms } = switches();
  const text = JSON.stringify(keys.issue(Date.now() + clockAhead_ms, roleLifetime_ms));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}
