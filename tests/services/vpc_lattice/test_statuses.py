"""What is made, changed and deleted in the background says how far it is, and why it failed; what has no status is done at once."""

from __future__ import annotations

from typing import Any

import pytest

from .region import Region, body
from .things import Things

REASON = "the kernel said no"
MESSAGE = {"failureCode": "InternalFailure", "failureMessage": REASON}
FAILURES: dict[str, dict[str, str]] = {
    "Service": MESSAGE,
    "TargetGroup": MESSAGE,
    "ServiceNetworkServiceAssociation": MESSAGE,
    "ServiceNetworkVpcAssociation": MESSAGE,
    "ServiceNetworkResourceAssociation": {"failureCode": "InternalFailure", "failureReason": REASON},
    "ResourceGateway": {},
    "ResourceConfiguration": {"failureReason": REASON},
}
"""Noun -> what Get says of a failure; of a resource gateway the API has no member for it."""
AT_ONCE = [noun for noun in Things.TAGGABLE if noun not in FAILURES and noun not in ("Listener", "Rule", "DomainVerification")]


def of(noun: str, identifier: str) -> dict[str, str]:
    return {f"{noun[:1].lower()}{noun[1:]}Identifier": identifier}


def get(things: Things, noun: str, identifier: str) -> dict[str, Any]:
    return body(things.call(f"Get{noun}", **of(noun, identifier)))


@pytest.mark.parametrize("noun", FAILURES)
def test_made_and_deleted_in_steps(things: Things, noun: str) -> None:
    """CloudFormation takes any status but DELETE_IN_PROGRESS after a deletion for a failure."""
    made = things.make(noun, **things.params(noun, 11))
    assert made["status"] == get(things, noun, made["id"])["status"] == "CREATE_IN_PROGRESS"
    things.region.settle()
    assert get(things, noun, made["id"])["status"] == "ACTIVE"
    answer = things.call(f"Delete{noun}", **of(noun, made["id"]))
    if noun != "ResourceConfiguration":  # whose deletion answers nothing
        assert answer["status"] == "DELETE_IN_PROGRESS"
    assert get(things, noun, made["id"])["status"] == "DELETE_IN_PROGRESS"
    assert made["id"] in {item["id"] for item in listed(things, noun)}
    things.region.settle()
    with things.region.refused("ResourceNotFoundException"):
        get(things, noun, made["id"])
    assert made["id"] not in {item["id"] for item in listed(things, noun)}


def listed(things: Things, noun: str) -> list[dict[str, Any]]:
    network = {"serviceNetworkIdentifier": things.ids["ServiceNetwork"]} if "Association" in noun else {}
    return list(things.call(f"List{noun}s", **network)["items"])


@pytest.mark.parametrize("noun", FAILURES)
def test_what_failed_says_why_and_can_be_deleted(things: Things, noun: str) -> None:
    made = things.make(noun, **things.params(noun, 12))
    things.region.settle({made["id"]: REASON})
    shown = get(things, noun, made["id"])
    assert shown["status"] == "CREATE_FAILED"
    assert {member: value for member, value in shown.items() if member.startswith("failure")} == FAILURES[noun]
    things.call(f"Delete{noun}", **of(noun, made["id"]))
    things.region.settle()
    with things.region.refused("ResourceNotFoundException"):
        get(things, noun, made["id"])


@pytest.mark.parametrize("noun", AT_ONCE)
def test_what_has_no_status_is_there_and_gone_at_once(things: Things, noun: str) -> None:
    made = things.make(noun, **things.params(noun, 13))
    assert "status" not in get(things, noun, made["id"])
    things.call(f"Delete{noun}", **of(noun, made["id"]))
    with things.region.refused("ResourceNotFoundException"):
        get(things, noun, made["id"])


def test_updates_that_have_a_status(region: Region) -> None:
    """Of VPC associations, resource gateways and resource configurations; those of services and target groups have none and stay ACTIVE."""
    vpc = region.vpc()
    subnet, network, service = region.subnet(vpc), region.network(), region.service()
    group, target_group = region.group(vpc), region.target_group(vpc)
    gateway = region.gateway(vpc, subnet)
    configuration = region.configuration(gateway)
    joined = region.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)["id"]
    region.settle()
    update = region.lattice
    assert (
        update.update_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=joined, securityGroupIds=[group])["status"] == "UPDATE_IN_PROGRESS"
    )
    assert update.update_resource_gateway(resourceGatewayIdentifier=gateway, securityGroupIds=[group])["status"] == "UPDATE_IN_PROGRESS"
    assert update.update_resource_configuration(resourceConfigurationIdentifier=configuration, portRanges=["1"])["status"] == "UPDATE_IN_PROGRESS"
    assert update.update_target_group(targetGroupIdentifier=target_group, healthCheck={"path": "/x"})["status"] == "ACTIVE"
    update.update_service(serviceIdentifier=service, authType="AWS_IAM")
    assert region.lattice.get_service(serviceIdentifier=service)["status"] == "ACTIVE"
    with region.refused("ConflictException", "UPDATE_IN_PROGRESS"):
        region.lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=joined)
    region.settle()
    for found in (
        region.lattice.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=joined),
        region.lattice.get_resource_gateway(resourceGatewayIdentifier=gateway),
        region.lattice.get_resource_configuration(resourceConfigurationIdentifier=configuration),
    ):
        assert found["status"] == "ACTIVE"


def test_what_is_not_yet_active_can_be_built_upon(region: Region) -> None:
    """As scripts do that are written after AWS's samples, where gateways and configurations are ACTIVE at once."""
    vpc = region.vpc()
    subnet, network = region.subnet(vpc), region.network()
    gateway = region.gateway(vpc, subnet)
    configuration = region.configuration(gateway)
    made = region.lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=configuration)
    assert region.lattice.get_resource_gateway(resourceGatewayIdentifier=gateway)["status"] == made["status"] == "CREATE_IN_PROGRESS"
    region.settle()
    assert region.lattice.get_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=made["id"])["status"] == "ACTIVE"


def test_a_network_with_an_endpoint_stays(region: Region) -> None:
    vpc = region.vpc()
    network = region.lattice.create_service_network(name="mesh")
    made = region.ec2.create_vpc_endpoint(VpcEndpointType="ServiceNetwork", VpcId=vpc, SubnetIds=[region.subnet(vpc)], ServiceNetworkArn=network["arn"])
    region.settle()
    with region.refused("ConflictException", "is in use by"):
        region.lattice.delete_service_network(serviceNetworkIdentifier=network["id"])
    region.ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpoint"]["VpcEndpointId"]])
    region.settle()
    region.lattice.delete_service_network(serviceNetworkIdentifier=network["id"])


def test_a_service_takes_what_is_its_own_with_it(region: Region) -> None:
    service = region.lattice.create_service(name="orders", authType="AWS_IAM")
    where = {"serviceIdentifier": service["id"], "listenerIdentifier": region.listener(service["id"])}
    log = region.lattice.create_access_log_subscription(resourceIdentifier=service["id"], destinationArn=region.log_group())["id"]
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}'
    region.lattice.put_auth_policy(resourceIdentifier=service["id"], policy=policy)
    region.settle()
    region.lattice.delete_service(serviceIdentifier=service["id"])
    region.settle()
    gone: dict[str, dict[str, str]] = {
        "get_service": {"serviceIdentifier": service["id"]},
        "get_listener": where,
        "list_rules": where,
        "get_access_log_subscription": {"accessLogSubscriptionIdentifier": log},
        "get_auth_policy": {"resourceIdentifier": service["id"]},
        "get_resource_policy": {"resourceArn": service["arn"]},
    }
    for method, params in gone.items():
        with region.refused("ResourceNotFoundException"):
            getattr(region.lattice, method)(**params)


def test_what_is_being_deleted_has_no_policies_any_more(region: Region) -> None:
    """These operations model no conflict: to them it is not there."""
    service = region.service()
    region.settle()
    arn = region.lattice.get_service(serviceIdentifier=service)["arn"]
    region.lattice.delete_service(serviceIdentifier=service)
    calls = {
        "put_auth_policy": {"resourceIdentifier": service, "policy": "{}"}, "delete_auth_policy": {"resourceIdentifier": service},
        "put_resource_policy": {"resourceArn": arn, "policy": "{}"}, "delete_resource_policy": {"resourceArn": arn},
    }  # fmt: skip
    for operation, params in calls.items():
        with region.refused("ResourceNotFoundException", service):
            getattr(region.lattice, operation)(**params)
    with region.refused("ConflictException", "DELETE_IN_PROGRESS"):
        region.lattice.update_service(serviceIdentifier=service, authType="NONE")
