/** `flatpod pod`: everything behind a Pod on this node, down to each object in the kernel. */
import type { AttachmentReport, ObjectReport, PodReport } from '../agent/pod-report.ts';
import { askAgent } from './ask.ts';
import { type Output, styled, table } from './table.ts';

const DEADLINE_ms = 10_000;

/** Prints what there is; 1 when there is nothing, or something in the kernel is not as it should be. */
export async function showPod(asked: string, { socket, json }: { readonly socket: string; readonly json: boolean }): Promise<number> {
  const report = await askAgent<PodReport>(socket, 'pod', DEADLINE_ms, asked);
  const out = process.stdout;
  if (json) out.write(`${JSON.stringify(report)}\n`);
  else if (report.attachments.length === 0)
    out.write(`Flatpod has nothing for ${asked} on ${report.node}; flatpod status lists its Pods\n`);
  else out.write(report.attachments.map((attachment) => attachmentText(out, attachment)).join('\n'));
  return report.attachments.length > 0 && report.attachments.every(isWhole) ? 0 : 1;
}

/** Whether all of it is in the kernel. */
export function isWhole({ objects }: AttachmentReport): boolean {
  return objects.every(({ state }) => state === 'present');
}

/** The attachment as lines of facts and a table of the kernel's objects. */
export function attachmentText(output: Output, one: AttachmentReport): string {
  const addresses = one.addresses.map(({ address, block }) =>
    block === '' ? `${address} ${styled(output, 'red', '(not granted to this node any more)')}` : `${address} of ${block}`,
  );
  const link = one.nic.link === '' ? styled(output, 'red', 'not plugged in') : one.nic.link;
  const facts: [string, string][] = [
    ['Pod', `${one.pod}${one.uid === '' ? '' : `, uid ${one.uid}`}`],
    ['container', `${one.container}, interface ${one.ifname}, network ${one.network}`],
    ['namespace', `${one.netns}${one.alive ? '' : styled(output, 'red', ' (gone)')}`],
    ['lease', `${addresses.join(', ')}, PodSubnet ${one.subnet}, since ${new Date(one.since_ms).toISOString()}, ${one.state}`],
    ['interface', `${one.datapath}: ${one.ifname} ${one.mac} mtu ${one.mtu}, host end ${one.link}`],
    ['NIC', `${one.nic.id}, device ${one.nic.deviceIndex}, ${one.nic.mac}, ${link}`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = facts.map(([name, text]) => `${styled(output, 'bold', name.padEnd(width))}  ${text}\n`).join('');
  return `${lines}\n${table(
    output,
    ['KERNEL OBJECT', 'FOR', 'IN', 'STATE'],
    one.objects.map((object) => objectRow(output, object)),
  )}`;
}

const beneficiaries: Record<ObjectReport['of'], string> = { pod: 'this Pod', interface: "the NIC's Pods", node: 'all Pods' };

function objectRow(output: Output, { of, where, object, state, problem }: ObjectReport): string[] {
  const style = state === 'present' ? 'green' : state === 'unknown' ? 'yellow' : 'red';
  const told = problem === '' || problem === state ? state : `${state}: ${problem}`;
  return [object, beneficiaries[of], where, styled(output, style, told)];
}
