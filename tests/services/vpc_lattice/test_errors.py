"""Refusals to the letter: HTTP status, code, `reason` and `fieldList`, `resourceId` and `resourceType`, quotas ("Common errors" of the API Reference)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from latticewall.base import lattice_quotas
from latticewall.services.vpc_lattice import quotas

from .region import ACCOUNT, NAME, Region, client, forward
from .things import NOT_FOUND, Things, call

TLS: dict[str, Any] = {"name": "tls", "protocol": "TLS_PASSTHROUGH", "port": 443}
HTTP: dict[str, Any] = {"name": "more", "protocol": "HTTP", "port": 81}
ABSENT = "0123456789abcdef0"


@pytest.mark.parametrize(
    ("operation", "params", "fields"),
    [
        ("CreateService", {}, ["name"]),
        ("CreateService", {"name": "A_", "authType": "IAM", "idleTimeoutSeconds": 59}, ["name", "authType", "idleTimeoutSeconds"]),
        ("CreateService", {"name": "orders", "idleTimeoutSeconds": 601, "tags": {"": "x"}}, ["tags.key", "idleTimeoutSeconds"]),
        (
            "CreateTargetGroup",
            {"name": "a", "type": "EC2", "config": {"port": 0, "protocol": "UDP", "healthCheck": {"port": 65536, "matcher": {"httpCode": "x" * 2001}}}},
            ["name", "type", "config.port", "config.protocol", "config.healthCheck.port", "config.healthCheck.matcher.httpCode"],
        ),
        (
            "CreateListener",
            {"serviceIdentifier": "svc-0", "name": "web", "protocol": "TCP", "port": 65536, "defaultAction": {}},
            ["serviceIdentifier", "protocol", "port", "defaultAction"],
        ),
        ("CreateListener", {"serviceIdentifier": f"svc-{ABSENT}", **HTTP, "defaultAction": {**NOT_FOUND, **forward(f"tg-{ABSENT}")}}, ["defaultAction"]),
        (
            "CreateListener",
            {"serviceIdentifier": f"svc-{ABSENT}", **HTTP, "defaultAction": forward(f"tg-{ABSENT}", f"tg-{ABSENT}", w0=-1, w1=1000)},
            ["defaultAction.forward.targetGroups.1.member.weight", "defaultAction.forward.targetGroups.2.member.weight"],
        ),
        (
            "CreateRule",
            {
                "serviceIdentifier": f"svc-{ABSENT}", "listenerIdentifier": f"listener-{ABSENT}", "name": "get", "priority": 2001, "action": NOT_FOUND,
                "match": {"httpMatch": {"method": "x" * 17, "pathMatch": {"match": {"exact": "a", "prefix": "/"}}, "headerMatches": []}},
            },
            [
                "match.httpMatch.method", "match.httpMatch.pathMatch.match.exact", "match.httpMatch.pathMatch.match", "match.httpMatch.headerMatches",
                "priority",
            ],
        ),
        ("RegisterTargets", {"targetGroupIdentifier": f"tg-{ABSENT}", "targets": [{"port": 0}]}, ["targets.1.member.id", "targets.1.member.port"]),
        ("RegisterTargets", {"targetGroupIdentifier": f"tg-{ABSENT}", "targets": [{"id": "10.0.1.1"}] * 101}, ["targets"]),
        ("DeregisterTargets", {"targetGroupIdentifier": f"tg-{ABSENT}", "targets": []}, ["targets"]),
        ("ListTargets", {"targetGroupIdentifier": f"tg-{ABSENT}", "targets": [{"id": "10.0.1.1"}] * 21}, ["targets"]),
        ("BatchUpdateRule", {"serviceIdentifier": f"svc-{ABSENT}", "listenerIdentifier": f"listener-{ABSENT}", "rules": []}, ["rules"]),
        (
            "CreateServiceNetworkVpcAssociation",
            {
                "serviceNetworkIdentifier": f"sn-{ABSENT}", "vpcIdentifier": "vpc-1", "securityGroupIds": ["sg-x"],
                "dnsOptions": {"privateDnsPreference": "NONE", "privateDnsSpecifiedDomains": []},
            },
            [
                "vpcIdentifier", "securityGroupIds.1.member", "dnsOptions.privateDnsPreference", "dnsOptions.privateDnsSpecifiedDomains",
            ],
        ),
        ("UpdateServiceNetworkVpcAssociation", {"serviceNetworkVpcAssociationIdentifier": f"snva-{ABSENT}", "securityGroupIds": []}, ["securityGroupIds"]),
        ("CreateResourceGateway", {"name": "gate", "ipv4AddressesPerEni": 63, "ipAddressType": "IPV5"}, ["ipAddressType", "ipv4AddressesPerEni"]),
        (
            "CreateResourceConfiguration",
            {"name": "cache", "type": "SINGLE", "portRanges": ["1" * 12], "resourceConfigurationDefinition": {}},
            ["portRanges.1.member", "resourceConfigurationDefinition"],
        ),
        ("CreateAccessLogSubscription", {"resourceIdentifier": f"tg-{ABSENT}", "destinationArn": "here"}, ["resourceIdentifier", "destinationArn"]),
        ("StartDomainVerification", {"domainName": "ab"}, ["domainName"]),
    ],
)  # fmt: skip
def test_all_that_is_wrong_is_named_at_once(region: Region, operation: str, params: dict[str, Any], fields: list[str]) -> None:
    """With the path of each member as AWS writes it."""
    with region.refused("ValidationException") as error:
        call(region.lattice, operation, **params)
    answer = json.loads(region.last_body)
    assert (region.last_status, answer["reason"], set(answer) - {"__type", "code"}) == (400, "fieldValidationFailed", {"message", "reason", "fieldList"})
    assert list(dict.fromkeys(item["name"] for item in error["fieldList"])) == fields
    assert answer["message"].startswith(f"{len(error['fieldList'])} validation error")
    assert all(item["message"] in answer["message"] for item in error["fieldList"])


def test_a_value_of_another_type_cannot_be_parsed(region: Region) -> None:
    with region.refused("ValidationException", "sharingConfig.enabled") as error:
        region.lattice.create_service_network(name="mesh", sharingConfig={"enabled": "yes"})
    assert (region.last_status, error["reason"]) == (400, "cannotParse")


def test_what_only_this_service_knows_is_named_too(things: Things) -> None:
    """A rule that no model states: the path of the member, and `fieldValidationFailed` again."""
    fixed = {"fixedResponse": {"statusCode": 200}}
    params = things.params("Listener", 1)
    with things.region.refused("ValidationException", "not one of 404, 500") as error:
        things.make("Listener", **{**params, "defaultAction": fixed})
    assert (error["reason"], [item["name"] for item in error["fieldList"]]) == ("fieldValidationFailed", ["defaultAction.fixedResponse.statusCode"])


HEALTH_CHECKS: list[tuple[dict[str, Any], str]] = [
    ({"healthCheckIntervalSeconds": 4}, "healthCheckIntervalSeconds"),
    ({"protocol": "TCP"}, "protocol"),
    ({"matcher": {"httpCode": "200-100"}}, "matcher.httpCode"),
    ({"matcher": {"httpCode": "x"}}, "matcher.httpCode"),
]


@pytest.mark.parametrize(("check", "member"), HEALTH_CHECKS, ids=[f"{member}-{number}" for number, (_, member) in enumerate(HEALTH_CHECKS)])
def test_a_health_check_is_named_by_its_path_in_the_request(things: Things, check: dict[str, Any], member: str) -> None:
    lattice = things.region.lattice
    with things.region.refused("ValidationException") as error:
        lattice.create_target_group(name="checked", type="IP", config={"vpcIdentifier": things.vpc, "healthCheck": check})
    assert [item["name"] for item in error["fieldList"]] == [f"config.healthCheck.{member}"]
    with things.region.refused("ValidationException") as error:
        lattice.update_target_group(targetGroupIdentifier=things.ids["TargetGroup"], healthCheck=check)
    assert [item["name"] for item in error["fieldList"]] == [f"healthCheck.{member}"]


def test_a_target_group_s_vpc_is_named_by_its_path(things: Things) -> None:
    with things.region.refused("ValidationException", "required") as error:
        things.region.lattice.create_target_group(name="homeless", type="IP", config={"port": 80})
    assert [item["name"] for item in error["fieldList"]] == ["config.vpcIdentifier"]


# -- what is not there, and what is in the way ---------------------------------------------------------------------------------------------------


NOUNS = [noun for noun in Things.TAGGABLE if noun not in ("Listener", "Rule")]


@pytest.mark.parametrize("noun", NOUNS)
def test_what_is_not_there_is_named(things: Things, noun: str) -> None:
    member, absent = f"{noun[:1].lower()}{noun[1:]}Identifier", f"{things.ids[noun].partition('-')[0]}-{ABSENT}"
    for verb in ("Get", "Delete"):
        with things.region.refused("ResourceNotFoundException", f"{noun} {absent} not found"):
            things.call(f"{verb}{noun}", **{member: absent})
        answer = json.loads(things.region.last_body)
        assert (things.region.last_status, answer["resourceId"], answer["resourceType"]) == (404, absent, noun.lower())


@pytest.mark.parametrize(
    "noun", ["ServiceNetwork", "Service", "Listener", "Rule", "TargetGroup", "ResourceGateway", "ResourceConfiguration", "DomainVerification"]
)
def test_a_second_of_the_same_name_says_already_exists(things: Things, noun: str) -> None:
    """CloudFormation's and Terraform's handlers read those words. A listener's port and a rule's priority are free here: it is the name that clashes."""
    other = {"Listener": {"port": 8088}, "Rule": {"priority": 88}}.get(noun, {})
    with things.region.refused("ConflictException", "already exist"):
        things.make(noun, **{**things.params(noun, 0), **other})
    answer = json.loads(things.region.last_body)
    assert (things.region.last_status, answer["resourceType"], answer["resourceId"]) == (409, noun.lower(), things.ids[noun])


@pytest.mark.parametrize(
    ("operation", "holder", "words"),
    [
        ("DeleteServiceNetwork", "ServiceNetwork", "is in use by"),
        ("DeleteService", "Service", "is in use by"),
        ("DeleteResourceGateway", "ResourceGateway", "is in use by resource configuration"),
        ("DeleteResourceConfiguration", "ResourceConfiguration", "is in use by"),
    ],
)
def test_what_is_in_use_stays(things: Things, operation: str, holder: str, words: str) -> None:
    with things.region.refused("ConflictException", words) as error:
        things.call(operation, **{f"{holder[:1].lower()}{holder[1:]}Identifier": things.ids[holder]})
    assert (things.region.last_status, error["resourceId"], error["resourceType"]) == (409, things.ids[holder], holder.lower())


@pytest.mark.parametrize(
    ("noun", "coming", "going"),
    [
        ("ServiceNetworkServiceAssociation", "CREATE_IN_PROGRESS", "is in status DELETE_IN_PROGRESS"),
        ("ServiceNetworkVpcAssociation", "CREATE_IN_PROGRESS", "already been associated to a service network. Association"),
        ("ServiceNetworkResourceAssociation", "", "is in status DELETE_IN_PROGRESS"),
    ],
)
def test_an_association_that_comes_or_goes_says_its_status(things: Things, noun: str, coming: str, going: str) -> None:
    """It cannot be made twice, deleted before it is made, nor made again before it is gone; that it is wanted gone once more is no error."""
    params = things.params(noun, 3)
    of = {f"{noun[:1].lower()}{noun[1:]}Identifier": things.make(noun, **params)["id"]}
    with things.region.refused("ConflictException", "CREATE_IN_PROGRESS"):
        things.make(noun, **params)
    if coming:
        with things.region.refused("ConflictException", coming):
            things.call(f"Delete{noun}", **of)
    things.region.settle()
    with things.region.refused("ConflictException", "ACTIVE"):
        things.make(noun, **params)
    for _ in range(2):
        assert things.call(f"Delete{noun}", **of)["status"] == "DELETE_IN_PROGRESS"
    assert things.call(f"Get{noun}", **of)["status"] == "DELETE_IN_PROGRESS"
    with things.region.refused("ConflictException", going):
        things.make(noun, **params)
    things.region.settle()
    with things.region.refused("ResourceNotFoundException"):
        things.call(f"Get{noun}", **of)


@pytest.mark.parametrize("operation", ["UpdateRule", "DeleteRule"])
def test_the_default_rule_is_the_listener_s(things: Things, operation: str) -> None:
    where = {"serviceIdentifier": things.ids["Service"], "listenerIdentifier": things.ids["Listener"]}
    default = next(rule for rule in things.region.lattice.list_rules(**where)["items"] if rule["isDefault"])
    with things.region.refused("ConflictException", "default rule") as error:
        things.call(operation, **where, ruleIdentifier=default["id"])
    assert (error["resourceId"], error["resourceType"]) == (default["id"], "rule")
    answer = things.region.lattice.batch_update_rule(**where, rules=[{"ruleIdentifier": default["id"], "priority": 50}])
    assert (answer["successful"], answer["unsuccessful"][0]["ruleIdentifier"]) == ([], default["id"])
    assert "default rule" in answer["unsuccessful"][0]["failureMessage"]


def test_two_rules_swap_their_priorities_in_one_batch_and_in_no_two_updates(things: Things) -> None:
    lattice, where = things.region.lattice, {"serviceIdentifier": things.ids["Service"], "listenerIdentifier": things.ids["Listener"]}
    rules = {priority: things.make("Rule", **{**things.params("Rule", 0), "name": f"swap-{priority}", "priority": priority})["id"] for priority in (60, 61)}
    with things.region.refused("ConflictException", "already exists") as error:
        lattice.update_rule(**where, ruleIdentifier=rules[60], priority=61)
    assert error["resourceId"] == rules[61]
    swapped = [{"ruleIdentifier": rules[60], "priority": 61}, {"ruleIdentifier": rules[61], "priority": 60}]
    answer = lattice.batch_update_rule(**where, rules=[*swapped, {"ruleIdentifier": f"rule-{ABSENT}", "priority": 99}])
    assert [(rule["id"], rule["priority"]) for rule in answer["successful"]] == [(rules[60], 61), (rules[61], 60)]
    assert [item["ruleIdentifier"] for item in answer["unsuccessful"]] == [f"rule-{ABSENT}"]
    with things.region.refused("ConflictException", "already exists") as error:
        lattice.batch_update_rule(**where, rules=[{"ruleIdentifier": rules[60], "priority": 60}])
    assert error["resourceId"] == rules[61]


# -- quotas --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", [noun for noun in Things.TAGGABLE if noun != "AccessLogSubscription"])
def test_a_quota_says_which(things: Things, monkeypatch: pytest.MonkeyPatch, noun: str) -> None:
    """402 on every creation but that of access log subscriptions, for which no quota is modelled."""
    params = things.params(noun, 1)
    quota = lattice_quotas.BY_CODE[quotas.CODES[f"vpc-lattice:{noun}"]]
    monkeypatch.setitem(lattice_quotas.BY_CODE, quota.code, replace(quota, default=0 if noun == "Rule" else 1))
    with things.region.refused("ServiceQuotaExceededException", "has been reached"):
        things.make(noun, **params)
    answer = json.loads(things.region.last_body)
    assert things.region.last_status == 402
    assert (answer["quotaCode"], answer["serviceCode"], answer["resourceType"]) == (quota.code, "vpc-lattice", noun.lower())
    within = (
        {"Listener": "Service", "Rule": "Listener", **dict.fromkeys(NOUNS, "ServiceNetwork")} if "Association" in noun or noun in ("Listener", "Rule") else {}
    )
    assert answer.get("resourceId") == (things.ids[within[noun]] if within else things.vpc if noun == "ResourceGateway" else None)


def test_quotas_of_targets_and_of_a_service_s_target_groups(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    region, group = things.region, things.ids["TargetGroup"]
    for kind, default in (("Target", 2), ("ServiceTargetGroup", 0)):
        quota = lattice_quotas.BY_CODE[quotas.CODES[f"vpc-lattice:{kind}"]]
        monkeypatch.setitem(lattice_quotas.BY_CODE, quota.code, replace(quota, default=default))
    targets = [{"id": f"10.0.1.{number}"} for number in (50, 51, 52)]
    region.lattice.register_targets(targetGroupIdentifier=group, targets=targets[:2])
    with region.refused("ServiceQuotaExceededException", "targets per target group") as error:
        region.lattice.register_targets(targetGroupIdentifier=group, targets=targets[2:])
    assert (error["quotaCode"], error["resourceId"]) == ("L-D71303F3", group)
    where = {"serviceIdentifier": things.ids["Service"], "listenerIdentifier": things.ids["Listener"]}
    with region.refused("ServiceQuotaExceededException", "target groups per service") as error:
        region.lattice.update_listener(**where, defaultAction=forward(group))
    assert (error["quotaCode"], error["resourceId"]) == ("L-3DEC3B9F", things.ids["Service"])


def test_a_batch_of_rules_counts_all_its_target_groups(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = lattice_quotas.BY_CODE[quotas.CODES["vpc-lattice:ServiceTargetGroup"]]
    monkeypatch.setitem(lattice_quotas.BY_CODE, quota.code, replace(quota, default=1))
    vpc, service = region.vpc(), region.service()
    groups = [region.target_group(vpc, name) for name in ("first", "second")]
    where = {"serviceIdentifier": service, "listenerIdentifier": region.listener(service)}
    rule: dict[str, Any] = {"match": {"httpMatch": {"method": "GET"}}, "action": NOT_FOUND}
    rules = [region.lattice.create_rule(**where, **rule, name=f"rule{number}", priority=number)["id"] for number in (1, 2)]
    changes = [{"ruleIdentifier": identifier, "action": forward(group)} for identifier, group in zip(rules, groups, strict=True)]
    answer = region.lattice.batch_update_rule(**where, rules=changes)
    assert ([item["id"] for item in answer["successful"]], [item["ruleIdentifier"] for item in answer["unsuccessful"]]) == (rules[:1], rules[1:])
    assert "target groups per service" in answer["unsuccessful"][0]["failureMessage"]


# -- whose it is ---------------------------------------------------------------------------------------------------------------------------------


def test_another_account_s_tags_are_not_for_reading(things: Things) -> None:
    arn = f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:service/svc-{ABSENT}"
    with things.region.refused("AccessDeniedException", f"vpc-lattice:ListTagsForResource on resource: {arn}"):
        client("vpc-lattice", "999988887777").list_tags_for_resource(resourceArn=arn)
    answer = json.loads(things.region.last_body)
    assert (things.region.last_status, set(answer) - {"__type", "code"}) == (403, {"message"})
