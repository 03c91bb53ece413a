"""Packets inside a VPC: security groups by group and by prefix list, network ACLs, second interfaces, stop and start, addresses that come free."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@dataclass
class Site:
    vpc: str
    subnets: dict[str, str]
    groups: dict[str, str]
    instances: dict[str, str]
    prefix_list: str


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """Groups refer to each other before anything runs in them; the server listens on 7001 (HTTP) and 7777, 7778 (TCP)."""
    vpc = lab.vpc("172.20.0.0/16")
    subnets = {letter: lab.subnet(vpc, f"172.20.{number}.0/24", letter) for letter, number in (("a", 16), ("b", 32))}
    clients, servers, others = lab.group(vpc, "clients"), lab.group(vpc, "servers"), lab.group(vpc, "others")
    listed = lab.ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "172.20.32.64/26", "Description": "first"}]
    )["PrefixList"]["PrefixListId"]
    until(lambda: lab.ec2.describe_managed_prefix_lists(PrefixListIds=[listed])["PrefixLists"][0]["State"] == "create-complete")
    permissions = [allow("tcp", 7001, group=clients), allow("tcp", 7777, prefix_list=listed)]
    lab.ec2.authorize_security_group_ingress(GroupId=servers, IpPermissions=permissions)
    instances = {
        "server": lab.instance("server", subnets["a"], "172.20.16.10", [servers], server("server", [7001], [7777, 7778])),
        "client": lab.instance("client", subnets["a"], "172.20.16.20", [clients]),
        "office": lab.instance("office", subnets["b"], "172.20.32.70", [others]),
    }
    lab.running(*instances.values())
    found = Site(vpc, subnets, {"clients": clients, "servers": servers, "others": others}, instances, listed)
    until(lambda: lab.curl(instances["client"], "http://172.20.16.10:7001/")[0] == 200)
    return found


def test_a_group_admits_members_of_another(lab: Lab, site: Site) -> None:
    assert lab.get(site.instances["client"], "http://172.20.16.10:7001/x")["client"] == "172.20.16.20"
    assert lab.curl(site.instances["office"], "http://172.20.16.10:7001/", seconds=0.7)[0] == 0
    assert lab.talk(site.instances["client"], "172.20.16.10", 7777) == ""
    interface = lab.ec2.describe_instances(InstanceIds=[site.instances["office"]])["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]
    lab.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface["NetworkInterfaceId"], Groups=[site.groups["others"], site.groups["clients"]])
    lab.settled()
    assert lab.curl(site.instances["office"], "http://172.20.16.10:7001/")[0] == 200
    lab.ec2.modify_instance_attribute(InstanceId=site.instances["office"], Groups=[site.groups["others"]])
    lab.settled()
    assert lab.curl(site.instances["office"], "http://172.20.16.10:7001/", seconds=0.7)[0] == 0
    with pytest.raises(ClientError, match="DependencyViolation"):
        lab.ec2.delete_security_group(GroupId=site.groups["clients"])


def test_a_prefix_list_admits_its_entries_as_they_change(lab: Lab, site: Site) -> None:
    assert lab.talk(site.instances["office"], "172.20.16.10", 7777) == "server 172.20.32.70 hello"
    assert lab.talk(site.instances["office"], "172.20.16.10", 7778) == ""
    lab.ec2.modify_managed_prefix_list(
        PrefixListId=site.prefix_list, CurrentVersion=1, AddEntries=[{"Cidr": "172.20.16.20/32"}], RemoveEntries=[{"Cidr": "172.20.32.64/26"}]
    )
    until(lambda: lab.ec2.describe_managed_prefix_lists(PrefixListIds=[site.prefix_list])["PrefixLists"][0]["State"] == "modify-complete")
    lab.settled()
    assert lab.talk(site.instances["office"], "172.20.16.10", 7777) == ""
    assert lab.talk(site.instances["client"], "172.20.16.10", 7777) == "server 172.20.16.20 hello"


def test_network_acls_are_stateless_and_first_match(lab: Lab, site: Site) -> None:
    """Subnet b's own ACL: out to 7001 only when answers may come back in."""
    office = site.instances["office"]
    lab.ec2.authorize_security_group_ingress(GroupId=site.groups["servers"], IpPermissions=[allow("tcp", 7001, 7001, cidr="172.20.32.0/24")])
    acl = lab.ec2.create_network_acl(VpcId=site.vpc)["NetworkAcl"]["NetworkAclId"]

    def entry(number: int, verdict: str, *, egress: bool, first: int, last: int) -> None:
        lab.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Protocol="6", RuleAction=verdict, Egress=egress,
            CidrBlock="172.20.16.0/24", PortRange={"From": first, "To": last},
        )

    entry(200, "allow", egress=True, first=7001, last=7001)
    lab.settled()
    assert lab.curl(office, "http://172.20.16.10:7001/")[0] == 200
    found = lab.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [site.subnets["b"]]}])["NetworkAcls"][0]
    before = next(item for item in found["Associations"] if item["SubnetId"] == site.subnets["b"])["NetworkAclAssociationId"]
    changed = lab.ec2.replace_network_acl_association(AssociationId=before, NetworkAclId=acl)["NewAssociationId"]
    lab.settled()
    assert lab.curl(office, "http://172.20.16.10:7001/", seconds=0.7)[0] == 0
    entry(100, "allow", egress=False, first=1024, last=65535)
    lab.settled()
    assert lab.curl(office, "http://172.20.16.10:7001/")[0] == 200
    entry(50, "deny", egress=True, first=7000, last=7100)
    lab.settled()
    assert lab.curl(office, "http://172.20.16.10:7001/", seconds=0.7)[0] == 0
    with pytest.raises(ClientError, match="NetworkAclEntryAlreadyExists"):
        entry(50, "deny", egress=True, first=7000, last=7100)
    lab.ec2.replace_network_acl_association(AssociationId=changed, NetworkAclId=found["NetworkAclId"])
    lab.ec2.delete_network_acl(NetworkAclId=acl)
    lab.settled()
    assert lab.curl(office, "http://172.20.16.10:7001/")[0] == 200
    lab.ec2.revoke_security_group_ingress(GroupId=site.groups["servers"], IpPermissions=[allow("tcp", 7001, 7001, cidr="172.20.32.0/24")])


def test_egress_is_a_gate_of_its_own(lab: Lab, site: Site) -> None:
    egress = [allow(cidr="0.0.0.0/0")]
    lab.ec2.revoke_security_group_egress(GroupId=site.groups["clients"], IpPermissions=egress)
    lab.settled()
    assert lab.curl(site.instances["client"], "http://172.20.16.10:7001/", seconds=0.7)[0] == 0
    lab.ec2.authorize_security_group_egress(GroupId=site.groups["clients"], IpPermissions=[allow("tcp", 7001, group=site.groups["servers"])])
    lab.settled()
    assert lab.curl(site.instances["client"], "http://172.20.16.10:7001/")[0] == 200
    lab.ec2.authorize_security_group_egress(GroupId=site.groups["clients"], IpPermissions=egress)


def test_an_instance_with_two_interfaces_made_at_launch(lab: Lab, site: Site) -> None:
    interfaces = [
        {"DeviceIndex": 0, "SubnetId": site.subnets["a"], "PrivateIpAddress": "172.20.16.30", "Groups": [site.groups["clients"]]},
        {"DeviceIndex": 1, "SubnetId": site.subnets["a"], "PrivateIpAddress": "172.20.16.31", "Groups": [site.groups["others"]], "DeleteOnTermination": True},
    ]
    made = lab.ec2.run_instances(ImageId=lab.image, MinCount=1, MaxCount=1, NetworkInterfaces=interfaces)["Instances"][0]["InstanceId"]
    lab.running(made)
    lab.settled()
    assert lab.get(made, "http://172.20.16.10:7001/")["client"] == "172.20.16.30"
    assert lab.curl(made, "http://172.20.16.10:7001/", "--interface", "172.20.16.31", seconds=0.7)[0] == 0  # `others` is not admitted there
    addresses = lab.run(made, "ip", "-br", "-4", "address").stdout
    assert "172.20.16.30" in addresses
    assert "172.20.16.31" in addresses
    lab.ec2.terminate_instances(InstanceIds=[made])
    lab.ec2.get_waiter("instance_terminated").wait(InstanceIds=[made], WaiterConfig={"Delay": 1})
    found = lab.ec2.describe_network_interfaces(Filters=[{"Name": "addresses.private-ip-address", "Values": ["172.20.16.30", "172.20.16.31"]}])
    assert found["NetworkInterfaces"] == []


def test_an_interface_is_attached_and_detached_while_running(lab: Lab, site: Site) -> None:
    interface = lab.ec2.create_network_interface(SubnetId=site.subnets["a"], Groups=[site.groups["clients"]])["NetworkInterface"]
    identifier, address, client = interface["NetworkInterfaceId"], interface["PrivateIpAddress"], site.instances["client"]
    attachment = lab.ec2.attach_network_interface(NetworkInterfaceId=identifier, InstanceId=client, DeviceIndex=1)["AttachmentId"]
    lab.settled()
    assert lab.get(client, "http://172.20.16.10:7001/", "--interface", address)["client"] == address
    with pytest.raises(ClientError, match=r"InvalidParameterValue|InvalidNetworkInterface\.InUse"):
        lab.ec2.delete_network_interface(NetworkInterfaceId=identifier)
    lab.ec2.detach_network_interface(AttachmentId=attachment)
    lab.ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[identifier], WaiterConfig={"Delay": 1})
    lab.ec2.delete_network_interface(NetworkInterfaceId=identifier)
    lab.settled()
    assert address not in lab.run(client, "ip", "-br", "-4", "address").stdout


def test_stop_and_start_keep_the_address_and_termination_frees_it(lab: Lab, site: Site) -> None:
    permissions = [allow("tcp", 7002, cidr="172.20.0.0/16")]
    lab.ec2.authorize_security_group_ingress(GroupId=site.groups["others"], IpPermissions=permissions)
    first = lab.instance("first", site.subnets["b"], "172.20.32.10", [site.groups["others"]], server("first", [7002]))
    client = site.instances["client"]
    until(lambda: lab.curl(client, "http://172.20.32.10:7002/")[0] == 200)
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        lab.instance("second", site.subnets["b"], "172.20.32.10")
    lab.ec2.stop_instances(InstanceIds=[first])
    lab.ec2.get_waiter("instance_stopped").wait(InstanceIds=[first], WaiterConfig={"Delay": 1})
    assert lab.curl(client, "http://172.20.32.10:7002/", seconds=0.7)[0] == 0
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        lab.instance("second", site.subnets["b"], "172.20.32.10")
    lab.ec2.start_instances(InstanceIds=[first])
    lab.running(first)
    assert lab.ec2.describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"][0]["PrivateIpAddress"] == "172.20.32.10"
    with pytest.raises(ClientError, match=r"IncorrectInstanceState|IncorrectState|UnsupportedOperation"):
        lab.ec2.modify_instance_attribute(InstanceId=first, UserData={"Value": b"#!/bin/sh\n"})
    lab.ec2.terminate_instances(InstanceIds=[first])
    lab.ec2.get_waiter("instance_terminated").wait(InstanceIds=[first], WaiterConfig={"Delay": 1})
    second = lab.instance("second", site.subnets["b"], "172.20.32.10", [site.groups["others"]], server("second", [7002]))
    until(lambda: lab.curl(client, "http://172.20.32.10:7002/")[0] == 200)
    assert lab.get(client, "http://172.20.32.10:7002/")["name"] == "second"
    lab.ec2.terminate_instances(InstanceIds=[second])


def test_an_attribute_of_the_vpc_reaches_its_resolver(lab: Lab, site: Site) -> None:
    name = lab.ec2.describe_instances(InstanceIds=[site.instances["server"]])["Reservations"][0]["Instances"][0]["PrivateDnsName"]
    assert name == f"ip-172-20-16-10.{lab.region.name}.compute.internal"
    client = site.instances["client"]
    lab.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsHostnames={"Value": True})
    lab.settled()
    assert lab.run(client, "getent", "hosts", name).stdout.split()[0] == "172.20.16.10"
    lab.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsSupport={"Value": False})
    lab.settled()
    assert lab.run(client, "getent", "hosts", name).returncode == 2
    assert lab.ec2.describe_vpc_attribute(VpcId=site.vpc, Attribute="enableDnsSupport")["EnableDnsSupport"] == {"Value": False}
    lab.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsSupport={"Value": True})
