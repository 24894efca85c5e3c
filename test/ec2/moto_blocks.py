"""Which addresses and prefixes of a subnet are whose, and which are free: for strict_moto.py, which says more."""
import ipaddress

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES


def refuse(code, message):
    raise EC2ClientError(code, message)


def net(text):
    return ipaddress.ip_network(text)


def holdings(eni):
    """Every block of an interface, and whether it is a primary address, which never moves."""
    for one in eni.private_ip_addresses:
        yield net(one["PrivateIpAddress"]), bool(one.get("Primary"))
    for one in eni.ipv4_prefixes:
        yield net(one["Ipv4Prefix"]), False
    for i, one in enumerate(eni.ipv6_addresses):
        yield net(one), i == 0 and eni.primary_ipv6
    for one in eni.ipv6_prefixes:
        yield net(one["Ipv6Prefix"]), False


def range_of(subnet, version):
    """The subnet's own block of that IP version; None when it has none."""
    if version == 4:
        return subnet.cidr
    blocks = [a["ipv6CidrBlock"] for a in subnet.ipv6_cidr_block_associations.values()]
    return net(blocks[0]) if blocks else None


def reserved(block):
    return [net(block[i]) for i in (0, 1, 2, 3, -1)]


def neighbours(subnet):
    return [e for e in subnet.ec2_backend.enis.values() if e.subnet.id == subnet.id]


def free(subnet, version, length, count, also=()):
    """The lowest free blocks of that length. `also` is taken too."""
    block = range_of(subnet, version)
    if block is None:
        refuse("InvalidParameterValue", f"The subnet {subnet.id} has no IPv{version} CIDR block")
    busy = [h for e in neighbours(subnet) for h, _ in holdings(e)] + reserved(block) + list(also)
    if version == 4:
        busy += [net(r.cidr) for r in subnet._cidr_reservations]
    spans = sorted((int(b[0]), int(b[-1])) for b in busy if b.version == version)
    size, found, at = 1 << (block.max_prefixlen - length), [], int(block[0])
    for first, last in [*spans, (int(block[-1]) + 1, 0)]:
        at = -(-at // size) * size
        while at + size <= first and len(found) < count:
            found.append(type(block)((at, length)))
            at += size
        at = max(at, last + 1)
    if len(found) < count:
        if length == block.max_prefixlen:
            refuse("InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy the request.")
        refuse("InsufficientCidrBlocks", "The specified subnet does not have enough free cidr blocks to satisfy the request.")
    return found


def holder_of(subnet, block, but=None):
    """The interface that holds a part of the block, with that part, and whether it is a primary address."""
    for eni in neighbours(subnet):
        for held, primary in holdings(eni):
            if held.version == block.version and held.overlaps(block) and not (eni is but and held == block and not primary):
                return eni, held, primary
    return None


def check_place(subnet, block):
    within = range_of(subnet, block.version)
    if within is None or not block.subnet_of(within):
        refuse("InvalidParameterValue", f"Address does not fall within the subnet's address range: {block}")
    if any(r.overlaps(block) for r in reserved(within)):
        refuse("InvalidParameterValue", f"Address {block} is in subnet's reserved address range")


def limits(instance):
    info = INSTANCE_TYPES[instance.instance_type]["NetworkInfo"]
    return info["MaximumNetworkInterfaces"], {4: info["Ipv4AddressesPerInterface"], 6: info.get("Ipv6AddressesPerInterface", 0)}


def check_room(eni, instance, version, more=0):
    if instance and sum(b.version == version for b, _ in holdings(eni)) + more > limits(instance)[1][version]:
        refuse("PrivateIpAddressLimitExceeded", f"Number of IPv{version} addresses will exceed the limit of {instance.instance_type}.")


def add(eni, blocks):
    for b in blocks:
        if b.version == 4 and b.prefixlen == 32:
            eni.private_ip_addresses.append({"Primary": False, "PrivateIpAddress": str(b[0])})
        elif b.version == 4:
            eni.ipv4_prefixes.append({"Ipv4Prefix": str(b)})
        elif b.prefixlen == 128:
            eni.ipv6_addresses.append(str(b[0]))
        else:
            eni.ipv6_prefixes.append({"Ipv6Prefix": str(b)})


def free_count(subnet):
    taken = set()
    for block in [h for e in neighbours(subnet) for h, _ in holdings(e) if h.version == 4] + reserved(subnet.cidr):
        taken.update(range(int(block[0]), int(block[-1]) + 1))
    return subnet.cidr.num_addresses - len(taken)
