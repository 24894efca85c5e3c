"""The calls on network interfaces as EC2 does them: for strict_moto.py, which puts them in the place of moto's."""
import argparse
import fnmatch
import re
import time

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.utils import add_tag_specification

from moto_blocks import add, check_place, check_room, free, holder_of, holdings, limits, net, refuse

LENGTHS = {4: (32, 28), 6: (128, 80)}
delays = argparse.Namespace(attach_delay=0.0, unknown=0.0, page=1000)


class Wish:
    """What a request wants of one IP version: addresses or prefixes, by value or by count, and only one of these."""

    def __init__(self, call, version, may_be_none):
        p = call._get_param
        names = ("PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "Ipv4Prefixes", "Ipv4PrefixCount")
        if version == 6:
            names = ("Ipv6Addresses", "Ipv6AddressCount", "Ipv6Prefixes", "Ipv6PrefixCount")
        key = "PrivateIpAddress" if version == 4 else "Ipv6Address"
        listed = [a if isinstance(a, dict) else {key: a} for a in p(names[0], [])]
        self.primary = next((net(a[key]) for a in listed if str(a.get("Primary")).lower() == "true"), None)
        self.single = [self.parse(a[key], version, 0) for a in listed if net(a[key]) != self.primary]
        prefix = f"Ipv{version}Prefix"
        self.prefixes = [self.parse(a[prefix] if isinstance(a, dict) else a, version, 1) for a in p(names[2], [])]
        counts = [p(names[1]), p(names[3])]
        self.said = counts[0] is not None
        self.count, self.prefix_count = (int(c or 0) for c in counts)
        given = sum(map(bool, (self.single, self.count, self.prefixes, self.prefix_count)))
        if given > 1 or (given == 0 and not may_be_none):
            refuse("InvalidParameterCombination", f"Give one of IPv{version} addresses, their number, prefixes, or their number")
        self.version = version

    @staticmethod
    def parse(text, version, which):
        try:
            block = net(text)
        except ValueError:
            refuse("InvalidParameterValue", f"Invalid IPv{version} address or prefix: '{text}'")
        if block.version != version or block.prefixlen != LENGTHS[version][which]:
            refuse("InvalidParameterValue", f"Invalid IPv{version} address or prefix: '{text}'")
        return block

    def by_value(self):
        return self.single + self.prefixes

    def counted(self, subnet, also=()):
        found = free(subnet, self.version, LENGTHS[self.version][0], self.count, also) if self.count else []
        return found + (free(subnet, self.version, LENGTHS[self.version][1], self.prefix_count, also) if self.prefix_count else [])


def interface(call, name="NetworkInterfaceId"):
    given = call._get_param(name) or refuse("MissingParameter", f"The request must contain the parameter {name}")
    if not re.fullmatch(r"eni-([0-9a-f]{8}|[0-9a-f]{17})", given):
        refuse("InvalidNetworkInterfaceID.Malformed", f'Invalid id: "{given}"')
    eni = call.ec2_backend.enis.get(given)
    if eni is None or time.time() - eni.born < delays.unknown:
        refuse("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{given}' does not exist")
    return eni


def groups_of(call):
    for group in call._get_param("Groups", []):
        found = call.ec2_backend.get_security_group_from_id(group)
        yield found or refuse("InvalidGroup.NotFound", f"The security group '{group}' does not exist")


def once(call, make):
    """The same token with the same request gives the same interface again."""
    token = call._get_param("ClientToken")
    if not token:
        return make()
    request = repr(sorted((k, repr(v)) for k, v in call.params.items() if k != "ClientToken"))
    # With the backend they go when the server is emptied.
    answered = vars(call.ec2_backend).setdefault("answered_tokens", {})
    if token not in answered:
        answered[token] = (request, make())
    if answered[token][0] != request:
        refuse("IdempotentParameterMismatch", "The request uses the same client token as a previous, but non-identical request.")
    return answered[token][1]


# ---- the calls -----------------------------------------------------------------------------------------------------


class Rules:
    """The calls as EC2 does them; each takes the place of moto's of the same name."""

    def create_network_interface(self):
        subnet = self.ec2_backend.get_subnet(self._get_param("SubnetId"))
        groups = list(groups_of(self))
        if (self._get_param("InterfaceType") or "interface") != "interface":
            refuse("InvalidParameterValue", "This server knows interfaces of the type interface alone")
        four, six = Wish(self, 4, True), Wish(self, 6, True)
        alone = self._get_param("PrivateIpAddress")
        self.error_on_dryrun()

        def make():
            primary = net(alone) if alone else four.primary
            for block in [*([primary] if primary else []), *four.by_value(), *six.by_value()]:
                check_place(subnet, block)
                if holder_of(subnet, block):
                    refuse("InvalidIPAddress.InUse", f"The specified address is already in use: {block}")
            also = four.by_value() + ([primary] if primary else [])
            primary = primary or free(subnet, 4, 32, 1, also)[0]
            more = four.by_value() + four.counted(subnet, [*also, primary])
            automatic = subnet.assign_ipv6_address_on_creation and not six.said and not six.single
            more6 = six.by_value() + six.counted(subnet, six.by_value())
            if str(automatic).lower() == "true":
                more6 = free(subnet, 6, 128, 1, more6) + more6
            eni = self.ec2_backend.create_network_interface(
                subnet, str(primary[0]), [{"Primary": True, "PrivateIpAddress": str(primary[0])}], [g.id for g in groups],
                self._get_param("Description"), add_tag_specification(self._get_param("TagSpecifications", [])), strict=True)
            add(eni, more + more6)
            eni.primary_ipv6 = bool(self._get_param("EnablePrimaryIpv6")) and bool(eni.ipv6_addresses)
            return eni

        return ActionResult({"NetworkInterface": once(self, make), "ClientToken": self._get_param("ClientToken")})

    def delete_network_interface(self):
        self.error_on_dryrun()
        eni = interface(self)
        if eni.instance:
            refuse("InvalidParameterValue", f"Network interface '{eni.id}' is currently in use.")
        self.ec2_backend.delete_network_interface(eni.id)
        return EmptyResult()

    def attach_network_interface(self):
        self.error_on_dryrun()
        eni, instance = interface(self), self.ec2_backend.get_instance(self._get_param("InstanceId"))
        index, (most, _) = int(self._get_param("DeviceIndex")), limits(instance)
        if eni.instance:
            refuse("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
        if instance._state.name not in ("running", "stopped"):
            refuse("IncorrectState", f"Instance '{instance.id}' is not 'running' or 'stopped'.")
        if index in {int(i) for i in instance.nics}:
            refuse("InvalidParameterValue", f"Instance '{instance.id}' already has an interface attached at device index '{index}'.")
        if eni.subnet.availability_zone != instance.nics[0].subnet.availability_zone:
            refuse("InvalidParameterCombination", "You may not attach a network interface to an instance if they are not in the same availability zone")
        if len(instance.nics) >= most:
            refuse("AttachmentLimitExceeded", f"Interface count {len(instance.nics) + 1} exceeds the limit for {instance.instance_type}")
        for version in (4, 6):
            check_room(eni, instance, version)
        attachment = self.ec2_backend.attach_network_interface(eni.id, instance.id, index)
        eni.delete_on_termination, eni.attached_at = False, time.time()
        return ActionResult({"AttachmentId": attachment.attachment_id, "NetworkCardIndex": 0})

    def detach_network_interface(self):
        self.error_on_dryrun()
        attachment = self._get_param("AttachmentId")
        eni = next((e for e in self.ec2_backend.enis.values() if e.attachment_id == attachment), None)
        if eni is None:
            refuse("InvalidAttachmentID.NotFound", f"The attachment ID '{attachment}' does not exist")
        if int(eni.device_index) == 0:
            refuse("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")
        eni.instance.detach_eni(eni)
        return EmptyResult()

    def modify_network_interface_attribute(self):
        self.error_on_dryrun()
        eni, p = interface(self), self._get_param
        names = ("Groups", "SourceDestCheck.Value", "Description.Value", "Attachment.AttachmentId", "EnablePrimaryIpv6")
        if sum(p(n) is not None for n in names) != 1:
            refuse("InvalidParameterCombination", "Exactly one attribute must be specified")
        if p("Groups"):
            eni._group_set = list(groups_of(self))
        if p("SourceDestCheck.Value") is not None:
            eni.source_dest_check = str(p("SourceDestCheck.Value")).lower() == "true"
        if p("Description.Value") is not None:
            eni.description = p("Description.Value")
        if p("Attachment.AttachmentId") is not None:
            if p("Attachment.AttachmentId") != eni.attachment_id:
                refuse("InvalidAttachmentID.NotFound", f"The attachment ID '{p('Attachment.AttachmentId')}' does not exist")
            eni.delete_on_termination = str(p("Attachment.DeleteOnTermination")).lower() == "true"
        if p("EnablePrimaryIpv6") is not None:
            eni.primary_ipv6 = bool(eni.ipv6_addresses)
        return EmptyResult()

    def assign_private_ip_addresses(self):
        eni, given = assign(self, 4)
        return ActionResult({
            "NetworkInterfaceId": eni.id,
            "AssignedPrivateIpAddresses": [{"PrivateIpAddress": str(b[0])} for b in given if b.prefixlen == 32],
            "AssignedIpv4Prefixes": [{"Ipv4Prefix": str(b)} for b in given if b.prefixlen != 32]})

    def assign_ipv6_addresses(self):
        before = {b for b, _ in holdings(interface(self))}
        eni, given = assign(self, 6)
        return ActionResult({
            "NetworkInterfaceId": eni.id,
            "AssignedIpv6Addresses": [str(b[0]) for b in given if b.prefixlen == 128 and b not in before],
            "AssignedIpv6Prefixes": [str(b) for b in given if b.prefixlen != 128 and b not in before]})

    def unassign_private_ip_addresses(self):
        unassign(self, 4)
        return EmptyResult()

    def unassign_ipv6_addresses(self):
        eni, gone = unassign(self, 6)
        return ActionResult({
            "NetworkInterfaceId": eni.id,
            "UnassignedIpv6Addresses": [str(b[0]) for b in gone if b.prefixlen == 128],
            "UnassignedIpv6Prefixes": [str(b) for b in gone if b.prefixlen != 128]})

    def describe_network_interfaces(self):
        ids, size = self._get_param("NetworkInterfaceIds", []), self._get_param("MaxResults")
        if ids and size:
            refuse("InvalidParameterCombination", "The parameter NetworkInterfaceIds cannot be used with the parameter MaxResults")
        if size and not 5 <= int(size) <= 1000:
            refuse("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.")
        self.error_on_dryrun()
        known = {e.id: e for e in self.ec2_backend.enis.values() if time.time() - e.born >= delays.unknown}
        for one in ids:
            if one not in known:
                malformed = not re.fullmatch(r"eni-([0-9a-f]{8}|[0-9a-f]{17})", one)
                refuse(f"InvalidNetworkInterfaceID.{'Malformed' if malformed else 'NotFound'}", f"The networkInterface ID '{one}' does not exist")
        found = sorted((e for i, e in known.items() if not ids or i in ids), key=lambda e: e.id)
        for name, values in self._filters_from_querystring().items():
            patterns = [re.compile(fnmatch.translate(v.replace("[", "[[]"))) for v in values]
            found = [e for e in found if any(p.match(v) for p in patterns for v in values_of(e, name) if v is not None)]
        token = self._get_param("NextToken") or ""
        if token and token not in known:
            refuse("InvalidParameterValue", "Unable to parse pagination token")
        rest = [e for e in found if e.id > token]
        page = rest[: min(int(size), delays.page)] if size else rest
        return ActionResult({"NetworkInterfaces": page, "NextToken": page[-1].id if len(page) < len(rest) else None})


def assign(call, version):
    eni, wish = interface(call), Wish(call, version, False)
    had = {b for b, primary in holdings(eni) if not primary}
    missing = [b for b in wish.by_value() if b not in had]
    if any(a.overlaps(b) for i, a in enumerate(wish.by_value()) for b in wish.by_value()[i + 1:]):
        refuse("InvalidParameterValue", "Two of the addresses and prefixes overlap")
    for block in missing:
        check_place(eni.subnet, block)
        held = holder_of(eni.subnet, block)
        if held:
            refuse("InvalidParameterValue", f"[{block}] is already assigned; reassignment not allowed")
    check_room(eni, eni.instance, version, len(missing) + wish.count + wish.prefix_count)
    counted = wish.counted(eni.subnet, missing)
    add(eni, missing + counted)
    return eni, wish.by_value() + counted


def unassign(call, version):
    eni, wish = interface(call), Wish(call, version, False)
    held = dict(holdings(eni))
    for block in wish.by_value():
        if block not in held:
            refuse("InvalidParameterValue", f"Some of [{block}] are not assigned to interface {eni.id}")
        if held[block]:
            refuse("InvalidParameterValue", f"The following private IP addresses are primary and cannot be unassigned: {block}")
    gone = {str(b) for b in wish.by_value()} | {str(b[0]) for b in wish.by_value()}
    eni.private_ip_addresses = [a for a in eni.private_ip_addresses if a["PrivateIpAddress"] not in gone]
    eni.ipv4_prefixes = [a for a in eni.ipv4_prefixes if a["Ipv4Prefix"] not in gone]
    eni.ipv6_addresses = [a for a in eni.ipv6_addresses if str(net(a)[0]) not in gone]
    eni.ipv6_prefixes = [a for a in eni.ipv6_prefixes if a["Ipv6Prefix"] not in gone]
    return eni, wish.by_value()


def values_of(eni, name):
    """What an interface has under the name of a filter."""
    tags = {t["key"]: t["value"] for t in eni.get_tags()}
    if name.startswith("tag:"):
        return [tags.get(name[4:])]
    at = eni.attachment
    table = {
        "tag-key": lambda: list(tags),
        "addresses.private-ip-address": lambda: [a["PrivateIpAddress"] for a in eni.private_ip_addresses],
        "private-ip-address": lambda: [a["PrivateIpAddress"] for a in eni.private_ip_addresses],
        "ipv6-addresses.ipv6-address": lambda: eni.ipv6_addresses,
        "attachment.attachment-id": lambda: [eni.attachment_id],
        "attachment.delete-on-termination": lambda: [at and str(at.delete_on_termination).lower()],
        "attachment.device-index": lambda: [at and str(at.device_index)],
        "attachment.instance-id": lambda: [at and at.instance_id],
        "attachment.status": lambda: [at.status if at else "detached"],
        "availability-zone": lambda: [eni.availability_zone],
        "description": lambda: [eni.description],
        "group-id": lambda: [g.id for g in eni._group_set],
        "interface-type": lambda: [eni.interface_type],
        "mac-address": lambda: [eni.mac_address],
        "network-interface-id": lambda: [eni.id],
        "status": lambda: [eni.status],
        "subnet-id": lambda: [eni.subnet.id],
        "vpc-id": lambda: [eni.vpc_id],
    }
    if name not in table:
        refuse("InvalidParameterValue", f"The filter '{name}' is invalid")
    return table[name]()
