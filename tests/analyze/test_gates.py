"""Each gate of a request, closed one at a time, and what the explanation says then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.control_plane.organized import Organized

from .lab import ALLOW_ALL, IDENTITY, Lab, gate, outcomes, policy, without

WHOLE_WAY = [
    "vpc-association", "name", "security-group-egress", "network-acl", "security-group-ingress", "listener", "signature", "network-policy", "service-policy",
    "identity-policy", "listener-rule", "target",
]  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def failing(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """The gate, which must be the first that fails."""
    assert answer["verdict"] == "denied", answer
    first: dict[str, Any] = next(found for found in answer["gates"] if found["outcome"] == "fail")
    assert first["name"] == name, answer
    assert name in answer["summary"]
    return first


def test_every_gate_of_an_allowed_request_is_named_in_order(lab: Lab) -> None:
    answer = lab.ask()
    assert answer["verdict"] == "allowed", answer
    assert list(outcomes(answer)) == WHOLE_WAY
    assert set(outcomes(answer).values()) == {"pass"}
    assert gate(answer, "vpc-association")["decided_by"] == lab.association
    assert gate(answer, "security-group-ingress")["decided_by"].startswith("rule sgr-")
    assert gate(answer, "listener")["decided_by"] == lab.listener
    assert gate(answer, "listener-rule")["decided_by"] == lab.rule
    assert f"auth policy of service network {lab.network} statement 0" in gate(answer, "network-policy")["decided_by"]
    assert answer["caller"]["arn"].endswith(f"assumed-role/web/{lab.web}")
    assert answer["decision"]["resource"] == f"{lab.service_arn}/today"


def test_a_vpc_without_association(lab: Lab) -> None:
    lab.lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=lab.association)
    lab.region.settle()
    found = failing(lab.ask(), "vpc-association")
    assert "CreateServiceNetworkVpcAssociation" in found["change"][0]


def test_a_name_that_leads_nowhere(lab: Lab) -> None:
    answer = lab.explainer({"url": "http://rates.example.com/today", "source": "web"})
    assert "no address" in failing(answer, "name")["detail"]


def test_a_service_of_another_network(lab: Lab) -> None:
    made = lab.lattice.create_service(name="other")
    found = failing(lab.explainer({"url": f"http://{made['dnsEntry']['domainName']}/", "source": "web"}), "name")
    assert "CreateServiceNetworkServiceAssociation" in found["change"][0]


def test_the_client_s_security_group(lab: Lab) -> None:
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    lab.ec2.revoke_security_group_egress(GroupId=lab.client_group, IpPermissions=[everything])
    found = failing(lab.ask(), "security-group-egress")
    assert lab.client_group in found["change"][0]
    assert "TCP 80" in found["change"][0]


def test_the_association_s_security_group(lab: Lab) -> None:
    answer = lab.explainer({"url": f"http://{lab.host}:8080/today", "source": "web"})
    assert lab.door_group in failing(answer, "security-group-ingress")["change"][0]
    assert gate(answer, "listener")["outcome"] == "fail"
    assert "HTTP 80" in gate(answer, "listener")["detail"]


def test_the_network_acl_of_the_client_s_subnet(lab: Lab) -> None:
    with lab.closing(lab.subnet) as acl:
        assert failing(lab.ask(), "network-acl")["decided_by"] == f"{acl} *"
        lab.entry(acl, 200, egress=True, cidr="0.0.0.0/0", ports=(0, 65535))
        lab.entry(acl, 150, egress=True, cidr="169.254.171.0/24", ports=(80, 80), action="deny")
        found = failing(lab.ask(), "network-acl")
        assert found["decided_by"] == f"{acl} #150"
        assert found["change"] == [f"allow TCP 80 to 169.254.171.32 in an outbound entry of {acl} with a number below 150"]
        lab.ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=150, Egress=True)
        assert failing(lab.ask(), "network-acl")["detail"].startswith("answers from 169.254.171.32 to 10.0.1."), "it keeps no state"
        lab.entry(acl, 100, egress=False, cidr="169.254.171.0/24", ports=(1024, 65535))
        assert lab.ask()["verdict"] == "allowed"


def test_a_network_policy_that_wants_another_header(lab: Lab) -> None:
    condition = {"StringEquals": {"vpc-lattice-svcs:RequestHeader/x-team": "blue"}}
    lab.put_policy(lab.network, policy({**ALLOW_ALL, "Condition": condition}))
    found = failing(lab.ask(headers=["x-team: red"]), "network-policy")
    assert found["failed"] == ["StringEquals: vpc-lattice-svcs:RequestHeader/x-team [blue], the request has 'red'"]
    assert "no network-based policy allows" in lab.ask()["decision"]["text"]
    assert lab.ask(headers=["x-team: blue"])["verdict"] == "allowed"


def test_an_explicit_deny_names_its_statement(lab: Lab) -> None:
    lab.put_policy(lab.service, policy(ALLOW_ALL, {**ALLOW_ALL, "Effect": "Deny", "Sid": "frozen", "Resource": "*/today"}))
    answer = lab.ask()
    assert failing(answer, "service-policy")["decided_by"] == f"auth policy of service {lab.service} statement 1 (frozen)"
    assert (answer["decision"]["layer"], answer["decision"]["explicit"]) == ("Service", True)
    assert gate(answer, "identity-policy")["outcome"] == "pass"


def test_an_explicit_deny_further_on_is_the_answer(lab: Lab) -> None:
    lab.lattice.delete_auth_policy(resourceIdentifier=lab.network)
    lab.put_policy(lab.service, policy(ALLOW_ALL, {**ALLOW_ALL, "Effect": "Deny"}))
    answer = lab.ask()
    assert answer["summary"].startswith("denied at service-policy: a statement denies it (also closed: network-policy)")
    assert answer["decision"]["text"].endswith("with an explicit deny in a service-based policy")


def test_a_service_with_iam_and_no_policy(lab: Lab) -> None:
    lab.lattice.delete_auth_policy(resourceIdentifier=lab.service)
    assert "everything is denied" in failing(lab.ask(), "service-policy")["detail"]


def test_a_boundary_is_a_part_of_the_identity_gate(lab: Lab) -> None:
    boundary = policy({**without(ALLOW_ALL, "Principal"), "Resource": "arn:aws:vpc-lattice:*:*:service/*/tomorrow"})
    arn = lab.iam.create_policy(PolicyName="limit", PolicyDocument=boundary)["Policy"]["Arn"]
    lab.iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=arn)
    found = failing(lab.ask(), "identity-policy")
    assert [(part["name"], part["outcome"]) for part in found["parts"]] == [("identity-based policy", "pass"), ("permissions boundary", "fail")]
    assert found["failed"][0].startswith("Resource: [arn:aws:vpc-lattice:*:*:service/*/tomorrow]")


def test_a_caller_without_policies(lab: Lab) -> None:
    lab.iam.delete_role_policy(RoleName="web", PolicyName="call")
    assert failing(lab.ask(), "identity-policy")
    assert lab.ask(who="anonymous")["verdict"] == "allowed", "nobody asks for policies of anonymous callers"


def test_another_caller_than_the_instance_s_role(lab: Lab) -> None:
    lab.iam.create_user(UserName="alice")
    answer = lab.ask(who="alice")
    assert answer["caller"]["type"] == "User"
    assert failing(answer, "identity-policy")
    lab.iam.put_user_policy(UserName="alice", PolicyName="call", PolicyDocument=IDENTITY)
    key = lab.iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    for who in ("alice", key, answer["caller"]["arn"]):
        assert lab.ask(who=who)["verdict"] == "allowed"
    assert lab.ask(who="bob") == {**lab.ask(who="bob"), "verdict": "unknown", "summary": "there is no role or user `bob`"}


def test_without_an_instance_only_the_decision_is_explained(lab: Lab) -> None:
    answer = lab.ask(source="", who="web")
    assert answer["verdict"] == "allowed"
    assert list(outcomes(answer)) == WHOLE_WAY[5:]
    assert "no instance was given" in answer["notes"][0]


def test_a_vpc_as_the_client_has_no_security_group(lab: Lab) -> None:
    answer = lab.ask(source=lab.vpc, who="web")
    assert answer["verdict"] == "allowed"
    assert gate(answer, "security-group-egress")["outcome"] == "skip"


def test_an_access_key_of_a_session_asks_with_its_session_policy(lab: Lab) -> None:
    trust = policy({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"})
    lab.iam.create_role(RoleName="caller", AssumeRolePolicyDocument=trust)
    lab.iam.put_role_policy(RoleName="caller", PolicyName="call", PolicyDocument=IDENTITY)
    arn = "arn:aws:iam::111122223333:role/caller"
    limit = policy({**without(ALLOW_ALL, "Principal"), "Action": "s3:*"})
    made = lab.region.sts.assume_role(RoleArn=arn, RoleSessionName="one", Policy=limit)["Credentials"]
    found = failing(lab.ask(who=made["AccessKeyId"]), "identity-policy")
    assert [(part["name"], part["outcome"]) for part in found["parts"]] == [("identity-based policy", "pass"), ("session policy", "fail")]
    assert lab.ask(who="caller")["verdict"] == "allowed", "a session without one"


def test_policies_are_called_by_their_names(lab: Lab) -> None:
    """Inline ones by their name and whose they are, managed ones by ARN; a decision names the one that made it."""
    iam = lab.iam
    held = iam.create_policy(PolicyName="held", PolicyDocument=policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))["Policy"]["Arn"]
    stop = policy({"Sid": "Stop", "Effect": "Deny", "Action": "vpc-lattice-svcs:*", "Resource": "*"})
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=IDENTITY)
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=held)
    found = failing(lab.ask(who="ann"), "identity-policy")
    assert [part["decided_by"] for part in found["parts"]] == [
        'identity-based policy "own" of ann statement 0', f"nearest: permissions boundary {held} statement 0",
    ]  # fmt: skip
    iam.delete_user_permissions_boundary(UserName="ann")
    iam.create_group(GroupName="stopped")
    iam.put_group_policy(GroupName="stopped", PolicyName="stop", PolicyDocument=stop)
    iam.add_user_to_group(GroupName="stopped", UserName="ann")
    assert failing(lab.ask(who="ann"), "identity-policy")["decided_by"] == 'identity-based policy "stop" (group stopped) of ann statement 0 (Stop)'


def test_a_policy_of_the_organization_is_called_by_its_id(lab: Lab) -> None:
    organization = Organized(lab.region)
    arn = organization.attach(organization.unit, {"Effect": "Deny", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"})
    answer = lab.ask(source="", who=f"arn:aws:iam::{organization.member}:role/OrganizationAccountAccessRole")
    assert f"service control policy {arn.rpartition('/')[2]}, level 1 statement 0" in gate(answer, "identity-policy")["decided_by"]


def test_a_service_of_two_networks_needs_an_instance(lab: Lab) -> None:
    other = lab.lattice.create_service_network(name="other")["id"]
    lab.lattice.create_service_network_service_association(serviceNetworkIdentifier=other, serviceIdentifier=lab.service)
    vpc = lab.region.vpc("10.9.0.0/16")
    lab.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=other, vpcIdentifier=vpc)
    lab.region.settle()
    assert "through 2 service networks" in lab.ask(source="", who="web")["summary"]
    answer = lab.ask(source=vpc, who="anonymous")
    assert gate(answer, "network-policy")["outcome"] == "skip", "this network asks nobody"
    assert answer["verdict"] == "allowed"


def test_instances_that_are_not_one(lab: Lab) -> None:
    lab.instance("web")
    assert "2 running instances are named web" in lab.ask()["summary"]
    assert lab.ask(source=lab.web)["verdict"] == "allowed"
    lab.region.settle()
    lab.ec2.stop_instances(InstanceIds=[lab.web])
    assert "is not running" in lab.ask(source=lab.web)["summary"]


def test_audit_mode_is_said_beforehand(lab: Lab) -> None:
    lab.lattice.delete_auth_policy(resourceIdentifier=lab.service)
    lab.lattice.tag_resource(resourceArn=lab.network_arn, tags={"latticewall:auth-mode": "audit"})
    answer = lab.ask()
    assert (answer["verdict"], gate(answer, "service-policy")["outcome"]) == ("allowed", "audit")
    assert "by audit mode only" in answer["summary"]


def test_rules_and_targets(lab: Lab) -> None:
    answer = lab.ask("/tomorrow")
    assert (answer["verdict"], gate(answer, "target")["outcome"]) == ("allowed", "skip")
    assert "404 itself" in gate(answer, "target")["detail"]
    lab.health[lab.targets] = {("10.0.1.77", 8080): "UNHEALTHY"}
    assert "10.0.1.77:8080 unhealthy" in gate(lab.ask(), "target")["detail"]
    lab.lattice.deregister_targets(targetGroupIdentifier=lab.targets, targets=[{"id": "10.0.1.77", "port": 8080}])
    assert "RegisterTargets" in failing(lab.ask(), "target")["change"][0]


def test_a_rule_may_ask_for_the_host(lab: Lab) -> None:
    match = {"httpMatch": {"headerMatches": [{"name": "Host", "match": {"prefix": lab.host.split(".")[0]}}]}}
    made = lab.lattice.create_rule(
        serviceIdentifier=lab.service, listenerIdentifier=lab.listener, name="host", priority=1, match=match, action={"fixedResponse": {"statusCode": 500}}
    )
    assert gate(lab.ask(), "listener-rule")["decided_by"] == made["id"]


def test_paths_that_are_refused_by_their_shape(lab: Lab) -> None:
    assert failing(lab.ask("/today/../admin"), "request")


@pytest.mark.parametrize("params", [{"url": "rates"}, {"url": "ftp://x/"}, {"method": "GE T"}, {"headers": ["no colon"]}, {"source": "nobody"}])
def test_questions_that_mean_nothing(lab: Lab, params: dict[str, Any]) -> None:
    answer = lab.ask(**params)
    assert (answer["verdict"], answer["gates"]) == ("unknown", [])
    assert answer["summary"]
