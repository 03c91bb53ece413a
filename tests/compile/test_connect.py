"""Auth policies on TCP resources: which instances get an answer, on which ports."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any

from latticewall.compile.connect import MOST_PORTS, allowed, audited
from latticewall.compile.index import Index
from latticewall.plan.proxy import TcpDecision
from latticewall.world.types import Account, Credential, Identity, Instance, NetworkInterface, ResourceConfiguration, ServiceNetwork, Subnet, Vpc, World

ACCOUNT = "111122223333"
NETWORK = ServiceNetwork("sn-1", f"arn:aws:vpc-lattice:eu-north-7:{ACCOUNT}:servicenetwork/sn-1", ACCOUNT, "AWS_IAM", "")
CONNECT = "vpc-lattice-svcs:Connect"
PORT = "vpc-lattice-svcs:Port"
MEMBER = Account(ACCOUNT, "o-1", ("o-1/r-1/",))


def policy(effect: str = "Allow", principal: Any = None, **condition: Any) -> str:
    who = {} if principal is None else {"Principal": principal}
    statement = {"Effect": effect, **who, "Action": CONNECT, "Resource": "*", **({"Condition": condition} if condition else {})}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(name: str, *policies: str, boundary: str = "") -> Identity:
    return Identity(f"AROA{name.upper()}", "Role", f"arn:aws:iam::{ACCOUNT}:role/{name}", name, ACCOUNT, policies, boundary)


WEB = role("web", policy())


def instance(number: int, role_name: str = "web") -> tuple[Instance, NetworkInterface]:
    address = IPv4Address(f"10.0.0.{number}")
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role_name}" if role_name else ""
    machine = Instance(
        f"i-{number}", f"arn:i-{number}", ACCOUNT, "vpc-1", "subnet-1", "eu-north-7a", "running", "t3.micro", "ami-1", address, (f"eni-{number}",), (), "",
        arn, role_name, "", "", {},
    )  # fmt: skip
    interface = NetworkInterface(f"eni-{number}", "vpc-1", "subnet-1", (address,), "02:00:00:00:00:01", (), instance_id=f"i-{number}")
    return machine, interface


def session(machine: Instance, role: Identity, issued: str = "2026-01-02T03:00:00Z", **changes: Any) -> Credential:
    """What the instance's metadata hands out."""
    keys = (("ec2:SourceInstanceArn", machine.arn), ("aws:TokenIssueTime", issued), ("aws:MultiFactorAuthPresent", "false"))
    found = Credential(
        f"ASIA{machine.id}", role.id, f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/{machine.id}", ACCOUNT, "AssumedRole", f"{role.id}:{machine.id}",
        role.arn, role.tags, keys, expires="2026-01-02T09:00:00Z",
    )  # fmt: skip
    return replace(found, **changes)


def index_of(
    text: str, *roles: Identity, ports: tuple[tuple[int, int], ...] = ((6379, 6379),), instances: tuple[Any, ...] = (instance(10),),
    account: Account = MEMBER, sessions: tuple[Credential, ...] | None = None, tags: tuple[tuple[str, str], ...] = (),
) -> tuple[Index, ResourceConfiguration]:
    """sessions: by default one of each instance's role."""
    known = roles or (WEB,)
    if sessions is None:
        sessions = tuple(session(machine, role) for machine, _ in instances for role in known if role.arn == machine.role_arn)
    configuration = ResourceConfiguration(
        "rcfg-1", f"arn:aws:vpc-lattice:eu-north-7:{ACCOUNT}:resourceconfiguration/rcfg-1", ACCOUNT, "SINGLE", "rgw-1", "TCP", ports, {}, "", text,
        has_policy=True, tags=tags,
    )  # fmt: skip
    world = World(
        region="eu-north-7", revision=1, now="2026-01-02T03:04:00.000Z",
        vpcs=(Vpc("vpc-1", "arn:vpc-1", ACCOUNT, (IPv4Network("10.0.0.0/16"),), dns_support=True, dns_hostnames=True),),
        subnets=(Subnet("subnet-1", "vpc-1", IPv4Network("10.0.0.0/24"), "eu-north-7a", "", ""),),
        instances=tuple(machine for machine, _ in instances), network_interfaces=tuple(interface for _, interface in instances), identities=known,
        accounts=(account,), credentials=sessions,
    )  # fmt: skip
    return Index(world), configuration


def answers(text: str, *roles: Identity, **more: Any) -> dict[str, list[str]]:
    """Ports -> the addresses that get through."""
    index, configuration = index_of(text, *roles, **more)
    return {f"{first}-{last}": list(found) for found, (first, last) in allowed(index, "vpc-1", NETWORK, configuration)}


AUDITING = replace(NETWORK, tags=(("latticewall:auth-mode", "audit"),))


def test_audit_mode_writes_who_would_have_denied() -> None:
    machines = (instance(10), instance(11, "other"), instance(12, ""))
    index, configuration = index_of(policy(principal={"AWS": WEB.arn}), WEB, role("other", policy()), instances=machines)
    assert audited(index, "vpc-1", NETWORK, configuration) == (), "it is enforced"
    assert audited(index, "vpc-1", None, configuration) == ()
    assert audited(index, "vpc-1", replace(AUDITING, account="444455556666"), configuration) == (), "the policy is another account's"
    assert set(audited(index, "vpc-1", AUDITING, configuration)) == {
        TcpDecision(("10.0.0.10",)), TcpDecision(("10.0.0.11",), layer="Resource"), TcpDecision(("10.0.0.12",), layer="Identity"),
        TcpDecision((), layer="Identity"),
    }  # fmt: skip
    explicit, _ = audited(*asked(policy("Deny", "*")))
    assert explicit == TcpDecision(("10.0.0.10",), layer="Resource", explicit=True, statement=0)
    unreadable, _ = audited(*asked("{"))
    assert unreadable == TcpDecision(("10.0.0.10",), layer="Resource")


def asked(text: str, **more: Any) -> tuple[Index, str, ServiceNetwork, ResourceConfiguration]:
    index, configuration = index_of(text, **more)
    return index, "vpc-1", AUDITING, configuration


def test_audit_mode_decides_each_port_where_a_policy_asks_for_it() -> None:
    one = policy(principal="*", NumericEquals={PORT: "6380"})
    assert audited(*asked(one, ports=((6379, 6380),))) == (
        TcpDecision(("10.0.0.10",), 6379, "Resource"), TcpDecision(("10.0.0.10",), 6380), TcpDecision((), layer="Identity"),
    )  # fmt: skip
    assert audited(*asked(one, ports=((1, 1 + MOST_PORTS),))) == (TcpDecision((), layer="Identity"),)


def test_only_instances_whose_role_both_policies_allow() -> None:
    machines = (instance(10), instance(11, "other"), instance(12, ""), instance(13, "gone"))
    mine = policy(principal={"AWS": WEB.arn})
    assert answers(mine, WEB, role("other", policy()), instances=machines) == {"6379-6379": ["10.0.0.10"]}
    everyone = policy(principal="*")
    assert answers(everyone, WEB, role("other"), instances=machines) == {"6379-6379": ["10.0.0.10"]}
    assert answers(everyone, role("web", policy(), policy("Deny"))) == {}
    assert answers(everyone, role("web", policy(), boundary=policy("Deny"))) == {}


def test_what_does_not_parse_allows_nobody() -> None:
    everyone = policy(principal="*")
    assert answers("{}") == answers("not json") == answers("") == {}
    assert answers(everyone, role("web", "not json")) == {}
    assert answers(everyone, role("web", policy(), boundary="not json")) == {}


def test_organisations_and_sources_decide() -> None:
    assert answers(policy(principal="*", StringEquals={"aws:PrincipalOrgID": "o-1"})) != {}
    assert answers(policy(principal="*", StringEquals={"aws:PrincipalOrgID": "o-2"})) == {}
    assert answers(policy(principal="*", StringEquals={"vpc-lattice-svcs:SourceVpc": "vpc-1"})) != {}
    assert answers(policy(principal="*", IpAddress={"aws:SourceIp": "10.0.0.11/32"})) == {}


def test_a_port_in_a_policy_opens_no_other_port_of_the_range() -> None:
    only = {"StringEquals": {PORT: "6380"}}
    assert answers(policy(principal="*", **only), ports=((6379, 6381),)) == {"6380-6380": ["10.0.0.10"]}
    assert answers(policy(principal="*"), role("web", policy(**only)), ports=((6379, 6381),)) == {"6380-6380": ["10.0.0.10"]}
    first = {"StringEquals": {PORT.lower(): "6379"}}
    assert answers(policy(principal="*", **first), ports=((6379, 6381), (7000, 7001))) == {"6379-6379": ["10.0.0.10"]}


def test_a_port_counts_however_it_is_escaped_and_wherever_it_stands() -> None:
    escaped = policy(principal="*", StringEquals={PORT: "6380"}).replace("svcs:Port", "svcs:\\u0050ort")
    assert answers(escaped, ports=((6379, 6381),)) == {"6380-6380": ["10.0.0.10"]}
    limit = policy("Deny", StringNotEquals={PORT: "6379"})
    everything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    account = Account(ACCOUNT, service_control=((everything, limit),))
    assert answers(policy(principal="*"), ports=((6379, 6381),), account=account) == {"6379-6379": ["10.0.0.10"]}


def test_of_a_range_too_wide_to_decide_port_by_port_none_is_open() -> None:
    wide = ((1000, 1000 + MOST_PORTS),)
    assert answers(policy(principal="*", StringEquals={PORT: "1000"}), ports=wide) == {}
    assert answers(policy(principal="*"), ports=wide) == {f"1000-{1000 + MOST_PORTS}": ["10.0.0.10"]}


def test_each_address_of_an_instance_is_decided_by_itself() -> None:
    machine, interface = instance(10)
    both = ((machine, replace(interface, addresses=(*interface.addresses, IPv4Address("10.0.0.77")), ipv6_addresses=(IPv6Address("fd00:7::10"),))),)
    everyone = policy(principal="*")
    assert answers(everyone, instances=both) == {"6379-6379": ["10.0.0.10", "10.0.0.77", "fd00:7::10"]}
    limited = role("web", policy(), policy("Deny", IpAddress={"aws:SourceIp": "fd00:7::/64"}))
    assert answers(everyone, limited, instances=both) == {"6379-6379": ["10.0.0.10", "10.0.0.77"]}
    assert answers(policy(principal="*", IpAddress={"aws:SourceIp": "fd00:7::/32"}), instances=both) == {"6379-6379": ["fd00:7::10"]}
    assert answers(policy(principal="*", IpAddress={"aws:SourceIp": ["10.0.0.64/26", "fd00:8::/32"]}), instances=both) == {"6379-6379": ["10.0.0.77"]}


def test_only_the_instance_s_own_session_speaks_for_it() -> None:
    machine, _ = instance(10)
    everyone = policy(principal="*")
    assert answers(everyone, sessions=()) == {}, "the role does not let EC2 in"
    own = session(machine, WEB)
    assert answers(everyone, sessions=(replace(own, keys=()),)) == {}, "somebody named his session after the instance"
    assert answers(everyone, sessions=(replace(own, identity="AROAOTHER"),)) == {}, "of the role that the instance had before"
    tagged = replace(own, access_key_id="ASIAX", keys=(), tags=(("team", "blue"),), expires="2026-02-02T09:00:00Z")
    assert answers(policy(principal="*", StringEquals={"aws:PrincipalTag/team": "blue"}), sessions=(own, tagged)) == {}


def test_the_keys_of_the_session_decide() -> None:
    everyone = policy(principal="*")

    def denied_if(**condition: Any) -> dict[str, list[str]]:
        return answers(everyone, role("web", policy(), policy("Deny", **condition)))

    assert denied_if(StringEquals={"ec2:SourceInstanceArn": "arn:i-10"}) == {}
    assert denied_if(Bool={"aws:MultiFactorAuthPresent": "false"}) == {}
    assert denied_if(DateLessThan={"aws:TokenIssueTime": "2026-01-02T03:03:00Z"}) == {}, "sessions were revoked"
    assert denied_if(DateLessThan={"aws:TokenIssueTime": "2026-01-02T02:03:00Z"}) != {}


def test_what_the_resource_is_decides() -> None:
    tags = (("stage", "production"),)
    assert answers(policy(principal="*", StringEquals={"aws:ResourceTag/stage": "production"}), tags=tags) != {}
    assert answers(policy(principal="*"), role("web", policy(), policy("Deny", StringEquals={"aws:ResourceTag/stage": "production"})), tags=tags) == {}
    assert answers(policy(principal="*"), role("web", policy(), policy("Deny", StringEquals={"aws:ResourceOrgID": "o-1"}))) == {}


def test_time_is_decided_on_the_safe_side() -> None:
    """The world is of 03:04:00; what it decides may be in force for another minute and more."""
    assert answers(policy(principal="*", DateLessThan={"aws:CurrentTime": "2026-01-02T03:04:30Z"})) == {}
    assert answers(policy(principal="*", DateLessThan={"aws:CurrentTime": "2026-01-02T03:14:30Z"})) != {}
    assert answers(policy(principal="*", DateGreaterThan={"aws:EpochTime": "2026-01-02T03:04:30Z"})) == {}
