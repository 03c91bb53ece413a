"""Firewalls and their endpoints ("Managing a firewall and firewall endpoints in AWS Network Firewall")."""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.network_firewall import objects, sharing, text

KIND = "network-firewall:Firewall"
PROTECTIONS = ("DeleteProtection", "SubnetChangeProtection", "FirewallPolicyChangeProtection")
STATUS = {"creating": "PROVISIONING", "updating": "PROVISIONING", "ready": "READY", "deleting": "DELETING", "failed": "PROVISIONING"}
ATTACHMENT = {"ready": "READY", "deleting": "DELETING", "failed": "FAILED"}
NOT_THERE = ("TransitGatewayId", "AvailabilityZoneMappings", "AvailabilityZoneChangeProtection", "EnabledAnalysisTypes")


def find(ctx: Context, params: Document) -> Row:
    return objects.find(ctx, KIND, params, "Firewall")


def _status(ctx: Context, row: Row) -> Document:
    """FirewallStatus: per Availability Zone the endpoint, and which version of policy and groups it has."""
    policy = ctx.tx.by_arn(row.document["FirewallPolicyArn"])
    versions = [policy, *ctx.referred(policy, "RuleGroup")] if policy else []
    in_sync = "IN_SYNC" if row.status == "ready" and not row.reason else "PENDING"
    config = {item.arn: {"SyncStatus": in_sync, "UpdateToken": item.document["_token"]} for item in versions}
    attachment = ATTACHMENT.get(row.status, "CREATING")
    states = {}
    for endpoint in row.document["_endpoints"]:
        shown = {"SubnetId": endpoint["SubnetId"], "EndpointId": endpoint["EndpointId"], "Status": attachment}
        if row.reason:
            shown["StatusMessage"] = row.reason
        states[endpoint["AvailabilityZone"]] = {"Attachment": shown, "Config": config}
    capacity = {"CIDRs": {"AvailableCIDRCount": 1_000_000, "UtilizedCIDRCount": 0, "IPSetReferences": {}}}
    return {"Status": STATUS[row.status], "ConfigurationSyncStateSummary": in_sync, "SyncStates": states, "CapacityUsageSummary": capacity}


def _show(ctx: Context, row: Row) -> Document:
    return {**ctx.view(row), "Tags": tags.as_list(row.tags), "EncryptionConfiguration": text.OWNED_KEY, "NumberOfAssociations": 0}


def _add_endpoints(ctx: Context, row: Row, mappings: Iterable[Document]) -> Row:
    """An endpoint in each subnet: of the firewall's VPC, with IPv4, one per Availability Zone."""
    endpoints = list(row.document["_endpoints"])
    for mapping in mappings:
        subnet = ctx.find("ec2:Subnet", mapping["SubnetId"])
        if subnet is None or subnet.document["VpcId"] != row.document["VpcId"]:
            raise text.invalid(f"subnet does not exist in VPC {row.document['VpcId']}", mapping["SubnetId"], "SubnetMappings")
        if mapping.get("IPAddressType") not in (None, "IPV4"):
            raise text.invalid("only IPV4 is supported by latticewall", mapping["IPAddressType"], "SubnetMappings.IPAddressType")
        if subnet.document["Ipv6Native"]:
            raise text.invalid("firewall endpoints in IPv6-only subnets are not supported by latticewall", subnet.id, "SubnetMappings")
        zone = subnet.document["AvailabilityZone"]
        if any(endpoint["AvailabilityZone"] == zone for endpoint in endpoints):
            raise text.invalid(f"the firewall already has a subnet in {zone}", subnet.id, "SubnetMappings")
        document = {"VpcId": row.document["VpcId"], "SubnetIds": [subnet.id], "ServiceName": f"com.amazonaws.vpce.{row.region}.network-firewall"}
        made = {"AWSNetworkFirewallManaged": "true", "Firewall": row.arn}
        endpoint = ctx.create("ec2:VpcEndpoint", document, tags=made, refs={"VpcId": row.document["VpcId"], "SubnetIds": subnet.id})
        endpoints.append({"SubnetId": subnet.id, "AvailabilityZone": zone, "EndpointId": endpoint.id})
        ctx.refer(row, "SubnetId", subnet.id)
    mapped = [{"SubnetId": endpoint["SubnetId"], "IPAddressType": "IPV4"} for endpoint in endpoints]
    return ctx.change(row, {"_endpoints": endpoints, "SubnetMappings": mapped})


def _drop_endpoints(ctx: Context, row: Row, subnet_ids: Iterable[str]) -> Row:
    gone = set(subnet_ids)
    for endpoint in row.document["_endpoints"]:
        if endpoint["SubnetId"] in gone:
            found = ctx.find("ec2:VpcEndpoint", endpoint["EndpointId"])
            if found:
                ctx.remove(found, force=True)
            ctx.forget(row, "SubnetId", endpoint["SubnetId"])
    kept = [endpoint for endpoint in row.document["_endpoints"] if endpoint["SubnetId"] not in gone]
    mapped = [{"SubnetId": endpoint["SubnetId"], "IPAddressType": "IPV4"} for endpoint in kept]
    return ctx.change(row, {"_endpoints": kept, "SubnetMappings": mapped})


def create(ctx: Context, params: Document) -> Document:
    for member in NOT_THERE:
        if params.get(member):
            raise text.invalid(f"{member} is not supported by latticewall", params[member], member)
    objects.check_encryption(params)
    if not params.get("VpcId") or not params.get("SubnetMappings"):
        raise text.invalid("VpcId and SubnetMappings must be provided", "null", "VpcId" if not params.get("VpcId") else "SubnetMappings")
    vpc = ctx.find("ec2:Vpc", params["VpcId"])
    if vpc is None:
        raise text.invalid("VPC does not exist", params["VpcId"], "VpcId")
    policy = sharing.usable(ctx, "network-firewall:FirewallPolicy", params["FirewallPolicyArn"])
    if policy is None:
        raise text.invalid("firewall policy does not exist", params["FirewallPolicyArn"], "FirewallPolicyArn")
    name = params["FirewallName"]
    document: Document = {
        "FirewallPolicyArn": policy.arn, "VpcId": vpc.id, "SubnetMappings": [], "_endpoints": [], "_logging": [], "_token": ctx.new_uuid(),
        **{member: bool(params.get(member)) for member in PROTECTIONS},
    }  # fmt: skip
    if params.get("Description"):
        document["Description"] = params["Description"]
    row = ctx.create(KIND, document, id=ctx.new_uuid(), name=name, tags=tags.read(params.get("Tags")), refs={"VpcId": vpc.id, "FirewallPolicyArn": policy})
    row = _add_endpoints(ctx, row, params["SubnetMappings"])
    return {"Firewall": _show(ctx, row), "FirewallStatus": _status(ctx, row)}


def describe(ctx: Context, params: Document) -> Document:
    row = find(ctx, params)
    return {"UpdateToken": row.document["_token"], "Firewall": _show(ctx, row), "FirewallStatus": _status(ctx, row)}


def describe_metadata(ctx: Context, params: Document) -> Document:
    row = objects.find(ctx, KIND, {"FirewallArn": params.get("FirewallArn")}, "Firewall")
    zones = {endpoint["AvailabilityZone"]: {"IPAddressType": "IPV4"} for endpoint in row.document["_endpoints"]}
    shown: Document = {"FirewallArn": row.arn, "FirewallPolicyArn": row.document["FirewallPolicyArn"], "Status": STATUS[row.status]}
    return {**shown, "SupportedAvailabilityZones": zones}


def delete(ctx: Context, params: Document) -> Document:
    row = find(ctx, params)
    if row.document["DeleteProtection"]:
        raise text.not_possible("Delete protection is enabled for the firewall; disable it first")
    endpoints = [endpoint["SubnetId"] for endpoint in row.document["_endpoints"]]
    shown = {"Firewall": _show(ctx, row)}
    row = ctx.remove(row) or row
    status = {**_status(ctx, row)}
    for endpoint in row.document["_endpoints"]:
        found = ctx.find("ec2:VpcEndpoint", endpoint["EndpointId"])
        if found:
            ctx.remove(found, force=True)
    for subnet in endpoints:
        ctx.forget(row, "SubnetId", subnet)
    return {**shown, "FirewallStatus": status}


def listing(ctx: Context, params: Document) -> Document:
    vpcs = params.get("VpcIds") or ()
    rows = [row for row in ctx.live(KIND) if not vpcs or row.document["VpcId"] in vpcs]
    return {"Firewalls": [{"FirewallName": row.name, "FirewallArn": row.arn} for row in rows]}


def _named(row: Row) -> Document:
    return {"FirewallArn": row.arn, "FirewallName": row.name, "UpdateToken": row.document["_token"]}


def associate_policy(ctx: Context, params: Document) -> Document:
    row = find(ctx, params)
    objects.check_token(row, params)
    if row.document["FirewallPolicyChangeProtection"]:
        raise text.not_possible("Firewall policy change protection is enabled for the firewall; disable it first")
    policy = sharing.usable(ctx, "network-firewall:FirewallPolicy", params["FirewallPolicyArn"])
    if policy is None:
        raise text.invalid("firewall policy does not exist", params["FirewallPolicyArn"], "FirewallPolicyArn")
    ctx.forget(row, "FirewallPolicyArn")
    ctx.refer(row, "FirewallPolicyArn", policy)
    row = objects.renewed(ctx, row, {"FirewallPolicyArn": policy.arn}, settle=True)
    return {**_named(row), "FirewallPolicyArn": policy.arn}


def _check_subnet_change(row: Row) -> None:
    if row.document["SubnetChangeProtection"]:
        raise text.not_possible("Subnet change protection is enabled for the firewall; disable it first")


def associate_subnets(ctx: Context, params: Document) -> Document:
    row = find(ctx, params)
    objects.check_token(row, params)
    _check_subnet_change(row)
    row = objects.renewed(ctx, _add_endpoints(ctx, row, params["SubnetMappings"]), {}, settle=True)
    return {**_named(row), "SubnetMappings": row.document["SubnetMappings"]}


def disassociate_subnets(ctx: Context, params: Document) -> Document:
    row = find(ctx, params)
    objects.check_token(row, params)
    _check_subnet_change(row)
    present = {endpoint["SubnetId"] for endpoint in row.document["_endpoints"]}
    for subnet in params["SubnetIds"]:
        if subnet not in present:
            raise text.invalid("subnet is inaccessible or not associated with the firewall", subnet, "SubnetIds")
    if present <= set(params["SubnetIds"]):
        raise text.invalid("the last subnet of a firewall cannot be disassociated", params["SubnetIds"], "SubnetIds")
    row = objects.renewed(ctx, _drop_endpoints(ctx, row, params["SubnetIds"]), {}, settle=True)
    return {**_named(row), "SubnetMappings": row.document["SubnetMappings"]}


def _setting(member: str) -> Handler:
    """UpdateFirewall<protection> and its like: one member."""

    def handler(ctx: Context, params: Document) -> Document:
        row = find(ctx, params)
        objects.check_token(row, params)
        row = objects.renewed(ctx, row, {member: params.get(member)})
        return {**_named(row), **({member: params[member]} if params.get(member) is not None else {})}

    return handler


def update_encryption(ctx: Context, params: Document) -> Document:
    objects.check_encryption(params)
    row = find(ctx, params)
    objects.check_token(row, params)
    return {**_named(objects.renewed(ctx, row, {})), "EncryptionConfiguration": text.OWNED_KEY}


OPERATIONS: dict[str, Handler] = {
    "CreateFirewall": create,
    "DescribeFirewall": describe,
    "DescribeFirewallMetadata": describe_metadata,
    "DeleteFirewall": delete,
    "ListFirewalls": listing,
    "AssociateFirewallPolicy": associate_policy,
    "AssociateSubnets": associate_subnets,
    "DisassociateSubnets": disassociate_subnets,
    "UpdateFirewallDeleteProtection": _setting("DeleteProtection"),
    "UpdateFirewallDescription": _setting("Description"),
    "UpdateFirewallPolicyChangeProtection": _setting("FirewallPolicyChangeProtection"),
    "UpdateSubnetChangeProtection": _setting("SubnetChangeProtection"),
    "UpdateFirewallEncryptionConfiguration": update_encryption,
}
