"""TLS listeners out of a world: who may connect from where, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from latticewall.compile.index import Index
from latticewall.compile.node import compile_node
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.compile.tls_passthrough import compile_tls
from latticewall.plan.tls_passthrough import TlsDecision
from latticewall.world.types import (
    Account,
    Instance,
    LatticeRule,
    Listener,
    NetworkInterface,
    Service,
    ServiceAssociation,
    ServiceNetwork,
    Subnet,
    Target,
    TargetGroup,
    Vpc,
    VpcAssociation,
    World,
)

ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
NOW = "2026-01-02T03:04:00.000Z"
PASSES = (TlsDecision((), allowed=True),)
SERVICE_ARN = f"arn:aws:vpc-lattice:eu-north-7:{ACCOUNT}:service/svc-shop"
NETWORK_ARN = f"arn:aws:vpc-lattice:eu-north-7:{ACCOUNT}:servicenetwork/sn-1"


def policy(*statements: dict[str, Any]) -> str:
    whole = [{"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Connect", "Resource": SERVICE_ARN, **one} for one in statements or ({},)]
    return json.dumps({"Version": "2012-10-17", "Statement": whole})


def when(operator: str, key: str, value: Any) -> str:
    return policy({"Condition": {operator: {key: value}}})


def instance(number: int) -> tuple[Instance, NetworkInterface]:
    address = IPv4Address(f"10.0.0.{number}")
    machine = Instance(
        f"i-{number}", f"arn:i-{number}", ACCOUNT, "vpc-1", "subnet-1", "eu-north-7a", "running", "t3.micro", "ami-1", address, (f"eni-{number}",), (), "",
        "", "", "", "", {},
    )  # fmt: skip
    return machine, NetworkInterface(f"eni-{number}", "vpc-1", "subnet-1", (address,), "02:00:00:00:00:01", (), instance_id=f"i-{number}")


def service(id_: str = "svc-shop", domain: str = "Shop.example.com", port: int = 443, **more: Any) -> Service:
    action = {"forward": {"targetGroups": [{"targetGroupIdentifier": "tg-1", "weight": 3}]}}
    listener = Listener(f"listener-{id_}", "arn:listener", id_, "TLS_PASSTHROUGH", port, (LatticeRule("rule-1", 0, is_default=True, match={}, action=action),))
    found = Service(id_, SERVICE_ARN, ACCOUNT, id_, "AWS_IAM", "", f"{id_}.on.aws", domain, 90, (listener,), (("tier", "gold"),))
    return replace(found, **more)


def world(*services: Service, network_auth: str = "NONE", network_policy: str = "", **more: Any) -> World:
    machines = [instance(number) for number in (10, 11)]
    found = World(
        region="eu-north-7", revision=1, now=NOW,
        vpcs=(Vpc("vpc-1", "arn:vpc-1", OTHER_ACCOUNT, (IPv4Network("10.0.0.0/16"),), dns_support=True, dns_hostnames=True),),
        subnets=(Subnet("subnet-1", "vpc-1", IPv4Network("10.0.0.0/24"), "eu-north-7a", "", ""),),
        instances=tuple(machine for machine, _ in machines), network_interfaces=tuple(interface for _, interface in machines),
        service_networks=(ServiceNetwork("sn-1", NETWORK_ARN, ACCOUNT, network_auth, network_policy),), services=services,
        service_associations=tuple(ServiceAssociation(f"snsa-{item.id}", "arn:snsa", "sn-1", item.id) for item in services),
        vpc_associations=(VpcAssociation("snva-1", "arn:snva", "sn-1", "vpc-1", ()),),
        target_groups=(TargetGroup("tg-1", "arn:tg-1", "IP", "TCP", "", 8443, "vpc-1", {}, (Target("10.0.0.10", 8443, IPv4Address("10.0.0.10")),)),),
        accounts=(Account(ACCOUNT, "o-1", ("o-1/r-1/",)),),
    )  # fmt: skip
    return replace(found, **more)


def decisions(found: World) -> tuple[TlsDecision, ...]:
    """Of the one service there is."""
    ((listener,), problems) = compile_tls(Index(found), ServiceNetworkGates(Index(found)))
    assert problems == ()
    return listener.services[0].decisions


def of_service(text: str, **more: Any) -> tuple[TlsDecision, ...]:
    return decisions(world(service(policy=text), **more))


def test_a_listener_has_its_services_and_their_targets() -> None:
    plan = compile_node(world(service(auth_type="NONE")))
    (listener,) = plan.proxy.tls_listeners
    assert (listener.namespace, listener.address, listener.port) == ("vpc-1", "169.254.171.32", 443)
    (found,) = listener.services
    assert (found.server_name, found.clusters, found.decisions, found.idle_timeout) == ("shop.example.com", (("tg-1", 3),), (), 90)
    (cluster,) = plan.proxy.clusters
    assert (cluster.name, cluster.protocol, cluster.tls) == ("tg-1", "TCP", False)
    rules = [rule for chain in plan.namespaces[-1].ruleset.chains if chain.name == "input" for rule in chain.rules if rule.verdict == "jump lattice"]
    assert [match.values for rule in rules for match in rule.matches if match.key == "tcp dport"] == [("443",)]


def test_a_name_belongs_to_one_service_on_a_port() -> None:
    found = world(service(), service("svc-twin", "shop.EXAMPLE.com"), service("svc-elsewhere", port=444))
    listeners, problems = compile_tls(Index(found), ServiceNetworkGates(Index(found)))
    assert [(listener.port, [item.service_id for item in listener.services]) for listener in listeners] == [(443, ["svc-shop"]), (444, ["svc-elsewhere"])]
    assert [(problem.id, problem.message) for problem in problems] == [("svc-twin", "shop.example.com already names another service on port 443 of vpc-1")]


def test_nothing_is_decided_where_nothing_is_in_force() -> None:
    assert decisions(world(service(auth_type="NONE", policy=policy({"Effect": "Deny"})))) == ()


@pytest.mark.parametrize(
    ("text", "explicit", "statement"),
    [
        ("", False, -1),
        ("{", False, -1),
        (policy({"Action": "vpc-lattice-svcs:Invoke"}), False, -1),
        (policy({"Resource": f"{SERVICE_ARN}/*"}), False, -1),
        (policy({"Principal": {"AWS": ACCOUNT}}), False, -1),
        (policy({}, {"Effect": "Deny"}), True, 1),
        (policy({"Condition": {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}}), False, -1),
        (policy({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}), False, -1),
        (policy({"Condition": {"StringEquals": {"vpc-lattice-svcs:RequestMethod": "GET"}}}), False, -1),
    ],
)
def test_who_is_denied(text: str, *, explicit: bool, statement: int) -> None:
    assert of_service(text) == (TlsDecision((), allowed=False, layer="Service", explicit=explicit, statement=statement),)


@pytest.mark.parametrize(
    ("operator", "key", "value", "other"),
    [
        ("ArnEquals", "vpc-lattice-svcs:ServiceArn", SERVICE_ARN, SERVICE_ARN + "x"),
        ("ArnEquals", "vpc-lattice-svcs:ServiceNetworkArn", NETWORK_ARN, NETWORK_ARN + "x"),
        ("NumericEquals", "vpc-lattice-svcs:Port", "443", "80"),
        ("StringEquals", "vpc-lattice-svcs:SourceVpc", "vpc-1", "vpc-2"),
        ("StringEquals", "vpc-lattice-svcs:SourceVpcOwnerAccount", OTHER_ACCOUNT, ACCOUNT),
        ("StringEquals", "aws:ResourceTag/tier", "gold", "tin"),
        ("StringEquals", "aws:ResourceOrgID", "o-1", "o-2"),
        ("StringEquals", "aws:ResourceAccount", ACCOUNT, OTHER_ACCOUNT),
        ("StringEquals", "aws:PrincipalType", "Anonymous", "User"),
        ("Bool", "aws:SecureTransport", "true", "false"),
        ("DateLessThan", "aws:CurrentTime", "2026-01-02T03:06:00Z", "2026-01-02T03:03:00Z"),
        ("DateGreaterThan", "aws:CurrentTime", "2026-01-02T03:03:00Z", "2026-01-02T03:06:00Z"),
    ],
)
def test_what_a_decision_depends_on(operator: str, key: str, value: str, other: str) -> None:
    assert of_service(when(operator, key, value)) == PASSES
    assert not of_service(when(operator, key, other))[0].allowed


@pytest.mark.parametrize(("operator", "limit"), [("DateLessThan", "2026-01-02T03:04:30Z"), ("DateGreaterThan", "2026-01-02T03:04:30Z")])
def test_a_limit_within_the_minute_is_decided_on_the_safe_side(operator: str, limit: str) -> None:
    assert not of_service(when(operator, "aws:CurrentTime", limit))[0].allowed
    denial = policy({}, {"Effect": "Deny", "Condition": {operator: {"aws:CurrentTime": limit}}})
    assert not of_service(denial)[0].allowed


@pytest.mark.parametrize("key", ["aws:SourceIp", "AWS:sourceip", "aws:\\u0053ourceIp"])
def test_source_addresses_are_decided_one_by_one(key: str) -> None:
    """However the key is written; an address that is no instance's is denied."""
    text = policy({}, {"Effect": "Deny", "Condition": {"IpAddress": {"KEY": "10.0.0.11/32"}}}).replace("KEY", key)
    assert of_service(text) == (
        TlsDecision(("10.0.0.10",), allowed=True),
        TlsDecision(("10.0.0.11",), allowed=False, layer="Service", explicit=True, statement=1),
        TlsDecision((), allowed=False, layer="Service"),
    )


def test_addresses_in_variables_count_too() -> None:
    text = policy({"Condition": {"StringEquals": {"vpc-lattice-svcs:SourceVpc": ["vpc-${aws:SourceIp}", "vpc-1"]}}})
    assert [decision.addresses for decision in of_service(text)] == [("10.0.0.10", "10.0.0.11"), ()]


def test_network_and_service_must_both_allow() -> None:
    assert of_service(policy(), network_auth="AWS_IAM", network_policy=policy({"Resource": "*"})) == PASSES
    (denied,) = of_service(policy(), network_auth="AWS_IAM", network_policy="")
    assert (denied.allowed, denied.layer) == (False, "Network")
    assert decisions(world(service(auth_type="NONE"), network_auth="AWS_IAM", network_policy=policy())) == PASSES


def test_audit_mode_denies_nothing_and_notes_what_would_be() -> None:
    audited = ServiceNetwork("sn-1", NETWORK_ARN, ACCOUNT, "NONE", "", (("latticewall:auth-mode", "audit"),))
    assert of_service("", service_networks=(audited,)) == (TlsDecision((), allowed=True, layer="Service"),)
    strangers = replace(audited, account="999988887777")  # who has no business opening this account's service
    assert of_service("", service_networks=(strangers,)) == (TlsDecision((), allowed=False, layer="Service"),)
