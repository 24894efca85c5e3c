"""What every process of the bed does first."""
import ctypes
import os
import signal

import eventlet

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_owner():
    """Dies when the process that started it does, however that ends: with FPBED_OWNER in the environment, which is its id."""
    owner = int(os.environ.get('FPBED_OWNER') or 0)
    if not owner:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner:  # it ended before the line above
        os._exit(1)


def listen(port):
    """A listening socket on loopback. Made before a service is loaded: who asks too early waits in its queue instead of being refused."""
    return eventlet.listen(('127.0.0.1', port), backlog=512)


class Quiet:
    """The access log of eventlet's server: nobody reads it."""

    def write(self, text):
        pass

    def flush(self):
        pass
