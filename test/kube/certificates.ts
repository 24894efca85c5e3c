/** X.509 certificates for tests (RFC 5280), DER by hand: no openssl is needed, and no key lies in the repository. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate with its key, PEM. */
export interface Certified {
  readonly certificate: string;
  readonly key: string;
}

/** An authority that signs. */
export interface Authority {
  readonly certificate: string;
  /** For a server that is reached by these names or addresses, or, with none, for a client. */
  issue(name: string, ...hosts: string[]): Certified;
  /** The same, which was good until 2021. */
  expired(name: string, ...hosts: string[]): Certified;
}

const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? [body.length] : body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const octets = (...parts: Buffer[]) => der(0x04, ...parts);
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const yes = der(0x01, Buffer.from([0xff]));
const nameOf = (common: string) => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(common)))));
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
const time = (year: number) => der(0x18, Buffer.from(`${year}0101000000Z`));
const addressOf = (host: string) => (isIP(host) === 4 ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)));

let serial = 1;

/** An authority of its own. */
export function authority(): Authority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const basic = sequence(oid('551d13'), yes, octets(sequence(yes)));
  const mayCertify = sequence(oid('551d0f'), yes, octets(der(0x03, Buffer.from([1, 0x06]))));
  const issued = (until: number, name: string, hosts: readonly string[]): Certified => {
    const own = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const names = hosts.length === 0 ? [] : [sequence(oid('551d11'), octets(sequence(...hosts.map(addressOf))))];
    return {
      certificate: certificateOf(name, own.publicKey, 'authority', privateKey, names, until),
      key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    };
  };
  return {
    certificate: certificateOf('authority', publicKey, 'authority', privateKey, [basic, mayCertify], 2120),
    issue: (name, ...hosts) => issued(2120, name, hosts),
    expired: (name, ...hosts) => issued(2021, name, hosts),
  };
}

function certificateOf(
  subject: string,
  key: KeyObject,
  issuer: string,
  signer: KeyObject,
  extensions: readonly Buffer[],
  until: number,
): string {
  const version3 = der(0xa0, der(0x02, Buffer.from([2])));
  const body = sequence(
    version3,
    der(0x02, Buffer.from([serial++ & 127])),
    ecdsaWithSha256,
    nameOf(issuer),
    sequence(time(2020), time(until)),
    nameOf(subject),
    key.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  );
  const signature = sign('sha256', body, signer);
  const whole = sequence(body, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}
