"""EC2's resource kinds.

Where the parts of `world` are found (row of kind; D = its document):

| world                        | row                                          | member                                                                     |
| ---------------------------- | -------------------------------------------- | -------------------------------------------------------------------------- |
| Vpc                          | ec2:Vpc                                      | D.CidrBlockAssociationSet[].CidrBlock (primary first), D._EnableDnsSupport, |
|                              |                                              | D._EnableDnsHostnames                                                      |
| Subnet                       | ec2:Subnet                                   | D.VpcId, D.CidrBlock, D.AvailabilityZone; table and ACL: see these         |
| RouteTable                   | ec2:RouteTable                               | D.VpcId, D.Routes[] {DestinationCidrBlock, Origin, and one of GatewayId    |
|                              |                                              | ("local", igw-, vpce-), TransitGatewayId, NetworkInterfaceId;              |
|                              |                                              | DestinationPrefixListId instead of a block}; D.Routes[].State is           |
|                              |                                              | not stored: a missing target is a blackhole                                |
| Subnet.route_table_id        | ec2:RouteTable                               | D.Associations[] {SubnetId}; else the table with Associations[].Main       |
| SecurityGroup                | ec2:SecurityGroup                            | D.VpcId, Row.name                                                          |
| SecurityGroupRule            | ec2:SecurityGroupRule, parent = group        | D.IsEgress, D.IpProtocol, D.FromPort, D.ToPort (-1 = none), and one of     |
|                              |                                              | D.CidrIpv4, D.CidrIpv6, D.PrefixListId,                                |
|                              |                                              | D.ReferencedGroupInfo.GroupId                                              |
| NetworkAcl                   | ec2:NetworkAcl                               | D.VpcId, D.Entries[] {RuleNumber, Egress, RuleAction, Protocol (number or  |
|                              |                                              | "-1"), CidrBlock or Ipv6CidrBlock, PortRange {From, To}, IcmpTypeCode}     |
| Subnet.network_acl_id        | ec2:NetworkAcl                               | D.Associations[].SubnetId (every subnet is in exactly one)                 |
| PrefixList                   | ec2:ManagedPrefixList                        | Row.name, D.AddressFamily, D._Entries[].Cidr                               |
| NetworkInterface             | ec2:NetworkInterface, parent = subnet        | D.VpcId, D.SubnetId, D.PrivateIpAddresses[].PrivateIpAddress (primary      |
|                              |                                              | first), D.MacAddress, D.Groups[].GroupId, D.SourceDestCheck,               |
|                              |                                              | D.InterfaceType, D.Attachment {InstanceId, DeviceIndex} if attached        |
| Instance                     | ec2:Instance                                 | D.VpcId, D.SubnetId, D.Placement.AvailabilityZone, D.PrivateIpAddress,     |
|                              |                                              | D.InstanceType, D.ImageId, D._UserData (base64), D._Boot (number of the    |
|                              |                                              | boot), D.IamInstanceProfile.Arn if any, D.MetadataOptions, D.LaunchTime,   |
|                              |                                              | D._ReservationId, D.AmiLaunchIndex, Row.tags; state: instance.STATES of    |
|                              |                                              | Row.status; interfaces: those whose Attachment names it                    |
| TransitGateway               | ec2:TransitGateway                           | D.Options                                                                  |
| TransitGatewayAttachment     | ec2:TransitGatewayAttachment, parent = tgw   | D.TransitGatewayId, D.ResourceType ("vpc"), D.VpcId, D.SubnetIds,          |
|                              |                                              | D.Options.ApplianceModeSupport; its interfaces are ec2:NetworkInterface of |
|                              |                                              | InterfaceType "transit_gateway"                                            |
| ...Attachment.route_table_id | ec2:TransitGatewayRouteTableAssociation,     | D.TransitGatewayAttachmentId                                               |
|                              | parent = the table                           |                                                                            |
| TransitGatewayRouteTable     | ec2:TransitGatewayRouteTable, parent = tgw   | static: D._routes[] {DestinationCidrBlock, TransitGatewayAttachmentId, ""  |
|                              |                                              | = blackhole, as is an attachment that is gone or deleting}; propagated:    |
|                              |                                              | the blocks of the VPCs of ec2:TransitGatewayRouteTablePropagation rows     |
|                              |                                              | (parent = the table, D.TransitGatewayAttachmentId), oldest row first       |
| FirewallEndpoint             | ec2:VpcEndpoint                              | made by network-firewall: D.VpcId, D.SubnetIds[0]                          |
| VpcEndpoint                  | ec2:VpcEndpoint with D.VpcEndpointType       | D.VpcId, D.PrivateDnsEnabled, D.DnsOptions, D._zones (endpoint_zones.py);  |
|                              |                                              | where it leads: vpc-lattice's association rows with its id                 |

Rows with status "deleting", "deleted" or "failed" are not part of the desired state, nor are attachments that are "unaccepted" or "rejected".
"""

from __future__ import annotations

from typing import Any

from latticewall.resources.kind import Kind, Lifecycle, Ref
from latticewall.services.ec2 import (
    instance,
    network_interface,
    prefix_list,
    route_table,
    security_group,
    security_group_rule,
    sharing,
    subnet,
    transit_gateway,
    transit_gateway_attachment,
    vpc_endpoint,
)

HOUR = 3600
AVAILABLE = {"creating": "pending", "ready": "available", "updating": "available", "failed": "pending"}
GATEWAY = {**AVAILABLE, "updating": "modifying"}
ATTACHMENT = {**GATEWAY, "failed": "failed", sharing.UNACCEPTED: "pendingAcceptance"}
IN_VPC = {"VpcId": Ref("ec2:Vpc")}
MALFORMED = {
    "Vpc": "InvalidVpcID", "Subnet": "InvalidSubnetID", "RouteTable": "InvalidRouteTableId", "InternetGateway": "InvalidInternetGatewayId",
    "NetworkAcl": "InvalidNetworkAclId", "SecurityGroup": "InvalidGroupId", "SecurityGroupRule": "InvalidSecurityGroupRuleId",
    "ManagedPrefixList": "InvalidPrefixListId", "NetworkInterface": "InvalidNetworkInterfaceId", "Instance": "InvalidInstanceID",
    "TransitGateway": "InvalidTransitGatewayID", "TransitGatewayAttachment": "InvalidTransitGatewayAttachmentID",
    "TransitGatewayRouteTable": "InvalidRouteTableId", "VpcEndpoint": "InvalidVpcEndpointId",
}  # fmt: skip
"""How the codes begin that what is no id of a kind is refused with (+ ".Malformed"): AWS spells them otherwise than the kinds' NotFound."""


def _kind(name: str, **more: Any) -> Kind:
    code = MALFORMED.get(name.removeprefix("ec2:"))
    return Kind(name, by_arn=False, malformed=f"{code}.Malformed" if code else "", **more)


def _arn(resource: str) -> str:
    return f"arn:aws:ec2:{{region}}:{{account}}:{resource}/{{id}}"


KINDS = (
    _kind(
        "ec2:Vpc", id_member="VpcId", id_prefix="vpc-", arn=_arn("vpc"), tag_member="Tags", not_found="InvalidVpcID.NotFound",
        lifecycle=Lifecycle("State", AVAILABLE, settles=True), cloudformation="AWS::EC2::VPC",
    ),
    _kind(
        "ec2:Subnet", id_member="SubnetId", id_prefix="subnet-", arn=_arn("subnet"), tag_member="Tags", refs=IN_VPC, view=subnet.view,
        lifecycle=Lifecycle("State", AVAILABLE), not_found="InvalidSubnetID.NotFound", cloudformation="AWS::EC2::Subnet",
    ),
    _kind(
        "ec2:RouteTable", id_member="RouteTableId", id_prefix="rtb-", arn=_arn("route-table"), tag_member="Tags", refs=IN_VPC, view=route_table.view,
        not_found="InvalidRouteTableID.NotFound", cloudformation="AWS::EC2::RouteTable",
    ),
    _kind(
        "ec2:InternetGateway", id_member="InternetGatewayId", id_prefix="igw-", arn=_arn("internet-gateway"), tag_member="Tags", refs=IN_VPC,
        not_found="InvalidInternetGatewayID.NotFound", cloudformation="AWS::EC2::InternetGateway",
    ),
    _kind(
        "ec2:NetworkAcl", id_member="NetworkAclId", id_prefix="acl-", arn=_arn("network-acl"), tag_member="Tags", refs=IN_VPC,
        not_found="InvalidNetworkAclID.NotFound", cloudformation="AWS::EC2::NetworkAcl",
    ),
    _kind(
        "ec2:SecurityGroup", id_member="GroupId", id_prefix="sg-", arn_member="SecurityGroupArn", arn=_arn("security-group"), name_member="GroupName",
        tag_member="Tags", refs=IN_VPC, owns=("ec2:SecurityGroupRule",), view=security_group.view, not_found="InvalidGroup.NotFound",
        not_found_text="The security group '{id}' does not exist", cloudformation="AWS::EC2::SecurityGroup",
    ),
    _kind(
        "ec2:SecurityGroupRule", id_member="SecurityGroupRuleId", id_prefix="sgr-", arn=_arn("security-group-rule"), tag_member="Tags",
        refs={"ReferencedGroupId": Ref("ec2:SecurityGroup"), "PrefixListId": Ref("ec2:ManagedPrefixList")}, view=security_group_rule.view,
        not_found="InvalidSecurityGroupRuleId.NotFound", not_found_text="The security group rule ID '{id}' does not exist",
    ),
    _kind(
        "ec2:ManagedPrefixList", id_member="PrefixListId", id_prefix="pl-", arn_member="PrefixListArn", arn=_arn("prefix-list"),
        name_member="PrefixListName", tag_member="Tags", view=prefix_list.view, not_found="InvalidPrefixListID.NotFound",
        not_found_text="The prefix list ID '{id}' does not exist", cloudformation="AWS::EC2::PrefixList",
    ),
    _kind(
        "ec2:NetworkInterface", id_member="NetworkInterfaceId", id_prefix="eni-", arn=_arn("network-interface"), tag_member="TagSet",
        refs={"SubnetId": Ref("ec2:Subnet"), "Groups": Ref("ec2:SecurityGroup"), "InstanceId": Ref("ec2:Instance", "clear"),
              "OwnerId": Ref("ec2:TransitGatewayAttachment", "cascade"), "VpcEndpointId": Ref("ec2:VpcEndpoint", "cascade")},
        view=network_interface.view, not_found="InvalidNetworkInterfaceID.NotFound", cloudformation="AWS::EC2::NetworkInterface",
    ),
    _kind(
        "ec2:Instance", id_member="InstanceId", id_prefix="i-", arn=_arn("instance"), tag_member="Tags", view=instance.view,
        lifecycle=Lifecycle("State", instance.SPELLING, settles=True, tombstone=HOUR), not_found="InvalidInstanceID.NotFound",
        cloudformation="AWS::EC2::Instance",
    ),
    _kind(
        "ec2:TransitGateway", id_member="TransitGatewayId", id_prefix="tgw-", arn=_arn("transit-gateway"), tag_member="Tags",
        owns=("ec2:TransitGatewayRouteTable",), view=transit_gateway.view, lifecycle=Lifecycle("State", GATEWAY, settles=True, tombstone=2 * HOUR),
        not_found="InvalidTransitGatewayID.NotFound", not_found_text="Transit Gateway {id} was deleted or does not exist.",
        cloudformation="AWS::EC2::TransitGateway",
    ),
    _kind(
        "ec2:TransitGatewayAttachment", id_member="TransitGatewayAttachmentId", id_prefix="tgw-attach-", arn=_arn("transit-gateway-attachment"),
        tag_member="Tags", refs={"TransitGatewayId": Ref("ec2:TransitGateway"), "VpcId": Ref("ec2:Vpc"), "SubnetIds": Ref("ec2:Subnet")},
        view=transit_gateway_attachment.view, lifecycle=Lifecycle("State", ATTACHMENT, settles=True, tombstone=2 * HOUR),
        not_found="InvalidTransitGatewayAttachmentID.NotFound", not_found_text="Transit Gateway Attachment {id} was deleted or does not exist.",
        cloudformation="AWS::EC2::TransitGatewayAttachment",
    ),
    _kind(
        "ec2:TransitGatewayRouteTable", id_member="TransitGatewayRouteTableId", id_prefix="tgw-rtb-", arn=_arn("transit-gateway-route-table"),
        tag_member="Tags", refs={"TransitGatewayId": Ref("ec2:TransitGateway")}, lifecycle=Lifecycle("State", AVAILABLE, settles=True, tombstone=2 * HOUR),
        owns=("ec2:TransitGatewayRouteTableAssociation", "ec2:TransitGatewayRouteTablePropagation"),
        not_found="InvalidRouteTableID.NotFound", not_found_text="Transit Gateway Route Table {id} was deleted or does not exist.",
        cloudformation="AWS::EC2::TransitGatewayRouteTable",
    ),
    _kind(
        "ec2:TransitGatewayRouteTableAssociation", id_prefix="tgw-rtb-association-",
        refs={"TransitGatewayAttachmentId": Ref("ec2:TransitGatewayAttachment", "cascade")},
        lifecycle=Lifecycle("State", {"creating": "associating", "ready": "associated", "deleting": "disassociating"}, settles=True),
        cloudformation="AWS::EC2::TransitGatewayRouteTableAssociation",
    ),
    _kind(
        "ec2:TransitGatewayRouteTablePropagation", id_prefix="tgw-rtb-propagation-",
        refs={"TransitGatewayAttachmentId": Ref("ec2:TransitGatewayAttachment", "cascade")},
        lifecycle=Lifecycle("State", {"creating": "enabling", "ready": "enabled", "deleting": "disabling"}, settles=True),
        cloudformation="AWS::EC2::TransitGatewayRouteTablePropagation",
    ),
    _kind(
        "ec2:VpcEndpoint", id_member="VpcEndpointId", id_prefix="vpce-", arn=_arn("vpc-endpoint"), tag_member="Tags",
        refs={"VpcId": Ref("ec2:Vpc"), "SubnetIds": Ref("ec2:Subnet")}, view=vpc_endpoint.view,
        lifecycle=Lifecycle("State", {**AVAILABLE, "failed": "failed"}, settles=True), not_found="InvalidVpcEndpointId.NotFound",
        not_found_text="The Vpc Endpoint Id '{id}' does not exist", cloudformation="AWS::EC2::VPCEndpoint",
    ),
)  # fmt: skip
