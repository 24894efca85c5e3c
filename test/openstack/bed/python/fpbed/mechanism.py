"""
A driver of Neutron's ML2 plugin in place of agents: it binds every port, does for trunks what an agent would do, and tells a listener of every change.

Each change is one POST of JSON, sent before Neutron answers its own caller: `{"seq", "kind", "what", "now", "was"}`. Kinds: port, network, subnet,
security_group, security_group_rule, trunk, subports; what: create, update, delete. An answer of 400 or more, or none within twenty seconds, makes Neutron
undo a create of a port, network or subnet; any other change stands. The listener must not ask Neutron before it has answered: requests are served one at a time.

Two files in the bed's folder are read anew each time, so a test changes them while Neutron runs: `hook` (the URL; empty: nobody is told) and `active-delay`
(seconds from the binding of a port to its status ACTIVE). A host whose name begins with `fail-` cannot be bound.
"""
import itertools
import json
import os
import urllib.request
import uuid

import eventlet
from neutron_lib import constants, context as contexts, exceptions
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api
from neutron_lib.services.trunk import constants as trunks
from oslo_log import log as logging

LOG = logging.getLogger(__name__)
PATIENCE_S = 20
HOST, VIF = portbindings.HOST_ID, portbindings.VIF_TYPE
numbers = itertools.count(1)
told_of = {
    'port': ('id', 'name', 'network_id', 'project_id', 'mac_address', 'admin_state_up', 'status', 'device_id', 'device_owner', 'fixed_ips', HOST, VIF,
             'allowed_address_pairs', 'port_security_enabled', 'security_groups', 'revision_number', 'tags'),
    'network': ('id', 'name', 'project_id', 'mtu', 'shared', 'provider:network_type', 'provider:segmentation_id'),
    'subnet': ('id', 'name', 'network_id', 'cidr', 'ip_version', 'gateway_ip', 'enable_dhcp', 'allocation_pools', 'service_types'),
}


def setting(name):
    try:
        with open(os.path.join(os.environ['FPBED_STATE'], name)) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ''


def active_delay_s():
    return float(setting('active-delay') or 0)


def tell(kind, what, now, was=None):
    """Raises when the listener refuses, or does not answer."""
    url = setting('hook')
    if not url:
        return
    fields = told_of.get(kind)

    def shown(thing):
        return thing if fields is None or thing is None else {name: thing.get(name) for name in fields}
    event = {'seq': next(numbers), 'kind': kind, 'what': what, 'now': shown(now), 'was': shown(was)}
    body = json.dumps(event, default=str).encode()
    request = urllib.request.Request(url, body, {'Content-Type': 'application/json'}, method='POST')
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            answer.read()
    except Exception as error:
        raise exceptions.NeutronException(message='the listener to changes did not take %s of a %s: %s' % (what, kind, error)) from error


def forgiving(method):
    """For callbacks after the fact, whose failure helps nobody: it goes to the log."""
    def run(self, *args, **kwargs):
        try:
            method(self, *args, **kwargs)
        except Exception:
            LOG.exception(method.__name__)
    return run


class TellingDriver(api.MechanismDriver):
    resource_provider_uuid5_namespace = uuid.UUID('5f0c8b5e-58f3-4a2c-9a50-0f1a7bb0d0f1')
    supported_vnic_types = [portbindings.VNIC_NORMAL, portbindings.VNIC_DIRECT, portbindings.VNIC_BAREMETAL]

    def initialize(self):
        registry.subscribe(self.port_updated, resources.PORT, events.AFTER_UPDATE)
        for event in (events.AFTER_CREATE, events.AFTER_DELETE):
            for resource in (resources.TRUNK, resources.SUBPORTS):
                registry.subscribe(self.trunk_changed, resource, event)
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE):
            for resource in (resources.SECURITY_GROUP, resources.SECURITY_GROUP_RULE):
                registry.subscribe(self.group_changed, resource, event)

    def bind_port(self, context):
        if context.host.startswith('fail-') or not context.segments_to_bind:
            return
        status = constants.PORT_STATUS_DOWN if active_delay_s() else constants.PORT_STATUS_ACTIVE
        details = {portbindings.CAP_PORT_FILTER: True, portbindings.OVS_HYBRID_PLUG: False, 'bridge_name': 'br-int', 'connectivity': 'l2'}
        context.set_binding(context.segments_to_bind[0][api.ID], portbindings.VIF_TYPE_OVS, details, status=status)

    def create_port_postcommit(self, context):
        tell('port', 'create', context.current)

    def update_port_postcommit(self, context):
        now, was = context.current, context.original
        tell('port', 'update', now, was)
        delay_s = active_delay_s()
        bound_now = now.get(VIF) == portbindings.VIF_TYPE_OVS and (was.get(VIF), was.get(HOST)) != (now.get(VIF), now.get(HOST))
        if delay_s and bound_now and now['status'] == constants.PORT_STATUS_DOWN:
            eventlet.spawn_after(delay_s, self.activate, now['id'], now[HOST])

    def delete_port_postcommit(self, context):
        tell('port', 'delete', context.current)

    def create_network_postcommit(self, context):
        tell('network', 'create', context.current)

    def update_network_postcommit(self, context):
        tell('network', 'update', context.current, context.original)

    def delete_network_postcommit(self, context):
        tell('network', 'delete', context.current)

    def create_subnet_postcommit(self, context):
        tell('subnet', 'create', context.current)

    def update_subnet_postcommit(self, context):
        tell('subnet', 'update', context.current, context.original)

    def delete_subnet_postcommit(self, context):
        tell('subnet', 'delete', context.current)

    @forgiving
    def activate(self, port, host):
        directory.get_plugin().update_port_status(contexts.get_admin_context(), port, constants.PORT_STATUS_ACTIVE, host)

    @forgiving
    def group_changed(self, resource, event, trigger, payload):
        now = payload.latest_state if payload.states else {'id': payload.resource_id}
        tell(resource, event.removeprefix('after_'), now)

    @forgiving
    def trunk_changed(self, resource, event, trigger, payload):
        trunk = payload.states[-1] if payload.states else None
        changed = payload.metadata.get('subports') or getattr(trunk, 'sub_ports', None) or []
        now = {'trunk_id': payload.resource_id, 'port_id': getattr(trunk, 'port_id', None), 'sub_ports': [
            {'port_id': one.port_id, 'segmentation_type': one.segmentation_type, 'segmentation_id': one.segmentation_id} for one in changed]}
        if event == events.AFTER_CREATE:
            self.bind_subports(payload.resource_id)
        elif resource == resources.SUBPORTS:
            for one in changed:
                self.update_port(one.port_id, {HOST: '', 'device_owner': ''})
        tell(resource, event.removeprefix('after_'), now)

    @forgiving
    def port_updated(self, resource, event, trigger, payload):
        """Subports go where their parent goes."""
        now, was = payload.latest_state, payload.states[0]
        if now.get('trunk_details') and now.get(HOST) and now.get(HOST) != was.get(HOST):
            self.bind_subports(now['trunk_details']['trunk_id'])

    def update_port(self, port, change):
        directory.get_plugin().update_port(contexts.get_admin_context(), port, {'port': change})

    def bind_subports(self, trunk_id):
        """Gives subports the host of their parent, and the trunk the status that an agent would report."""
        from neutron.objects.trunk import Trunk
        admin = contexts.get_admin_context()
        port_of = directory.get_plugin().get_port
        trunk = Trunk.get_object(admin, id=trunk_id)
        host = trunk and port_of(admin, trunk.port_id).get(HOST)
        if not host:
            return
        for one in trunk.sub_ports:
            if port_of(admin, one.port_id).get(HOST) != host:
                self.update_port(one.port_id, {HOST: host, 'device_owner': trunks.TRUNK_SUBPORT_OWNER})
        trunk = Trunk.get_object(admin, id=trunk_id)
        if trunk and trunk.status != trunks.TRUNK_ACTIVE_STATUS:
            trunk.update(status=trunks.TRUNK_ACTIVE_STATUS)
