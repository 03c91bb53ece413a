"""The templates are real CloudFormation: a linter with AWS's schemas, the shell and Suricata itself are asked."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from suricata_trial import CardAnswer, alerts, rules_of, try_loading
from template_loader import SCENARIOS, WALKTHROUGH, default_of, of_type, path_of, template

INSPECTED = ("centralized", "combined")
needs_suricata = pytest.mark.skipif(shutil.which("suricata") is None, reason="suricata is not on this machine's PATH")


def test_templates_are_clean_under_cfn_lint() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    outcome = subprocess.run([linter, *map(path_of, SCENARIOS)], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_type_is_an_aws_type(scenario: str) -> None:
    types = {resource["Type"] for resource in template(scenario)["Resources"].values()}
    assert types
    assert not {kind for kind in types if not re.fullmatch(r"AWS::[A-Za-z0-9]+::[A-Za-z0-9]+", kind)}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_parameter_has_a_default(scenario: str) -> None:
    assert not [name for name, one in template(scenario)["Parameters"].items() if "Default" not in one]


def test_examples_name_no_path_of_a_machine() -> None:
    for path in WALKTHROUGH.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", path.read_text()), path


def test_combined_repeats_the_other_two_without_drift() -> None:
    originals = [template("centralized")["Resources"], template("service-network")["Resources"]]
    combined = template("combined")["Resources"]
    drifted = {name for name, one in combined.items() if not any(resources.get(name) == one for resources in originals)}
    assert drifted == {"EastWest"}, "only the ports that the firewall passes may differ"


def test_combined_passes_only_mongodb_through_the_firewall() -> None:
    groups = of_type(template("combined"), "AWS::NetworkFirewall::RuleGroup")
    assert groups["EastWest"]["RuleGroup"]["RuleVariables"]["PortSets"]["SERVICES"]["Definition"] == ["27017"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_subnets_of_a_vpc_are_distinct_and_in_two_zones(scenario: str) -> None:
    document = template(scenario)
    seen: dict[str, list[tuple[Any, Any]]] = {}
    for subnet in of_type(document, "AWS::EC2::Subnet").values():
        index, (_, count, bits) = subnet["CidrBlock"]["Fn::Select"][0], subnet["CidrBlock"]["Fn::Select"][1]["Fn::Cidr"]
        assert index < count
        assert bits == 8
        seen.setdefault(subnet["VpcId"]["Ref"], []).append((index, subnet["AvailabilityZone"]["Fn::Select"][0]))
    for subnets in seen.values():
        assert len({index for index, _ in subnets}) == len(subnets)
        assert {zone for _, zone in subnets} == {0, 1}
    cidrs = [ip_network(document["Parameters"][vpc["CidrBlock"]["Ref"]]["Default"]) for vpc in of_type(document, "AWS::EC2::VPC").values()]
    assert not [(a, b) for a in cidrs for b in cidrs if a is not b and a.overlaps(b)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_instances_have_their_names_and_scripts_the_shell_accepts(scenario: str) -> None:
    document = template(scenario)
    names = set()
    for properties in of_type(document, "AWS::EC2::Instance").values():
        names.add(next(tag["Value"] for tag in properties["Tags"] if tag["Key"] == "Name"))
        if "UserData" in properties:
            script = default_of(document, properties["UserData"]["Fn::Base64"])
            subprocess.run(["bash", "-n"], input=script, text=True, check=True)
            for server in re.findall(r"servers/(\w+\.py)", script):
                assert (WALKTHROUGH / "servers" / server).is_file()
    expected = {"web", "web-dev", "logging", "redis"} | ({"mongodb"} if scenario in INSPECTED else {"web-norole", "web-outside"})
    assert names == expected


@pytest.mark.parametrize("scenario", INSPECTED)
def test_the_policy_is_strict_and_takes_rules_in_all_three_forms(scenario: str) -> None:
    document = template(scenario)
    (policy,) = of_type(document, "AWS::NetworkFirewall::FirewallPolicy").values()
    groups = of_type(document, "AWS::NetworkFirewall::RuleGroup")
    assert policy["FirewallPolicy"]["StatefulEngineOptions"]["RuleOrder"] == "STRICT_ORDER"
    assert {next(iter(group["RuleGroup"]["RulesSource"])) for group in groups.values()} == {"RulesString", "StatefulRules", "RulesSourceList"}
    references = {one["ResourceArn"]["Ref"]: one["Priority"] for one in policy["FirewallPolicy"]["StatefulRuleGroupReferences"]}
    assert sorted(references, key=lambda name: references[name]) == ["CardNumbers", "EastWest", "WebByName"]


@needs_suricata
@pytest.mark.parametrize("scenario", INSPECTED)
def test_suricata_accepts_the_rules(scenario: str, tmp_path: Path) -> None:
    outcome = try_loading(rules_of(template(scenario)), tmp_path)
    assert outcome.returncode == 0, outcome.stderr


@needs_suricata
def test_suricata_refuses_a_rule_that_does_not_parse(tmp_path: Path) -> None:
    broken = [rule.replace("flow:to_server", "flow:sideways") for rule in rules_of(template("centralized"))]
    assert try_loading(broken, tmp_path).returncode != 0


@needs_suricata
@pytest.mark.parametrize(
    ("card", "signature"),
    [
        ("4111111111111111", 1000001), ("4111 1111 1111 1111", 1000001), ("5500-0000-0000-0004", 1000002), ("340000000000009", 1000003),
        ("41111111111111112", None), ("411111111111111", None), ("order 4711 of 2026-01-02", None), ("0041111111111111119", None),
    ],
)  # fmt: skip
def test_card_numbers_are_found_in_mongodb_answers_only(card: str, signature: int | None, tmp_path: Path) -> None:
    rules = rules_of(template("centralized"))
    found = alerts(rules, CardAnswer(card), tmp_path)
    assert {(one["signature_id"], one["action"]) for one in found} == ({(signature, "blocked")} if signature else set())
    assert alerts(rules, CardAnswer(card, to_client=False), tmp_path) == []
