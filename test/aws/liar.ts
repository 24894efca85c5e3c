/** A server that answers whatever a test tells it to, and a driver that takes it for EC2. */
import type { ServerResponse } from 'node:http';
import { type AwsCloud, type AwsOptions, awsCloud } from '../../src/cloud/aws/aws.ts';
import { scriptedServer } from '../cloud/scripted-server.ts';

/** Answers one request, by its body. */
export type Answer = (response: ServerResponse, body: string) => void;

export interface Liar extends AsyncDisposable {
  readonly cloud: AwsCloud;
  readonly url: string;
  answer: Answer;
  /** The bodies that came. */
  readonly asked: string[];
  /** Their headers. */
  readonly headers: Record<string, string | undefined>[];
}

/** `options`: of the driver. */
export async function liar({ options = {} }: { options?: Partial<AwsOptions> } = {}): Promise<Liar> {
  const asked: string[] = [];
  const headers: Liar['headers'] = [];
  const server = await scriptedServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      asked.push(body);
      // Signed headers come once each.
      headers.push(request.headers as Record<string, string | undefined>);
      one.answer(response, body);
    });
  });
  const { url } = server;
  const env = { AWS_ACCESS_KEY_ID: 'AKIA0', AWS_SECRET_ACCESS_KEY: 'SECRET-0', AWS_EC2_METADATA_DISABLED: 'true' };
  const cloud = awsCloud({ region: 'eu-west-1', vpc: 'vpc-1', endpoint: url, env, deadline_ms: 20_000, ...options });
  const one: Liar = {
    cloud,
    url,
    asked,
    headers,
    answer: (response) => response.destroy(),
    async [Symbol.asyncDispose]() {
      cloud[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
  return one;
}

/** Answers with this XML. */
export const xml =
  (text: string, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'text/xml;charset=UTF-8', ...headers }).end(text);

/** EC2's envelope of a refusal. */
export const refusal = (code: string, status = 400, message = 'because', headers: Record<string, string> = {}): Answer =>
  xml(
    `<?xml version="1.0"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>req-1</RequestID></Response>`,
    status,
    headers,
  );

/** Answers the call with these fields. */
export const fields =
  (inside: string): Answer =>
  (response, body) =>
    xml(`<${actionOf(body)}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${inside}</${actionOf(body)}Response>`)(
      response,
      body,
    );

/** A list with interfaces in it; `more`: further fields of each, by id. */
export function nicsXml(nics: Readonly<Record<string, string>>): string {
  const item = ([id, more]: [string, string]): string =>
    `<item><networkInterfaceId>${id}</networkInterfaceId><subnetId>subnet-0123456789abcdef0</subnetId>
      <macAddress>02:00:00:00:00:01</macAddress>${more}</item>`;
  return `<networkInterfaceSet>${Object.entries(nics).map(item).join('')}</networkInterfaceSet>`;
}

/** An attachment's fields. */
export const plugXml = (instance: string, deviceIndex: number, more = '', state = 'attached'): string =>
  `<attachment><attachmentId>eni-attach-1</attachmentId><instanceId>${instance}</instanceId><deviceIndex>${deviceIndex}</deviceIndex>
    <status>${state}</status>${more}</attachment>`;

/** The name of the call. */
export const actionOf = (body: string): string => new URLSearchParams(body).get('Action') ?? '';
