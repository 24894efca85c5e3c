"""The provider of the bed's Octavia: takes whatever the API has accepted; fpbed.octavia carries it out. Octavia itself makes the port of the address."""
from octavia.api.drivers.noop_driver.driver import NoopProviderDriver
from octavia_lib.api.drivers import exceptions


class Provider(NoopProviderDriver):
    def create_vip_port(self, *args, **kwargs):
        raise exceptions.NotImplementedError(user_fault_string='Octavia makes it', operator_fault_string='Octavia makes it')
