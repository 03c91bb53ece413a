"""Two Transit Gateways built out of order: routes before attachments, propagated, static and blackhole routes, one CIDR behind each of them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
PORT = 7777


@dataclass
class Site:
    gateways: list[str]
    tables: dict[str, str]
    attachments: dict[str, str]
    vpcs: dict[str, str]
    instances: dict[str, str]
    route_tables: dict[str, str]


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """hub is on both gateways; left and right have one CIDR and are on one gateway each. The first gateway has its default route table."""
    cidrs = {"hub": "10.50.0.0/16", "left": "172.22.0.0/16", "right": "172.22.0.0/16", "third": "192.168.128.0/17"}
    vpcs = {name: lab.vpc(cidr) for name, cidr in cidrs.items()}
    subnets = {name: lab.subnet(vpc, cidrs[name].rsplit("/", 1)[0] + "/24") for name, vpc in vpcs.items()}
    groups = {name: lab.group(vpc, "open", allow("tcp", PORT, cidr="0.0.0.0/0")) for name, vpc in vpcs.items()}
    last = {"hub": "10.50.0.10", "left": "172.22.0.10", "right": "172.22.0.10", "third": "192.168.128.10"}
    instances = {name: lab.instance(name, subnets[name], last[name], [groups[name]], server(name, tcp=[PORT])) for name in vpcs}
    first = lab.transit_gateway()
    second = lab.transit_gateway(DefaultRouteTableAssociation="disable", DefaultRouteTablePropagation="disable")
    tables = {"second": lab.transit_gateway_table(second)["TransitGatewayRouteTableId"]}
    shown = lab.ec2.describe_transit_gateways(TransitGatewayIds=[first])["TransitGateways"][0]["Options"]
    tables["first"] = shown["AssociationDefaultRouteTableId"]
    assert shown["PropagationDefaultRouteTableId"] == tables["first"]
    attachments = {
        f"{name}-{order}": lab.attach(gateway, vpcs[name], [subnets[name]])
        for order, gateway, names in (("first", first, ("hub", "left", "third")), ("second", second, ("hub", "right")))
        for name in names
    }
    lab.attached(*attachments.values())
    route_tables = {
        "left": lab.route_table(vpcs["left"], [subnets["left"]], routes={"0.0.0.0/0": {"TransitGatewayId": first}}),
        "right": lab.route_table(vpcs["right"], [subnets["right"]], routes={"10.50.0.0/16": {"TransitGatewayId": second}}),
        "third": lab.route_table(vpcs["third"], [subnets["third"]], routes={"0.0.0.0/0": {"TransitGatewayId": first}}),
        "hub": lab.route_table(vpcs["hub"], [subnets["hub"]], routes={"172.22.0.0/16": {"TransitGatewayId": first}}),
    }
    lab.running(*instances.values())
    lab.settled()
    for name in instances:
        until(lambda name=name: lab.talk(instances[name], "127.0.0.1", PORT))
    return Site([first, second], tables, attachments, vpcs, instances, route_tables)


def test_a_resource_gateway_goes_by_its_subnets_route_table(lab: Lab, site: Site) -> None:
    """Its resource is in another VPC, and sees the gateway's address."""
    lattice, vpc = lab.client("vpc-lattice"), site.vpcs["third"]
    (subnet,) = lab.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    gateway = lattice.create_resource_gateway(name="beyond", vpcIdentifier=vpc, subnetIds=[subnet["SubnetId"]], ipv4AddressesPerEni=1)["id"]
    beyond = lattice.create_resource_configuration(
        name="beyond", type="SINGLE", portRanges=[str(PORT)], resourceGatewayIdentifier=gateway,
        resourceConfigurationDefinition={"ipResource": {"ipAddress": "172.22.0.10"}},
    )  # fmt: skip
    endpoint = lab.ec2.create_vpc_endpoint(VpcEndpointType="Resource", VpcId=vpc, ResourceConfigurationArn=beyond["arn"], SubnetIds=[subnet["SubnetId"]])
    (made,), door = endpoint["VpcEndpoint"]["NetworkInterfaceIds"], endpoint["VpcEndpoint"]["VpcEndpointId"]
    default = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[made])["NetworkInterfaces"][0]["Groups"][0]["GroupId"]
    lab.ec2.authorize_security_group_ingress(GroupId=default, IpPermissions=[allow("tcp", PORT, cidr="192.168.128.0/17")])
    name = endpoint["VpcEndpoint"]["DnsEntries"][0]["DnsName"]
    found = lab.ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet["SubnetId"]]}])["NetworkInterfaces"]
    (source,) = (one["PrivateIpAddress"] for one in found if gateway in one["Description"])
    assert until(lambda: lab.talk(site.instances["third"], name, PORT)) == f"left {source} hello"
    lab.ec2.delete_vpc_endpoints(VpcEndpointIds=[door])
    until(lambda: not lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=beyond["id"])["items"])
    lattice.delete_resource_configuration(resourceConfigurationIdentifier=beyond["id"])
    until(lambda: beyond["id"] not in [one["id"] for one in lattice.list_resource_configurations()["items"]])
    lattice.delete_resource_gateway(resourceGatewayIdentifier=gateway)


def test_default_tables_propagate_and_the_other_does_nothing_by_itself(lab: Lab, site: Site) -> None:
    hub, right = site.instances["hub"], site.instances["right"]
    assert lab.talk(hub, "172.22.0.10", PORT) == "left 10.50.0.10 hello"
    assert lab.talk(site.instances["third"], "172.22.0.10", PORT) == "left 192.168.128.10 hello"
    assert lab.talk(right, "10.50.0.10", PORT, seconds=0.7) == ""
    second = {"TransitGatewayRouteTableId": site.tables["second"]}
    for name in ("hub-second", "right-second"):
        lab.ec2.associate_transit_gateway_route_table(**second, TransitGatewayAttachmentId=site.attachments[name])
        lab.ec2.enable_transit_gateway_route_table_propagation(**second, TransitGatewayAttachmentId=site.attachments[name])
    until(lambda: {a["State"] for a in lab.ec2.get_transit_gateway_route_table_associations(**second)["Associations"]} == {"associated"})
    lab.settled()
    assert lab.talk(right, "10.50.0.10", PORT, seconds=0.7) == ""  # its answers go to the first gateway
    lab.ec2.replace_route(RouteTableId=site.route_tables["hub"], DestinationCidrBlock="172.22.0.0/16", TransitGatewayId=site.gateways[1])
    lab.settled()
    assert lab.talk(right, "10.50.0.10", PORT) == "hub 172.22.0.10 hello"
    assert lab.talk(hub, "172.22.0.10", PORT) == "right 10.50.0.10 hello"
    lab.ec2.create_route(RouteTableId=site.route_tables["hub"], DestinationCidrBlock="172.22.0.0/28", TransitGatewayId=site.gateways[0])
    lab.settled()
    assert lab.talk(hub, "172.22.0.10", PORT) == "left 10.50.0.10 hello"
    lab.ec2.delete_route(RouteTableId=site.route_tables["hub"], DestinationCidrBlock="172.22.0.0/28")
    lab.settled()
    assert lab.talk(hub, "172.22.0.10", PORT) == "right 10.50.0.10 hello"


def test_static_over_propagated_and_blackholes(lab: Lab, site: Site) -> None:
    third, table = site.instances["third"], {"TransitGatewayRouteTableId": site.tables["first"]}
    lab.ec2.create_transit_gateway_route(**table, DestinationCidrBlock="172.22.0.0/16", Blackhole=True)
    found = lab.ec2.search_transit_gateway_routes(**table, Filters=[{"Name": "route-search.exact-match", "Values": ["172.22.0.0/16"]}])["Routes"]
    assert [(route["Type"], route["State"]) for route in found] == [("static", "blackhole")]
    lab.settled()
    assert lab.talk(third, "172.22.0.10", PORT, seconds=0.7) == ""
    lab.ec2.replace_transit_gateway_route(**table, DestinationCidrBlock="172.22.0.0/16", TransitGatewayAttachmentId=site.attachments["hub-first"])
    lab.settled()
    assert lab.talk(third, "172.22.0.10", PORT, seconds=0.7) == ""
    with pytest.raises(ClientError, match="RouteAlreadyExists"):
        lab.ec2.create_transit_gateway_route(**table, DestinationCidrBlock="172.22.0.0/16", Blackhole=True)
    lab.ec2.delete_transit_gateway_route(**table, DestinationCidrBlock="172.22.0.0/16")
    lab.settled()
    assert lab.talk(third, "172.22.0.10", PORT) == "left 192.168.128.10 hello"
    attachment = site.attachments["left-first"]
    lab.ec2.disable_transit_gateway_route_table_propagation(**table, TransitGatewayAttachmentId=attachment)
    lab.settled()
    assert lab.talk(third, "172.22.0.10", PORT, seconds=0.7) == ""
    lab.ec2.enable_transit_gateway_route_table_propagation(**table, TransitGatewayAttachmentId=attachment)
    lab.settled()
    assert lab.talk(third, "172.22.0.10", PORT) == "left 192.168.128.10 hello"


def test_routes_outlive_what_they_lead_to_as_blackholes(lab: Lab, site: Site) -> None:
    """AWS: "If the attachment is deleted, the route enters the blackhole state"."""
    attachment = site.attachments["third-first"]
    lab.ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    shown = lab.ec2.describe_transit_gateway_attachments
    until(lambda: shown(TransitGatewayAttachmentIds=[attachment])["TransitGatewayAttachments"][0]["State"] == "deleted")
    routes = lab.ec2.describe_route_tables(RouteTableIds=[site.route_tables["third"]])["RouteTables"][0]["Routes"]
    assert {route["DestinationCidrBlock"]: route["State"] for route in routes} == {"192.168.128.0/17": "active", "0.0.0.0/0": "blackhole"}
    assert lab.talk(site.instances["third"], "172.22.0.10", PORT, seconds=0.7) == ""
    with pytest.raises(ClientError, match=r"InvalidTransitGatewayID\.NotFound|InvalidParameterValue"):
        lab.ec2.create_route(RouteTableId=site.route_tables["third"], DestinationCidrBlock="10.0.0.0/8", TransitGatewayId=site.gateways[0])
    with pytest.raises(ClientError, match=r"DependencyViolation|IncorrectState"):
        lab.ec2.delete_transit_gateway(TransitGatewayId=site.gateways[1])


def test_everything_goes(lab: Lab, site: Site) -> None:
    lab.ec2.terminate_instances(InstanceIds=list(site.instances.values()))
    lab.ec2.get_waiter("instance_terminated").wait(InstanceIds=list(site.instances.values()), WaiterConfig={"Delay": 1})
    left = [item for name, item in site.attachments.items() if name != "third-first"]
    for attachment in left:
        lab.ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    shown = lab.ec2.describe_transit_gateway_attachments
    until(lambda: {item["State"] for item in shown(TransitGatewayAttachmentIds=left)["TransitGatewayAttachments"]} == {"deleted"})
    lab.ec2.delete_transit_gateway_route_table(TransitGatewayRouteTableId=site.tables["second"])
    for gateway in site.gateways:
        assert lab.ec2.delete_transit_gateway(TransitGatewayId=gateway)["TransitGateway"]["State"] == "deleting"
    until(lambda: {g["State"] for g in lab.ec2.describe_transit_gateways(TransitGatewayIds=site.gateways)["TransitGateways"]} == {"deleted"})
    for name, vpc in site.vpcs.items():
        here = {"Name": "vpc-id", "Values": [vpc]}
        for table in lab.ec2.describe_route_tables(Filters=[here])["RouteTables"]:
            for association in table["Associations"]:
                if not association["Main"]:
                    lab.ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
        lab.ec2.delete_route_table(RouteTableId=site.route_tables[name])
        for subnet in lab.ec2.describe_subnets(Filters=[here])["Subnets"]:
            lab.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        for group in lab.ec2.describe_security_groups(Filters=[here, {"Name": "group-name", "Values": ["open"]}])["SecurityGroups"]:
            lab.ec2.delete_security_group(GroupId=group["GroupId"])
        lab.ec2.delete_vpc(VpcId=vpc)
    assert not set(site.vpcs.values()) & {vpc["VpcId"] for vpc in lab.ec2.describe_vpcs()["Vpcs"]}
    lab.settled()
    left_over = set(os.listdir(f"/proc/{lab.region.holder}/root/run/latticewall/netns"))
    assert not {name for name in left_over if name in {*site.instances.values(), *site.vpcs.values(), *site.gateways}}
