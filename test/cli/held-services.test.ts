/** What is said of Services when load balancers were taken out of the configuration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayHeldServices } from '../../src/cli/held-services.ts';
import { failure } from '../../src/errors/failure.ts';
import { createLog } from '../../src/log.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { ServiceApi } from '../controller/service-api.ts';

test('Services that our finalizer holds are named in the log when nobody serves them; others are not, and where it cannot be asked that is said', async () => {
  const lines: string[] = [];
  const log = createLog('test', 'info', (line) => void lines.push(line));
  const services = new ServiceApi();
  services.service('plain');
  await sayHeldServices(services.api, log);
  assert.deepEqual(lines, []);
  services.service('web');
  const body = { metadata: { finalizers: ['flatpod.dev/load-balancer'] } };
  await services.api.patch({ ...resources.services, namespace: 'shop', name: 'web' }, { kind: 'merge', body }, () => undefined);
  await sayHeldServices(services.api, log);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /spec\.cloud\.loadBalancers is not set.*shop\/web\./);
  assert.doesNotMatch(lines[0] ?? '', /plain/);
  await sayHeldServices({ list: () => Promise.reject(failure('kubeForbidden', { call: 'list services', text: 'forbidden' })) }, log);
  assert.match(lines[1] ?? '', /could not be asked/);
});
