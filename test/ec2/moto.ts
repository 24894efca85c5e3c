/**
 * moto (PyPI), made strict by strict_moto.py: an EC2 server that we did not write, with AWS's own description of the API. It knows no trunks, and takes any
 * key unless it is told to check (moto-keys.ts). scripts/setup-ec2.sh installs it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  CreateSubnetCommand,
  CreateVpcCommand,
  EC2Client,
  RunInstancesCommand,
  type _InstanceType as InstanceType,
} from '@aws-sdk/client-ec2';

const root = join(import.meta.dirname, '../..');
const PYTHON = '.cache/moto/bin/python';
const START_ms = 60_000;

/** The key that the bed's own client signs with; moto takes any. */
const motoKey = { accessKeyId: 'AKIAMOTO', secretAccessKey: 'any' };
/** The region of the bed. */
export const motoRegion = 'eu-west-1';

/** How late it is, in seconds, and how little it tells at once. */
export interface MotoDelays {
  /** An attachment says `attaching` for that long. */
  readonly attach_s?: number;
  /** A new interface is unknown for that long. */
  readonly unknown_s?: number;
  /** A page of interfaces has no more than that. */
  readonly page?: number;
}

/** A server that runs, with a client for the test itself. */
export interface Moto extends AsyncDisposable {
  readonly url: string;
  readonly ec2: EC2Client;
  /** Takes everything away that is in it, keys too, so that it takes any again: cheaper than another server. */
  empty(): Promise<void>;
}

/** The Python of moto's environment. @throws Error naming the command that brings it. */
export function motoPython(): string {
  const path = join(root, PYTHON);
  if (!existsSync(path)) throw new Error(`${path} is missing: run scripts/setup-ec2.sh`);
  return path;
}

/** Starts a server of its own for the test, with nothing in it; it ends with the test, and with this process. */
export async function strictMoto({ attach_s = 0, unknown_s = 0, page = 1000 }: MotoDelays = {}): Promise<Moto> {
  const script = join(import.meta.dirname, 'strict_moto.py');
  // Its compiled files would be left in the tree.
  const env = { PATH: process.env['PATH'] ?? '', PYTHONDONTWRITEBYTECODE: '1' };
  const python = spawn(motoPython(), [script, '--attach-delay', `${attach_s}`, '--unknown', `${unknown_s}`, '--page', `${page}`], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env,
  });
  let said = '';
  python.stderr.on('data', (part: Buffer) => (said = `${said}${part.toString()}`.slice(-4000)));
  const ended = once(python, 'exit');
  const lines = createInterface(python.stdout);
  try {
    const line = await Promise.race([
      once(lines, 'line', { signal: AbortSignal.timeout(START_ms) }),
      ended.then(() => {
        throw new Error(`strict_moto.py ended: ${said}`);
      }),
    ]);
    const url = `http://127.0.0.1:${String(line[0])}`;
    const ec2 = new EC2Client({ endpoint: url, region: motoRegion, maxAttempts: 1, credentials: motoKey });
    return {
      url,
      ec2,
      async empty() {
        for (const [path, body] of [
          ['reset', ''],
          ['reset-auth', 'inf'],
        ] as const) {
          const { ok, status } = await fetch(`${url}/moto-api/${path}`, { method: 'POST', body });
          if (!ok) throw new Error(`moto's ${path}: ${status}`);
        }
      },
      async [Symbol.asyncDispose]() {
        ec2.destroy();
        lines.close();
        python.kill('SIGKILL');
        await ended;
      },
    };
  } catch (error) {
    python.kill('SIGKILL');
    throw error;
  } finally {
    // The reader of the port is done; what the server prints further is of no interest.
    python.stdout.resume();
  }
}

/** What a test needs in it. */
export interface MotoSite {
  readonly vpc: string;
  /** 10.20.0.0/24 and 2001:db8:20::/64 in the zone a. */
  readonly subnet: string;
  /** 10.20.1.0/28 in the zone a, without IPv6. */
  readonly small: string;
  /** 10.20.2.0/24 in the zone b. */
  readonly far: string;
  launch(type?: InstanceType): Promise<string>;
}

/** A VPC 10.20.0.0/16 with three subnets. */
export async function motoSite({ ec2 }: Moto): Promise<MotoSite> {
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.20.0.0/16', AmazonProvidedIpv6CidrBlock: true }));
  const vpc = Vpc?.VpcId ?? '';
  const make = async (CidrBlock: string, zone: string, Ipv6CidrBlock?: string): Promise<string> => {
    const { Subnet } = await ec2.send(
      new CreateSubnetCommand({ VpcId: vpc, CidrBlock, AvailabilityZone: `${motoRegion}${zone}`, ...(Ipv6CidrBlock && { Ipv6CidrBlock }) }),
    );
    return Subnet?.SubnetId ?? '';
  };
  const subnet = await make('10.20.0.0/24', 'a', '2001:db8:20::/64');
  return {
    vpc,
    subnet,
    small: await make('10.20.1.0/28', 'a'),
    far: await make('10.20.2.0/24', 'b'),
    launch: (type) => launchIn(subnet, ec2, type),
  };
}

/** An instance whose first interface has an address of each family of that subnet. */
export async function launchIn(subnet: string, ec2: EC2Client, type: InstanceType = 't3.small'): Promise<string> {
  const request = { ImageId: 'ami-03cf127a', InstanceType: type, MinCount: 1, MaxCount: 1, SubnetId: subnet };
  const { Instances = [] } = await ec2.send(new RunInstancesCommand({ ...request, Ipv6AddressCount: 1, EnablePrimaryIpv6: true }));
  return Instances[0]?.InstanceId ?? '';
}
