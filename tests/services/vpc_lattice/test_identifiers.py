"""Ids and ARNs name the same thing wherever a member is called `...Identifier`; an ARN's slashes and colons arrive percent-encoded in one segment of a path."""

from __future__ import annotations

from typing import Any

import pytest

from .region import ACCOUNT, CATALOG, NAME, body, client, forward
from .things import NOT_FOUND, Things

STRANGER = "999988887777"
ABSENT = "0123456789abcdef0"
OF_RESOURCE = ("ServiceNetwork", "Service", "ResourceConfiguration")
"""What `resourceIdentifier` may name: policies and access logs."""

WITHOUT_PATTERN = {
    (f"CreateServiceNetwork{noun}Association", "serviceNetworkIdentifier"): ("ResourceNotFoundException", "not found") for noun in ("Resource", "Vpc")
}


def noun_of(member: str) -> str:
    noun = member.removesuffix("Identifier")
    return {"targetGroup": "TargetGroup", "resourceConfigurationGroup": "ResourceConfiguration"}.get(noun, noun[:1].upper() + noun[1:])


OPERATIONS = CATALOG.service("vpc-lattice").operations
MEMBERS = [
    (name, member)
    for name, operation in OPERATIONS.items()
    for member in (operation.input.members if operation.input else ())
    if member.endswith("Identifier") and member != "vpcIdentifier"
]
READERS = [(name, member) for name, member in MEMBERS if name.startswith(("Get", "List"))]
WRITERS = [(name, member) for name, member in MEMBERS if not name.startswith(("Get", "List", "Create"))]
OTHERS: dict[str, dict[str, Any]] = {
    "UpdateServiceNetwork": {"authType": "NONE"},
    "UpdateListener": {"defaultAction": NOT_FOUND},
    "UpdateRule": {"priority": 7},
    "BatchUpdateRule": {"rules": [{"ruleIdentifier": f"rule-{ABSENT}", "priority": 1}]},
    "UpdateTargetGroup": {"healthCheck": {"path": "/"}},
    "RegisterTargets": {"targets": [{"id": "10.0.1.9"}]},
    "DeregisterTargets": {"targets": [{"id": "10.0.1.9"}]},
    "PutAuthPolicy": {"policy": "{}"},
    "UpdateAccessLogSubscription": {"destinationArn": f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:/lattice/0"},
}
"""What else these operations must be given."""


def required(things: Things, name: str, member: str, value: str) -> dict[str, Any]:
    """A call's parameters: this member and all that are required, by id."""
    shape = OPERATIONS[name].input
    assert shape is not None
    ids = {**things.ids, "Vpc": things.vpc}
    found = {other: ids[noun_of(other)] for other in shape.required if other.endswith("Identifier") and other != "resourceIdentifier"}
    return {**found, **OTHERS.get(name, {}), member: value}


def cases(members: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    return [(name, member, noun) for name, member in members for noun in (OF_RESOURCE if member == "resourceIdentifier" else (noun_of(member),))]


@pytest.mark.parametrize(("name", "member", "noun"), cases(READERS))
def test_an_id_and_an_arn_name_the_same(things: Things, name: str, member: str, noun: str) -> None:
    by_id = body(things.call(name, **required(things, name, member, things.ids[noun])))
    assert body(things.call(name, **required(things, name, member, things.arns[noun]))) == by_id
    if name == f"Get{noun}":
        assert (by_id["id"], by_id["arn"]) == (things.ids[noun], things.arns[noun])


@pytest.mark.parametrize(("name", "member", "noun"), cases(WRITERS))
def test_whatever_names_nothing_here_is_not_found(things: Things, name: str, member: str, noun: str) -> None:
    """By an id and an ARN of nothing, by an ARN of another Region; 403 for another account's, which says nothing about what is there."""
    region, prefix = things.region, things.ids[noun].partition("-")[0]
    absent = f"{prefix}-{ABSENT}"
    for value in (absent, things.arns[noun].replace(things.ids[noun], absent), things.arns[noun].replace(NAME, "eu-north-8")):
        with region.refused("ResourceNotFoundException", "not found") as error:
            things.call(name, **required(things, name, member, value))
        assert (region.last_status, error["resourceId"]) == (404, value)
    foreign = things.arns[noun].replace(ACCOUNT, STRANGER)
    with region.refused("AccessDeniedException", f"vpc-lattice:{name} on resource: {foreign}"):
        things.call(name, **required(things, name, member, foreign))
    assert region.last_status == 403


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_an_id_of_another_kind_names_nothing(things: Things, name: str, member: str) -> None:
    """Where the model has a pattern for the id, and for all paths, it is of the wrong form; where it has none, there is no such thing."""
    other = things.ids["AccessLogSubscription" if member != "accessLogSubscriptionIdentifier" else "Service"]
    for value in (other, f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:nothing/{other}", f"{things.ids['Service']}/../{other}"):
        with things.region.refused(*WITHOUT_PATTERN.get((name, member), ("ValidationException", member))) as error:
            things.call(name, **required(things, name, member, value))
        if (name, member) not in WITHOUT_PATTERN:
            assert (things.region.last_status, member in {item["name"] for item in error["fieldList"]}) == (400, True)


def test_ids_are_an_account_s_own(things: Things) -> None:
    stranger = client("vpc-lattice", STRANGER)
    for name, member in READERS:
        noun = name.removeprefix("Get")
        if noun in Things.TAGGABLE and member == f"{noun[:1].lower()}{noun[1:]}Identifier":
            with things.region.refused("ResourceNotFoundException", "not found"):
                things.call(name, stranger, **required(things, name, member, things.ids[noun]))


def test_creations_take_both_and_answers_have_each_in_its_place(things: Things) -> None:
    """`...Id` is always an id and `...Arn` an ARN. The target groups of an action alone are echoed in the form given, as Terraform compares them."""
    region, ids, arns = things.region, things.ids, things.arns
    group, service = region.target_group(things.vpc, "another"), region.service("another")
    arn = region.lattice.get_target_group(targetGroupIdentifier=group)["arn"]
    made = region.lattice.create_listener(serviceIdentifier=arns["Service"], name="more", protocol="HTTP", port=8080, defaultAction=forward(arn))
    assert (made["serviceId"], made["serviceArn"]) == (ids["Service"], arns["Service"])
    assert made["defaultAction"]["forward"]["targetGroups"] == [{"targetGroupIdentifier": arn, "weight": 100}]
    by_arn = {"serviceIdentifier": arns["Service"], "listenerIdentifier": made["arn"]}
    rule = region.lattice.create_rule(**by_arn, name="more", priority=9, match={"httpMatch": {"method": "GET"}}, action=forward(group))
    assert rule["arn"] == f"{made['arn']}/rule/{rule['id']}"
    shown = region.lattice.get_rule(**by_arn, ruleIdentifier=rule["arn"])["action"]
    assert shown == {"forward": {"targetGroups": [{"targetGroupIdentifier": group, "weight": 100}]}}
    joined = region.lattice.create_service_network_service_association(
        serviceNetworkIdentifier=arns["ServiceNetwork"], serviceIdentifier=f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:service/{service}"
    )
    shown = region.lattice.get_service_network_service_association(serviceNetworkServiceAssociationIdentifier=joined["arn"])
    assert (shown["serviceId"], shown["serviceNetworkId"], shown["serviceNetworkArn"]) == (service, ids["ServiceNetwork"], arns["ServiceNetwork"])
    batch = region.lattice.batch_update_rule(**by_arn, rules=[{"ruleIdentifier": rule["arn"], "priority": 8}])
    assert (batch["successful"][0]["id"], batch["successful"][0]["priority"], batch["unsuccessful"]) == (rule["id"], 8, [])
