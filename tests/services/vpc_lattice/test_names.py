"""Names and ids ("Amazon VPC Lattice API Reference"): their forms, and where a name may be used twice."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .region import Region, client
from .things import Things

LENGTHS = {
    "ServiceNetwork": (3, 63, ""),
    "Service": (3, 40, "svc-"),
    "TargetGroup": (3, 128, "tg-"),
    "Listener": (3, 63, "listener-"),
    "Rule": (3, 63, "rule-"),
    "ResourceGateway": (3, 40, "rgw-"),
    "ResourceConfiguration": (3, 40, "rcfg-"),
}
"""Noun -> shortest, longest, how it must not begin."""
IN_PARENT = {"Listener": {"port": 8081}, "Rule": {"priority": 1999}}
"""What else must differ for a second one with another name."""
PREFIXES = {
    "ServiceNetwork": "sn", "Service": "svc", "Listener": "listener", "Rule": "rule", "TargetGroup": "tg", "ResourceGateway": "rgw",
    "ResourceConfiguration": "rcfg", "ServiceNetworkServiceAssociation": "snsa", "ServiceNetworkVpcAssociation": "snva",
    "ServiceNetworkResourceAssociation": "snra", "ResourceEndpointAssociation": "rea", "AccessLogSubscription": "als", "DomainVerification": "dv",
}  # fmt: skip


def named(things: Things, noun: str, name: str) -> dict[str, Any]:
    return {**things.params(noun, 0), **IN_PARENT.get(noun, {}), "name": name}


@pytest.mark.parametrize("noun", LENGTHS)
def test_names_that_cannot_be_are_refused(things: Things, noun: str) -> None:
    shortest, longest, prefix = LENGTHS[noun]
    wrong = [
        "a" * (shortest - 1),
        "a" * (longest + 1),
        "-abc",
        "abc-",
        "a--b",
        "aBc",
        "a_b",
        "a.b",
        "a b",
        "äbc",
        "abc\n",
        "",
        *([f"{prefix}abc"] if prefix else []),
    ]
    for name in wrong:
        with things.region.refused("ValidationException") as error:
            things.make(noun, **named(things, noun, name))
        assert {item["name"] for item in error["fieldList"]} == {"name"}


@pytest.mark.parametrize(("noun", "end"), [(noun, end) for noun in LENGTHS for end in (0, 1)])
def test_the_shortest_and_the_longest_name(things: Things, noun: str, end: int) -> None:
    name = ("9" if end else "b") * LENGTHS[noun][end]
    made = things.make(noun, **named(things, noun, name))
    assert made["name"] == name
    if noun == "Listener":  # there is room for two
        things.region.lattice.delete_listener(serviceIdentifier=things.ids["Service"], listenerIdentifier=made["id"])
    if noun == "Rule":
        where = {"serviceIdentifier": things.ids["Service"], "listenerIdentifier": things.ids["Listener"]}
        things.region.lattice.delete_rule(**where, ruleIdentifier=made["id"])


def test_names_are_of_a_kind_an_account_and_a_parent(region: Region) -> None:
    """The same name may be a service's and a network's, another account's, and a listener's of another service; once gone it is free."""
    network = region.network("orders")
    services = [region.service(name) for name in ("orders", "others")]
    client("vpc-lattice", "999988887777").create_service(name="orders")
    listeners = [region.listener(service, "web") for service in services]
    for service, listener in zip(services, listeners, strict=True):
        rule = {"name": "get", "priority": 1, "match": {"httpMatch": {"method": "GET"}}, "action": {"fixedResponse": {"statusCode": 404}}}
        region.lattice.create_rule(serviceIdentifier=service, listenerIdentifier=listener, **rule)
    region.lattice.delete_service_network(serviceNetworkIdentifier=network)
    assert region.network("orders") != network


@pytest.mark.parametrize("noun", PREFIXES)
def test_ids_and_arns_have_their_form(things: Things, noun: str) -> None:
    """Hexadecimal throughout: some kinds ask for it, none forbids it."""
    assert re.fullmatch(rf"{PREFIXES[noun]}-[0-9a-f]{{17}}", things.ids[noun])
    owner = {"Listener": things.arns["Service"], "Rule": things.arns["Listener"]}.get(noun)
    tail = f"{noun.lower()}/{things.ids[noun]}"
    assert things.arns[noun] == (f"{owner}/{tail}" if owner else f"arn:aws:vpc-lattice:eu-north-7:111122223333:{tail}")
