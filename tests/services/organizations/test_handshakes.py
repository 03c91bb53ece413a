"""Accounts invited, joining, declining, leaving, closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.region import ACCOUNT, Region

from .organization import account, organization, root_of

OTHER = "999988887777"


def invite(region: Region, target: str = OTHER, **more: Any) -> str:
    handshake = region.organizations.invite_account_to_organization(Target={"Type": "ACCOUNT", "Id": target}, **more)["Handshake"]
    assert (handshake["State"], handshake["Action"]) == ("OPEN", "INVITE")
    return str(handshake["Id"])


def test_an_invited_account_joins_and_leaves(region: Region) -> None:
    organization(region, "SERVICE")
    id_ = invite(region, Tags=[{"Key": "team", "Value": "red"}], Notes="come in")
    with region.refused("DuplicateHandshakeException"):
        invite(region)
    other = region.of(OTHER, "organizations")
    assert [one["Id"] for one in other.list_handshakes_for_account()["Handshakes"]] == [id_]
    with region.refused("HandshakeNotFoundException"):
        region.of("555566667777", "organizations").describe_handshake(HandshakeId=id_)
    assert other.describe_handshake(HandshakeId=id_)["Handshake"]["Arn"].endswith(f"/invite/{id_}")
    with region.refused("AccessDeniedException"):
        region.organizations.accept_handshake(HandshakeId=id_)
    assert other.accept_handshake(HandshakeId=id_)["Handshake"]["State"] == "ACCEPTED"
    shown = region.organizations.describe_account(AccountId=OTHER)["Account"]
    assert (shown["JoinedMethod"], shown["Status"]) == ("INVITED", "ACTIVE")
    assert region.organizations.list_tags_for_resource(ResourceId=OTHER)["Tags"] == [{"Key": "team", "Value": "red"}]
    policies = region.organizations.list_policies_for_target(TargetId=OTHER, Filter="SERVICE_CONTROL_POLICY")["Policies"]
    assert [one["Id"] for one in policies] == ["p-FullAWSAccess"]
    with region.refused("HandshakeConstraintViolationException") as said:
        invite(region)
    assert said["Reason"] == "ALREADY_IN_AN_ORGANIZATION"
    with region.refused("HandshakeAlreadyInStateException"):
        other.accept_handshake(HandshakeId=id_)
    with region.refused("InvalidHandshakeTransitionException"):
        region.organizations.cancel_handshake(HandshakeId=id_)
    other.leave_organization()
    with region.refused("AWSOrganizationsNotInUseException"):
        other.describe_organization()
    with region.refused("MasterCannotLeaveOrganizationException"):
        region.organizations.leave_organization()


def test_declined_cancelled_and_expired(region: Region) -> None:
    organization(region)
    other = region.of(OTHER, "organizations")
    first = invite(region)
    with region.refused("AccessDeniedException"):
        region.organizations.decline_handshake(HandshakeId=first)
    assert other.decline_handshake(HandshakeId=first)["Handshake"]["State"] == "DECLINED"
    second = invite(region)
    with region.refused("AccessDeniedException"):
        other.cancel_handshake(HandshakeId=second)
    assert region.organizations.cancel_handshake(HandshakeId=second)["Handshake"]["State"] == "CANCELED"
    third = invite(region)
    region.clock.moment += timedelta(days=15)
    with region.refused("InvalidHandshakeTransitionException"):
        other.accept_handshake(HandshakeId=third)
    states = {one["Id"]: one["State"] for one in region.organizations.list_handshakes_for_organization()["Handshakes"]}
    assert states == {first: "DECLINED", second: "CANCELED", third: "EXPIRED"}
    assert region.organizations.list_handshakes_for_organization(Filter={"ActionType": "ENABLE_ALL_FEATURES"})["Handshakes"] == []
    with region.refused("UnsupportedAPIEndpointException", "ACCOUNT"):
        region.organizations.invite_account_to_organization(Target={"Type": "EMAIL", "Id": "who@example.com"})


def test_a_closed_account_can_do_nothing(region: Region) -> None:
    organization(region)
    member = account(region)
    region.of(member, "ec2").describe_vpcs()
    region.organizations.close_account(AccountId=member)
    assert region.organizations.describe_account(AccountId=member)["Account"]["Status"] == "SUSPENDED"
    with region.refused("UnauthorizedOperation"):
        region.of(member, "ec2").describe_vpcs()
    with region.refused("ConstraintViolationException") as kept:
        region.organizations.remove_account_from_organization(AccountId=member)
    assert kept["Reason"] == "ACCOUNT_CANNOT_LEAVE_ORGANIZATION"
    with region.refused("AccountAlreadyClosedException"):
        region.organizations.close_account(AccountId=member)
    with region.refused("ConstraintViolationException") as said:
        region.organizations.close_account(AccountId=ACCOUNT)
    assert said["Reason"] == "CANNOT_CLOSE_MANAGEMENT_ACCOUNT"


def test_trusted_services(region: Region) -> None:
    organization(region)
    for name in ("ram.amazonaws.com", "sso.amazonaws.com"):
        region.organizations.enable_aws_service_access(ServicePrincipal=name)
    region.organizations.disable_aws_service_access(ServicePrincipal="sso.amazonaws.com")
    trusted = region.organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert [one["ServicePrincipal"] for one in trusted] == ["ram.amazonaws.com"]
    assert root_of(region).startswith("r-")
