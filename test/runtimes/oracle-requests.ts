/**
 * Requests that are bad, or look so: what the reference plugins answer, and where ours answers otherwise, why. The reference gives 999 ("internal")
 * to whatever it found no code for; ours then says what it is.
 */

/** Where CNI_NETNS points; the oracle fills in the path. */
export type Where = 'a container' | 'own' | 'nothing' | 'a file' | 'a folder' | 'a namespace of another kind' | 'relative';

/** One request: what differs from a good one, and the code that both answer with; 0 is success. */
export interface Row {
  readonly what: string;
  /** ADD unless it says otherwise. An undefined variable is not set. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly netns?: Where;
  /** Keys to add or replace; undefined ones are taken out. A text is the whole of stdin. */
  readonly stdin?: Readonly<Record<string, unknown>> | string;
  readonly code: number;
  /** The code of Debian's plugins 1.1.1, where it is another: they know neither CNI 1.1.0 nor code 8. */
  readonly debian?: number;
  /** Our code, where it is another, and the reason. */
  readonly ours?: readonly [code: number, why: string];
}

const v11 = { cniVersion: '1.1.0' };
const CHECK = { CNI_COMMAND: 'CHECK' };
const DEL = { CNI_COMMAND: 'DEL' };
const GC = { CNI_COMMAND: 'GC' };
const STATUS = { CNI_COMMAND: 'STATUS' };

const untyped = 'the reference has no code for it';
const delGoesOn = 'a DEL that fails keeps the Pod for ever; container and interface name are all that it needs';
const needsNoPath = 'optional in the specification, and Flatpod starts no other plugin';
const runtimes = "the runtime's affair: it has read this before it called";
const unread = 'no plugin need notice what it does not read; a runtime that is so confused should hear of it at once';

const environment: readonly Row[] = [
  { what: 'no command', env: { CNI_COMMAND: undefined }, code: 0 },
  { what: 'an empty command', env: { CNI_COMMAND: '' }, code: 0 },
  { what: 'an unknown command', env: { CNI_COMMAND: 'REMOVE' }, code: 4 },
  { what: 'a command in lower case', env: { CNI_COMMAND: 'add' }, code: 4 },
  { what: 'no container id', env: { CNI_CONTAINERID: undefined }, code: 4 },
  { what: 'an empty container id', env: { CNI_CONTAINERID: '' }, code: 4 },
  { what: 'no interface name', env: { CNI_IFNAME: undefined }, code: 4 },
  { what: 'no namespace', env: { CNI_NETNS: undefined }, code: 4 },
  { what: 'no CNI_PATH', env: { CNI_PATH: undefined }, code: 4, ours: [0, needsNoPath] },
  {
    what: 'no variable but the command',
    env: { CNI_CONTAINERID: undefined, CNI_IFNAME: undefined, CNI_NETNS: undefined, CNI_PATH: undefined },
    code: 4,
  },
  { what: 'a container id with a slash', env: { CNI_CONTAINERID: '../etc' }, code: 4 },
  { what: 'a container id that starts with a dot', env: { CNI_CONTAINERID: '.hidden' }, code: 4 },
  { what: 'a container id that starts with a dash', env: { CNI_CONTAINERID: '-c' }, code: 4 },
  { what: 'a container id with a blank', env: { CNI_CONTAINERID: 'a b' }, code: 4 },
  { what: 'a container id with a letter beyond ASCII', env: { CNI_CONTAINERID: 'cö' }, code: 4 },
  { what: 'a container id that ends in a newline', env: { CNI_CONTAINERID: 'c1\n' }, code: 4 },
  { what: 'an interface name of 16 bytes', env: { CNI_IFNAME: 'e'.repeat(16) }, code: 4 },
  { what: 'an interface name of 200 bytes', env: { CNI_IFNAME: 'e'.repeat(200) }, code: 4 },
  { what: 'an interface name with a slash', env: { CNI_IFNAME: 'a/b' }, code: 4 },
  { what: 'an interface name with a colon', env: { CNI_IFNAME: 'a:b' }, code: 4 },
  { what: 'an interface name with a blank', env: { CNI_IFNAME: 'a b' }, code: 4 },
  { what: 'an interface called .', env: { CNI_IFNAME: '.' }, code: 4 },
  { what: 'an interface called ..', env: { CNI_IFNAME: '..' }, code: 4 },
  {
    what: 'an interface name that is a pattern',
    env: { CNI_IFNAME: 'eth%d' },
    code: 999,
    ours: [4, 'the kernel would choose another name than the one asked for'],
  },
  { what: 'a bad interface name and no container id', env: { CNI_IFNAME: 'a/b', CNI_CONTAINERID: undefined }, code: 4 },
  { what: 'a bad interface name and broken JSON', env: { CNI_IFNAME: 'a/b' }, stdin: '{', code: 4, debian: 6 },
  { what: 'DEL without a container id', env: { ...DEL, CNI_CONTAINERID: undefined }, code: 4 },
  { what: 'DEL without an interface name', env: { ...DEL, CNI_IFNAME: undefined }, code: 4 },
  { what: 'DEL without a namespace', env: { ...DEL, CNI_NETNS: undefined }, code: 0 },
  { what: 'DEL with an empty namespace', env: { ...DEL, CNI_NETNS: '' }, code: 0 },
  { what: 'DEL of what was never added', env: DEL, code: 0 },
  { what: 'CHECK without a namespace', env: { ...CHECK, CNI_NETNS: undefined }, code: 4 },
  { what: 'CHECK without a container id', env: { ...CHECK, CNI_CONTAINERID: undefined }, code: 4 },
];

const namespaces: readonly Row[] = [
  { what: 'a namespace that is not there', netns: 'nothing', code: 999, ours: [8, untyped] },
  { what: 'a namespace that is a file', netns: 'a file', code: 999, ours: [8, untyped] },
  { what: 'a namespace that is a folder', netns: 'a folder', code: 999, ours: [8, untyped] },
  { what: 'a namespace of another kind', netns: 'a namespace of another kind', code: 999, ours: [8, untyped] },
  { what: 'a relative path', netns: 'relative', code: 999, ours: [4, untyped] },
  { what: "DEL in the plugin's own namespace", env: DEL, netns: 'own', code: 8, debian: 0, ours: [0, delGoesOn] },
  { what: 'DEL of a namespace that is not there', env: DEL, netns: 'nothing', code: 0 },
  { what: 'DEL of a namespace that is a file', env: DEL, netns: 'a file', code: 999, ours: [0, delGoesOn] },
];

const json: readonly Row[] = [
  { what: 'nothing on stdin', stdin: '', code: 6 },
  { what: 'white space on stdin', stdin: ' \n', code: 6 },
  { what: 'half a configuration', stdin: '{"cniVersion":"1.0.0",', code: 6 },
  { what: 'two configurations', stdin: '{"cniVersion":"1.0.0","name":"net"}{}', code: 6 },
  { what: 'a list', stdin: '[]', code: 6 },
  { what: 'a text', stdin: '"net"', code: 6 },
  { what: 'a number', stdin: '7', code: 6 },
  { what: 'null', stdin: 'null', code: 7, ours: [6, 'null is no configuration without a name: it is none'] },
  { what: 'a byte-order mark', stdin: '\ufeff{"cniVersion":"1.0.0","name":"net"}', code: 6 },
  { what: 'single quotes', stdin: "{'name':'net'}", code: 6 },
  { what: 'YAML', stdin: 'cniVersion: 1.0.0\nname: net\n', code: 6 },
  { what: 'CHECK of nothing on stdin', env: CHECK, stdin: '', code: 6 },
  { what: 'DEL of nothing on stdin', env: DEL, stdin: '', code: 6 },
  { what: 'DEL of half a configuration', env: DEL, stdin: '{"name":', code: 6 },
  { what: 'GC of nothing on stdin', env: GC, stdin: '', code: 6 },
  { what: 'STATUS of nothing on stdin', env: STATUS, stdin: '', code: 6 },
  { what: 'VERSION of nothing on stdin', env: { CNI_COMMAND: 'VERSION' }, stdin: '', code: 0 },
  { what: 'VERSION of nonsense on stdin', env: { CNI_COMMAND: 'VERSION' }, stdin: '{', code: 0 },
];

const names: readonly Row[] = [
  { what: 'no network name', stdin: { name: undefined }, code: 7 },
  { what: 'an empty network name', stdin: { name: '' }, code: 7 },
  { what: 'a network name with a slash', stdin: { name: 'a/b' }, code: 7 },
  { what: 'a network name with a blank', stdin: { name: 'a b' }, code: 7 },
  { what: 'a network name that starts with a dash', stdin: { name: '-net' }, code: 7 },
  { what: 'a network name that is null', stdin: { name: null }, code: 7 },
  { what: 'a network name that is a number', stdin: { name: 7 }, code: 6 },
  { what: 'a network name that is a list', stdin: { name: ['net'] }, code: 6 },
  { what: 'no network name and a version of the future', stdin: { name: undefined, cniVersion: '2.0.0' }, code: 7 },
  { what: 'DEL without a network name', env: DEL, stdin: { name: undefined }, code: 7 },
];

const versions: readonly Row[] = [
  { what: 'no version', stdin: { cniVersion: undefined }, code: 0 },
  { what: 'an empty version', stdin: { cniVersion: '' }, code: 0 },
  { what: 'a version that is null', stdin: { cniVersion: null }, code: 0 },
  { what: 'a version that is a number', stdin: { cniVersion: 1 }, code: 6 },
  { what: 'a version of the future', stdin: { cniVersion: '2.0.0' }, code: 1 },
  { what: 'half a version', stdin: { cniVersion: '1.0' }, code: 1 },
  { what: 'a version with a v', stdin: { cniVersion: 'v1.0.0' }, code: 1 },
  { what: 'a version before its release', stdin: { cniVersion: '1.0.0-rc1' }, code: 1 },
  { what: 'a version in words', stdin: { cniVersion: 'latest' }, code: 1 },
  { what: 'CHECK in 0.3.1', env: CHECK, stdin: { cniVersion: '0.3.1' }, code: 1 },
  { what: 'CHECK in no version', env: CHECK, stdin: { cniVersion: undefined }, code: 1 },
  { what: 'CHECK in a version of the future', env: CHECK, stdin: { cniVersion: '2.0.0' }, code: 1 },
  { what: 'DEL in a version of the future', env: DEL, stdin: { cniVersion: '2.0.0' }, code: 1 },
  { what: 'GC in 1.0.0', env: GC, stdin: { cniVersion: '1.0.0' }, code: 1, debian: 4 },
  { what: 'GC in no version', env: GC, stdin: { cniVersion: undefined }, code: 1, debian: 4 },
  { what: 'STATUS in 1.0.0', env: STATUS, stdin: { cniVersion: '1.0.0' }, code: 1, debian: 4 },
  { what: 'STATUS in a version of the future', env: STATUS, stdin: { cniVersion: '2.0.0' }, code: 1, debian: 4 },
  { what: 'GC without CNI_PATH', env: { ...GC, CNI_PATH: undefined }, stdin: v11, code: 4, debian: 4, ours: [0, needsNoPath] },
  { what: 'STATUS without CNI_PATH', env: { ...STATUS, CNI_PATH: undefined }, stdin: v11, code: 4, debian: 4, ours: [0, needsNoPath] },
];

const keys: readonly Row[] = [
  { what: 'dns that is a list', stdin: { dns: [] }, code: 999, ours: [7, untyped] },
  { what: 'dns that is a text', stdin: { dns: '10.0.0.2' }, code: 999, ours: [7, untyped] },
  { what: 'a nameserver that is a number', stdin: { dns: { nameservers: [8] } }, code: 999, ours: [7, untyped] },
  { what: 'capabilities that are a list', stdin: { capabilities: ['ips'] }, code: 999, ours: [0, runtimes] },
  { what: 'a capability that is a text', stdin: { capabilities: { ips: 'true' } }, code: 999, ours: [0, runtimes] },
  { what: 'ipam that is a text', stdin: { ipam: 'host-local' }, code: 999, ours: [7, untyped] },
  { what: 'a type that is a number', stdin: { type: 7 }, code: 999, ours: [0, runtimes] },
  { what: 'an MTU in a text', stdin: { mtu: '1500' }, code: 999, ours: [7, untyped] },
  { what: 'an MTU of 1500.5', stdin: { mtu: 1500.5 }, code: 999, ours: [7, untyped] },
  { what: 'an MTU of -1', stdin: { mtu: -1 }, code: 0, ours: [7, 'the reference takes it for no MTU at all'] },
  { what: 'keys that nobody knows', stdin: { colour: 'red', 'example.com/x': { y: 1 } }, code: 0 },
  { what: 'args that are a text', stdin: { args: 'x' }, code: 999, ours: [7, untyped] },
  { what: 'args.cni.ips that are a text', stdin: { args: { cni: { ips: '10.0.0.1' } } }, code: 999, ours: [7, untyped] },
  { what: 'args.cni.ips that are no addresses', stdin: { args: { cni: { ips: ['x'] } } }, code: 999, ours: [7, untyped] },
  { what: 'runtimeConfig that is a list', stdin: { runtimeConfig: [] }, code: 999, ours: [7, untyped] },
  { what: 'runtimeConfig that is a text', stdin: { runtimeConfig: 'x' }, code: 999, ours: [7, untyped] },
  { what: 'runtimeConfig that is null', stdin: { runtimeConfig: null }, code: 0 },
  { what: 'runtimeConfig.ips that are a text', stdin: { runtimeConfig: { ips: '10.0.0.1' } }, code: 999, ours: [7, untyped] },
  { what: 'runtimeConfig.ips that are no addresses', stdin: { runtimeConfig: { ips: ['x'] } }, code: 999, ours: [7, untyped] },
  { what: 'runtimeConfig.ips of nobody', stdin: { runtimeConfig: { ips: ['192.0.2.7/24'] } }, code: 999, ours: [134, untyped] },
  { what: 'runtimeConfig.portMappings that are a text', stdin: { runtimeConfig: { portMappings: 'x' } }, code: 0, ours: [7, unread] },
  { what: 'runtimeConfig.bandwidth that is a text', stdin: { runtimeConfig: { bandwidth: 'x' } }, code: 0, ours: [7, unread] },
  { what: 'runtimeConfig.mac that is none', stdin: { runtimeConfig: { mac: 'x' } }, code: 0, ours: [7, unread] },
  { what: 'runtimeConfig with what nobody knows', stdin: { runtimeConfig: { colour: 7 } }, code: 0 },
];

const prevResults: readonly Row[] = [
  { what: 'CHECK without prevResult', env: CHECK, code: 999, ours: [7, untyped] },
  { what: 'CHECK with prevResult null', env: CHECK, stdin: { prevResult: null }, code: 999, ours: [7, untyped] },
  { what: 'CHECK with prevResult that is a text', env: CHECK, stdin: { prevResult: 'x' }, code: 999, ours: [7, untyped] },
  {
    what: 'CHECK with prevResult of the future',
    env: CHECK,
    stdin: { prevResult: { cniVersion: '9.0.0' } },
    code: 999,
    ours: [1, untyped],
  },
  { what: 'CHECK with an empty prevResult', env: CHECK, stdin: { prevResult: { cniVersion: '1.0.0' } }, code: 999, ours: [3, untyped] },
  {
    what: 'CHECK with an address that is none',
    env: CHECK,
    stdin: { prevResult: { cniVersion: '1.0.0', ips: [{ address: 'x' }] } },
    code: 999,
    ours: [7, untyped],
  },
  { what: 'ADD with prevResult that is a text', stdin: { prevResult: 'x' }, code: 999, ours: [7, untyped] },
  {
    what: 'ADD with prevResult of the future',
    stdin: { prevResult: { cniVersion: '9.0.0' } },
    code: 0,
    ours: [1, 'a plugin must hand its prevResult on; ptp throws it away unread'],
  },
  { what: 'DEL with prevResult that is a text', env: DEL, stdin: { prevResult: 'x' }, code: 999, ours: [0, delGoesOn] },
  { what: 'DEL with prevResult of the future', env: DEL, stdin: { prevResult: { cniVersion: '9.0.0' } }, code: 0 },
];

const args = (CNI_ARGS: string): Pick<Row, 'env'> => ({ env: { CNI_ARGS } });
const cniArgs: readonly Row[] = [
  { what: 'unknown arguments with IgnoreUnknown=1', ...args('IgnoreUnknown=1;COLOUR=red'), code: 0 },
  { what: 'unknown arguments with IgnoreUnknown=true at the end', ...args('COLOUR=red;IgnoreUnknown=true'), code: 0 },
  { what: 'unknown arguments', ...args('COLOUR=red'), code: 999, ours: [4, untyped] },
  { what: 'unknown arguments with IgnoreUnknown=0', ...args('IgnoreUnknown=0;COLOUR=red'), code: 999, ours: [4, untyped] },
  { what: 'unknown arguments with IgnoreUnknown=maybe', ...args('IgnoreUnknown=maybe;COLOUR=red'), code: 999, ours: [4, untyped] },
  { what: 'an argument without =', ...args('IgnoreUnknown=1;COLOUR'), code: 999, ours: [4, untyped] },
  { what: 'an argument with two =', ...args('IgnoreUnknown=1;COLOUR=red=blue'), code: 999, ours: [4, untyped] },
  { what: 'an argument without a name', ...args('IgnoreUnknown=1;=red'), code: 0, ours: [4, 'the specification wants a key before the ='] },
  { what: 'a semicolon at the end', ...args('IgnoreUnknown=1;'), code: 999, ours: [0, 'nothing stands behind it that could be lost'] },
  { what: 'IP= that is no address', ...args('IP=x'), code: 999, ours: [4, untyped] },
  { what: 'IP= of nobody', ...args('IP=192.0.2.7'), code: 999, ours: [134, untyped] },
  { what: 'IP= with nothing', ...args('IP='), code: 0 },
  { what: 'DEL with an argument without =', env: { ...DEL, CNI_ARGS: 'COLOUR' }, code: 999, ours: [0, delGoesOn] },
];

/** All of them. */
export const rows: readonly Row[] = [...environment, ...namespaces, ...json, ...names, ...versions, ...keys, ...prevResults, ...cniArgs];
