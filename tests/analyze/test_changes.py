"""Every change that an explanation proposes is made by API calls, and asked again: then the request is allowed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from .lab import ALLOW_ALL, IDENTITY, Lab, gate, policy, without
from .test_connections import resource

HEADER = "vpc-lattice-svcs:RequestHeader/x-team"
EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def statements() -> list[dict[str, Any]]:
    """Of auth policies: some allow, some lack one thing or more, some deny."""
    lacking = [
        {"Action": "vpc-lattice-svcs:Connect"}, {"Resource": "*/tomorrow"}, {"Principal": {"AWS": "111122223333"}, "Resource": "*/x"},
        {"Principal": {"AWS": "arn:aws:iam::444455556666:root"}}, {"Condition": {"StringEquals": {HEADER: ["blue", "red"]}}},
        {"Condition": {"StringNotLike": {HEADER: "b*"}}}, {"Condition": {"NumericLessThan": {"vpc-lattice-svcs:Port": "80"}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "Null": {HEADER: "false"}}},
        {"Condition": {"StringEquals": {"vpc-lattice-svcs:RequestMethod": "POST"}}},
        {"Condition": {"ForAnyValue:StringEquals": {"vpc-lattice-svcs:RequestQueryString/day": "1"}}},
    ]  # fmt: skip
    denying = [{}, {"Sid": "frozen", "Resource": "*/today"}, {"Condition": {"StringLike": {HEADER: "*"}}}]
    return [ALLOW_ALL, *({**ALLOW_ALL, **one} for one in lacking), *({**ALLOW_ALL, "Effect": "Deny", **one} for one in denying)]


class Closed:
    """The lab with doors closed by chance, and what opens them again."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab, random = lab, Random(seed)
        self.written: dict[str, dict[str, Any]] = {}
        own = lab.iam.create_policy(PolicyName="limit", PolicyDocument=IDENTITY)["Policy"]["Arn"]
        self.names = {
            f"auth policy of service network {lab.network}": lab.network, f"auth policy of service {lab.service}": lab.service,
            'identity-based policy "call" of web': "role", f"permissions boundary {own}": own,
        }  # fmt: skip
        lab.iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=own)
        for name in self.names:
            chosen = random.sample(statements(), random.randint(1, 3))
            if not name.startswith("auth"):
                chosen = [{**without(one, "Principal"), "Resource": "*"} for one in chosen]
            self.put(name, {"Version": "2012-10-17", "Statement": chosen})
        self.header = random.choice(["", "x-team: blue", "x-team: green"])
        if random.random() < 0.5:
            lab.ec2.revoke_security_group_egress(GroupId=lab.client_group, IpPermissions=[EVERYTHING])
        if random.random() < 0.3:
            lab.lattice.deregister_targets(targetGroupIdentifier=lab.targets, targets=[{"id": "10.0.1.77", "port": 8080}])
        lab.region.settle()

    def put(self, name: str, document: dict[str, Any]) -> None:
        self.written[name] = document
        holder, text = self.names[name], json.dumps(document)
        if holder == "role":
            self.lab.iam.put_role_policy(RoleName="web", PolicyName="call", PolicyDocument=text)
        elif holder.startswith("arn:"):
            self.lab.iam.create_policy_version(PolicyArn=holder, PolicyDocument=text, SetAsDefault=True)
        else:
            self.lab.put_policy(holder, text)

    def ask(self) -> dict[str, Any]:
        return self.lab.ask(headers=[self.header] if self.header else [], path=getattr(self, "path", "/today"))

    def open(self, answer: dict[str, Any]) -> None:
        """Make all of the changes."""
        edits = [edit for found in answer["gates"] for edit in found["edits"]]
        for name in dict.fromkeys(edit["policy"] for edit in edits if "policy" in edit):
            own = [edit for edit in edits if edit.get("policy") == name]
            numbered = {edit["statement"]: edit["becomes"] for edit in own if edit["statement"] is not None}
            kept = [numbered.get(number, one) for number, one in enumerate(self.written[name]["Statement"])]
            added = [edit["becomes"] for edit in own if edit["statement"] is None]
            self.put(name, {"Version": "2012-10-17", "Statement": [one for one in (*kept, *added) if one is not None]})
        for edit in (edit for edit in edits if "key" in edit):
            if edit["key"] == HEADER:
                self.header = f"x-team: {edit['value']}" if edit["value"] is not None else ""
            else:
                self.path = f"/today?day={edit['value']}"
        for change in (one["change"] for one in answer["changes"]):
            if found := re.fullmatch(r"allow TCP (\d+) to (\S+) \(the prefix list .* in an egress rule of (\S+)", change):
                port, cidr, group = int(found[1]), found[2], found[3]
                self.lab.ec2.authorize_security_group_egress(
                    GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}]
                )
            elif "RegisterTargets" in change:
                self.lab.lattice.register_targets(targetGroupIdentifier=self.lab.targets, targets=[{"id": "10.0.1.77", "port": 8080}])
        self.lab.region.settle()


@pytest.mark.parametrize("seed", range(12))
def test_all_changes_together_let_the_request_pass(tmp_path: Path, seed: int) -> None:
    closed = Closed(Lab(tmp_path), seed)
    answer = closed.ask()
    assert bool(answer["changes"]) is (answer["verdict"] == "denied"), answer
    order = [found["name"] for found in answer["gates"]]
    assert [one["gate"] for one in answer["changes"]] == sorted((one["gate"] for one in answer["changes"]), key=order.index)
    closed.open(answer)
    again = closed.ask()
    assert again["verdict"] == "allowed", (answer["changes"], again)
    assert again["changes"] == []


def test_a_denial_in_every_layer_lists_them_all(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    deny = {**ALLOW_ALL, "Effect": "Deny", "Sid": "frozen"}
    lab.put_policy(lab.network, policy(ALLOW_ALL, deny))
    lab.lattice.delete_auth_policy(resourceIdentifier=lab.service)
    lab.iam.delete_role_policy(RoleName="web", PolicyName="call")
    answer = lab.ask()
    network, service, identity = answer["changes"]
    assert network["change"].startswith(f"remove auth policy of service network {lab.network} statement 1 (frozen), which denies the request")
    assert service["change"].startswith(f"put an auth policy on service {lab.service} that allows {lab.role_arn} vpc-lattice-svcs:Invoke on {lab.service_arn}")
    assert identity["change"] == f"add an Allow for vpc-lattice-svcs:Invoke on {lab.service_arn}/today to the identity policies of {lab.role_arn}"
    assert "also closed: service-policy, identity-policy" in answer["summary"]


def test_audit_mode_says_what_would_be_needed_without_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.iam.delete_role_policy(RoleName="web", PolicyName="call")
    lab.lattice.tag_resource(resourceArn=lab.network_arn, tags={"latticewall:auth-mode": "audit"})
    answer = lab.ask()
    assert (answer["verdict"], [one["gate"] for one in answer["changes"]]) == ("allowed", ["identity-policy"])


def test_a_tcp_resource_needs_connect_of_its_policy_and_of_the_role(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    configuration, name = resource(lab, "6379")
    lab.put_policy(configuration, policy({**ALLOW_ALL, "Action": "vpc-lattice-svcs:Connect", "Principal": {"AWS": "444455556666"}}))
    answer = lab.explainer({"url": f"tcp://{name}:6379", "source": "web"})
    own, role = [one for one in answer["changes"] if one["gate"].endswith("-policy")]
    assert (own["gate"], role["gate"]) == ("resource-policy", "identity-policy")
    assert "vpc-lattice-svcs:Connect" in role["change"]
    for edit in (edit for found in answer["gates"] for edit in found["edits"]):
        document = policy(edit["becomes"])
        if edit["policy"].startswith("auth policy"):
            lab.put_policy(configuration, document)
        else:
            lab.iam.put_role_policy(RoleName="web", PolicyName="connect", PolicyDocument=document)
    again = lab.explainer({"url": f"tcp://{name}:6379", "source": "web"})
    assert [gate(again, part)["outcome"] for part in ("resource-policy", "identity-policy")] == ["pass", "pass"]


def test_an_instance_without_a_role_needs_one_and_its_connect(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    configuration, name = resource(lab, "6379")
    lab.put_policy(configuration, policy({**ALLOW_ALL, "Action": "vpc-lattice-svcs:Connect", "Principal": {"AWS": lab.role_arn}}))
    lab.instance("bare")
    lab.region.settle()
    answer = lab.explainer({"url": f"tcp://{name}:6379", "source": "bare"})
    changes = [one["change"] for one in answer["changes"]]
    assert changes[-3].startswith("name the instance's role in an Allow for vpc-lattice-svcs:Connect")
    assert "instance profile" in changes[-2]
    assert "vpc-lattice-svcs:Connect" in changes[-1]
