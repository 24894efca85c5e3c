"""python3 -m fpbed.serve keystone|placement|neutron PORT: one service in one process."""
import eventlet

eventlet.monkey_patch()

import gc  # noqa: E402
import sys  # noqa: E402

import eventlet.wsgi  # noqa: E402

from fpbed import process  # noqa: E402


def keystone():
    from keystone.server.wsgi import initialize_public_application
    return initialize_public_application()


def placement():
    from placement.wsgi import init_application
    return init_application()


def neutron():
    from sqlalchemy.orm import relationships, strategies
    # What Neutron's models load by a subquery, SQLAlchemy compiles anew each time: half of what a change of a port costs. By a list of keys it finds the same.
    relationships.RelationshipProperty.strategy_for(lazy='subquery')(strategies.SelectInLoader)
    # Not neutron-server, which would fork workers for messages that nobody sends here.
    from neutron.cmd.eventlet.server import main_api_eventlet
    return main_api_eventlet()


def one_at_a_time(application):
    """Requests after one another: sqlite waits for a lock inside the only thread, so two open transactions would wait for each other in vain."""
    turn = eventlet.semaphore.Semaphore(1)

    def answer(environ, start_response):
        with turn:
            body = application(environ, start_response)
            try:
                return [b''.join(body)]
            finally:
                if hasattr(body, 'close'):
                    body.close()
    return answer


def main():
    name, port = sys.argv[1], int(sys.argv[2])
    sys.argv = [name]  # the services read it too
    process.end_with_owner()
    listening = process.listen(port)
    application = one_at_a_time({'keystone': keystone, 'placement': placement, 'neutron': neutron}[name]())
    gc.collect()
    gc.freeze()
    eventlet.wsgi.server(listening, application, log=process.Quiet(), keepalive=True)


if __name__ == '__main__':
    main()
