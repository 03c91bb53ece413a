"""What is measured and disturbed, built step by step with boto3: clients and servers in two VPCs, with three ways between them.

- through the service network: the HTTP service `api` (port 80 -> 8080 on the server), the TCP resource `bulk` (port 5201);
- inspected: 10.1.0.0/24 <-> 10.3.0.0/24 over the Transit Gateway and the firewall in the inspection VPC;
- plain: 10.1.1.0/24 <-> 10.3.1.0/24 over the same Transit Gateway, without firewall.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from bench.region import REGION, Region, until

ZONE = f"{REGION}a"
HTTP_PORT, TARGET_PORT, BULK_PORT = 80, 8080, 5201
ADDRESSES = {"client": "10.1.0.10", "plain-client": "10.1.1.10", "server": "10.3.0.10", "plain-server": "10.3.1.10"}


@dataclass
class Architecture:
    """Ids of what was built. subnets: by name and role; names: DNS names of the service and the resource."""

    vpcs: dict[str, str] = field(default_factory=dict)
    subnets: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)
    transit_gateway: str = ""
    endpoint: str = ""
    network: str = ""
    service: str = ""
    api: str = ""
    bulk: str = ""


def build(region: Region, user_data: dict[str, str]) -> Architecture:
    """All of it, running. user_data: boot script by instance name (`client`, `plain-client`, `server`, `plain-server`)."""
    built = Architecture()
    _vpcs(region, built)
    _transit_gateway(region, built)
    _firewall(region, built)
    _routes(region, built)
    _instances(region, built, user_data)
    _service_network(region, built)
    region.settle()
    return built


def put_policy(region: Region, built: Architecture, effect: str, principal: str = "*") -> None:
    """The service's auth policy: one statement for all requests."""
    statement = {"Effect": effect, "Principal": principal, "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    region.client("vpc-lattice").put_auth_policy(resourceIdentifier=built.service, policy=policy)


# -- networks ---------------------------------------------------------------------------------------------------------------------------


def _vpcs(region: Region, built: Architecture) -> None:
    ec2 = region.client("ec2")
    layout = {"clients": (1, {"inspected": 0, "plain": 1, "tgw": 9}), "servers": (3, {"inspected": 0, "plain": 1, "tgw": 9})}
    for name, (second, subnets) in {**layout, "inspection": (100, {"firewall": 0, "tgw": 9})}.items():
        vpc = built.vpcs[name] = ec2.create_vpc(CidrBlock=f"10.{second}.0.0/16")["Vpc"]["VpcId"]
        for role, third in subnets.items():
            made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{second}.{third}.0/24", AvailabilityZone=ZONE)
            built.subnets[f"{name}-{role}"] = made["Subnet"]["SubnetId"]


def _transit_gateway(region: Region, built: Architecture) -> None:
    ec2 = region.client("ec2")
    options = {"DefaultRouteTableAssociation": "disable", "DefaultRouteTablePropagation": "disable"}
    gateway = built.transit_gateway = ec2.create_transit_gateway(Options=options)["TransitGateway"]["TransitGatewayId"]
    until(lambda: ec2.describe_transit_gateways(TransitGatewayIds=[gateway])["TransitGateways"][0]["State"] == "available")
    attachments = {}
    for name, vpc in built.vpcs.items():
        made = ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[built.subnets[f"{name}-tgw"]])
        attachments[name] = made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    until(lambda: all(item["State"] == "available" for item in ec2.describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"]))
    ways = {
        "clients": {"10.3.0.0/24": "inspection", "10.3.1.0/24": "servers"},
        "servers": {"10.1.0.0/24": "inspection", "10.1.1.0/24": "clients"},
        "inspection": {"10.1.0.0/16": "clients", "10.3.0.0/16": "servers"},
    }
    for name, routes in ways.items():
        table = ec2.create_transit_gateway_route_table(TransitGatewayId=gateway)["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]
        ec2.associate_transit_gateway_route_table(TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attachments[name])
        for cidr, way in routes.items():
            ec2.create_transit_gateway_route(TransitGatewayRouteTableId=table, DestinationCidrBlock=cidr, TransitGatewayAttachmentId=attachments[way])


def _firewall(region: Region, built: Architecture) -> None:
    firewalls = region.client("network-firewall")
    header = {"Protocol": "TCP", "Source": "10.1.0.0/16", "SourcePort": "ANY", "Direction": "FORWARD", "Destination": "10.3.0.0/16", "DestinationPort": "ANY"}
    options = [{"Keyword": "flow", "Settings": ["to_server"]}, {"Keyword": "sid", "Settings": ["1"]}]
    rule = {"Action": "PASS", "Header": header, "RuleOptions": options}
    group = firewalls.create_rule_group(
        RuleGroupName="bench-clients", Type="STATEFUL", Capacity=10,
        RuleGroup={"RulesSource": {"StatefulRules": [rule]}, "StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}},
    )["RuleGroupResponse"]["RuleGroupArn"]  # fmt: skip
    policy = firewalls.create_firewall_policy(
        FirewallPolicyName="bench",
        FirewallPolicy={
            "StatelessDefaultActions": ["aws:forward_to_sfe"], "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"],
            "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER"}, "StatefulDefaultActions": ["aws:drop_established"],
            "StatefulRuleGroupReferences": [{"ResourceArn": group, "Priority": 1}],
        },
    )["FirewallPolicyResponse"]["FirewallPolicyArn"]  # fmt: skip
    mappings = [{"SubnetId": built.subnets["inspection-firewall"]}]
    firewalls.create_firewall(FirewallName="bench", FirewallPolicyArn=policy, VpcId=built.vpcs["inspection"], SubnetMappings=mappings)
    ready = until(lambda: _ready(firewalls.describe_firewall(FirewallName="bench")["FirewallStatus"]))
    built.endpoint = ready["SyncStates"][ZONE]["Attachment"]["EndpointId"]


def _ready(status: dict[str, Any]) -> dict[str, Any] | None:
    return status if status["Status"] == "READY" else None


def _routes(region: Region, built: Architecture) -> None:
    gateway, endpoint = {"TransitGatewayId": built.transit_gateway}, {"VpcEndpointId": built.endpoint}
    ways = {
        "clients-inspected": gateway, "clients-plain": gateway, "servers-inspected": gateway, "servers-plain": gateway,
        "inspection-tgw": endpoint, "inspection-firewall": gateway,
    }  # fmt: skip
    ec2 = region.client("ec2")
    for subnet, way in ways.items():
        table = ec2.create_route_table(VpcId=built.vpcs[subnet.partition("-")[0]])["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)
        ec2.associate_route_table(RouteTableId=table, SubnetId=built.subnets[subnet])


# -- instances --------------------------------------------------------------------------------------------------------------------------


def _instances(region: Region, built: Architecture, user_data: dict[str, str]) -> None:
    ec2 = region.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    for name, address in ADDRESSES.items():
        vpc, subnet = ("clients" if "client" in name else "servers"), ("plain" if "plain" in name else "inspected")
        group = ec2.create_security_group(GroupName=name, Description=name, VpcId=built.vpcs[vpc])["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        made = ec2.run_instances(
            ImageId=image, MinCount=1, MaxCount=1, SubnetId=built.subnets[f"{vpc}-{subnet}"], PrivateIpAddress=address, SecurityGroupIds=[group],
            UserData=user_data.get(name, ""), TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}],
        )  # fmt: skip
        built.groups[name], built.instances[name] = group, made["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=list(built.instances.values()), WaiterConfig={"Delay": 1})


# -- service network --------------------------------------------------------------------------------------------------------------------


def _service_network(region: Region, built: Architecture) -> None:
    lattice = region.client("vpc-lattice")
    built.network = lattice.create_service_network(name="bench", authType="NONE")["id"]
    group = region.client("ec2").create_security_group(GroupName="association", Description="clients", VpcId=built.vpcs["clients"])["GroupId"]
    permissions = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}]
    region.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=built.network, vpcIdentifier=built.vpcs["clients"], securityGroupIds=[group])
    _api(lattice, built)
    _bulk(lattice, built)


def _api(lattice: Any, built: Architecture) -> None:
    config = {"port": TARGET_PORT, "protocol": "HTTP", "vpcIdentifier": built.vpcs["servers"], "healthCheck": {"enabled": False}}
    targets = lattice.create_target_group(name="bench-api", type="IP", config=config)["id"]
    until(lambda: lattice.get_target_group(targetGroupIdentifier=targets)["status"] == "ACTIVE")
    lattice.register_targets(targetGroupIdentifier=targets, targets=[{"id": ADDRESSES["server"], "port": TARGET_PORT}])
    built.service = lattice.create_service(name="bench-api", authType="NONE")["id"]
    until(lambda: lattice.get_service(serviceIdentifier=built.service)["status"] == "ACTIVE")
    action = {"forward": {"targetGroups": [{"targetGroupIdentifier": targets, "weight": 100}]}}
    lattice.create_listener(serviceIdentifier=built.service, name="http", protocol="HTTP", port=HTTP_PORT, defaultAction=action)
    association = lattice.create_service_network_service_association(serviceNetworkIdentifier=built.network, serviceIdentifier=built.service)["id"]
    found = until(lambda: _active(lattice.get_service_network_service_association(serviceNetworkServiceAssociationIdentifier=association)))
    built.api = found["dnsEntry"]["domainName"]


def _bulk(lattice: Any, built: Architecture) -> None:
    gateway = lattice.create_resource_gateway(name="bench", vpcIdentifier=built.vpcs["servers"], subnetIds=[built.subnets["servers-inspected"]])["id"]
    until(lambda: lattice.get_resource_gateway(resourceGatewayIdentifier=gateway)["status"] == "ACTIVE")
    configuration = lattice.create_resource_configuration(
        name="bench-bulk", type="SINGLE", resourceGatewayIdentifier=gateway, protocol="TCP", portRanges=[str(BULK_PORT)],
        resourceConfigurationDefinition={"ipResource": {"ipAddress": ADDRESSES["server"]}},
    )["id"]  # fmt: skip
    until(lambda: lattice.get_resource_configuration(resourceConfigurationIdentifier=configuration)["status"] == "ACTIVE")
    made = lattice.create_service_network_resource_association(serviceNetworkIdentifier=built.network, resourceConfigurationIdentifier=configuration)
    found = until(lambda: _active(lattice.get_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=made["id"])))
    built.bulk = found["dnsEntry"]["domainName"]


def _active(association: dict[str, Any]) -> dict[str, Any] | None:
    return association if association["status"] == "ACTIVE" and association.get("dnsEntry") else None
