/** Calls to the emulated VPC's API, for those who play its user rather than its cloud driver. */
import { connections } from '../../cloud/wire/http.ts';
import { jsonCall, jsonOf } from '../../cloud/wire/json.ts';
import { failure } from '../../errors/failure.ts';

const DEADLINE_ms = 15_000;

/** A VPC's API. Dispose of it to close idle connections. */
export interface VpcApi extends Disposable {
  /** Makes the call and returns the answer's body. The shape is the API document's (src/vpc/openapi.yaml); T says which part of it is used. @throws Failure. */
  call<T = unknown>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T>;
}

/** `url`: `http://HOST:PORT` or `unix:/PATH`. */
export function vpcApi(url: string): VpcApi {
  const kept = connections();
  return {
    async call<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
      const answer = await kept.exchange(jsonCall({ method, endpoint: url, path }, body), DEADLINE_ms).catch((cause: unknown) => {
        const what = { cloud: 'the emulated VPC', call: `${method} ${path}`, endpoint: url, text: String(cause) };
        throw failure('cloudUnavailable', what, cause);
      });
      // The emulated VPC is ours, and its API document is tested against it: this is the one place that trusts it.
      if (answer.status < 300) return jsonOf(answer) as T;
      throw failure('cloudInvalid', { cloud: 'the emulated VPC', call: `${method} ${path}`, text: answer.text });
    },
    [Symbol.dispose]: () => kept.close(),
  };
}
