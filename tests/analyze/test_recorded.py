"""Requests that were made, explained out of their access-log lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.region import NAME

from latticewall.analyze.signature import token_mark
from latticewall.auth.sigv4 import Credentials, sign
from latticewall.base.secret import Secret
from latticewall.control_plane import explaining
from latticewall.control_plane.identity import refresh_instance_sessions
from latticewall.telemetry import recent

from .lab import ALLOW_ALL, Lab, gate, outcomes, policy

REACHED = ["vpc-association", "name", "security-group-egress", "network-acl", "security-group-ingress", "listener"]
BY_NETWORK = {"authDeniedReason": "Network", "authDetail": '{"layer":"Network","policy":"network-based policy","explicit":false,"statement":-1}'}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No record is on its way in these tests."""
    monkeypatch.setattr(explaining, "FLUSH_SECONDS", 0.0)


def caller(lab: Lab) -> dict[str, str]:
    return {"callerPrincipal": f"{lab.role_arn.replace('iam', 'sts').replace('role/', 'assumed-role/')}/{lab.web}", "resolvedUser": "x"}


def test_an_allowed_request(lab: Lab) -> None:
    lab.logged()
    answer = lab.explained()
    assert answer["verdict"] == "allowed", answer
    assert list(outcomes(answer))[: len(REACHED)] == REACHED
    assert set(outcomes(answer).values()) == {"pass"}
    assert answer["request"]["instance"] == lab.web
    assert gate(answer, "listener-rule")["decided_by"] == lab.rule
    assert gate(answer, "target")["detail"] == "target 10.0.1.77:8080 answered"
    assert answer["signature"] is None


def test_a_denied_request_names_the_condition(lab: Lab) -> None:
    lab.put_policy(lab.network, policy({**ALLOW_ALL, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}))
    lab.denied(**BY_NETWORK, **caller(lab))
    answer = lab.explained()
    assert answer["verdict"] == "denied"
    found = gate(answer, "network-policy")
    assert found["outcome"] == "fail"
    assert found["failed"] == ["StringEquals: aws:PrincipalOrgID [o-1], the request has no value"]
    assert gate(answer, "target")["detail"] == "not reached"
    assert "no network-based policy allows" in answer["decision"]["text"]


def test_a_policy_that_has_changed_since_is_said_to_have(lab: Lab) -> None:
    lab.denied(**BY_NETWORK, **caller(lab))
    answer = lab.explained()
    assert (answer["verdict"], gate(answer, "network-policy")["outcome"]) == ("denied", "fail")
    assert any("network-policy would not deny it" in note for note in answer["notes"])
    lab.lattice.delete_auth_policy(resourceIdentifier=lab.service)
    lab.logged(requestId="id-2")
    answer = lab.explained("id-2")
    assert (answer["verdict"], gate(answer, "service-policy")["outcome"]) == ("allowed", "pass")
    assert any("passed service-policy then" in note for note in answer["notes"])


def test_audit_mode_shows_what_would_have_been_denied(lab: Lab) -> None:
    lab.lattice.delete_auth_policy(resourceIdentifier=lab.network)
    lab.logged(**BY_NETWORK, **caller(lab))
    answer = lab.explained()
    assert answer["verdict"] == "allowed"
    assert gate(answer, "network-policy")["outcome"] == "audit"
    assert "enforced, it would be denied at network-policy" in answer["summary"]
    assert gate(answer, "target")["outcome"] == "pass"
    lab.lattice.delete_auth_policy(resourceIdentifier=lab.service)
    answer = lab.explained()
    assert (answer["verdict"], gate(answer, "service-policy")["outcome"]) == ("allowed", "audit"), "the log names the first layer only"
    lab.denied(requestId="id-2", **BY_NETWORK, **caller(lab))
    assert "(also closed: service-policy)" in lab.explained("id-2")["summary"]


def test_an_unknown_host_and_an_open_service(lab: Lab) -> None:
    lab.denied(serviceArn="", serviceNetworkArn="", listenerId="", hostHeader="nobody", responseCode=404, requestId="id-2")
    answer = lab.explained("id-2")
    assert (answer["verdict"], gate(answer, "listener")["outcome"]) == ("denied", "fail")
    lab.logged(authorized="no", identity=None, requestId="id-3")
    assert outcomes(lab.explained("id-3"))["network-policy"] == "skip"


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({"hostHeader": "nobody:80", "responseCode": 404}, "listener", "no service is called nobody: the answer was 404"),
        ({"hostHeader": "[fd00::1]:80", "responseCode": 404}, "listener", "no service is called [fd00::1]: the answer was 404"),
        ({"hostHeader": "a.example:80,b.example", "responseCode": 400}, "request", "`a.example:80,b.example` is no host, or several"),
        ({"hostHeader": "", "responseCode": 400}, "request", "`` is no host, or several"),
        ({"hostHeader": None, "responseCode": 400, "responseCodeDetails": "missing_host_header"}, "request", "the answer was 400"),
        ({"requestMethod": "OPTIONS", "responseCode": 404, "responseCodeDetails": "absolute_path_rejected"}, "request", "the answer was 404"),
        ({"requestPath": "/a#b", "responseCode": 400, "responseCodeDetails": "path_normalization_failed"}, "request", "the answer was 400"),
        ({"responseCode": 426, "responseCodeDetails": "low_version"}, "request", "the answer was 426"),
    ],
)
def test_a_request_that_was_for_no_service(lab: Lab, changed: dict[str, Any], name: str, words: str) -> None:
    lab.denied(**{"serviceArn": "", "serviceNetworkArn": "", "listenerId": "", "ruleId": None, "authorized": "", **changed})
    answer = lab.explained()
    assert (answer["verdict"], answer["gates"][-1]["name"], answer["gates"][-1]["outcome"]) == ("denied", name, "fail")
    assert words in answer["summary"]


def test_a_target_that_did_not_answer(lab: Lab) -> None:
    lab.logged(responseFlags="UF", responseCode=500, responseCodeDetails="upstream_reset")
    answer = lab.explained()
    assert gate(answer, "target") == {**gate(answer, "target"), "outcome": "fail", "detail": "TargetConnectionError: the answer was 500"}


@pytest.mark.parametrize("details", ["lua_response", "fault_filter_abort"])
def test_a_request_that_nobody_decided_about(lab: Lab, details: str) -> None:
    lab.denied(responseCodeDetails=details)
    answer = lab.explained()
    assert (answer["verdict"], gate(answer, "signature")["outcome"]) == ("denied", "fail")
    assert "could not decide" in gate(answer, "signature")["detail"]
    assert outcomes(answer)["target"] == "skip"


def test_a_path_that_nobody_judges(lab: Lab) -> None:
    for number, path in enumerate(("/a/../b", "/a%zz", "/today")):
        lab.denied(requestId=f"id-{number}", requestPath=path, responseCode=400, authDetail='{"refused":""}', resolvedUser="Unknown")
        answer = lab.explained(f"id-{number}")
        assert answer["summary"].startswith("denied at request: the "), answer["summary"]
        assert [outcomes(answer)[name] for name in ("signature", "network-policy", "identity-policy", "target")] == ["skip"] * 4


def test_anonymous_requests_and_callers_that_are_gone(lab: Lab) -> None:
    lab.logged(identity="")
    assert gate(lab.explained(), "signature")["detail"] == "the request was not signed"
    assert gate(lab.explained(), "identity-policy")["outcome"] == "skip"
    gone = {**caller(lab), "callerPrincipal": "arn:aws:sts::111122223333:assumed-role/gone/s"}
    lab.denied(requestId="id-2", **BY_NETWORK, **gone)
    answer = lab.explained("id-2")
    assert answer["caller"] == {"arn": gone["callerPrincipal"]}
    assert gate(answer, "network-policy")["outcome"] == "unknown"


def refused_signature(lab: Lab, arrived: dict[str, str], refused: str, **changed: Any) -> None:
    """The line of a request whose signature was refused. arrived: its headers."""
    sent = {name.lower(): value for name, value in arrived.items()}
    sent["authorization"] = sent["authorization"][:-32]
    if "x-amz-security-token" in sent:
        sent["x-amz-security-token"] = token_mark(sent["x-amz-security-token"])
    headers = [[":authority", sent.pop("host")], [":method", "GET"], [":path", "/today"], *([name, value] for name, value in sent.items())]
    detail = {"refused": refused, "head": {"method": "GET", "target": "/today", "headers": headers}}
    lab.denied(authDetail=json.dumps(detail), resolvedUser="Unknown", **changed)


def session(lab: Lab) -> Credentials:
    """The credentials that the instance's metadata hands out."""
    refresh_instance_sessions(lab.region.app)
    with lab.region.store.read() as snapshot:
        (row,) = snapshot.rows("sts:Session")
    return Credentials(row.id, Secret(row.document["_secret"]), Secret(row.document["_token"]))


def test_a_bad_signature_is_taken_apart(lab: Lab) -> None:
    credentials = session(lab)
    headers = sign("POST", f"http://{lab.host}/today", {}, credentials, "vpc-lattice-svcs", NAME, lab.region.clock.now(), payload_hash="UNSIGNED-PAYLOAD")
    refused_signature(lab, headers, "InvalidSignatureException: The request signature we calculated does not match the signature you provided.")
    answer = lab.explained()
    found = gate(answer, "signature")
    assert (answer["verdict"], found["outcome"]) == ("denied", "fail")
    assert found["failed"] == ["the method was signed as POST"]
    assert answer["caller"] == {"arn": "unknown", "claims": credentials.access_key_id}
    assert found["change"] == ["sign line 1 of the canonical request as `GET`"]
    signature = answer["signature"]
    assert signature["difference"] == {"part": "canonical request", "line": 1, "column": 1}
    assert (signature["expected"]["canonical_request"][0], signature["signed"]["canonical_request"][0]) == ("GET", "POST")
    assert outcomes(answer)["network-policy"] == "skip"
    text = json.dumps(answer)
    assert credentials.session_token is not None
    for secret in (credentials.secret_access_key, credentials.session_token):
        assert secret.reveal() not in text


def test_another_session_s_secret_is_recognised(lab: Lab) -> None:
    credentials = session(lab)
    lab.iam.create_user(UserName="alice")
    first, second = (lab.iam.create_access_key(UserName="alice")["AccessKey"] for _ in range(2))
    mixed = Credentials(first["AccessKeyId"], Secret(second["SecretAccessKey"]))
    for number, (used, mistakes) in enumerate(((mixed, 1), (credentials, 0))):
        headers = sign("GET", f"http://{lab.host}/today", {}, used, "vpc-lattice-svcs", NAME, lab.region.clock.now(), payload_hash="UNSIGNED-PAYLOAD")
        refused_signature(lab, headers, "InvalidSignatureException: Signature expired: ...", requestId=f"id-{number}")
        answer = lab.explained(f"id-{number}")
        assert len(answer["signature"]["mistakes"]) == mistakes
        assert answer["signature"]["signed"] is not None
        assert gate(answer, "signature")["change"] == ["set the client's clock, or sign again before sending"]
    assert second["AccessKeyId"] in lab.explained("id-0")["signature"]["mistakes"][0]


def test_a_request_that_is_not_in_the_log(lab: Lab) -> None:
    assert "has no request or record id-1" in lab.explained()["summary"], "there is no log yet"
    lab.logged(requestId="id-10")
    assert lab.explained()["verdict"] == "unknown", "a longer id is another"
    assert lab.explained('"}')["verdict"] == "unknown"


def test_the_newest_of_equal_ids_counts(lab: Lab) -> None:
    lab.logged(requestPath="/first")
    lab.logged(requestPath="/second")
    with lab.log.open("a") as file:
        file.write('{"kind":"http","requestId":"id-1","requestPath":"/half')
    assert lab.explained()["request"]["target"] == "/second"


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_a_log_is_searched_from_its_end_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(recent, "BLOCK", block)
    path = tmp_path / "log"
    path.write_text("".join(f"line {number} {'even' if number % 2 == 0 else 'odd'}\n" for number in range(9)) + "line 9 even, not whole")
    assert list(recent.lines_with(path, "even")) == [f"line {number} even" for number in (8, 6, 4, 2, 0)]
    assert list(recent.lines_with(path, "even", most=60)) == ["line 8 even", "line 6 even"]
    assert list(recent.lines_with(path, "line 8")) == ["line 8 even"]
    assert list(recent.lines_with(tmp_path / "none", "even")) == []


@pytest.mark.parametrize(("sent", "known"), [("[fd00:77::9]:40000", False), ("10.99.0.9:40000", False), ("own", True)])
def test_the_address_that_a_request_came_from_is_what_conditions_see(lab: Lab, sent: str, known: bool) -> None:
    """That of no instance (through an endpoint), and an instance's IPv6 address."""
    client = lab.web
    if sent == "own":
        block = lab.ec2.associate_vpc_cidr_block(VpcId=lab.vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
        lab.ec2.associate_subnet_cidr_block(SubnetId=lab.subnet, Ipv6CidrBlock=block.replace("/56", "/64"))
        lab.ec2.modify_subnet_attribute(SubnetId=lab.subnet, AssignIpv6AddressOnCreation={"Value": True})
        client = lab.instance("six")
        lab.region.settle()
        interface = lab.ec2.describe_instances(InstanceIds=[client])["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]
        sent = f"[{interface['Ipv6Addresses'][0]['Ipv6Address']}]:40000"
    address = sent.rpartition(":")[0].strip("[]")
    lab.put_policy(lab.network, policy({**ALLOW_ALL, "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}))
    lab.denied(sourceIpPort=sent, **BY_NETWORK, **caller(lab))
    answer = lab.explained()
    assert gate(answer, "network-policy")["failed"] == [f"IpAddress: aws:SourceIp [192.0.2.0/24], the request has '{address}'"]
    assert answer["request"]["address"] == address
    assert bool(answer["request"]["instance"]) is known
    assert not known or answer["request"]["instance"] == client


def test_a_request_that_came_through_another_network_is_explained_by_that_one(lab: Lab) -> None:
    """A VPC with an association has an endpoint of another service network that has the same service."""
    other = lab.lattice.create_service_network(name="other", authType="AWS_IAM")
    lab.lattice.create_service_network_service_association(serviceNetworkIdentifier=other["id"], serviceIdentifier=lab.service)
    place = {"VpcId": lab.vpc, "SubnetIds": [lab.subnet], "SecurityGroupIds": [lab.door_group]}
    endpoint = lab.ec2.create_vpc_endpoint(VpcEndpointType="ServiceNetwork", ServiceNetworkArn=other["arn"], **place)["VpcEndpoint"]["VpcEndpointId"]
    lab.region.settle()
    lab.put_policy(lab.network, policy({**ALLOW_ALL, "Sid": "First"}))
    lab.put_policy(other["id"], policy({**ALLOW_ALL, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}))
    lab.denied(serviceNetworkArn=other["arn"], vpcEndpointId=endpoint, **BY_NETWORK, **caller(lab))
    answer = lab.explained()
    assert gate(answer, "vpc-endpoint")["decided_by"] == endpoint
    found = gate(answer, "network-policy")
    assert found["failed"] == ["StringEquals: aws:PrincipalOrgID [o-1], the request has no value"]


def test_the_answer_is_the_one_that_was_given(lab: Lab) -> None:
    """Whatever the policies, or what the log keeps of the request, say today."""
    lab.put_policy(lab.service, policy({**ALLOW_ALL, "Condition": {"StringEquals": {"vpc-lattice-svcs:RequestHeader/x-team": "blue"}}}))
    lab.logged()
    passed = lab.explained()
    assert (passed["verdict"], passed["decision"]["allowed"], "text" in passed["decision"]) == ("allowed", True, False)
    noted = {"authDeniedReason": "Identity", "authDetail": '{"layer":"Identity","policy":"identity-based policy","explicit":true,"statement":0}'}
    lab.denied(requestId="id-2", **noted, **caller(lab))
    denied = lab.explained("id-2")["decision"]
    assert (denied["allowed"], denied["layer"], denied["explicit"], denied["statements"]) == (False, "Identity", True, [])
    assert denied["text"].endswith(" with an explicit deny in an identity-based policy")
