"""Explanations beside what really happens: a region, a client and a service; each request is made, and then explained by its id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.region import running, until
from explain_lab import EVERYBODY, INVOKE, Lab, policy

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running() as region:
        yield Lab(region)


@pytest.fixture(autouse=True)
def _as_built(lab: Lab) -> Iterator[None]:
    yield
    lab.allow_everybody()


def gate(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(found for found in answer["gates"] if found["name"] == name)


def test_an_allowed_request(lab: Lab) -> None:
    answer = lab.signed()
    assert (answer.status, answer.body) == (200, "ok\n")
    code, found = lab.explained(answer)
    assert (code, found["verdict"]) == (0, "allowed"), found
    assert {gate["outcome"] for gate in found["gates"]} == {"pass"}
    assert "assumed-role/web/i-" in found["caller"]["arn"]
    assert lab.supposed()[0] == 0


def test_a_request_that_the_network_denies(lab: Lab) -> None:
    lab.lattice.put_auth_policy(
        resourceIdentifier=lab.network["id"], policy=policy({**EVERYBODY, "Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue"}}})
    )
    lab.region.settle()
    answer = lab.signed()
    assert answer.status == 403
    code, found = lab.explained(answer)
    assert (code, found["verdict"]) == (1, "denied")
    denied = gate(found, "network-policy")
    assert denied["outcome"] == "fail"
    assert denied["failed"] == ["StringEquals: aws:PrincipalTag/team [blue], the request has no value"]
    assert denied["change"]
    assert found["decision"]["text"] == answer.body.strip()
    assert lab.supposed()[1]["decision"] == found["decision"]
    shown = lab.region.cli("explain", answer.request_id).stdout
    assert "DENY network-policy" in shown
    assert "to let it pass: " in shown


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ([EVERYBODY], ()),
        ([], ()),
        ([EVERYBODY, {**EVERYBODY, "Effect": "Deny", "Resource": "*/today"}], ()),
        ([{**EVERYBODY, "Condition": {"StringEquals": {"vpc-lattice-svcs:RequestHeader/x-team": "blue"}}}], ("x-team: blue",)),
        ([{**EVERYBODY, "Condition": {"StringEquals": {"vpc-lattice-svcs:RequestHeader/x-team": "blue"}}}], ("x-team: red",)),
        ([{**EVERYBODY, "Condition": {"NumericEquals": {"vpc-lattice-svcs:Port": "80"}, "IpAddress": {"aws:SourceIp": "10.88.0.0/16"}}}], ()),
        ([{**EVERYBODY, "Condition": {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}}], ()),
    ],
)
def test_what_is_said_beforehand_is_what_happens(lab: Lab, statements: list[dict[str, Any]], words: tuple[str, ...]) -> None:
    if statements:
        lab.lattice.put_auth_policy(resourceIdentifier=lab.service, policy=policy(*statements))
    else:
        lab.lattice.delete_auth_policy(resourceIdentifier=lab.service)
    lab.region.settle()
    options = [option for word in words for option in ("-H", word)]
    said = [option for word in words for option in ("--header", word)]
    for answer, who in ((lab.signed("/today", *options), ()), (lab.get("/today", *options), ("--as", "anonymous"))):
        code, found = lab.supposed(*who, *said)
        assert (code == 0) is (answer.status == 200), (found, answer)
        if code:
            assert found["decision"]["text"] == answer.body.strip()


def test_a_signature_for_another_method(lab: Lab) -> None:
    assert lab.signed_by_alice().status == 200
    answer = lab.signed_by_alice(method="POST")
    assert answer.status == 403
    code, found = lab.explained(answer)
    assert code == 1
    refused = gate(found, "signature")
    assert refused["detail"] == answer.body.strip()
    assert refused["failed"] == ["the method was signed as POST"]
    assert found["signature"]["difference"] == {"part": "canonical request", "line": 1, "column": 1}
    shown = lab.region.cli("explain", answer.request_id).stdout
    assert "first difference: line 1 of the canonical request" in shown
    assert lab.alice.secret_key not in shown


@pytest.mark.parametrize(
    ("path", "changed", "mistake"),
    [
        ("/today", {"host": "rates.example.com"}, ""),
        ("/today", {"host": "HOST:8080"}, "the host was signed with another port"),
        ("/a%20b?x=1&y", {}, "right"),
    ],
)
def test_signatures_taken_apart(lab: Lab, path: str, changed: dict[str, str], mistake: str) -> None:
    changed = {name: value.replace("HOST", lab.host) for name, value in changed.items()}
    answer = lab.signed_by_alice(path, **changed)
    if mistake == "right":
        assert answer.status == 200
        return
    _, found = lab.explained(answer)
    mistakes = gate(found, "signature")["failed"]
    if mistake == "":
        assert not mistakes, "any host it may be is not guessed"
        assert "none of the usual mistakes" in found["signature"]["notes"][0]
        return
    assert mistake in mistakes[0]


def test_audit_mode_lets_pass_and_tells(lab: Lab) -> None:
    lab.lattice.delete_auth_policy(resourceIdentifier=lab.service)
    lab.lattice.tag_resource(resourceArn=lab.network["arn"], tags={"latticewall:auth-mode": "audit"})
    lab.region.settle()
    try:
        answer = lab.signed()
        bad = lab.signed_by_alice(method="POST")
        assert (answer.status, bad.status) == (200, 200)
        code, found = lab.explained(answer)
        assert (code, gate(found, "service-policy")["outcome"]) == (0, "audit")
        assert "audit mode" in found["summary"]
        code, found = lab.explained(bad)
        assert (code, gate(found, "signature")["outcome"]) == (0, "audit")
        until(lambda: "would be denied: Service" in lab.region.cli("logs", "--denied").stdout)
        until(lambda: "would be denied: Signature" in lab.region.cli("logs", "--denied").stdout)
    finally:
        lab.lattice.tag_resource(resourceArn=lab.network["arn"], tags={"latticewall:auth-mode": "enforce"})
        lab.region.settle()
    assert lab.signed().status == 403


CONNECT = "import socket, sys; print(socket.create_connection((sys.argv[1], 8080), timeout=3).getsockname()[0])"


def test_audit_mode_lets_connections_to_tcp_resources_pass_and_tells(lab: Lab) -> None:
    """By a resource's own auth policy, which nobody is allowed by: with audit mode connections come through, and are logged."""
    gateway = lab.lattice.create_resource_gateway(name="gate", vpcIdentifier=lab.vpc, subnetIds=[lab.subnet])["id"]
    found = lab.ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["rates"]}])["Reservations"][0]["Instances"][0]
    lab.region.settle()
    resource = lab.lattice.create_resource_configuration(
        name="raw", type="SINGLE", resourceGatewayIdentifier=gateway, portRanges=["8080"],
        resourceConfigurationDefinition={"ipResource": {"ipAddress": found["PrivateIpAddress"]}},
    )["id"]  # fmt: skip
    lab.region.settle()
    lab.lattice.create_service_network_resource_association(resourceConfigurationIdentifier=resource, serviceNetworkIdentifier=lab.network["id"])
    lab.lattice.put_auth_policy(resourceIdentifier=resource, policy=policy({**EVERYBODY, "Action": "vpc-lattice-svcs:Connect"}))
    log = lab.region.client("logs").describe_log_groups(logGroupNamePrefix="/access")["logGroups"][0]["arn"]
    lab.lattice.create_access_log_subscription(resourceIdentifier=lab.network["id"], destinationArn=log, serviceNetworkLogType="RESOURCE")
    lab.region.settle()
    (association,) = lab.lattice.list_service_network_resource_associations(resourceConfigurationIdentifier=resource)["items"]
    name = association["dnsEntry"]["domainName"]

    def connects() -> bool:
        return lab.region.cli("exec", "web", "--", "/usr/bin/python3", "-c", CONNECT, name).returncode == 0

    code, answer = lab.explain("--from", "web", f"tcp://{name}:8080")
    assert (code, [one["gate"] for one in answer["changes"]]) == (1, ["identity-policy"]), "the role may Invoke, not Connect"
    assert "vpc-lattice-svcs:Connect" in answer["changes"][0]["change"]
    assert not connects()
    lab.lattice.tag_resource(resourceArn=lab.network["arn"], tags={"latticewall:auth-mode": "audit"})
    lab.region.settle()
    try:
        assert connects()
        code, answer = lab.explain("--from", "web", f"tcp://{name}:8080")
        assert (code, gate(answer, "identity-policy")["outcome"]) == (0, "audit")
        until(lambda: f"{resource} ({found['PrivateIpAddress']}:8080) would be denied: Identity" in lab.region.cli("logs", "--denied").stdout)
        events = lab.region.client("logs").filter_log_events(logGroupName="/access", filterPattern="resourceConfigurationArn")["events"]
        code, answer = lab.explain(json.loads(events[-1]["message"])["recordId"])
        assert (code, gate(answer, "identity-policy")["outcome"], answer["notes"]) == (0, "audit", [])
    finally:
        lab.lattice.tag_resource(resourceArn=lab.network["arn"], tags={"latticewall:auth-mode": "enforce"})
        lab.region.settle()
    assert not connects()
    lab.iam.put_role_policy(RoleName="web", PolicyName="connect", PolicyDocument=policy({**INVOKE, "Action": "vpc-lattice-svcs:Connect"}))
    lab.region.settle()
    assert connects(), "what was said to be needed is enough"


def test_a_security_group_that_closes_the_way(lab: Lab) -> None:
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    lab.ec2.revoke_security_group_egress(GroupId=lab.group, IpPermissions=everything)
    lab.region.settle()
    try:
        assert lab.get().status == 0
        code, found = lab.supposed()
        assert (code, gate(found, "security-group-egress")["outcome"]) == (1, "fail")
    finally:
        lab.ec2.authorize_security_group_egress(GroupId=lab.group, IpPermissions=everything)
        lab.region.settle()
    assert (lab.get().status, lab.supposed()[0]) == (200, 0)


def test_names_that_are_nobody_s(lab: Lab) -> None:
    done = lab.region.cli("exec", "web", "--", "curl", "-sS", "-i", "--max-time", "3", "-H", "Host: nobody", f"http://{lab.host}/")
    assert " 404" in done.stdout.splitlines()[0]
    code, found = lab.explain("--from", "web", f"http://{lab.host}./")
    assert (code, gate(found, "name")["outcome"], found["verdict"]) == (1, "pass", "denied"), found
    code, found = lab.explain("--from", "web", "http://nobody.example.com/")
    assert (code, gate(found, "name")["outcome"]) == (1, "fail")
    assert lab.explain("no-such-request")[0] == 2


HEADS = {
    "unknown": ("GET / HTTP/1.1|Host: nobody.example.com:80", 404, "denied at listener: no service is called nobody.example.com: the answer was 404"),
    "dot": ("GET / HTTP/1.1|Host: SERVICE.", 404, "denied at listener: no service is called SERVICE.: the answer was 404"),
    "two": ("GET / HTTP/1.1|Host: SERVICE:80|Host: nobody", 400, "denied at request: `SERVICE:80,nobody` is no host, or several"),
    "none": ("GET / HTTP/1.1|Host:", 400, "denied at request: `` is no host, or several"),
    "fragment": ("GET /a#b HTTP/1.1|Host: SERVICE", 400, "denied at request: the request's head is none"),
    "dots": ("GET /a/../b HTTP/1.1|Host: SERVICE", 400, "denied at request: the path holds a bad percent escape or a dot segment"),
    "tunnel": ("CONNECT SERVICE:80 HTTP/1.1|Host: SERVICE:80", 404, "denied at "),
    "words": ("GET / HTTP/1.1|Host: SERVICE|Authorization: AWS4-HMAC-SHA256 nonsense", 403, "denied at signature: "),
    "scope": ("GET / HTTP/1.1|Host: SERVICE|Authorization: AWS4-HMAC-SHA256 Credential=AKIANOBODY/20260101/x/y/z, SignedHeaders=host, Signature=00", 403,
              "denied at signature: "),
    "scheme": ("GET / HTTP/1.1|Host: SERVICE|Authorization: Bearer x", 200, "allowed"),
    "length": ("POST / HTTP/1.1|Host: SERVICE|Content-Length: 1|Content-Length: 2", 400, ""),
    "old": ("GET / HTTP/1.0|Host: SERVICE", 426, "denied at request: the request is of HTTP/1.0"),
}  # fmt: skip
"""Request id -> head (a bar ends a line), status, summary of the explanation; "" where the proxy read no request, so that there is none to ask for."""
ASK = r"""
import socket, sys
found = []
for head in sys.argv[2:]:
    with socket.create_connection((sys.argv[1], 80), timeout=5) as connection:
        connection.sendall((head.replace("|", "\r\n") + "\r\n\r\n").encode())
        print(connection.recv(65536).decode().split()[1])
"""


def test_what_is_said_of_heads_that_are_hardly_any(lab: Lab) -> None:
    heads = [f"{head.replace('SERVICE', lab.host)}|x-amzn-requestid: head-{name}" for name, (head, _, _) in HEADS.items()]
    done = lab.region.cli("exec", "web", "--", "/usr/bin/python3", "-c", ASK, lab.host, *heads)
    assert [int(status) for status in done.stdout.split()] == [status for _, status, _ in HEADS.values()], done
    for name, (_, status, words) in HEADS.items():
        code, found = lab.explain(f"head-{name}")
        if not words:
            assert (code, found["verdict"]) == (2, "unknown"), found
            continue
        assert found["summary"].startswith(words.replace("SERVICE", lab.host)), found
        assert (code, found["request"]["status"]) == (int(status != 200), status)


def test_a_network_requires_its_tests(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text(policy(EVERYBODY))
    (tmp_path / "tests.yaml").write_text("policies: {network: network.json}\ntests:\n  - {name: nobody, who: anonymous, request: GET /, expect: deny}\n")
    put = lab.region.cli("policy", "tests", "put", "shared", str(tmp_path / "tests.yaml"))
    assert "shared: 1 tests kept" in put.stdout, put.stderr
    lab.lattice.tag_resource(resourceArn=lab.network["arn"], tags={"latticewall:policy-tests": "shared"})
    try:
        with pytest.raises(lab.lattice.exceptions.ValidationException, match="`nobody`"):
            lab.lattice.put_auth_policy(resourceIdentifier=lab.network["id"], policy=policy(EVERYBODY))
    finally:
        lab.lattice.untag_resource(resourceArn=lab.network["arn"], tagKeys=["latticewall:policy-tests"])
    assert lab.region.cli("policy", "tests", "delete", "shared").returncode == 0
