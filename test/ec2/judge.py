#!/usr/bin/env python3
"""botocore as client and judge of an EC2 server: every call is made by boto3, which signs it its own way, and every answer
is held against the API's description that AWS gives out: each element must be a member of the answer's shape, each
value of its type, each enumerated value one of the list.

    judge.py URL REGION KEY SECRET SUBNET    (SUBNET: dual stack, and empty)

Prints `judged ACTION` for each action, and `wrong ACTION: …` for what is not as described.
"""
import re
import sys
import xml.etree.ElementTree as tree

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

url, region, key, secret, subnet = sys.argv[1:]
config = Config(retries={"total_max_attempts": 1}, parameter_validation=True)
ec2 = boto3.client("ec2", region_name=region, endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, config=config)
judged, wrong = set(), []


def local(element):
    return element.tag.rpartition("}")[2]


def walk(element, shape, at):
    if shape.type_name == "structure":
        members = {s.serialization.get("name", n): s for n, s in shape.members.items()}
        names = [local(child) for child in element]
        for name in {n for n in names if names.count(n) > 1}:
            yield f"{at}.{name} is there more than once"
        for child in element:
            if local(child) not in members:
                yield f"{at}.{local(child)} is not in the description"
            else:
                yield from walk(child, members[local(child)], f"{at}.{local(child)}")
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "item")
        for i, child in enumerate(element):
            if local(child) != name:
                yield f"{at} holds {local(child)}, not {name}"
            yield from walk(child, shape.member, f"{at}[{i}]")
    else:
        text = element.text or ""
        pattern = {"integer": r"-?\d+", "long": r"-?\d+", "boolean": "true|false", "double": r"-?[\d.]+",
                   "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"}.get(shape.type_name, "(?s).*")
        if len(element) or not re.fullmatch(pattern, text):
            yield f"{at} is {text!r}, which is no {shape.type_name}"
        if getattr(shape, "enum", None) and text not in shape.enum:
            yield f"{at} is {text!r}, which is none of {shape.enum}"


def judge(model, response_dict, **_):
    if response_dict["status_code"] != 200:
        return
    root = tree.fromstring(response_dict["body"])
    judged.add(model.name)
    if local(root) != f"{model.name}Response":
        wrong.append(f"{model.name}: the answer is called {local(root)}")
    children = [c for c in root if local(c) != "requestId"]
    if len(children) == len(root):
        wrong.append(f"{model.name}: there is no requestId")
    if model.output_shape is None:
        # EC2 says `return`, which the description leaves out.
        wrong.extend(f"{model.name}: {local(c)} is not in the description" for c in children if local(c) != "return")
        return
    inside = tree.Element(model.name)
    inside.extend(children)
    wrong.extend(f"{model.name}: {one}" for one in walk(inside, model.output_shape, "") if not one.startswith(".return "))


ec2.meta.events.register("before-parse.ec2.*", lambda operation_model, response_dict, **_: judge(operation_model, response_dict))


def call(action, **parameters):
    return getattr(ec2, action)(**parameters)


def refused(code, action, **parameters):
    try:
        call(action, **parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            wrong.append(f"{action}: refused with {error.response['Error']}, not {code}")
        return
    wrong.append(f"{action}: not refused with {code}")


tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "näme", "Value": "<&>"}]}]
vpc = call("describe_vpcs")["Vpcs"][0]["VpcId"]
call("describe_availability_zones")
call("describe_subnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
call("modify_subnet_attribute", SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
call("create_subnet", VpcId=vpc, CidrBlock="10.20.200.0/24", AvailabilityZone=f"{region}a")
refused("VpcLimitExceeded", "create_vpc", CidrBlock="10.0.0.0/16")
group = call("create_security_group", GroupName="pods", Description="of Pods", VpcId=vpc)["GroupId"]
call("describe_security_groups", GroupIds=[group])
spare = call("create_security_group", GroupName="spare", Description="spare")["GroupId"]
call("delete_security_group", GroupId=spare)
call("describe_instance_types", InstanceTypes=["m5.large"])
run = call("run_instances", ImageId="ami-1", InstanceType="m5.large", MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group],
           Ipv6AddressCount=1, EnablePrimaryIpv6=True, ClientToken="launch",
           TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "node"}]}])
instance = run["Instances"][0]["InstanceId"]
call("describe_instances", InstanceIds=[instance])
trunk = call("create_network_interface", SubnetId=subnet, Groups=[group], InterfaceType="trunk", ClientToken="trunk",
             TagSpecifications=tags)["NetworkInterface"]["NetworkInterfaceId"]
branch = call("create_network_interface", SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
attachment = call("attach_network_interface", NetworkInterfaceId=trunk, InstanceId=instance, DeviceIndex=1)["AttachmentId"]
call("modify_network_interface_attribute", NetworkInterfaceId=trunk, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
association = call("associate_trunk_interface", BranchInterfaceId=branch, TrunkInterfaceId=trunk, VlanId=7)["InterfaceAssociation"]["AssociationId"]
call("describe_trunk_interface_associations", AssociationIds=[association])
refused("IncorrectState", "detach_network_interface", AttachmentId=attachment)
call("assign_private_ip_addresses", NetworkInterfaceId=trunk, SecondaryPrivateIpAddressCount=2)
prefix = call("assign_private_ip_addresses", NetworkInterfaceId=trunk, Ipv4PrefixCount=1)["AssignedIpv4Prefixes"][0]["Ipv4Prefix"]
call("assign_ipv6_addresses", NetworkInterfaceId=trunk, Ipv6AddressCount=2)
prefix6 = call("assign_ipv6_addresses", NetworkInterfaceId=trunk, Ipv6PrefixCount=1)["AssignedIpv6Prefixes"][0]
shown = call("describe_network_interfaces", Filters=[{"Name": "tag:näme", "Values": ["<&>"]}])["NetworkInterfaces"]
if [n["NetworkInterfaceId"] for n in shown] != [trunk] or shown[0]["TagSet"] != tags[0]["Tags"]:
    wrong.append(f"DescribeNetworkInterfaces: {shown} is not what was made")
call("describe_network_interfaces", MaxResults=5)
call("unassign_private_ip_addresses", NetworkInterfaceId=trunk, Ipv4Prefixes=[prefix])
call("unassign_ipv6_addresses", NetworkInterfaceId=trunk, Ipv6Prefixes=[prefix6])
call("create_tags", Resources=[trunk, instance], Tags=[{"Key": "a", "Value": "b"}])
call("delete_tags", Resources=[trunk], Tags=[{"Key": "a"}])
call("disassociate_trunk_interface", AssociationId=association)
call("detach_network_interface", AttachmentId=attachment, Force=True)
for interface in (trunk, branch):
    call("delete_network_interface", NetworkInterfaceId=interface)
refused("InvalidNetworkInterfaceID.NotFound", "describe_network_interfaces", NetworkInterfaceIds=[trunk])
refused("DryRunOperation", "terminate_instances", InstanceIds=[instance], DryRun=True)
call("terminate_instances", InstanceIds=[instance])
call("describe_instances", InstanceIds=[instance])

for action in sorted(judged):
    print("judged", action)
for one in wrong:
    print("wrong", one)
