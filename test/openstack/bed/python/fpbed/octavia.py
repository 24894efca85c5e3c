"""
python3 -m fpbed.octavia OCTAVIA_CONF PORT: Octavia's API, and in place of its workers and amphorae a provider that tells a listener what to carry.

The API is Octavia's own, with its validation, policy, states and quotas; the address of a load balancer is a real port of Neutron. What is PENDING_* is told to
the listener as one POST of JSON, the whole load balancer as it is to be, and becomes ACTIVE when that answers, ERROR when it refuses; without a listener it
becomes ACTIVE after a moment. In the bed's folder, read anew each time: `octavia-hook` (the URL; empty: nobody is told), `octavia-delay` (seconds that it
stays PENDING_*).
"""
import eventlet

eventlet.monkey_patch()

import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sqlite3  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import urllib.error  # noqa: E402
import urllib.request  # noqa: E402

import eventlet.wsgi  # noqa: E402
from oslo_log import log as logging  # noqa: E402

from fpbed import process  # noqa: E402

LOG = logging.getLogger(__name__)
ROUND_S = 0.1
PATIENCE_S = 20
# Rows of these belong to a pool and go with it.
OF_POOL = ('member', 'health_monitor', 'session_persistence')


def setting(name):
    try:
        with open(os.path.join(os.environ['FPBED_STATE'], name)) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ''


def make_database(path):
    """The tables as the models are now, and the words that Octavia's migrations would put into its lookup tables."""
    import sqlalchemy
    from octavia.common import constants
    from octavia.db import base_models, models
    engine = sqlalchemy.create_engine('sqlite:///' + path)
    base_models.BASE.metadata.create_all(engine)
    words = {
        models.ProvisioningStatus: constants.SUPPORTED_PROVISIONING_STATUSES, models.OperatingStatus: constants.SUPPORTED_OPERATING_STATUSES,
        models.Protocol: constants.SUPPORTED_PROTOCOLS, models.Algorithm: constants.SUPPORTED_LB_ALGORITHMS,
        models.HealthMonitorType: constants.SUPPORTED_HEALTH_MONITOR_TYPES, models.SessionPersistenceType: constants.SUPPORTED_SP_TYPES,
        models.LBTopology: constants.SUPPORTED_LB_TOPOLOGIES, models.ClientAuthenticationMode: constants.SUPPORTED_CLIENT_AUTH_MODES,
    }
    with engine.begin() as connection:
        for model, names in words.items():
            for name in names:
                connection.execute(model.__table__.insert().values(name=name))
    with sqlite3.connect(path) as database:
        database.execute('pragma journal_mode=wal')


class Carrier:
    """What Octavia's workers do: brings what is PENDING_* to its end."""

    def __init__(self, path, turn):
        self.turn = turn
        self.database = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.since = {}

    def run(self):
        while True:
            eventlet.sleep(ROUND_S)
            try:
                self.round()
            except Exception:
                LOG.exception('carrier')

    def round(self):
        with self.turn:
            pending = self.rows("select id, provisioning_status from load_balancer where provisioning_status like 'PENDING_%'")
        now = time.monotonic()
        self.since = {one: self.since.get(one, now) for one, _ in pending}
        for one, status in pending:
            if now - self.since[one] < max(ROUND_S, float(setting('octavia-delay') or 0)):
                continue
            with self.turn:
                told = self.tree(one)
            taken = self.tell(status, told)
            with self.turn:
                self.removed(one) if status == 'PENDING_DELETE' and taken else self.settled(one, 'ACTIVE' if taken else 'ERROR')
            del self.since[one]

    def rows(self, query, *values):
        return self.database.execute(query, values).fetchall()

    def tree(self, one):
        """As it is to be: without what is to be deleted."""
        alive = "provisioning_status <> 'PENDING_DELETE'"
        address, port = self.rows('select ip_address, port_id from vip where load_balancer_id = ?', one)[0]
        listeners = []
        for listener, protocol, number, pool in self.rows(
                'select id, protocol, protocol_port, default_pool_id from listener where load_balancer_id = ? and enabled and ' + alive, one):
            sources = [row[0] for row in self.rows('select cidr from listener_cidr where listener_id = ?', listener)]
            members = [{'address': row[0], 'port': row[1]} for row in self.rows(
                'select ip_address, protocol_port from member where pool_id = ? and weight > 0 and ' + alive + ' order by ip_address, protocol_port', pool)]
            sticky = bool(self.rows('select 1 from session_persistence where pool_id = ?', pool))
            listeners.append({'protocol': protocol, 'port': number, 'sources': sources, 'members': members, 'sticky': sticky})
        return {'id': one, 'address': address, 'port': port, 'listeners': listeners}

    def tell(self, status, tree):
        url = setting('octavia-hook')
        if not url:
            return True
        body = json.dumps({'what': status.removeprefix('PENDING_').lower(), 'balancer': tree}).encode()
        request = urllib.request.Request(url, body, {'Content-Type': 'application/json'}, method='POST')
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                answer.read()
            return True
        except (urllib.error.URLError, OSError) as error:
            LOG.warning('the listener did not take %s: %s', tree['id'], error)
            return False

    def drop_pools(self, which, *values):
        pools = [row[0] for row in self.rows('select id from pool where ' + which, *values)]
        for pool in pools:
            self.database.execute('update listener set default_pool_id = null where default_pool_id = ?', (pool,))
            for table in OF_POOL:
                self.database.execute('delete from %s where pool_id = ?' % table, (pool,))
            self.database.execute('delete from pool where id = ?', (pool,))

    def drop_listeners(self, which, *values):
        for (listener,) in self.rows('select id from listener where ' + which, *values):
            self.database.execute('delete from listener_cidr where listener_id = ?', (listener,))
            self.database.execute('delete from listener where id = ?', (listener,))

    def settled(self, one, status):
        self.database.execute('begin immediate')
        own = 'load_balancer_id = ?'
        self.drop_listeners("provisioning_status = 'PENDING_DELETE' and " + own, one)
        self.drop_pools("provisioning_status = 'PENDING_DELETE' and " + own, one)
        for table in ('member', 'health_monitor'):
            within = 'pool_id in (select id from pool where %s)' % own
            self.database.execute("delete from %s where provisioning_status = 'PENDING_DELETE' and %s" % (table, within), (one,))
            self.settle(table, within, one, 'ACTIVE', 'ONLINE')
        for table in ('listener', 'pool'):
            self.settle(table, own, one, 'ACTIVE', 'ONLINE')
        self.settle('load_balancer', 'id = ?', one, status, 'ONLINE' if status == 'ACTIVE' else 'ERROR')
        self.database.execute('commit')

    def settle(self, table, which, one, provisioning, operating):
        self.database.execute(
            "update %s set provisioning_status = ?, operating_status = ? where provisioning_status like 'PENDING_%%' and %s" % (table, which),
            (provisioning, operating, one))

    def removed(self, one):
        from octavia.common import utils
        from octavia.db import api, repositories
        balancer = repositories.Repositories().load_balancer.get(api.get_session(), id=one)
        try:
            utils.get_network_driver().deallocate_vip(balancer.vip)
        except Exception:
            LOG.exception('the port of %s', one)
        self.database.execute('begin immediate')
        self.drop_listeners('load_balancer_id = ?', one)
        self.drop_pools('load_balancer_id = ?', one)
        self.database.execute("update load_balancer set provisioning_status = 'DELETED' where id = ?", (one,))
        self.database.execute('commit')


def main():
    conf, port = sys.argv[1], int(sys.argv[2])
    process.end_with_owner()
    listening = process.listen(port)
    path = os.path.join(os.environ['FPBED_STATE'], 'db/octavia.db')
    if not os.path.exists(path):
        make_database(path)
    from octavia.api import app
    application = app.setup_app(argv=['octavia', '--config-file', conf])
    turn = eventlet.semaphore.Semaphore(1)

    def one_at_a_time(environ, start_response):
        with turn:
            return [b''.join(application(environ, start_response))]
    eventlet.spawn(Carrier(path, turn).run)
    gc.collect()
    gc.freeze()
    eventlet.wsgi.server(listening, one_at_a_time, log=process.Quiet(), keepalive=True)


if __name__ == '__main__':
    main()
