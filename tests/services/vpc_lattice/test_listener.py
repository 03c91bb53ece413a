"""Listeners and rules: the default rule, actions, priorities, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from .region import Region, body, forward

PATH = {"httpMatch": {"pathMatch": {"match": {"prefix": "/api"}}}}
NOT_FOUND = {"fixedResponse": {"statusCode": 404}}


def rule(region: Region, service: str, listener: str, name: str = "api", priority: int = 10, **more: Any) -> dict[str, Any]:
    params = {"match": PATH, "action": NOT_FOUND, **more}
    created = region.lattice.create_rule(serviceIdentifier=service, listenerIdentifier=listener, name=name, priority=priority, **params)
    return body(created)


def test_a_listener_comes_with_its_default_rule(region: Region) -> None:
    vpc, service = region.vpc(), region.service()
    group = region.target_group(vpc)
    created = body(region.lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTP", defaultAction=forward(group)))
    assert (created["port"], created["protocol"], created["serviceId"]) == (80, "HTTP", service)
    assert created["defaultAction"] == forward(group, w0=100)
    assert "createdAt" not in created
    assert created["arn"].endswith(f":service/{service}/listener/{created['id']}")
    where = {"serviceIdentifier": service, "listenerIdentifier": created["id"]}
    (default,) = region.lattice.list_rules(**where)["items"]
    assert default["isDefault"] is True
    shown = body(region.lattice.get_rule(**where, ruleIdentifier=default["arn"]))
    assert (shown["action"], "priority" in shown, "match" in shown) == (forward(group, w0=100), False, False)
    assert default["arn"] == f"{created['arn']}/rule/{default['id']}"
    for refusal in (region.lattice.delete_rule, lambda **params: region.lattice.update_rule(**params, priority=3)):
        with region.refused("ConflictException", "default rule"):
            refusal(**where, ruleIdentifier=default["id"])
    region.lattice.update_listener(**where, defaultAction={"fixedResponse": {"statusCode": 500}})
    assert region.lattice.get_rule(**where, ruleIdentifier=default["id"])["action"] == {"fixedResponse": {"statusCode": 500}}
    assert region.lattice.get_listener(**where)["defaultAction"] == {"fixedResponse": {"statusCode": 500}}
    assert region.lattice.get_target_group(targetGroupIdentifier=group)["serviceArns"] == []


def test_deleting_a_listener_and_a_service_takes_their_rules(region: Region) -> None:
    service = region.service()
    first, second = region.listener(service, "one", 80), region.listener(service, "two", 81)
    kept = rule(region, service, second)
    region.lattice.delete_listener(serviceIdentifier=service, listenerIdentifier=first)
    assert [item["id"] for item in region.lattice.list_listeners(serviceIdentifier=service)["items"]] == [second]
    with region.refused("ResourceNotFoundException"):
        region.lattice.list_rules(serviceIdentifier=service, listenerIdentifier=first)
    region.lattice.delete_service(serviceIdentifier=service)
    with region.store.read() as snapshot:
        assert snapshot.rows("vpc-lattice:Rule") == []
        assert snapshot.by_arn(kept["arn"]) is None


def test_a_rule_shows_what_was_written(region: Region) -> None:
    service = region.service()
    listener = region.listener(service)
    match = {"httpMatch": {"method": "GET", "headerMatches": [{"name": "X-Stage", "match": {"contains": "beta"}, "caseSensitive": True}]}}
    created = rule(region, service, listener, match=match, tags={"team": "core"})
    assert created["match"] == match
    where = {"serviceIdentifier": service, "listenerIdentifier": listener, "ruleIdentifier": created["id"]}
    shown = region.lattice.get_rule(**where)
    assert (shown["priority"], shown["isDefault"], shown["match"]) == (10, False, match)
    assert region.lattice.list_tags_for_resource(resourceArn=created["arn"])["tags"] == {"team": "core"}
    changed = body(region.lattice.update_rule(**where, match=PATH, priority=20))
    assert (changed["priority"], changed["action"], changed["isDefault"]) == (20, NOT_FOUND, False)
    assert changed["match"]["httpMatch"] == {**PATH["httpMatch"], "headerMatches": []}
    region.lattice.delete_rule(**where)
    with region.refused("ResourceNotFoundException", created["id"]):
        region.lattice.get_rule(**where)


def test_priorities_and_names_are_unique_in_a_listener(region: Region) -> None:
    service = region.service()
    listener, other = region.listener(service), region.listener(service, "other", 81)
    first = rule(region, service, listener)
    rule(region, service, other)
    with region.refused("ConflictException", "priority 10 already exist"):
        rule(region, service, listener, name="second")
    with region.refused("ConflictException", "already exist"):
        rule(region, service, listener, priority=11)
    second = rule(region, service, listener, name="second", priority=11)
    with region.refused("ConflictException", "priority 11"):
        region.lattice.update_rule(serviceIdentifier=service, listenerIdentifier=listener, ruleIdentifier=first["id"], priority=11)
    answer = region.lattice.batch_update_rule(
        serviceIdentifier=service, listenerIdentifier=listener,
        rules=[{"ruleIdentifier": first["id"], "priority": 11}, {"ruleIdentifier": second["id"], "priority": 10}],
    )  # fmt: skip
    assert ([item["priority"] for item in answer["successful"]], answer["unsuccessful"]) == ([11, 10], [])


def test_a_batch_reports_what_it_cannot_change(region: Region) -> None:
    service = region.service()
    listener = region.listener(service)
    good = rule(region, service, listener)
    where = {"serviceIdentifier": service, "listenerIdentifier": listener}
    default = next(item for item in region.lattice.list_rules(**where)["items"] if item["isDefault"])
    answer = region.lattice.batch_update_rule(
        **where,
        rules=[
            {"ruleIdentifier": "rule-0123456789abcdef0", "priority": 5},
            {"ruleIdentifier": default["id"], "action": NOT_FOUND},
            {"ruleIdentifier": good["id"], "priority": 6},
        ],
    )
    assert [item["id"] for item in answer["successful"]] == [good["id"]]
    assert [item["failureCode"] for item in answer["unsuccessful"]] == ["RuleNotFound", "InvalidRule"]
    rule(region, service, listener, name="second", priority=7)
    with region.refused("ConflictException", "priority 7"):
        region.lattice.batch_update_rule(**where, rules=[{"ruleIdentifier": good["id"], "priority": 7}])


def test_weights(region: Region) -> None:
    vpc, service = region.vpc(), region.service()
    first, second = region.target_group(vpc, "first"), region.target_group(vpc, "second")
    arn = region.lattice.get_target_group(targetGroupIdentifier=second)["arn"]
    listener = region.listener(service, **forward(first, arn, w0=0))
    shown = region.lattice.get_listener(serviceIdentifier=service, listenerIdentifier=listener)
    assert shown["defaultAction"] == forward(first, arn, w0=0, w1=100)
    (service_arn,) = region.lattice.get_target_group(targetGroupIdentifier=second)["serviceArns"]
    assert service_arn.endswith(service)


def test_a_target_group_belongs_to_one_service(region: Region) -> None:
    group, service, other = region.target_group(region.vpc()), region.service(), region.service("other")
    listener = region.listener(service, **forward(group))
    rule(region, service, listener, action=forward(group))
    with region.refused("ConflictException", service):
        region.listener(other, **forward(group))
    with region.refused("ConflictException", "in use"):
        region.lattice.delete_target_group(targetGroupIdentifier=group)
    region.lattice.delete_listener(serviceIdentifier=service, listenerIdentifier=listener)
    region.listener(other, **forward(group))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"fixedResponse": {"statusCode": 200}}, "200"),
        ({"fixedResponse": {"statusCode": 403}}, "403"),
        ({}, "Exactly one"),
        ({"fixedResponse": {"statusCode": 404}, "forward": {"targetGroups": [{"targetGroupIdentifier": "tg-0123456789abcdef0"}]}}, "Exactly one"),
        ({"forward": {"targetGroups": []}}, "length"),
    ],
)
def test_an_action_that_cannot_be_is_refused(region: Region, action: dict[str, Any], words: str) -> None:
    service = region.service()
    with region.refused("ValidationException", words):
        region.lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTP", defaultAction=action)


def test_an_action_needs_a_target_group_that_exists_once(region: Region) -> None:
    service, group = region.service(), region.target_group(region.vpc())
    with region.refused("ResourceNotFoundException", "tg-0123456789abcdef0"):
        region.listener(service, **forward("tg-0123456789abcdef0"))
    with region.refused("ValidationException", group):
        region.listener(service, **forward(group, group))
    region.lattice.delete_target_group(targetGroupIdentifier=group)
    with region.refused("ConflictException", "DELETE_IN_PROGRESS"):
        region.listener(service, **forward(group))


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({}, "at least one condition"),
        ({"pathMatch": {"match": {"exact": "api"}}}, "pattern"),
        ({"pathMatch": {"match": {"exact": "/a", "prefix": "/b"}}}, "Exactly one"),
        ({"pathMatch": {"match": {"exact": "/a?b=c"}}}, "match nothing"),
        ({"pathMatch": {"match": {"prefix": "/a#b"}}}, "match nothing"),
        ({"method": "GET / HTTP/1.1"}, "not an HTTP method"),
        ({"headerMatches": [{"name": "x stage", "match": {"exact": "a"}}]}, "not an HTTP header name"),
        ({"headerMatches": [{"name": "x-stage", "match": {"exact": "a\r\nb"}}]}, "x-stage"),
    ],
)
def test_a_match_that_cannot_be_is_refused(region: Region, match: dict[str, Any], words: str) -> None:
    service = region.service()
    listener = region.listener(service)
    with region.refused("ValidationException", words):
        rule(region, service, listener, match={"httpMatch": match})


def test_an_https_listener_is_at_443_and_needs_no_certificate(region: Region) -> None:
    service = region.service()
    made = region.lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTPS", defaultAction=NOT_FOUND)
    assert (made["protocol"], made["port"]) == ("HTTPS", 443)


@pytest.mark.parametrize("version", ["HTTP2", "GRPC"])
def test_only_https_listeners_forward_to_http_2(region: Region, version: str) -> None:
    group = region.target_group(region.vpc(), protocolVersion=version)
    service = region.service()
    action = {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}
    with region.refused("ValidationException", f"protocol version {version}, which only an HTTPS listener"):
        region.lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTP", defaultAction=action)
    region.lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTPS", defaultAction=action)


def test_ports_names_and_numbers_of_listeners(region: Region) -> None:
    service, other = region.service(), region.service("other")
    region.listener(service)
    region.listener(other)
    with region.refused("ConflictException", "port 80 already exist"):
        region.listener(service, "again")
    with region.refused("ConflictException", "already exist"):
        region.listener(service, port=81)
    region.listener(service, "second", 81)
    with region.refused("ServiceQuotaExceededException") as error:
        region.listener(service, "third", 82)
    assert (error["quotaCode"], error["resourceId"]) == ("L-D64E952E", service)


def test_rules_have_a_quota_that_leaves_out_the_default_rule(region: Region) -> None:
    service = region.service()
    listener = region.listener(service)
    for number in range(1, 11):
        rule(region, service, listener, f"rule{number}", number)
    with region.refused("ServiceQuotaExceededException"):
        rule(region, service, listener, "rule11", 11)


def test_a_listener_is_found_through_its_own_service_only(region: Region) -> None:
    service, other = region.service(), region.service("other")
    listener = region.listener(service)
    with region.refused("ResourceNotFoundException", listener):
        region.lattice.get_listener(serviceIdentifier=other, listenerIdentifier=listener)
    region.lattice.delete_service(serviceIdentifier=other)
    with region.refused("ConflictException", "DELETE_IN_PROGRESS"):
        region.listener(other)


def tls(service: str, action: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"serviceIdentifier": service, "name": "tls", "protocol": "TLS_PASSTHROUGH", "defaultAction": action, **more}


def test_a_tls_listener_forwards_to_tcp_groups_and_has_no_other_rule(region: Region) -> None:
    vpc, service = region.vpc(), region.service(customDomainName="orders.example.com")
    group, http = region.target_group(vpc, protocol="TCP"), region.target_group(vpc, "http")
    with region.refused("ValidationException", "can only forward"):
        region.lattice.create_listener(**tls(service, NOT_FOUND))
    with region.refused("ValidationException", "protocol HTTP, which listeners of protocol TLS_PASSTHROUGH cannot forward to"):
        region.lattice.create_listener(**tls(service, forward(group, http)))
    created = region.lattice.create_listener(**tls(service, forward(group)))
    assert (created["port"], created["protocol"], created["defaultAction"]) == (443, "TLS_PASSTHROUGH", forward(group, w0=100))
    where = {"serviceIdentifier": service, "listenerIdentifier": created["id"]}
    with region.refused("ValidationException", "only a default rule"):
        region.lattice.create_rule(**where, name="api", priority=1, match=PATH, action=forward(group))
    with region.refused("ValidationException", "can only forward"):
        region.lattice.update_listener(**where, defaultAction=NOT_FOUND)
    with region.refused("ConflictException", "port 443"):
        region.lattice.create_listener(**{**tls(service, forward(group)), "name": "again"})


def test_a_tls_listener_needs_a_custom_domain_name(region: Region) -> None:
    group, service = region.target_group(region.vpc(), protocol="TCP"), region.service()
    with region.refused("ValidationException", "needs a custom domain name"):
        region.lattice.create_listener(**tls(service, forward(group)))


def test_only_tls_listeners_forward_to_tcp_groups(region: Region) -> None:
    vpc, service = region.vpc(), region.service(customDomainName="orders.example.com")
    group = region.target_group(vpc, protocol="TCP")
    with region.refused("ValidationException", "protocol TCP, which listeners of protocol HTTP cannot forward to"):
        region.listener(service, **forward(group))
    listener = region.listener(service)
    with region.refused("ValidationException", "protocol TCP"):
        rule(region, service, listener, action=forward(group))
