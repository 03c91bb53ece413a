"""What each of the 73 operations answers when all is well: its HTTP status, exactly these members, none of them null, times as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from .region import ACCOUNT, CATALOG, Region, forward
from .things import call

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TIMES = ("createdAt", "lastUpdatedAt", "lastVerifiedTime")
ACCESS = {"id", "arn", "status"}
CREATED = {"id", "arn", "name"}
GOT = {*CREATED, "createdAt", "lastUpdatedAt"}
SERVICE = {*CREATED, "authType", "dnsEntry", "status"}
LISTENER = {*CREATED, "protocol", "port", "serviceId", "serviceArn", "defaultAction"}
RULE = {*CREATED, "match", "priority", "action"}
GROUP = {*CREATED, "type", "config", "status"}
JOINED = {*ACCESS, "createdBy"}
GATEWAY = {*CREATED, "status", "subnetIds", "securityGroupIds", "ipAddressType", "resourceConfigDnsResolution"}
CONFIGURATION = {
    *CREATED, "type", "status", "resourceGatewayId", "portRanges", "protocol", "resourceConfigurationDefinition", "allowAssociationToShareableServiceNetwork",
}  # fmt: skip
SUBSCRIPTION = {"id", "arn", "resourceId", "resourceArn", "destinationArn"}
VERIFICATION = {"id", "arn", "domainName", "status", "txtMethodConfig"}
NETWORK_OF = {f"serviceNetwork{word}" for word in ("Id", "Name", "Arn")}
SERVICE_OF = {f"service{word}" for word in ("Id", "Name", "Arn")}
CONFIGURATION_OF = {f"resourceConfiguration{word}" for word in ("Id", "Name", "Arn")}
ITEMS, BATCH = {"items"}, {"successful", "unsuccessful"}

EXPECTED: dict[str, tuple[int, set[str] | None]] = {
    "CreateServiceNetwork": (201, {*CREATED, "authType"}),
    "GetServiceNetwork": (200, {*GOT, "authType", "numberOfAssociatedVPCs", "numberOfAssociatedServices"}),
    "ListServiceNetworks": (200, ITEMS),
    "UpdateServiceNetwork": (200, {*CREATED, "authType"}),
    "DeleteServiceNetwork": (204, None),
    "CreateService": (201, SERVICE),
    "GetService": (200, {*SERVICE, *GOT, "idleTimeoutSeconds"}),
    "ListServices": (200, ITEMS),
    "UpdateService": (200, {*CREATED, "authType", "idleTimeoutSeconds"}),
    "DeleteService": (200, {*CREATED, "status"}),
    "CreateListener": (201, LISTENER),
    "GetListener": (200, {*LISTENER, *GOT}),
    "ListListeners": (200, ITEMS),
    "UpdateListener": (200, LISTENER),
    "DeleteListener": (204, None),
    "CreateRule": (201, RULE),
    "GetRule": (200, {*RULE, *GOT, "isDefault"}),
    "ListRules": (200, ITEMS),
    "UpdateRule": (200, {*RULE, "isDefault"}),
    "BatchUpdateRule": (200, BATCH),
    "DeleteRule": (204, None),
    "CreateTargetGroup": (201, GROUP),
    "GetTargetGroup": (200, {*GROUP, *GOT, "serviceArns"}),
    "ListTargetGroups": (200, ITEMS),
    "UpdateTargetGroup": (200, GROUP),
    "DeleteTargetGroup": (200, ACCESS),
    "RegisterTargets": (200, BATCH),
    "DeregisterTargets": (200, BATCH),
    "ListTargets": (200, ITEMS),
    "CreateServiceNetworkServiceAssociation": (200, {*JOINED, "dnsEntry"}),
    "GetServiceNetworkServiceAssociation": (200, {*JOINED, "createdAt", "dnsEntry", *NETWORK_OF, *SERVICE_OF}),
    "ListServiceNetworkServiceAssociations": (200, ITEMS),
    "DeleteServiceNetworkServiceAssociation": (200, ACCESS),
    "CreateServiceNetworkVpcAssociation": (200, JOINED),
    "GetServiceNetworkVpcAssociation": (200, {*JOINED, "createdAt", "lastUpdatedAt", "vpcId", "securityGroupIds", *NETWORK_OF}),
    "ListServiceNetworkVpcAssociations": (200, ITEMS),
    "UpdateServiceNetworkVpcAssociation": (200, {*JOINED, "securityGroupIds"}),
    "DeleteServiceNetworkVpcAssociation": (200, ACCESS),
    "CreateServiceNetworkResourceAssociation": (201, {*JOINED, "privateDnsEnabled"}),
    "GetServiceNetworkResourceAssociation": (
        200, {*JOINED, "privateDnsEnabled", "createdAt", "lastUpdatedAt", "dnsEntry", "isManagedAssociation", *NETWORK_OF, *CONFIGURATION_OF},
    ),
    "ListServiceNetworkResourceAssociations": (200, ITEMS),
    "DeleteServiceNetworkResourceAssociation": (200, ACCESS),
    "ListServiceNetworkVpcEndpointAssociations": (200, ITEMS),
    "CreateResourceGateway": (201, {*GATEWAY, "vpcIdentifier", "ipv4AddressesPerEni"}),
    "GetResourceGateway": (200, {*GATEWAY, *GOT, "vpcId", "ipv4AddressesPerEni", "serviceManaged"}),
    "ListResourceGateways": (200, ITEMS),
    "UpdateResourceGateway": (200, {*GATEWAY, "vpcId"}),
    "DeleteResourceGateway": (200, {*CREATED, "status"}),
    "CreateResourceConfiguration": (201, {*CONFIGURATION, "createdAt"}),
    "GetResourceConfiguration": (200, {*CONFIGURATION, *GOT, "amazonManaged"}),
    "ListResourceConfigurations": (200, ITEMS),
    "UpdateResourceConfiguration": (200, CONFIGURATION),
    "DeleteResourceConfiguration": (204, None),
    "ListResourceEndpointAssociations": (200, ITEMS),
    "DeleteResourceEndpointAssociation": (200, {"id", "arn", "resourceConfigurationId", "resourceConfigurationArn", "vpcEndpointId"}),
    "CreateAccessLogSubscription": (201, {*SUBSCRIPTION, "serviceNetworkLogType"}),
    "GetAccessLogSubscription": (200, {*SUBSCRIPTION, "serviceNetworkLogType", "createdAt", "lastUpdatedAt"}),
    "ListAccessLogSubscriptions": (200, ITEMS),
    "UpdateAccessLogSubscription": (200, SUBSCRIPTION),
    "DeleteAccessLogSubscription": (204, None),
    "PutAuthPolicy": (200, {"policy", "state"}),
    "GetAuthPolicy": (200, {"policy", "state", "createdAt", "lastUpdatedAt"}),
    "DeleteAuthPolicy": (204, None),
    "PutResourcePolicy": (200, set()),
    "GetResourcePolicy": (200, {"policy"}),
    "DeleteResourcePolicy": (204, None),
    "StartDomainVerification": (201, VERIFICATION),
    "GetDomainVerification": (200, {*VERIFICATION, "createdAt", "tags"}),
    "ListDomainVerifications": (200, ITEMS),
    "DeleteDomainVerification": (200, set()),
    "TagResource": (200, set()),
    "UntagResource": (200, set()),
    "ListTagsForResource": (200, {"tags"}),
}  # fmt: skip
"""Operation -> status and members; None: no body at all. "Amazon VPC Lattice API Reference", the "Response Elements" of each action."""

SUMMARIES = {
    "ListServiceNetworks": {*GOT, "numberOfAssociatedVPCs", "numberOfAssociatedServices", "numberOfAssociatedResourceConfigurations"},
    "ListServices": {*GOT, "status", "dnsEntry"},
    "ListListeners": {*GOT, "protocol", "port"},
    "ListTargetGroups": {*GOT, "type", "status", "port", "protocol", "ipAddressType", "vpcIdentifier", "serviceArns"},
    "ListTargets": {"id", "port", "status", "reasonCode"},
    "ListServiceNetworkServiceAssociations": {*JOINED, "createdAt", "dnsEntry", *NETWORK_OF, *SERVICE_OF},
    "ListServiceNetworkVpcAssociations": {*JOINED, "createdAt", "lastUpdatedAt", "vpcId", *NETWORK_OF},
    "ListServiceNetworkResourceAssociations": {
        *JOINED, "createdAt", "dnsEntry", "isManagedAssociation", "privateDnsEnabled", *NETWORK_OF, *CONFIGURATION_OF,
    },
    "ListServiceNetworkVpcEndpointAssociations": {"id", "vpcEndpointId", "vpcId", "vpcEndpointOwnerId", "state", "serviceNetworkArn", "createdAt"},
    "ListResourceGateways": {*GOT, *GATEWAY, "vpcIdentifier", "ipv4AddressesPerEni"},
    "ListResourceConfigurations": {*GOT, "type", "status", "resourceGatewayId", "amazonManaged"},
    "ListResourceEndpointAssociations": {"id", "arn", "vpcEndpointId", "vpcEndpointOwner", "createdBy", "createdAt", "payerResponsibility", *CONFIGURATION_OF},
    "ListAccessLogSubscriptions": {*SUBSCRIPTION, "serviceNetworkLogType", "createdAt", "lastUpdatedAt"},
    "ListDomainVerifications": {*VERIFICATION, "createdAt", "tags"},
}  # fmt: skip
"""List -> the members of an item."""


class Answer(NamedTuple):
    status: int
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Recorder:
    """Calls operations by their own names; answers are kept by name, the first of each."""

    def __init__(self, region: Region) -> None:
        self.region, self.answers = region, dict[str, Answer]()

    def __call__(self, operation: str, **params: Any) -> Any:
        answer = call(self.region.lattice, operation, **params)
        self.answers.setdefault(operation, Answer(self.region.last_status, self.region.last_body))
        return answer


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """Everything that VPC Lattice has: made, looked at, changed and deleted."""
    region = Region(tmp_path_factory.mktemp("region"))
    record = Recorder(region)
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    security_group = region.group(vpc)
    network, service = record("CreateServiceNetwork", name="mesh"), record("CreateService", name="orders")
    group = record(
        "CreateTargetGroup", name="orders", type="IP", config={"port": 5044, "protocol": "HTTP", "vpcIdentifier": vpc},
    )  # fmt: skip
    region.settle()
    gate = {"resourceGatewayIdentifier": record("CreateResourceGateway", name="gate", vpcIdentifier=vpc, subnetIds=[subnet])["id"]}
    definition = {"ipResource": {"ipAddress": "10.0.1.7"}}
    made = record("CreateResourceConfiguration", name="cache", type="SINGLE", portRanges=["6379"], resourceConfigurationDefinition=definition, **gate)
    cache = {"resourceConfigurationIdentifier": made["id"]}
    mesh, orders, targets = {"serviceNetworkIdentifier": network["id"]}, {"serviceIdentifier": service["id"]}, {"targetGroupIdentifier": group["id"]}
    web = {**orders, "listenerIdentifier": record("CreateListener", name="web", protocol="HTTP", defaultAction=forward(group["id"]), **orders)["id"]}
    match, action = {"httpMatch": {"method": "GET"}}, {"fixedResponse": {"statusCode": 404}}
    rule = {**web, "ruleIdentifier": record("CreateRule", name="get", priority=1, match=match, action=action, **web)["id"]}
    record("RegisterTargets", targets=[{"id": "10.0.1.9"}], **targets)
    joined = {
        noun: {f"serviceNetwork{noun}AssociationIdentifier": record(f"CreateServiceNetwork{noun}Association", **mesh, **other)["id"]}
        for noun, other in (("Service", orders), ("Vpc", {"vpcIdentifier": vpc}), ("Resource", cache))
    }
    for kind, arn in (("ServiceNetwork", {"ServiceNetworkArn": network["arn"]}), ("Resource", {"ResourceConfigurationArn": made["arn"]})):
        region.ec2.create_vpc_endpoint(VpcEndpointType=kind, VpcId=vpc, SubnetIds=[subnet], **arn)
    log = {
        "accessLogSubscriptionIdentifier": record(
            "CreateAccessLogSubscription", resourceIdentifier=network["id"], destinationArn=region.log_group()
        )["id"]
    }  # fmt: skip
    domain = {"domainVerificationIdentifier": record("StartDomainVerification", domainName="example.com")["id"]}
    region.settle()

    record("UpdateServiceNetwork", authType="AWS_IAM", **mesh)
    record("UpdateService", idleTimeoutSeconds=90, **orders)
    record("UpdateListener", defaultAction=forward(group["id"]), **web)
    record("UpdateRule", priority=2, **rule)
    record("BatchUpdateRule", rules=[{"ruleIdentifier": rule["ruleIdentifier"], "priority": 3}], **web)
    record("UpdateTargetGroup", healthCheck={"path": "/health"}, **targets)
    record("UpdateServiceNetworkVpcAssociation", securityGroupIds=[security_group], **joined["Vpc"])
    record("UpdateResourceGateway", securityGroupIds=[security_group], **gate)
    record("UpdateResourceConfiguration", portRanges=["6380"], **cache)
    record("UpdateAccessLogSubscription", destinationArn=region.log_group("/other"), **log)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}]}
    record("PutAuthPolicy", resourceIdentifier=network["id"], policy=json.dumps(policy))
    actions = ["vpc-lattice:GetServiceNetwork"]
    sharing = {"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": actions, "Resource": network["arn"]}
    record("PutResourcePolicy", resourceArn=network["arn"], policy=json.dumps({"Version": "2012-10-17", "Statement": [sharing]}))
    record("TagResource", resourceArn=network["arn"], tags={"team": "core"})
    region.settle()

    for noun, params in (("ServiceNetwork", mesh), ("Service", orders), ("Listener", web), ("Rule", rule), ("TargetGroup", targets)):
        record(f"Get{noun}", **params)
    for noun, params in (("ResourceGateway", gate), ("ResourceConfiguration", cache), ("AccessLogSubscription", log), ("DomainVerification", domain)):
        record(f"Get{noun}", **params)
    for noun, params in joined.items():
        record(f"GetServiceNetwork{noun}Association", **params)
        record(f"ListServiceNetwork{noun}Associations", **mesh)
    for noun in ("ServiceNetworks", "Services", "TargetGroups", "ResourceGateways", "ResourceConfigurations", "DomainVerifications"):
        record(f"List{noun}")
    for noun, params in (("Listeners", orders), ("Rules", web), ("Targets", targets), ("AccessLogSubscriptions", {"resourceIdentifier": network["id"]})):
        record(f"List{noun}", **params)
    record("GetAuthPolicy", resourceIdentifier=network["id"])
    record("GetResourcePolicy", resourceArn=network["arn"])
    record("ListTagsForResource", resourceArn=network["arn"])
    record("ListServiceNetworkVpcEndpointAssociations", **mesh)
    (reached,) = record("ListResourceEndpointAssociations", **cache)["items"]

    record("UntagResource", resourceArn=network["arn"], tagKeys=["team", "absent"])
    record("DeleteAuthPolicy", resourceIdentifier=network["id"])
    record("DeleteResourcePolicy", resourceArn=network["arn"])
    record("DeleteAccessLogSubscription", **log)
    record("DeleteDomainVerification", **domain)
    record("DeregisterTargets", targets=[{"id": "10.0.1.9"}], **targets)
    record("DeleteRule", **rule)
    record("DeleteListener", **web)
    record("DeleteTargetGroup", **targets)
    for noun, params in joined.items():
        record(f"DeleteServiceNetwork{noun}Association", **params)
    record("DeleteResourceEndpointAssociation", resourceEndpointAssociationIdentifier=reached["id"])
    region.ec2.delete_vpc_endpoints(VpcEndpointIds=[one["VpcEndpointId"] for one in region.ec2.describe_vpc_endpoints()["VpcEndpoints"]])
    region.settle()
    record("DeleteResourceConfiguration", **cache)
    region.settle()
    for noun, params in (("ResourceGateway", gate), ("Service", orders), ("ServiceNetwork", mesh)):
        record(f"Delete{noun}", **params)
    return record.answers


def test_all_operations_were_called(answers: dict[str, Answer]) -> None:
    assert set(CATALOG.service("vpc-lattice").operations) == set(answers) == set(EXPECTED)


@pytest.mark.parametrize("operation", EXPECTED)
def test_an_answer(answers: dict[str, Answer], operation: str) -> None:
    status, members = EXPECTED[operation]
    answer = answers[operation]
    assert answer.status == status
    assert (set(answer.document) if answer.body else None) == members


@pytest.mark.parametrize("operation", SUMMARIES)
def test_an_item_of_a_list(answers: dict[str, Answer], operation: str) -> None:
    (item,) = answers[operation].document["items"]
    assert set(item) == SUMMARIES[operation]


def test_rules_are_listed_with_the_default_rule(answers: dict[str, Answer]) -> None:
    default, own = answers["ListRules"].document["items"]
    assert (set(default), set(own)) == ({*GOT, "isDefault"}, {*GOT, "isDefault", "priority"})


def test_nothing_is_null_and_times_are_text(answers: dict[str, Answer]) -> None:
    def walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for key, one in value.items():
                yield from walk(one, key)
        elif isinstance(value, list):
            for one in value:
                yield from walk(one, name)
        else:
            yield name, value

    for operation, answer in answers.items():
        for name, value in walk(answer.document) if answer.body else ():
            assert value is not None, (operation, name)
            assert name not in TIMES or TIME.fullmatch(value), (operation, name, value)


def test_who_made_an_association_is_an_account(answers: dict[str, Answer]) -> None:
    for noun in ("Service", "Vpc", "Resource"):
        assert answers[f"CreateServiceNetwork{noun}Association"].document["createdBy"] == ACCOUNT
