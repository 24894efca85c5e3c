#!/usr/bin/env python3
"""moto's EC2 server, made to keep the rules for network interfaces that EC2 keeps and moto does not.

moto 5.2 brings the wire format, the envelope of errors, VPCs, subnets, groups, instances, the limits of every instance
type, and AWS's own description of the API. What it does with addresses is no judge of anybody: it gives the same one
twice, reserved ones too, and knows no limits. Here the calls on network interfaces are replaced.

    strict_moto.py [--attach-delay SECONDS] [--unknown SECONDS] [--page NUMBER]

Prints the port it serves on, on 127.0.0.1. Ends when its standard input does.

--attach-delay   an attachment says `attaching` for that long
--unknown        a new interface is unknown to every call for that long
--page           a page of interfaces has no more than that, however many are asked for
"""
import argparse
import os
import re
import sys
import threading
import time
import uuid

from moto.ec2.models import elastic_network_interfaces as enis
from moto.ec2.models.instances import Instance
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses._base_response import EC2BaseResponse
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces as Api
from moto.ec2.responses.instances import InstanceResponse

from moto_blocks import add, free, free_count
from moto_rules import Rules, delays

# moto serves each connection from a thread of its own; EC2 answers as if there were one.
one_at_a_time = threading.RLock()


class Attachment(enis.Attachment):
    def __init__(self, eni):
        super().__init__(eni)
        self.status = "attaching" if time.time() - eni.attached_at < delays.attach_delay else "attached"


def as_ec2_says(body):
    """What moto's IAM refuses has the envelope and the codes of other services."""
    text = body.decode() if isinstance(body, bytes) else body
    found = re.search("<ErrorResponse>.*<Code>(.*?)</Code><Message>(.*?)</Message>", text, re.S)
    if not found:
        return body
    code = {"AccessDenied": "UnauthorizedOperation"}.get(found[1], found[1])
    error = f"<Errors><Error><Code>{code}</Code><Message>{found[2]}</Message></Error></Errors>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Response>{error}<RequestID>{uuid.uuid4()}</RequestID></Response>'


def put_in_place():
    for name, call in vars(Rules).items():
        if not name.startswith("__"):
            setattr(Api, name, call)
    enis.Attachment = Attachment
    born = enis.NetworkInterface.__init__

    def be_born(self, *args, strict=False, ipv6_address_count=None, **more):
        self.ipv4_prefixes, self.ipv6_prefixes, self.primary_ipv6 = [], [], False
        self.born, self.attached_at = time.time(), 0
        born(self, *args, **more)
        # The first interface of an instance, which moto makes itself.
        if strict:
            return
        self.born = 0
        if ipv6_address_count:
            add(self, free(self.subnet, 6, 128, int(ipv6_address_count)))

    enis.NetworkInterface.__init__ = be_born
    enis.NetworkInterface.group_set = property(lambda self: self._group_set)
    shown6 = property(lambda e: [{"Ipv6Address": a, "IsPrimaryIpv6": i == 0 and e.primary_ipv6} for i, a in enumerate(e.ipv6_addresses)])
    enis.NetworkInterface.network_interface_ipv6_addresses_list = shown6
    enis.NetworkInterface.instance_ipv6_address_list = shown6
    Subnet.get_available_subnet_ip = lambda self, instance: str(free(self, 4, 32, 1)[0][0])
    Subnet.available_ip_address_count = property(free_count)

    launch = InstanceResponse.run_instances

    def run_instances(self):
        result = launch(self)
        for instance in result.result.instances:
            first = instance.nics[0]
            first.delete_on_termination = True
            first.primary_ipv6 = bool(self._get_param("EnablePrimaryIpv6")) and bool(first.ipv6_addresses)
        return result

    InstanceResponse.run_instances = run_instances
    end = Instance.terminate

    def terminate(self):
        nics, result = list(self.nics.values()), end(self)
        for eni in nics:
            goes = int(eni.device_index or 0) == 0 or eni.delete_on_termination
            if eni.instance:
                self.detach_eni(eni)
            if goes:
                self.ec2_backend.enis.pop(eni.id, None)
        return result

    Instance.terminate = terminate
    act = EC2BaseResponse.call_action

    def call_action(self):
        with one_at_a_time:
            status, headers, body = act(self)
        return status, headers, as_ec2_says(body) if status in (401, 403) else body

    EC2BaseResponse.call_action = call_action


def main():
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("attach-delay", "unknown"):
        parser.add_argument(f"--{name}", default=0.0, type=float, metavar="SECONDS")
    parser.add_argument("--page", default=1000, type=int, metavar="NUMBER")
    parser.parse_args(namespace=delays)
    put_in_place()
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)

    def end_with_input():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=end_with_input, daemon=True).start()
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
