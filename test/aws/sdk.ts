/** AWS's own client, whose requests are caught before they are sent: what it writes is what EC2 reads. */
import * as ec2 from '@aws-sdk/client-ec2';

/** A request as it would go out. */
interface Caught {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Command = ConstructorParameters<typeof ec2.DescribeVpcsCommand>[0];

/** A client whose requests go nowhere. */
export function capturing(credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }): Disposable & {
  /** `name`: of the call, such as DescribeVpcs. */
  request(name: string, input: object): Promise<Caught>;
} {
  let caught: Caught | undefined;
  const client = new ec2.EC2Client({
    region: 'eu-west-1',
    credentials,
    maxAttempts: 1,
    requestHandler: {
      handle(request: { headers: Record<string, string>; body: string }) {
        caught = {
          headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value])),
          body: request.body,
        };
        return Promise.reject(new Error('caught'));
      },
    } as never, // the SDK's handler has more, which is never called
  });
  return {
    async request(name, input) {
      caught = undefined;
      // Commands are found by name: the module's type does not say which of its exports they are.
      const One = (ec2 as unknown as Record<string, new (input: object) => ec2.DescribeVpcsCommand>)[`${name}Command`];
      if (One === undefined) throw new Error(`the SDK has no ${name}`);
      await client.send(new One(input as Command & object)).catch(() => undefined);
      if (caught === undefined) throw new Error(`the SDK sent no ${name}`);
      return caught;
    },
    [Symbol.dispose]: () => client.destroy(),
  };
}
