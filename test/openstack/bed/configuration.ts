/** The configuration files of a bed's services. What is not obvious about a line stands beside it. */
import { join } from 'node:path';

/** The programs of a bed, by the order in which a person would name them. */
export const services = ['keystone', 'neutron', 'placement', 'nova'] as const;
export type Service = (typeof services)[number];

/** What a bed is made of. */
export interface Plan {
  /** Its folder: `etc`, `db`, `log`, `run`. */
  readonly state: string;
  /** On 127.0.0.1. */
  readonly ports: Readonly<Record<Service | 'metadata', number>>;
  /** How long a token is good for, in seconds. */
  readonly tokenTtl_s: number;
  /** Neutron's limit of address pairs on one port. */
  readonly maxPairs: number;
  /** Ports of a new project. */
  readonly quotaPort: number;
  readonly nova: boolean;
}

/** The secret that Neutron's metadata proxy would share with Nova. */
export const METADATA_SECRET = 'metadata-secret';

type Ini = Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;

/** Their text by path, relative to the bed's folder. */
export function configurationOf(plan: Plan): Record<string, string> {
  return {
    'etc/keystone.conf': ini(keystone(plan)),
    'etc/placement.conf': ini(placement(plan)),
    'etc/neutron.conf': ini(neutron(plan)),
    'etc/nova/nova.conf': ini(nova(plan)),
    'etc/neutron-paste.ini': ini(neutronPipelines),
    // Nova looks for this very name beside its configuration.
    'etc/nova/api-paste.ini': ini(novaPipelines),
  };
}

function ini(sections: Ini): string {
  return Object.entries(sections)
    .map(([name, values]) => [`[${name}]`, ...Object.entries(values).map(([key, value]) => `${key} = ${value}`), ''].join('\n'))
    .join('\n');
}

/** Durability is nobody's concern here; waiting for another writer is. */
const database = (plan: Plan, name: string): Ini[string] => ({
  connection: `sqlite:///${join(plan.state, 'db', `${name}.db`)}?timeout=30`,
  sqlite_synchronous: false,
});

const quiet = (...loud: string[]): string => [...loud, 'sqlalchemy=WARNING', 'oslo_messaging=ERROR', 'os_brick=ERROR'].join(',');

const serviceUser = ({ ports }: Plan): Ini[string] => ({
  auth_type: 'password',
  auth_url: `http://127.0.0.1:${ports.keystone}`,
  username: 'openstack',
  password: 'openstack',
  project_name: 'service',
  user_domain_name: 'Default',
  project_domain_name: 'Default',
  region_name: 'RegionOne',
});

/** `service_type`: what the service is called in access rules of application credentials. */
const authtoken = (plan: Plan, service_type: string): Ini[string] => ({
  ...serviceUser(plan),
  service_type,
  www_authenticate_uri: `http://127.0.0.1:${plan.ports.keystone}`,
  service_token_roles_required: true,
});

function keystone(plan: Plan): Ini {
  const keys = (folder: string): Ini[string] => ({ key_repository: join(plan.state, 'etc', folder) });
  return {
    DEFAULT: {
      use_stderr: true,
      default_log_levels: quiet('keystone=WARNING'),
      public_endpoint: `http://127.0.0.1:${plan.ports.keystone}`,
    },
    database: database(plan, 'keystone'),
    token: { provider: 'fernet', expiration: plan.tokenTtl_s },
    fernet_tokens: keys('fernet'),
    fernet_receipts: keys('fernet'),
    credential: keys('credential'),
    // The least bcrypt takes: nobody attacks these passwords.
    identity: { password_hash_rounds: 4 },
    cache: { enabled: true, backend: 'dogpile.cache.memory' },
  };
}

function placement(plan: Plan): Ini {
  return {
    DEFAULT: { use_stderr: true, default_log_levels: quiet('placement=WARNING', 'keystonemiddleware=WARNING') },
    placement_database: database(plan, 'placement'),
    api: { auth_strategy: 'keystone' },
    keystone_authtoken: authtoken(plan, 'placement'),
  };
}

function neutron(plan: Plan): Ini {
  return {
    DEFAULT: {
      use_stderr: true,
      default_log_levels: quiet('neutron=WARNING', 'neutron_lib=WARNING'),
      core_plugin: 'ml2',
      service_plugins: 'router,trunk,qos,port_forwarding',
      auth_strategy: 'keystone',
      api_paste_config: join(plan.state, 'etc/neutron-paste.ini'),
      transport_url: 'fake://',
      state_path: plan.state,
      dhcp_agent_notification: false,
      notify_nova_on_port_status_changes: plan.nova,
      notify_nova_on_port_data_changes: plan.nova,
      max_allowed_address_pair: plan.maxPairs,
    },
    oslo_messaging_notifications: { driver: 'noop' },
    oslo_concurrency: { lock_path: join(plan.state, 'lock') },
    oslo_policy: { policy_file: join(plan.state, 'etc/neutron-policy.yaml') },
    database: database(plan, 'neutron'),
    quotas: { quota_port: plan.quotaPort },
    nova: serviceUser(plan),
    placement: serviceUser(plan),
    ml2: {
      type_drivers: 'flat,vlan,vxlan,local',
      tenant_network_types: 'vxlan',
      // The second never binds anything: the trunk plugin wants a driver whose name it knows.
      mechanism_drivers: 'fpbed,openvswitch',
      extension_drivers: 'port_security,qos,tag_ports_during_bulk_creation,uplink_status_propagation,dns',
    },
    ml2_type_flat: { flat_networks: '*' },
    ml2_type_vlan: { network_vlan_ranges: 'physnet1:100:199' },
    ml2_type_vxlan: { vni_ranges: '1:10000' },
    securitygroup: { enable_security_group: true },
    keystone_authtoken: authtoken(plan, 'network'),
  };
}

function nova(plan: Plan): Ini {
  return {
    DEFAULT: {
      use_stderr: true,
      default_log_levels: quiet('nova=WARNING'),
      host: 'bed',
      my_ip: '127.0.0.1',
      compute_driver: 'fake.FakeDriver',
      transport_url: 'fake://',
      state_path: plan.state,
      instances_path: join(plan.state, 'instances'),
      // A bed that starts from a snapshot of last week must not find its only host dead.
      service_down_time: 86_400_000,
      // Neutron has no agent that would report a port as plugged to Nova.
      vif_plugging_is_fatal: false,
      vif_plugging_timeout: 0,
    },
    api_database: database(plan, 'nova_api'),
    database: database(plan, 'nova_cell1'),
    api: { auth_strategy: 'keystone' },
    wsgi: { api_paste_config: join(plan.state, 'etc/nova/api-paste.ini') },
    conductor: { workers: 1 },
    scheduler: { workers: 1 },
    oslo_messaging_notifications: { driver: 'noop' },
    oslo_concurrency: { lock_path: join(plan.state, 'lock') },
    oslo_policy: { policy_file: join(plan.state, 'etc/nova-policy.yaml') },
    // Glance is replaced inside the process: nobody listens on port 9.
    glance: { api_servers: 'http://127.0.0.1:9' },
    neutron: { ...serviceUser(plan), service_metadata_proxy: true, metadata_proxy_shared_secret: METADATA_SECRET },
    placement: serviceUser(plan),
    cinder: serviceUser(plan),
    keystone_authtoken: authtoken(plan, 'compute'),
  };
}

/** Debian ships these files with the daemons' packages, which the bed does without. */
const neutronPipelines: Ini = {
  'composite:neutron': { use: 'egg:Paste#urlmap', '/': 'versions', '/v2.0': 'network' },
  'composite:network': {
    use: 'call:neutron.auth:pipeline_factory',
    keystone: 'request_id catch_errors authtoken keystonecontext extensions api',
  },
  'composite:versions': { use: 'call:neutron.auth:pipeline_factory', keystone: 'list_of_versions' },
  'filter:request_id': { 'paste.filter_factory': 'oslo_middleware:RequestId.factory' },
  'filter:catch_errors': { 'paste.filter_factory': 'oslo_middleware:CatchErrors.factory' },
  'filter:authtoken': { 'paste.filter_factory': 'keystonemiddleware.auth_token:filter_factory' },
  'filter:keystonecontext': { 'paste.filter_factory': 'neutron.auth:NeutronKeystoneContext.factory' },
  'filter:extensions': { 'paste.filter_factory': 'neutron.api.extensions:plugin_aware_extension_middleware_factory' },
  'app:list_of_versions': { 'paste.app_factory': 'neutron.pecan_wsgi.app:versions_factory' },
  'app:api': { 'paste.app_factory': 'neutron.api.v2.router:APIRouter.factory' },
};

const novaPipelines: Ini = {
  'composite:osapi_compute': {
    use: 'call:nova.api.openstack.urlmap:urlmap_factory',
    '/': 'all_versions',
    '/v2.1': 'compute',
  },
  'composite:compute': {
    use: 'call:nova.api.auth:pipeline_factory_v21',
    keystone: 'request_id fault_wrap size_limit authtoken keystonecontext api',
  },
  'pipeline:all_versions': { pipeline: 'fault_wrap list_of_versions' },
  'filter:request_id': { 'paste.filter_factory': 'nova.api.compute_req_id:ComputeReqIdMiddleware.factory' },
  'filter:fault_wrap': { 'paste.filter_factory': 'nova.api.openstack:FaultWrapper.factory' },
  'filter:size_limit': { 'paste.filter_factory': 'oslo_middleware:RequestBodySizeLimiter.factory' },
  'filter:authtoken': { 'paste.filter_factory': 'keystonemiddleware.auth_token:filter_factory' },
  'filter:keystonecontext': { 'paste.filter_factory': 'nova.api.auth:NovaKeystoneContext.factory' },
  'app:api': { 'paste.app_factory': 'nova.api.openstack.compute:APIRouterV21.factory' },
  'app:list_of_versions': { 'paste.app_factory': 'nova.api.openstack.compute.versions:Versions.factory' },
};
