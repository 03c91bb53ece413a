"""Expectations: their format, their faults with the place, what they say of a policy, and a service network that requires them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.region import ACCOUNT, NAME, Region

from latticewall.base.faults import Fault
from latticewall.control_plane.policy_tests import PolicyTests
from latticewall.faces.cli.main import main
from latticewall.policy.expectations import Result, check, failed
from latticewall.policy.expectations_file import Misread, inlined, read_expectations

ROLE = "arn:aws:iam::111122223333:role/web"
ORGANIZATION = """{"Version":"2012-10-17","Statement":[{"Sid":"org","Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",
 "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}]}"""
ANYBODY = ORGANIZATION.replace("StringEquals", "StringNotEquals").replace("\n", "")
FILE = """\
policies:
  network: network.json
callers:
  web:
    role: arn:aws:iam::111122223333:role/web
    organization: o-1
    tags: {team: blue}
request:
  headers: {x-env: test}
tests:
  - name: the web tier calls
    who: web
    request: GET /rates?day=1
    expect: {allow: any, statement: org}
  - name: nobody without a signature
    who: anonymous
    request: GET /rates
    expect: {deny: Network, explicit: false}
"""


def results(text: str, **files: str) -> list[Result]:
    return list(check(read_expectations(text, lambda name: files[name.partition(".")[0]])))


def one(test: str, network: str = ORGANIZATION, **callers: str) -> Result:
    """The result of one test of a network policy."""
    named = "".join(f"  {name}: {text}\n" for name, text in callers.items())
    text = f"policies:\n  network: '{network}'\n" + (f"callers:\n{named}" if named else "") + f"tests:\n  - {test}\n"
    (found,) = check(read_expectations(text))
    return found


def test_a_file_of_expectations() -> None:
    found = results(FILE, network=ORGANIZATION)
    assert [(result.passed, result.expectation.name, result.expectation.line) for result in found] == [
        (True, "the web tier calls", 11), (True, "nobody without a signature", 15),
    ]  # fmt: skip
    assert found[0].got == "allow (network policy statement 0 (org), everything statement 0)"


def test_the_documented_example_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "features" / "policy-tests.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    found = results(example, network=ORGANIZATION.replace("o-1", "o-exampleorgid"))
    assert [result.passed for result in found] == [True, True], found


def test_an_expectation_that_is_not_met_says_why() -> None:
    (first, second) = results(FILE, network=ANYBODY)
    assert not first.passed
    assert not second.passed
    assert first.got == "deny by Network implicitly: no statement allows it"
    assert any("aws:PrincipalOrgID" in line for line in first.why)


@pytest.mark.parametrize(
    ("test", "passes"),
    [
        ("{who: web, request: GET /x, expect: allow}", True),
        ("{who: web, request: GET /x, expect: deny}", False),
        ("{who: web, request: GET /x, expect: {allow: any, statement: '0'}}", True),
        ("{who: web, request: GET /x, expect: {allow: any, statement: other}}", False),
        ("{who: anonymous, request: GET /x, expect: {deny: any}}", True),
        ("{who: anonymous, request: GET /x, expect: {deny: Service}}", False),
        ("{who: anonymous, request: GET /x, expect: {deny: Network, explicit: true}}", False),
        (f"{{who: {ROLE}, request: GET /x, expect: deny}}", True),
        ("{who: {user: 'arn:aws:iam::111122223333:user/x/alice', organization: o-1}, request: GET /x, expect: allow}", True),
        ("{who: {account: '111122223333', organization: o-1}, request: GET /x, expect: allow}", True),
    ],
)  # fmt: skip
def test_what_can_be_expected(test: str, passes: bool) -> None:
    assert one(test, web=f"{{role: {ROLE}, organization: o-1}}").passed is passes


CONDITIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"StringEquals": {"vpc-lattice-svcs:RequestHeader/x-env": "yes"}}, "{headers: {x-env: yes}}", "{headers: {x-env: 'no'}}"),
    ({"ForAnyValue:StringEquals": {"vpc-lattice-svcs:RequestQueryString/day": "a b"}}, "{query: {day: [1, a b]}}", "{query: {day: '1'}}"),
    ({"StringEquals": {"vpc-lattice-svcs:RequestPath": "/a"}}, "{path: /a}", "{path: /b}"),
    ({"StringEquals": {"vpc-lattice-svcs:RequestMethod": "PUT"}}, "{method: PUT}", "GET /"),
    ({"NumericEquals": {"vpc-lattice-svcs:Port": "5044"}}, "{port: 5044}", "GET /"),
    ({"StringEquals": {"vpc-lattice-svcs:SourceVpc": "vpc-1"}}, "{source-vpc: vpc-1}", "GET /"),
    ({"StringEquals": {"vpc-lattice-svcs:SourceVpcOwnerAccount": "1"}}, "{source-vpc-owner: '1'}", "GET /"),
    ({"ArnLike": {"vpc-lattice-svcs:ServiceArn": "arn:aws:vpc-lattice:*:*:service/svc-1"}}, "{service: 'arn:aws:vpc-lattice:r:1:service/svc-1'}", "GET /"),
    ({"ArnLike": {"vpc-lattice-svcs:ServiceNetworkArn": "arn:a:b:c:d:sn-1"}}, "{network: 'arn:a:b:c:d:sn-1'}", "GET /"),
    ({"StringEquals": {"aws:ResourceTag/tier": "gold"}}, "{service-tags: {tier: gold}}", "GET /"),
    ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "{source-ip: 10.1.2.3}", "{source-ip: 11.1.2.3}"),
    ({"DateGreaterThan": {"aws:CurrentTime": "2026-06-01T00:00:00Z"}}, "{now: '2026-07-01T00:00:00Z'}", "GET /"),
    ({"StringEquals": {"aws:PrincipalTag/team": "blue"}}, "{keys: {'aws:PrincipalTag/team': blue}}", "GET /"),
]


@pytest.mark.parametrize(("condition", "holds", "fails"), CONDITIONS, ids=lambda value: str(value)[:60])
def test_every_member_of_a_request_reaches_its_condition_key(condition: dict[str, Any], holds: str, fails: str) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*", "Condition": condition}
    network = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert one(f"{{who: anonymous, request: {holds}, expect: allow}}", network).passed
    assert one(f"{{who: anonymous, request: {fails}, expect: deny}}", network).passed


@pytest.mark.parametrize(
    ("own", "passes"),
    [
        ("policies: ['{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}']", False),
        ("boundary: '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}'", False),
        ("service-control: [{Version: 2012-10-17, Statement: [{Effect: Allow, Action: '*', Resource: '*'}]}]", True),
        ("session-policies: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 'vpc-lattice-svcs:*', Resource: '*'}]}", True),
    ],
)  # fmt: skip
def test_the_caller_s_own_policies_count_when_they_are_given(own: str, passes: bool) -> None:
    assert one(f"{{who: {{role: '{ROLE}', organization: o-1, {own}}}, request: GET /, expect: allow}}").passed is passes


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", (1, 1), "must be a mapping"),
        ("policies: }", (1, 11), ""),
        ("policies: \ud800", (1, 1), "surrogate"),
        ("tests: []", (1, 8), "not an empty one"),
        ("nonsense: 1\ntests: [1]", (1, 1), "no member `nonsense`"),
        ("policies: {network: {Version: 1, Version: 2}}\ntests: [1]", (1, 34), "twice"),
        ("policies: {network: {Version: 2012-10-17, Statement: []}}\ntests: [1]", (1, 21), "network policy"),
        ("policies: {network: other.json}\ntests: [1]", (1, 21), "files cannot be read here"),
        ("tests:\n  - {who: bob, request: GET /, expect: allow}", (2, 11), "`bob` is none of"),
        ("tests:\n  - {who: anonymous, request: GET /}", (2, 5), "no `expect`"),
        ("tests:\n  - {who: anonymous, request: GET, expect: maybe}", (2, 44), "`expect` is allow"),
        ("tests:\n  - {who: anonymous, request: GET x, expect: allow}", (2, 31), "is not a method and a path"),
        ("tests:\n  - {who: {role: bob}, request: GET /, expect: allow}", (2, 18), "not the ARN of a role"),
        ("tests:\n  - {who: {}, request: GET /, expect: allow}", (2, 11), "needs one of role"),
        ("tests:\n  - {who: anonymous, request: {port: x}, expect: allow}", (2, 31), "`port` a number"),
        ("tests:\n  - {who: anonymous, request: {now: soon}, expect: allow}", (2, 37), "must be a time"),
        ("tests: &a [1]", (1, 8), "anchors and aliases"),
        ("tests: [*a]", (1, 9), "anchors and aliases"),
    ],
)  # fmt: skip
def test_faults_name_their_place(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(Misread) as caught:
        read_expectations(text)
    assert words in caught.value.message
    assert (caught.value.line, caught.value.column) == place, str(caught.value)


@given(st.text(max_size=200) | st.text(alphabet='{}[]:,"\'-&*!|>\n\t aepolicsttw01', max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Misread):
        assert read_expectations(text).tests, "what is read has tests"


def test_bounds() -> None:
    for text in ("[" * 5000, "tests: " + "[" * 5000, "a" * 300_000, "tests: [" + "{who: anonymous, request: GET /, expect: deny}," * 2001 + "]"):
        with pytest.raises(Misread):
            read_expectations(text)


def test_the_same_expectations_in_one_piece() -> None:
    whole = inlined(FILE, lambda _: ORGANIZATION)
    assert [result.passed for result in check(read_expectations(whole))] == [True, True]
    assert "network.json" not in whole


def test_json_with_tabs_is_read_too() -> None:
    text = '{\n\t"tests": [\n\t\t{"who": "anonymous", "request": "GET /", "expect": "allow"}\n\t]\n}\n'
    assert not failed(check(read_expectations(text))), "without policies nothing is in force"


# -- the command line -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "network.json").write_text(ORGANIZATION)
    (tmp_path / "tests.yaml").write_text(FILE)
    return tmp_path


def test_the_command_needs_no_region(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "test", str(folder / "tests.yaml")]) == 0
    assert "2 of 2 expectations are met" in capsys.readouterr().out
    (folder / "network.json").write_text(ANYBODY)
    assert main(["policy", "test", str(folder / "tests.yaml")]) == 1
    shown = capsys.readouterr().out
    assert "FAIL the web tier calls" in shown
    assert f"{folder}/tests.yaml:11: expected allow statement org, got deny by Network" in shown
    assert main(["policy", "test", str(folder / "tests.yaml"), "--output", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["failed"], found["tests"][0]["line"]) == (0, 2, 11)
    (folder / "other.json").write_text(ORGANIZATION)
    assert main(["policy", "test", str(folder / "tests.yaml"), "--network-policy", str(folder / "other.json")]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["test", "missing.yaml"], "missing.yaml cannot be read"),
        (["test", "broken.yaml"], "broken.yaml:1:1: the file has no member `x`"),
        (["test", "a", "b"], "write one of"),
        (["lint", "missing.json"], "missing.json cannot be read"),
        (["tests", "put", "shared"], "write"),
        (["tests", "burn", "shared"], "write"),
    ],
)  # fmt: skip
def test_what_cannot_be_told(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    monkeypatch.chdir(folder)
    Path("broken.yaml").write_text("x: 1")
    assert main(["policy", *words]) == 2
    assert message in capsys.readouterr().err


def test_lint_names_the_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, odd, broken = folder / "good.json", folder / "odd.json", folder / "broken.json"
    good.write_text(ORGANIZATION)
    odd.write_text(ORGANIZATION.replace('"Resource":"*"', '"Resource":"arn:aws:vpc-lattice:us-west-2:111122223333:service/svc-0a1b2c3d4e5f67890"'))
    broken.write_text('{"Version": "2012-10-17",\n "Statement": [{"Effect": \u201cAllow\u201d}]}')
    assert main(["policy", "lint", str(good)]) == 0
    assert f"{good}:2:52: info: " in capsys.readouterr().out
    assert main(["policy", "lint", str(odd)]) == 1
    assert f"{odd}:1:" in capsys.readouterr().out
    assert main(["policy", "lint", str(broken), "--output", "json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["line"], finding["column"], finding["code"]) == (2, 27, "malformed")
    assert main(["policy", "lint", str(good), "--form", "identity"]) == 1, "an identity policy has no Principal"


# -- a network that requires them -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)


def kept(region: Region) -> PolicyTests:
    return PolicyTests(region.app, ACCOUNT, NAME)


WHOLE = inlined(FILE, lambda _: ORGANIZATION)


def test_tests_are_kept_by_name(region: Region) -> None:
    tests = kept(region)
    assert tests({"action": "put", "name": "shared", "text": WHOLE})["tests"] == 2
    assert tests({"action": "get", "name": "shared"})["text"] == WHOLE
    assert [item["name"] for item in tests({"action": "list"})] == ["shared"]
    assert tests({"action": "list", "account": "999988887777"}) == []
    tests({"action": "delete", "name": "shared"})
    for params in (
        {"action": "get", "name": "shared"}, {"action": "put", "name": "../x", "text": WHOLE}, {"action": "put", "name": "x", "text": FILE},
        {"action": "put", "name": "x", "text": "nonsense"}, {"action": "burn"},
    ):  # fmt: skip
        with pytest.raises(Fault):
            tests(params)


def test_put_auth_policy_refuses_what_fails_the_tests_of_its_network(region: Region) -> None:
    network = region.lattice.create_service_network(name="shared", authType="AWS_IAM", tags={"latticewall:policy-tests": "shared"})["id"]
    good, bad = "".join(ORGANIZATION.splitlines()), ANYBODY
    with region.refused("ValidationException", "`shared`, which are not there"):
        region.lattice.put_auth_policy(resourceIdentifier=network, policy=good)
    kept(region)({"action": "put", "name": "shared", "text": WHOLE})
    with region.refused("ValidationException", "`the web tier calls` (line") as error:
        region.lattice.put_auth_policy(resourceIdentifier=network, policy=bad)
    assert error["fieldList"][0]["name"] == "policy"
    assert "(1 more fail)" in error["Error"]["Message"]
    assert region.lattice.put_auth_policy(resourceIdentifier=network, policy=good)["state"] == "Active"
    with region.refused("ValidationException", "No policy in force (authType NONE) fails the policy tests `shared`") as error:
        region.lattice.update_service_network(serviceNetworkIdentifier=network, authType="NONE")
    assert error["fieldList"][0]["name"] == "authType"
    assert region.lattice.update_service_network(serviceNetworkIdentifier=network, authType="AWS_IAM")["authType"] == "AWS_IAM"
    region.lattice.untag_resource(resourceArn=region.lattice.get_service_network(serviceNetworkIdentifier=network)["arn"], tagKeys=["latticewall:policy-tests"])
    region.lattice.put_auth_policy(resourceIdentifier=network, policy=bad)


def test_a_network_may_be_open_where_its_tests_allow_that(region: Region) -> None:
    network = region.lattice.create_service_network(name="shared", authType="AWS_IAM", tags={"latticewall:policy-tests": "open"})["id"]
    with region.refused("ValidationException", "`open`, which are not there"):
        region.lattice.update_service_network(serviceNetworkIdentifier=network, authType="NONE")
    kept(region)({"action": "put", "name": "open", "text": "tests: [{name: all, who: anonymous, request: GET /, expect: allow}]"})
    assert region.lattice.update_service_network(serviceNetworkIdentifier=network, authType="NONE")["authType"] == "NONE"


def test_tests_of_another_account_do_not_count(region: Region) -> None:
    kept(region)({"action": "put", "name": "shared", "text": WHOLE, "account": "999988887777"})
    network = region.lattice.create_service_network(name="shared", tags={"latticewall:policy-tests": "shared"})["id"]
    with region.refused("ValidationException", "not there"):
        region.lattice.put_auth_policy(resourceIdentifier=network, policy="".join(ORGANIZATION.splitlines()))


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"latticewall:auth-mode": "off"}, "is enforce or audit, not `off`"),
        ({"latticewall:auth-mode": "Audit"}, "is enforce or audit"),
        ({"latticewall:policy-tests": "/etc/passwd"}, "is the name of policy tests"),
        ({"latticewall:auth-modes": "audit"}, "has no meaning"),
    ],
)
def test_tags_that_mean_something_have_known_values(region: Region, tags: dict[str, str], words: str) -> None:
    with region.refused("ValidationException", words):
        region.lattice.create_service_network(name="mesh", tags=tags)
    made = region.lattice.create_service_network(name="mesh", tags={"latticewall:auth-mode": "audit", "team": "blue"})
    with region.refused("ValidationException", words):
        region.lattice.tag_resource(resourceArn=made["arn"], tags=tags)
    region.lattice.tag_resource(resourceArn=made["arn"], tags={"latticewall:auth-mode": "enforce"})


def test_such_tags_are_for_service_networks_only(region: Region) -> None:
    with region.refused("ValidationException", "only for service networks"):
        region.lattice.create_service(name="rates", tags={"latticewall:auth-mode": "audit"})
    made = region.lattice.create_service(name="rates", tags={"auth-mode": "audit"})
    with region.refused("ValidationException", "only for service networks"):
        region.lattice.tag_resource(resourceArn=made["arn"], tags={"latticewall:auth-mode": "audit"})
