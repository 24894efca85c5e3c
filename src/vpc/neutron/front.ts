/**
 * Neutron in front of the VPC: a driver inside Neutron tells of every change and waits for the answer, which comes when the network is wired. So a caller of
 * Neutron or Nova that has its answer may send packets at once.
 *
 * Invariants
 * - a change that cannot be wired is refused; Neutron then undoes the creation of a port, network or subnet
 * - nothing is asked back: what was told is kept in the VPC's state
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { asFailure, sentence } from '../../errors/failure.ts';
import { type Cidr, containsCidr } from '../../net/cidr.ts';
import { parsed, readBody } from '../api/body.ts';
import { listen } from '../api/listen.ts';
import type { Front, Inside } from '../front.ts';
import { blocksOn } from '../model/addresses.ts';
import { networkOf } from '../model/find.ts';
import type { Transaction } from '../model/model.ts';
import type { Kind, Objects } from '../model/objects.ts';
import { Refusal, statusOf } from '../model/refusal.ts';
import { booksIn, enter } from './books.ts';
import { drawingOf, isNeutrons, SERVER_TYPE } from './drawing.ts';
import { event } from './event.ts';

/** Hears of changes on that address (`HOST:PORT`, port 0: any, or `unix:/PATH`). Put its URL into the hook of the driver in Neutron. */
export function neutronFront(address: string): Front {
  return {
    name: 'neutron',
    calls: [],
    async open(inside) {
      inside.model.transaction((transaction) =>
        // Neutron knows no such limits; they are shown, and asked by nobody.
        transaction.put('type', { id: SERVER_TYPE, limits: { nics: 64, addressSlotsPerNic: 256, ipv6SlotsPerNic: 256, branches: 1024 } }),
      );
      const told = new Set<string>();
      const listening = await listen(address, (request, response) => void answered(inside, told, request, response));
      return { url: listening.url, close: () => listening.close() };
    },
  };
}

async function answered(inside: Inside, told: Set<string>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Neutron gives up after a while; the change stands.
  response.on('error', () => {});
  try {
    const change = parsed(event, await readBody(request));
    const problems = inside.model.transaction((transaction) => {
      enter(transaction, change);
      return draw(transaction);
    });
    for (const text of problems) if (!told.has(text)) inside.events.add({ kind: 'fabric', text });
    for (const text of problems) told.add(text);
    await inside.converge();
    response.writeHead(204).end();
  } catch (error) {
    const failed = asFailure(error);
    const [status, text] = error instanceof Refusal ? [statusOf[error.reason], error.message] : [500, sentence(failed)];
    if (status === 500) inside.log.error(text, { code: failed.code });
    inside.events.add({ kind: 'fabric', text: `a change that Neutron told of was refused: ${text}` });
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: text } }));
  }
}

/** Brings the objects of the state to the books. Returns what is not wired, in sentences. */
function draw(transaction: Transaction): readonly string[] {
  const { state } = transaction;
  const drawing = drawingOf(booksIn(state), state, transaction.now_ms);
  const bring = <K extends Kind>(kind: K, wanted: readonly Objects[K][]): void => {
    const ids = new Set(wanted.map(({ id }) => id));
    for (const id of state[kind].keys()) if (isNeutrons(id) && !ids.has(id)) transaction.remove(kind, id);
    for (const object of wanted) if (JSON.stringify(state[kind].get(object.id)) !== JSON.stringify(object)) transaction.put(kind, object);
  };
  bring('subnet', drawing.subnet);
  bring('group', drawing.group);
  bring('instance', drawing.instance);
  bring('nic', drawing.nic);
  const blocks = [...drawing.subnet.flatMap(blocksOn), ...drawing.nic.flatMap((nic) => nic.blocks)];
  const network = networkOf(state);
  const cidrs = blocks.reduce(withBlock, network.cidrs);
  if (cidrs !== network.cidrs) transaction.put('network', { ...network, cidrs });
  return drawing.problems;
}

/** The blocks of a VPC share no address. What was once part of it stays so. */
function withBlock(cidrs: readonly Cidr[], block: Cidr): readonly Cidr[] {
  if (cidrs.some((cidr) => containsCidr(cidr, block))) return cidrs;
  return [...cidrs.filter((cidr) => !containsCidr(block, cidr)), block];
}
