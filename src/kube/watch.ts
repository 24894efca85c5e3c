/** One watch, from a version on until it ends (kubernetes.io/docs/reference/using-api/api-concepts, "Efficient detection of changes"). */
import { failure } from '../errors/failure.ts';
import { garbled, isRecord, jsonOf } from './answers.ts';
import { type Asked, callOf, type WatchEvent, type WatchRequest } from './asked.ts';
import { lineDecoder, LineTooLong } from './lines.ts';
import { urlOf } from './paths.ts';
import { refusalOfEvent } from './refusals.ts';
import type { Sender } from './sending.ts';

/** Until the server has taken it up, which it says at once. */
const BEGIN_ms = 20_000;
/** An object has 3 MiB at most (etcd's limit of a request is 1.5 MiB); JSON on the wire may be longer than what is stored. */
const LONGEST_LINE_bytes = 16 << 20;
/** Of a refusal. */
const REFUSAL_bytes = 1 << 20;

/** See {@link WatchRequest}. */
export async function watchOnce(sender: Sender, asked: Asked, request: WatchRequest): Promise<void> {
  const { resourceVersion, fieldSelector, labelSelector, lasts_s, silence_ms, signal, began } = request;
  const query = { watch: 1, allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds: lasts_s, fieldSelector, labelSelector };
  const lines = lineDecoder(LONGEST_LINE_bytes, (text) => {
    if (!signal.aborted) request.event(eventOf(jsonOf(text, asked), asked));
  });
  const pieces = { began, take: (bytes: Buffer) => lines.push(bytes), silence_ms };
  const reading = { deadline_ms: BEGIN_ms, limit_bytes: REFUSAL_bytes, signal, pieces, repeats: false };
  try {
    await sender.send({ method: 'GET', path: urlOf(asked.at, query), headers: {} }, reading, asked);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof LineTooLong) throw failure('kubeTooLarge', { call: callOf(asked), text: error.message }, error);
    throw error;
  }
  if (lines.rest > 0 && !signal.aborted) throw garbled(`the watch ended within a line, after ${lines.rest} bytes of it`, asked);
}

function eventOf(value: unknown, asked: Asked): WatchEvent {
  if (!isRecord(value)) throw garbled('an event that is no object', asked);
  const { type, object } = value;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type, object };
    case 'ERROR':
      throw refusalOfEvent(object, asked);
    default:
      throw garbled(`an event of type ${String(type).slice(0, 40)}`, asked);
  }
}
