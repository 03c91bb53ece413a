"""TCP resources: single ports, several ranges and all ports, over one resource gateway; identity of the connecting instance; custom domain names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
SERVED = (7777, 7801, 7805, 27117, 41000)


@dataclass
class Site:
    network: str
    client: str
    outsider: str
    server: str
    gateway: str
    gateway_group: str
    configurations: dict[str, str]
    associations: dict[str, str]
    names: dict[str, str]
    role: str
    client_vpc: str


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """The network is associated with the VPC first; the gateway's subnet is not the server's."""
    lattice = lab.client("vpc-lattice")
    network = lattice.create_service_network(name="data")["id"]
    clients, servers = lab.vpc("10.50.0.0/16"), lab.vpc("172.21.0.0/16")
    near = lab.subnet(clients, "10.50.8.0/22", "c")
    gate = lab.group(clients, "gate", allow("tcp", 1, 65535, cidr="10.50.8.5/32"))
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=clients, securityGroupIds=[gate])
    home, way = lab.subnet(servers, "172.21.4.0/24"), lab.subnet(servers, "172.21.5.0/24", "b")
    from_gateway = lab.group(servers, "resource-gateway")
    group = lab.group(servers, "data", allow("tcp", 7000, 41000, group=from_gateway))
    gateway = lattice.create_resource_gateway(name="way-in", vpcIdentifier=servers, subnetIds=[way], securityGroupIds=[from_gateway])["id"]
    until(lambda: lattice.get_resource_gateway(resourceGatewayIdentifier=gateway)["status"] == "ACTIVE")
    ranges = {"cache": ["7777"], "several": ["7801", "7804-7806", "27117"], "all": None}
    configurations, associations, names = {}, {}, {}
    for name, ports in ranges.items():
        given = {"portRanges": ports} if ports else {}
        made = lattice.create_resource_configuration(
            name=name, type="SINGLE", protocol="TCP", resourceGatewayIdentifier=gateway, **given,
            resourceConfigurationDefinition={"ipResource": {"ipAddress": "172.21.4.44"}},
        )  # fmt: skip
        configurations[name] = made["id"]
        assert made["portRanges"] == (ports or ["1-65535"])
        until(lambda made=made: lattice.get_resource_configuration(resourceConfigurationIdentifier=made["id"])["status"] == "ACTIVE")
        found = lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=made["id"])
        associations[name] = found["id"]
    for name, association in associations.items():
        get = lattice.get_service_network_resource_association
        shown = until(lambda i=association, get=get: (a := get(serviceNetworkResourceAssociationIdentifier=i))["status"] == "ACTIVE" and a)
        names[name] = shown["dnsEntry"]["domainName"]
    iam = lab.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="data-client", AssumeRolePolicyDocument=json.dumps(trust), Path="/branch/")["Role"]["Arn"]
    iam.create_instance_profile(InstanceProfileName="data-client")
    iam.add_role_to_instance_profile(InstanceProfileName="data-client", RoleName="data-client")
    instances = [
        lab.instance("client", near, "10.50.8.5", IamInstanceProfile={"Name": "data-client"}),
        lab.instance("outsider", near, "10.50.8.6"),
        lab.instance("data", home, "172.21.4.44", [group], server("data", tcp=SERVED)),
    ]
    lab.running(*instances)
    lab.settled()
    until(lambda: lab.talk(instances[2], "127.0.0.1", 7777))
    return Site(network, *instances, gateway, from_gateway, configurations, associations, names, role, clients)


def test_each_range_and_nothing_else(lab: Lab, site: Site) -> None:
    answers = {
        (name, port): lab.talk(site.client, site.names[name], port, seconds=0.7).split(" ")[0]
        for name, port in (("cache", 7777), ("cache", 7801), ("several", 7801), ("several", 7805), ("several", 27117), ("several", 7777), ("all", 41000))
    }
    assert {key for key, answer in answers.items() if answer == "data"} == {
        ("cache", 7777), ("several", 7801), ("several", 7805), ("several", 27117), ("all", 41000),
    }  # fmt: skip
    assert lab.talk(site.client, site.names["cache"], 7777).split(" ")[1].startswith("172.21.5.")
    assert lab.talk(site.outsider, site.names["cache"], 7777, seconds=0.7) == ""


def test_the_gateway_s_own_group_lets_out(lab: Lab, site: Site) -> None:
    lab.ec2.revoke_security_group_egress(GroupId=site.gateway_group, IpPermissions=[allow(cidr="0.0.0.0/0")])
    lab.ec2.authorize_security_group_egress(GroupId=site.gateway_group, IpPermissions=[allow("tcp", 7801, cidr="172.21.4.0/24")])
    lab.settled()
    assert lab.talk(site.client, site.names["cache"], 7777, seconds=0.7) == ""
    assert lab.talk(site.client, site.names["several"], 7801) != ""
    lab.ec2.authorize_security_group_egress(GroupId=site.gateway_group, IpPermissions=[allow(cidr="0.0.0.0/0")])
    lab.settled()
    assert lab.talk(site.client, site.names["cache"], 7777) != ""


def test_ports_and_address_of_a_configuration_change(lab: Lab, site: Site) -> None:
    lattice, changed = lab.client("vpc-lattice"), {"resourceConfigurationIdentifier": site.configurations["cache"]}
    lattice.update_resource_configuration(**changed, portRanges=["7801"])
    lab.settled()
    assert lab.talk(site.client, site.names["cache"], 7777, seconds=0.7) == ""
    assert lab.talk(site.client, site.names["cache"], 7801).startswith("data ")
    lattice.update_resource_configuration(**changed, portRanges=["7777"], resourceConfigurationDefinition={"ipResource": {"ipAddress": "172.21.4.45"}})
    lab.settled()
    assert lab.talk(site.client, site.names["cache"], 7777, seconds=0.7) == ""
    lattice.update_resource_configuration(**changed, resourceConfigurationDefinition={"ipResource": {"ipAddress": "172.21.4.44"}})
    lab.settled()
    assert lab.talk(site.client, site.names["cache"], 7777).startswith("data ")


def test_a_policy_on_the_resource_asks_for_the_instance_s_role(lab: Lab, site: Site) -> None:
    lattice, resource = lab.client("vpc-lattice"), site.configurations["cache"]

    def policy(principal: str) -> None:
        statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "vpc-lattice-svcs:Connect", "Resource": "*"}
        lattice.put_auth_policy(resourceIdentifier=resource, policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        lab.settled()

    policy(site.role.replace("data-client", "someone-else"))
    assert lab.talk(site.client, site.names["cache"], 7777, seconds=0.7) == ""
    assert lab.talk(site.client, site.names["several"], 7801) != ""
    policy(site.role)
    assert lab.talk(site.client, site.names["cache"], 7777, seconds=0.7) == ""  # the role's own policies must allow it too
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "vpc-lattice-svcs:Connect", "Resource": "*"}]}
    lab.client("iam").put_role_policy(RoleName="data-client", PolicyName="connect", PolicyDocument=json.dumps(allowed))
    lab.settled()
    assert lab.talk(site.client, site.names["cache"], 7777) != ""
    lattice.delete_auth_policy(resourceIdentifier=resource)


def test_a_custom_domain_and_a_target_by_name(lab: Lab, site: Site) -> None:
    route53 = lab.client("route53")
    for value in ("EnableDnsHostnames", "EnableDnsSupport"):
        lab.ec2.modify_vpc_attribute(VpcId=site.client_vpc, **{value: {"Value": True}})
    where = {"VPCRegion": lab.region.name, "VPCId": site.client_vpc}
    zone = route53.create_hosted_zone(Name="corp.test", CallerReference="corp.test of resources", VPC=where)["HostedZone"]["Id"]
    record = {"Name": "cache.corp.test", "Type": "CNAME", "TTL": 5, "ResourceRecords": [{"Value": site.names["cache"]}]}
    change = route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]})
    route53.get_waiter("resource_record_sets_changed").wait(Id=change["ChangeInfo"]["Id"], WaiterConfig={"Delay": 1})
    lab.settled()
    assert lab.talk(site.client, "cache.corp.test", 7777).startswith("data ")
    with pytest.raises(ClientError, match="HostedZoneNotEmpty"):
        route53.delete_hosted_zone(Id=zone)
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]})
    route53.delete_hosted_zone(Id=zone)
    lab.settled()
    assert lab.talk(site.client, "cache.corp.test", 7777, seconds=0.7) == ""


def test_everything_goes(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    with pytest.raises(ClientError, match="ConflictException"):
        lattice.delete_resource_configuration(resourceConfigurationIdentifier=site.configurations["all"])
    with pytest.raises(ClientError, match="ConflictException"):
        lattice.delete_resource_gateway(resourceGatewayIdentifier=site.gateway)
    for association in site.associations.values():
        lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=association)
    until(lambda: not lattice.list_service_network_resource_associations(serviceNetworkIdentifier=site.network)["items"])
    for configuration in site.configurations.values():
        lattice.delete_resource_configuration(resourceConfigurationIdentifier=configuration)
    until(lambda: not {*site.configurations.values()} & {one["id"] for one in lattice.list_resource_configurations()["items"]})
    lattice.delete_resource_gateway(resourceGatewayIdentifier=site.gateway)
    found: list[dict[str, Any]] = lattice.list_service_network_vpc_associations(serviceNetworkIdentifier=site.network)["items"]
    lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=found[0]["id"])
    until(lambda: not lattice.list_service_network_vpc_associations(vpcIdentifier=site.client_vpc)["items"])
    lattice.delete_service_network(serviceNetworkIdentifier=site.network)
    lab.ec2.terminate_instances(InstanceIds=[site.client, site.outsider, site.server])
    lab.ec2.get_waiter("instance_terminated").wait(InstanceIds=[site.client, site.outsider, site.server], WaiterConfig={"Delay": 1})
    until(lambda: site.gateway not in {one["id"] for one in lattice.list_resource_gateways()["items"]})
