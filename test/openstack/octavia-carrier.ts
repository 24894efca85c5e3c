/** In place of an amphora: a host on an Ethernet of the test's own that takes the address which Octavia says, and carries its listeners' connections to the members. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestNetns } from '../kernel/namespace.ts';
import { scriptedServer } from '../cloud/scripted-server.ts';
import { hasEnded } from '../../src/cli/demo/processes.ts';

/** As bed/python/fpbed/octavia.py tells it. */
interface Told {
  readonly what: 'create' | 'update' | 'delete';
  readonly balancer: { readonly address: string; readonly listeners: readonly object[] };
}

/** Carries connections to members in turn. Runs in a process of its own, in the namespace of the carrier. */
const forwarder = `
const net = require('node:net'), dgram = require('node:dgram');
const { address, listeners } = JSON.parse(process.argv[1]);
const opened = listeners.map(({ protocol, port, members }) => new Promise((ready) => {
  let turn = 0;
  const next = () => members[turn++ % members.length];
  if (protocol === 'TCP') return net.createServer((client) => {
    const member = next();
    if (member === undefined) return void client.destroy();
    const server = net.connect(member.port, member.address);
    client.pipe(server).pipe(client);
    for (const [one, other] of [[client, server], [server, client]]) one.on('error', () => other.destroy());
  }).listen(port, address, ready);
  const socket = dgram.createSocket('udp4').bind(port, address, ready);
  socket.on('message', (text, client) => {
    const member = next();
    if (member === undefined) return;
    const server = dgram.createSocket('udp4');
    server.once('message', (answer) => socket.send(answer, client.port, client.address, () => server.close()));
    server.send(text, member.port, member.address);
  });
}));
Promise.all(opened).then(() => console.log('ready'));
`;

/** Answers over TCP and UDP with its name. */
const pod = `
const [, name, tcp, udp] = process.argv;
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (_, { port, address }) => socket.send(name, port, address));
socket.bind(Number(udp), () => require('node:net').createServer((client) => client.end(name)).listen(Number(tcp), () => console.log('ready')));
`;

/** Says what answers there; nothing when nobody does in that time. */
const client = `
const [, protocol, address, port, patience_ms] = process.argv;
setTimeout(() => process.exit(), Number(patience_ms));
const said = (text) => { console.log(String(text)); process.exit(); };
if (protocol === 'TCP') require('node:net').connect(Number(port), address).on('data', said).on('error', () => process.exit());
else { const socket = require('node:dgram').createSocket('udp4'); socket.on('message', said); socket.send('who', Number(port), address); }
`;

async function started(host: TestNetns, code: string, ...words: readonly string[]): Promise<ChildProcess> {
  const child = spawn('ip', ['netns', 'exec', host.name, process.execPath, '-e', code, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('it ended before it was ready')));
  await Promise.race([once(child.stdout ?? child, 'data'), ended]);
  ended.catch(() => {});
  return child;
}

async function stopped(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || hasEnded(child)) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** A Pod that answers with its name, until it is disposed of. */
export async function answering(
  host: TestNetns,
  name: string,
  ports: { readonly tcp: number; readonly udp: number },
): Promise<AsyncDisposable> {
  const child = await started(host, pod, name, String(ports.tcp), String(ports.udp));
  return { [Symbol.asyncDispose]: () => stopped(child) };
}

/** Who answers a client in that namespace; empty: nobody in that time, for which this process does nothing else. */
export function whoAnswers(host: TestNetns, protocol: 'TCP' | 'UDP', address: string, port: number, patience_ms = 3000): string {
  return host.exec(`${process.execPath} -e '${client.replaceAll("'", '"')}' ${protocol} ${address} ${port} ${patience_ms}`).trim();
}

/** Listens for what Octavia tells; `url` is for its hook. */
export async function carrierOn(host: TestNetns): Promise<AsyncDisposable & { readonly url: string }> {
  let child: ChildProcess | undefined;
  let last: Promise<void> = Promise.resolve();
  async function carry({ what, balancer }: Told): Promise<void> {
    await stopped(child);
    host.ip(`addr flush dev eth0 to ${balancer.address}/32`);
    if (what === 'delete') return;
    host.ip(`addr replace ${balancer.address}/32 dev eth0`);
    child = await started(host, forwarder, JSON.stringify(balancer));
  }
  const server = await scriptedServer((request, response) => {
    let text = '';
    request.on('data', (part: Buffer) => (text += part.toString()));
    request.on('end', () => {
      // As the bed's own program writes it.
      last = carry(JSON.parse(text) as Told);
      last.then(
        () => void response.writeHead(200).end(),
        () => void response.writeHead(500).end(),
      );
    });
  });
  return {
    url: server.url,
    async [Symbol.asyncDispose]() {
      await last.catch(() => {});
      await stopped(child);
      await server[Symbol.asyncDispose]();
    },
  };
}
