"""
python3 -m fpbed.nova NOVA_CONF PORT METADATA_PORT: Nova's API, conductor, scheduler, compute service and metadata service in one process.

One process, because the messages between them go by oslo.messaging's `fake://`, which knows no other. The hypervisor is Nova's own fake one: servers are
entries in its memory, so after a restart of this process they are gone from it.
"""
import eventlet

eventlet.monkey_patch()

import gc  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

import eventlet.wsgi  # noqa: E402

from fpbed import process  # noqa: E402

os.environ['OS_NOVA_DISABLE_EVENTLET_PATCHING'] = '1'  # done above, before anything else was loaded


def any_image_exists():
    """In place of Glance: whatever id is asked for is a small image that can be started."""
    from nova.image import glance

    def get(self, context, image, *args, **kwargs):
        return {'id': str(image).rpartition('/')[2], 'name': 'any', 'status': 'active', 'visibility': 'public', 'is_public': True, 'owner': '',
                'container_format': 'bare', 'disk_format': 'raw', 'size': 1, 'min_ram': 0, 'min_disk': 0, 'checksum': '', 'properties': {},
                'tags': [], 'protected': False, 'deleted': False, 'created_at': None, 'updated_at': None, 'deleted_at': None}
    glance.API.get = get
    glance.API.get_all = lambda self, context, **kwargs: []


def services():
    """Starts what works behind the API, and makes the one compute host known to the cell."""
    from nova import context, objects, service
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.scheduler import rpcapi as scheduler
    topics = {'nova-conductor': conductor.RPC_TOPIC, 'nova-scheduler': scheduler.RPC_TOPIC, 'nova-compute': compute.RPC_TOPIC}
    started = [service.Service.create(binary=binary, topic=topic) for binary, topic in topics.items()]
    for one in started:
        one.start()
    admin = context.get_admin_context()
    while not objects.HostMappingList.get_all(admin):
        objects.host_mapping.discover_hosts(admin)
        eventlet.sleep(0.2)
    return started


def main():
    conf, port, metadata_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    process.end_with_owner()
    listening, metadata = process.listen(port), process.listen(metadata_port)
    os.environ['OS_NOVA_CONFIG_DIR'] = os.path.dirname(conf)
    sys.argv = ['nova', '--config-file', conf]
    any_image_exists()
    from nova.api.metadata import handler
    from nova.api.openstack.compute import wsgi
    application = wsgi.init_application()
    running = services()
    gc.collect()
    gc.freeze()
    eventlet.spawn(eventlet.wsgi.server, metadata, handler.MetadataRequestHandler(), log=process.Quiet())
    eventlet.wsgi.server(listening, application, log=process.Quiet(), keepalive=True)
    return running


if __name__ == '__main__':
    main()
