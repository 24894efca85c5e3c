/** What an API server's refusals mean to us (k8s.io/apimachinery/pkg/apis/meta/v1, Status). */
import { type Failure, failure } from '../errors/failure.ts';
import { isRecord } from './answers.ts';
import { type Asked, callOf } from './asked.ts';
import { nameOf } from './paths.ts';

/** As much of a Status as is looked at. */
interface Status {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly about: { readonly name: string; readonly kind: string };
}

/** The failure for an answer that is no success. A body that is no Status, as proxies have it, is shown as it came. */
export function refusalOf(code: number, text: string, asked: Asked): Failure {
  return failureOf(statusOf(code, text), asked);
}

/** The failure for a Status that came as the last event of a watch. */
export function refusalOfEvent(object: unknown, asked: Asked): Failure {
  return failureOf(
    readStatus(500, object) ?? { code: 500, reason: '', message: JSON.stringify(object).slice(0, 200), about: nobody },
    asked,
  );
}

const nobody = { name: '', kind: '' };

function statusOf(code: number, text: string): Status {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return readStatus(code, body) ?? { code, reason: '', message: `HTTP status ${code}: ${text.trim().slice(0, 200)}`, about: nobody };
}

function readStatus(code: number, body: unknown): Status | undefined {
  if (!isRecord(body) || body['kind'] !== 'Status') return undefined;
  const details = isRecord(body['details']) ? body['details'] : {};
  const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 2000) : '');
  return {
    code: typeof body['code'] === 'number' ? body['code'] : code,
    reason: text(body['reason']),
    message: text(body['message']),
    about: { name: text(details['name']), kind: text(details['kind']) },
  };
}

function failureOf({ code, reason, message, about }: Status, asked: Asked): Failure {
  const call = callOf(asked);
  const text = message === '' ? `HTTP status ${code}` : message;
  const object = nameOf(asked.at);
  const { group, version, resource } = asked.at;
  switch (code) {
    case 401:
      return failure('kubeUnauthorized', { call, text });
    case 403:
      return failure('kubeForbidden', { call, text });
    case 404:
      // A kind that is not served has no name in the details; a namespace that is not there has its own.
      if (about.name === '') return failure('kubeNoSuchResource', { resource: nameOf({ group, version, resource }), text });
      return failure('kubeNotFound', {
        object: 'name' in asked.at && asked.at.name === about.name ? object : `${about.kind} ${about.name}`,
        text,
      });
    case 409:
      return reason === 'AlreadyExists' ? failure('kubeAlreadyExists', { object, text }) : failure('kubeConflict', { object, text });
    case 410:
      return failure('kubeExpired', { call, text });
    case 429:
      return failure('kubeBusy', { call, text });
    default:
      return code >= 500 ? failure('kubeFailing', { call, text }) : failure('kubeInvalid', { call, text });
  }
}
