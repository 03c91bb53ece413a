"""Rule groups through boto3: what is kept, what is refused and in whose words, versions, dry runs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region

PASS = 'pass tcp any any -> any any (msg:"all"; sid:1; rev:1;)'
ARN = f"arn:aws:network-firewall:{NAME}:{ACCOUNT}"
STRICT = {"StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}}


def strings(text: str, **more: Any) -> dict[str, Any]:
    return {"RulesSource": {"RulesString": text}, **more}


def create(region: Region, name: str = "web", **params: Any) -> dict[str, Any]:
    given = {"RuleGroupName": name, "Type": "STATEFUL", "Capacity": 10, **params}
    if "RuleGroup" not in given:
        given.setdefault("Rules", PASS)
    return dict(region.firewall.create_rule_group(**given))


def stateless(action: str = "aws:pass", priority: int = 1) -> dict[str, Any]:
    rule = {"RuleDefinition": {"MatchAttributes": {"Protocols": [6]}, "Actions": [action]}, "Priority": priority}
    return {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": [rule]}}}


def test_a_created_group_is_described_as_terraform_reads_it(region: Region) -> None:
    created = create(region, Description="web traffic", Tags=[{"Key": "team", "Value": "net"}])
    response = created["RuleGroupResponse"]
    assert response["RuleGroupArn"] == f"{ARN}:stateful-rulegroup/web"
    assert response["EncryptionConfiguration"] == {"Type": "AWS_OWNED_KMS_KEY", "KeyId": "AWS_OWNED_KMS_KEY"}
    assert (response["Capacity"], response["ConsumedCapacity"], response["NumberOfAssociations"], response["RuleGroupStatus"]) == (10, 1, 0, "ACTIVE")
    described = region.firewall.describe_rule_group(RuleGroupName="web", Type="STATEFUL")
    assert described["RuleGroup"] == strings(PASS)
    assert described["UpdateToken"] == created["UpdateToken"]
    assert described["RuleGroupResponse"]["Tags"] == [{"Key": "team", "Value": "net"}]
    assert described["RuleGroupResponse"]["LastModifiedTime"] == response["LastModifiedTime"]
    assert described["RuleGroupResponse"]["RuleGroupId"] == response["RuleGroupId"]


def test_the_three_forms_and_the_stateless_one_come_back_as_given(region: Region) -> None:
    header = {"Protocol": "TCP", "Source": "10.1.0.0/16", "SourcePort": "ANY", "Direction": "FORWARD", "Destination": "ANY", "DestinationPort": "443"}
    five_tuple = {"Action": "PASS", "Header": header, "RuleOptions": [{"Keyword": "sid", "Settings": ["7"]}]}
    domains = {"Targets": [".example.com"], "TargetTypes": ["TLS_SNI", "HTTP_HOST"], "GeneratedRulesType": "ALLOWLIST"}
    forms = {
        "tuples": {"RulesSource": {"StatefulRules": [five_tuple]}},
        "domains": {"RulesSource": {"RulesSourceList": domains}},
        "strings": strings("pass tcp $WEB any -> any $PORTS (sid:4;)", RuleVariables={
            "IPSets": {"WEB": {"Definition": ["10.1.0.0/16"]}}, "PortSets": {"PORTS": {"Definition": ["80", "443"]}},
        }),
    }  # fmt: skip
    for name, body in forms.items():
        create(region, name, RuleGroup=body, Capacity=100)
        assert region.firewall.describe_rule_group(RuleGroupArn=f"{ARN}:stateful-rulegroup/{name}")["RuleGroup"] == body
    create(region, "tuples", Type="STATELESS", RuleGroup=stateless())
    assert region.firewall.describe_rule_group(RuleGroupName="tuples", Type="STATELESS")["RuleGroup"] == stateless()
    assert [group["Name"] for group in region.firewall.list_rule_groups()["RuleGroups"]] == [*forms, "tuples"]
    assert [group["Arn"] for group in region.firewall.list_rule_groups(Type="STATELESS")["RuleGroups"]] == [f"{ARN}:stateless-rulegroup/tuples"]
    assert region.firewall.list_rule_groups(Scope="MANAGED")["RuleGroups"] == []


def test_lists_come_in_pages(region: Region) -> None:
    for number in range(5):
        create(region, f"group-{number}")
    pages = list(region.firewall.get_paginator("list_rule_groups").paginate(PaginationConfig={"PageSize": 2}))
    assert [[group["Name"][-1] for group in page["RuleGroups"]] for page in pages] == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.engines
def test_a_rule_that_does_not_parse_is_refused_in_the_engines_words_with_its_line(region: Region) -> None:
    broken = f"# our rules\n{PASS}\ndrop tcp any any -> any any (msg:\"x\"; nonsense:1; sid:2;)"
    with region.refused("InvalidRequestException", "stateful rule is invalid, rule: drop tcp any any") as held:
        create(region, Rules=broken)
    assert "nonsense" in held["Error"]["Message"].split("reason:")[1]
    assert "(line 3)" in held["Error"]["Message"]
    created = create(region)
    with region.refused("InvalidRequestException", "nonsense"):
        region.firewall.update_rule_group(RuleGroupName="web", Type="STATEFUL", Rules=broken, UpdateToken=created["UpdateToken"])
    assert region.firewall.describe_rule_group(RuleGroupName="web", Type="STATEFUL")["RuleGroup"] == strings(PASS)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"Capacity": 1, "Rules": f"{PASS}\n{PASS.replace('sid:1', 'sid:2')}"}, "apacity"),
        ({"Rules": PASS, "RuleGroup": strings(PASS)}, "exactly one of RuleGroup and Rules"),
        ({"Rules": f"{PASS}\n{PASS}"}, "sid"),
        ({"Type": "STATEFUL_DOMAIN"}, "type is not supported"),
        ({"EncryptionConfiguration": {"Type": "CUSTOMER_KMS", "KeyId": "k"}}, "no KMS"),
        ({"RuleGroupName": "under_score"}, "under_score"),
    ],
)
def test_what_is_wrong_with_a_group_is_said(region: Region, params: dict[str, Any], words: str) -> None:
    with region.refused("InvalidRequestException", words):
        region.firewall.create_rule_group(**{"RuleGroupName": "web", "Type": "STATEFUL", "Capacity": 10, "Rules": PASS, **params})


def test_a_group_has_content(region: Region) -> None:
    with region.refused("InvalidRequestException", "exactly one of RuleGroup and Rules"):
        region.firewall.create_rule_group(RuleGroupName="web", Type="STATEFUL", Capacity=10)
    with region.refused("InvalidRequestException", "(line 2)"):
        create(region, Rules=f"{PASS}\ndance tcp any any -> any any (sid:2;)")


def test_a_name_is_taken_once_per_type(region: Region) -> None:
    create(region)
    with region.refused("InvalidRequestException", "A resource with the specified name already exists"):
        create(region)
    create(region, Type="STATELESS", RuleGroup=stateless())


def test_by_name_the_type_is_needed_and_names_and_arns_agree(region: Region) -> None:
    create(region)
    create(region, Type="STATELESS", RuleGroup=stateless())
    with region.refused("InvalidRequestException", "Type is required"):
        region.firewall.describe_rule_group(RuleGroupName="web")
    with region.refused("InvalidRequestException", "different objects"):
        region.firewall.describe_rule_group(RuleGroupName="other", RuleGroupArn=f"{ARN}:stateful-rulegroup/web")
    with region.refused("InvalidRequestException", "Type"):
        region.firewall.describe_rule_group(RuleGroupArn=f"{ARN}:stateful-rulegroup/web", Type="STATELESS")
    with region.refused("InvalidRequestException"):
        region.firewall.describe_rule_group()
    with region.refused("ResourceNotFoundException", "gone"):
        region.firewall.describe_rule_group(RuleGroupName="gone", Type="STATEFUL")


def test_every_change_makes_a_new_token_and_a_stale_one_changes_nothing(region: Region) -> None:
    first = create(region)["UpdateToken"]
    dropping = PASS.replace("pass", "drop")
    arn = f"{ARN}:stateful-rulegroup/web"
    second = region.firewall.update_rule_group(RuleGroupArn=arn, Rules=dropping, UpdateToken=first)["UpdateToken"]
    assert second != first
    with region.refused("InvalidTokenException"):
        region.firewall.update_rule_group(RuleGroupArn=arn, Rules=PASS, UpdateToken=first)
    assert region.firewall.describe_rule_group(RuleGroupArn=arn)["RuleGroup"] == strings(dropping)
    region.firewall.update_rule_group(RuleGroupArn=arn, Rules=PASS, UpdateToken=second, Description="kept")
    assert region.firewall.describe_rule_group_metadata(RuleGroupArn=arn)["Description"] == "kept"


def test_a_dry_run_checks_and_stores_nothing(region: Region) -> None:
    before = region.store.revision
    assert create(region, DryRun=True)["RuleGroupResponse"]["RuleGroupArn"] == f"{ARN}:stateful-rulegroup/web"
    with region.refused("InvalidRequestException"):
        create(region, Capacity=1, Rules=f"{PASS}\n{PASS.replace('sid:1', 'sid:2')}", DryRun=True)
    assert region.store.revision == before
    assert region.firewall.list_rule_groups()["RuleGroups"] == []
    token = create(region)["UpdateToken"]
    region.firewall.update_rule_group(RuleGroupName="web", Type="STATEFUL", Rules=PASS.replace("pass", "drop"), UpdateToken=token, DryRun=True)
    described = region.firewall.describe_rule_group(RuleGroupName="web", Type="STATEFUL")
    assert (described["RuleGroup"], described["UpdateToken"]) == (strings(PASS), token)


def test_the_order_of_a_group_stays(region: Region) -> None:
    token = create(region, RuleGroup=strings(PASS, **STRICT))["UpdateToken"]
    with region.refused("InvalidRequestException", "parameter is invalid"):
        region.firewall.update_rule_group(RuleGroupName="web", Type="STATEFUL", Rules=PASS, UpdateToken=token)
    region.firewall.update_rule_group(RuleGroupName="web", Type="STATEFUL", RuleGroup=strings(PASS.replace("pass", "drop"), **STRICT), UpdateToken=token)
    assert region.firewall.describe_rule_group_metadata(RuleGroupName="web", Type="STATEFUL")["StatefulRuleOptions"] == {"RuleOrder": "STRICT_ORDER"}


def test_a_deleted_group_is_gone(region: Region) -> None:
    create(region)
    deleted = region.firewall.delete_rule_group(RuleGroupName="web", Type="STATEFUL")
    assert deleted["RuleGroupResponse"]["RuleGroupStatus"] == "DELETING"
    with region.refused("ResourceNotFoundException"):
        region.firewall.describe_rule_group(RuleGroupArn=f"{ARN}:stateful-rulegroup/web")
    create(region)


def test_other_accounts_and_regions_do_not_reach_it(region: Region) -> None:
    token = create(region)["UpdateToken"]
    arn = f"{ARN}:stateful-rulegroup/web"
    for stranger in (region.of("999988887777", "network-firewall"), region.of(ACCOUNT, "network-firewall", "us-east-9")):
        calls: list[tuple[Any, dict[str, Any]]] = [
            (stranger.describe_rule_group, {}), (stranger.delete_rule_group, {}),
            (stranger.update_rule_group, {"Rules": PASS.replace("pass", "drop"), "UpdateToken": token}),
        ]  # fmt: skip
        for call, more in calls:
            with region.refused("ResourceNotFoundException"):
                call(RuleGroupArn=arn, **more)
        with region.refused("ResourceNotFoundException"):
            stranger.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
        assert stranger.list_rule_groups()["RuleGroups"] == []


def test_tags_by_arn(region: Region) -> None:
    arn = create(region)["RuleGroupResponse"]["RuleGroupArn"]
    region.firewall.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    region.firewall.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert region.firewall.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    vpc = region.vpc()
    with region.refused("ResourceNotFoundException"):
        region.firewall.list_tags_for_resource(ResourceArn=f"arn:aws:ec2:{NAME}:{ACCOUNT}:vpc/{vpc}")
