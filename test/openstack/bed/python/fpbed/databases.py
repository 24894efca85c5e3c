"""python3 -m fpbed.databases SERVICE STATE: makes the sqlite database(s) of one service below STATE/db, by the configuration in STATE/etc."""
import os
import sqlite3
import sys
import uuid

# Everything in the catalogue that depends on the bed: replaced at each start by where the services really are.
UNKNOWN_URL = 'http://127.0.0.1:9/'


def keystone(state):
    """Tables, domain, the administrator, the services' own account, an ordinary member, and the catalogue."""
    from keystone.cmd import cli
    conf = ['--config-file', state + '/etc/keystone.conf']
    cli.main(argv=['keystone-manage', *conf, 'db_sync'])
    cli.CONF.reset()
    cli.CONF.unregister_opt(cli.command_opt)
    urls = [word for kind in ('public', 'internal', 'admin') for word in ('--bootstrap-%s-url' % kind, UNKNOWN_URL)]
    cli.main(argv=['keystone-manage', *conf, 'bootstrap', '--bootstrap-password', 'secret', '--bootstrap-region-id', 'RegionOne', *urls])
    from keystone.common import provider_api
    accounts(provider_api.ProviderAPIs)


def accounts(api):
    def made(make, **fields):
        return make(fields['id'], fields)['id']

    def new():
        return uuid.uuid4().hex
    for kind, name in (('network', 'neutron'), ('placement', 'placement'), ('compute', 'nova')):
        service = made(api.catalog_api.create_service, id=new(), type=kind, name=name, enabled=True)
        for interface in ('public', 'internal', 'admin'):
            made(api.catalog_api.create_endpoint, id=new(), service_id=service, interface=interface, region_id='RegionOne', url=UNKNOWN_URL, enabled=True)
    roles = {role['name']: role['id'] for role in api.role_api.list_roles()}
    for name in ('service', 'load-balancer_member'):
        roles[name] = made(api.role_api.create_role, id=new(), name=name, domain_id=None)
    people = (('service', 'openstack', 'openstack', ('admin', 'service')), ('demo', 'demo', 'demo', ('member', 'reader', 'load-balancer_member')))
    for project, user, password, has in people:
        project = made(api.resource_api.create_project, id=new(), name=project, domain_id='default', enabled=True, description='')
        user = api.identity_api.create_user({'name': user, 'password': password, 'domain_id': 'default', 'default_project_id': project, 'enabled': True})
        for role in has:
            api.assignment_api.create_grant(roles[role], user_id=user['id'], project_id=project)


def neutron(state):
    """The tables as the models are now: the chain of migrations does not run on sqlite. InnoDB, which Neutron is run on, has an index for each foreign key by
    itself; without them a list of a large subnet's ports takes as long as the square of their number."""
    import sqlalchemy
    from neutron.db.migration.models import head
    engine = sqlalchemy.create_engine('sqlite:///%s/db/neutron.db' % state)
    metadata = head.get_metadata()
    metadata.create_all(engine)
    for table in metadata.sorted_tables:
        for number, key in enumerate(table.foreign_key_constraints):
            sqlalchemy.Index('fpbed_%s_%d' % (table.name, number), *key.columns).create(engine)


def placement(state):
    from placement import conf, db_api
    from placement.db.sqlalchemy import migration
    from oslo_config import cfg
    config = cfg.ConfigOpts()
    conf.register_opts(config)
    config([], project='placement', default_config_files=[state + '/etc/placement.conf'])
    db_api.configure(config)
    migration.upgrade('head')


def nova(state):
    """Both kinds of databases and both cells. Where the cells' databases are depends on the bed, and is written at each start."""
    from nova import config, context, objects
    from nova.db import migration
    config.parse_args(['nova-manage', '--config-file', state + '/etc/nova/nova.conf'])
    objects.register_all()
    migration.db_sync(database='api')
    admin = context.get_admin_context()
    for name, cell_id, transport in (('cell0', objects.CellMapping.CELL0_UUID, 'none:///'), ('cell1', str(uuid.uuid4()), 'fake://')):
        cell = objects.CellMapping(admin, uuid=cell_id, name=name, transport_url=transport,
                                   database_connection='sqlite:///%s/db/nova_%s.db' % (state, name))
        cell.create()
        with context.target_cell(admin, cell) as there:
            migration.db_sync(None, context=there)


def main():
    service, state = sys.argv[1:3]
    {'keystone': keystone, 'neutron': neutron, 'placement': placement, 'nova': nova}[service](state)
    for name in os.listdir(state + '/db'):
        if name.startswith(service) and name.endswith('.db'):
            database = sqlite3.connect(os.path.join(state, 'db', name))
            # A reader that Keystone forgets to close would stop writers in the other modes.
            database.execute('pragma journal_mode=wal')
            database.close()


if __name__ == '__main__':
    main()
