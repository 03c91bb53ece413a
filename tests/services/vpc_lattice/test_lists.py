"""Lists: pages of every size, tokens, what is made and deleted between two pages, filters."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from latticewall.resources.context import Context

from .region import ACCOUNT, CATALOG, NAME, Region, client
from .things import Things

LISTS = sorted(name for name in CATALOG.service("vpc-lattice").operations if name.startswith("List") and name != "ListTagsForResource")
ABSENT = "0123456789abcdef0"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Things:
    """Several of everything that is listed."""
    things = Things(Region(tmp_path_factory.mktemp("region")))
    region, network = things.region, things.ids["ServiceNetwork"]
    for number in (1, 2):
        for noun in ("ServiceNetwork", "Service", "TargetGroup", "ResourceGateway", "Rule", "DomainVerification"):
            things.make(noun, **things.params(noun, number))
        for noun in ("ServiceNetworkServiceAssociation", "ServiceNetworkVpcAssociation", "ServiceNetworkResourceAssociation"):
            things.make(noun, **things.params(noun, number))
    things.make("Listener", **things.params("Listener", 1))
    region.lattice.create_access_log_subscription(
        resourceIdentifier=network, destinationArn=region.log_group("/lattice/resources"), serviceNetworkLogType="RESOURCE"
    )
    region.settle()
    region.lattice.register_targets(targetGroupIdentifier=things.ids["TargetGroup"], targets=[{"id": f"10.0.1.{last}"} for last in (30, 20, 10)])
    for cidr in ("10.0.2.0/24", "10.0.3.0/24"):
        subnet, configuration = region.subnet(things.vpc, cidr), things.arns["ResourceConfiguration"]
        region.ec2.create_vpc_endpoint(VpcEndpointType="Resource", VpcId=things.vpc, SubnetIds=[subnet], ResourceConfigurationArn=configuration)
    for number in (4, 5):
        subnet = region.subnet(things.vpc, f"10.0.{number}.0/24")
        region.ec2.create_vpc_endpoint(VpcEndpointType="ServiceNetwork", VpcId=things.vpc, SubnetIds=[subnet], ServiceNetworkArn=things.arns["ServiceNetwork"])
    return things


def asked(things: Things, name: str) -> dict[str, Any]:
    """The parameters that list the most."""
    ids = things.ids
    network, service = {"serviceNetworkIdentifier": ids["ServiceNetwork"]}, {"serviceIdentifier": ids["Service"]}
    return {
        "ListAccessLogSubscriptions": {"resourceIdentifier": ids["ServiceNetwork"]},
        "ListListeners": service,
        "ListRules": {**service, "listenerIdentifier": ids["Listener"]},
        "ListTargets": {"targetGroupIdentifier": ids["TargetGroup"]},
        "ListResourceEndpointAssociations": {"resourceConfigurationIdentifier": ids["ResourceConfiguration"]},
        **{name: network for name in LISTS if name.startswith("ListServiceNetwork") and name.endswith("Associations")},
    }.get(name, {})


def pages(list_page: Callable[..., Any], size: int, between: Callable[[int], None] = lambda _: None) -> list[list[str]]:
    """The ids on every page. between: what is done after each, by its number."""
    found, more = list[list[str]](), dict[str, Any]()
    for number in itertools.count():
        answer = list_page(maxResults=size, **more)
        found.append([item["id"] for item in answer["items"]])
        if "nextToken" not in answer:
            return found
        between(number)
        more = {"nextToken": answer["nextToken"]}
    raise AssertionError


@pytest.mark.parametrize("name", LISTS)
def test_pages_of_one_are_the_whole_list(things: Things, name: str) -> None:
    params = asked(things, name)
    whole = [item["id"] for item in things.call(name, **params)["items"]]
    assert len(whole) >= 2
    assert pages(lambda **page: things.call(name, **params, **page), 1) == [[identifier] for identifier in whole]
    assert pages(lambda **page: things.call(name, **params, **page), 100) == [whole]


@pytest.mark.parametrize("name", LISTS)
def test_what_is_no_page_is_refused(things: Things, name: str) -> None:
    """A token is for its own list, with the parameters it was given for, in whatever size of pages."""
    params = asked(things, name)
    token = things.call(name, **params, maxResults=1)["nextToken"]
    assert len(things.call(name, **params, maxResults=2, nextToken=token)["items"]) >= 1
    elsewhere = things.call("ListServices" if name != "ListServices" else "ListTargetGroups", maxResults=1)["nextToken"]
    tokens = ("1", token[:-4], elsewhere, "x" * 2049)
    for member, value in (("maxResults", 0), ("maxResults", 101), *(("nextToken", one) for one in tokens)):
        with things.region.refused("ValidationException") as error:
            things.call(name, **{**params, member: value})
        assert [item["name"] for item in error["fieldList"]] == [member]


def test_a_token_is_not_for_another_filter(things: Things) -> None:
    token = things.region.lattice.list_target_groups(maxResults=1)["nextToken"]
    with things.region.refused("ValidationException", "nextToken"):
        things.region.lattice.list_target_groups(maxResults=1, nextToken=token, targetGroupType="IP")


def test_a_token_is_not_for_another_account_nor_another_region(things: Things) -> None:
    token = things.region.lattice.list_target_groups(maxResults=1)["nextToken"]
    for other in (client("vpc-lattice", "999988887777"), client("vpc-lattice", ACCOUNT, "eu-north-8")):
        with things.region.refused("ValidationException", "nextToken"):
            other.list_target_groups(maxResults=1, nextToken=token)


def test_a_list_without_a_size_has_pages_of_a_hundred(region: Region) -> None:
    for number in range(101):
        region.service(f"service-{number}")
    first = region.lattice.list_services()
    assert (len(first["items"]), len(region.lattice.list_services(nextToken=first["nextToken"])["items"])) == (100, 1)


@pytest.mark.parametrize("gone", [(0,), (1,), (2,), (0, 1), (1, 2), (2, 3), (0, 1, 3), (5,), (0, 1, 2, 3, 4), (1, 2, 5)])
def test_deletions_between_two_pages_leave_nothing_out(region: Region, gone: tuple[int, ...]) -> None:
    """Of six in pages of two, these are deleted after the first page; one is made meanwhile, and comes last."""
    made = [region.network(f"mesh-{number}") for number in range(6)]

    def change(page: int) -> None:
        if page == 0:
            for number in gone:
                region.lattice.delete_service_network(serviceNetworkIdentifier=made[number])
            made.append(region.network("late"))

    seen = [identifier for page in pages(region.lattice.list_service_networks, 2, change) for identifier in page]
    assert seen == made[:2] + [identifier for number, identifier in enumerate(made[2:], 2) if number not in gone]


def test_all_can_be_deleted_while_they_are_listed(region: Region) -> None:
    made = [region.network(f"mesh-{number}") for number in range(7)]
    deleted = 0

    def delete(_: int) -> None:
        nonlocal deleted
        for identifier in made[deleted : deleted + 2]:
            region.lattice.delete_service_network(serviceNetworkIdentifier=identifier)
        deleted += 2

    assert [identifier for page in pages(region.lattice.list_service_networks, 2, delete) for identifier in page] == made


def test_targets_are_told_apart_by_address_and_port(region: Region) -> None:
    vpc = region.vpc()
    region.subnet(vpc)
    group = region.target_group(vpc, kind="IP")
    targets = [{"id": "10.0.1.9", "port": port} for port in (81, 82, 83)]
    region.lattice.register_targets(targetGroupIdentifier=group, targets=targets)
    first = region.lattice.list_targets(targetGroupIdentifier=group, maxResults=1)
    region.lattice.deregister_targets(targetGroupIdentifier=group, targets=targets[:1])
    rest = region.lattice.list_targets(targetGroupIdentifier=group, maxResults=2, nextToken=first["nextToken"])
    assert [item["port"] for item in (*first["items"], *rest["items"])] == [81, 82, 83]


# -- filters -----------------------------------------------------------------------------------------------------------------------------------


FILTERS = [
    (name, member)
    for name in LISTS
    for member, shape in CATALOG.service("vpc-lattice").operations[name].input.members.items()  # type: ignore[union-attr]  # lists have inputs
    if member not in ("maxResults", "nextToken", "includeChildren", "targets") and shape.type == "string"
]


@pytest.mark.parametrize(("name", "member"), FILTERS)
def test_a_filter_shows_what_it_names_and_nothing_else(things: Things, name: str, member: str) -> None:
    region, ids = things.region, things.ids
    others = {"vpcIdentifier": (things.vpc, f"vpc-{ABSENT}"), "targetGroupType": ("IP", "ALB"), "vpcEndpointOwner": ("111122223333", "999988887777")}
    if member in others:
        there, absent = others[member]
    elif member == "vpcEndpointId":
        shown = things.call(name, **asked(things, name))["items"]
        there, absent = shown[0]["vpcEndpointId"], f"vpce-{ABSENT}"
    else:
        noun = "ResourceConfiguration" if member == "resourceConfigurationGroupIdentifier" else member.removesuffix("Identifier")
        noun = "ServiceNetwork" if member == "resourceIdentifier" else noun[:1].upper() + noun[1:]
        there = ids[noun]
        absent = f"{there.partition('-')[0]}-{ABSENT}"
    required = {key: value for key, value in asked(things, name).items() if key != member and (member == "listenerIdentifier" or "Service" not in name)}
    shown = things.call(name, **required, **{member: there})["items"]
    groups = member in ("resourceConfigurationGroupIdentifier", "domainVerificationIdentifier")
    assert (shown == []) == groups  # the configurations here are in no group and verified by nobody
    assert name == "ListTargets" or all(there in json.dumps(item, default=str) for item in shown)
    if name in MODELLED_NOT_FOUND and member.endswith("Identifier"):
        with region.refused("ResourceNotFoundException", absent):
            things.call(name, **required, **{member: absent})
    else:
        assert things.call(name, **required, **{member: absent})["items"] == []


MODELLED_NOT_FOUND = ("ListListeners", "ListRules", "ListTargets")


@pytest.mark.parametrize(
    ("name", "member"), [item for item in FILTERS if "ServiceNetwork" in item[0] and "Endpoint" not in item[0]] + [("ListTargetGroups", "vpcIdentifier")]
)
def test_of_a_filtered_list_no_more_is_shown_than_the_page(things: Things, name: str, member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one more, which tells whether there are more pages: showing a resource asks for others."""
    ids = {**things.ids, "Vpc": things.vpc}
    seen: list[str] = []
    view = Context.view
    monkeypatch.setattr(Context, "view", lambda ctx, row: seen.append(row.id) or view(ctx, row))  # type: ignore[func-returns-value]  # append has none
    noun = member.removesuffix("Identifier")
    (shown,) = things.call(name, **{member: ids[noun[:1].upper() + noun[1:]]}, maxResults=1)["items"]
    assert (seen[0], len(seen) <= 2) == (shown["id"], True)


def test_targets_are_filtered_by_address_and_port(things: Things) -> None:
    group = {"targetGroupIdentifier": things.ids["TargetGroup"]}
    for wanted, found in (
        ([{"id": "10.0.1.20"}], ["10.0.1.20"]),
        ([{"id": "10.0.1.20", "port": 80}, {"id": "10.0.1.10"}], ["10.0.1.20", "10.0.1.10"]),
        ([{"id": "10.0.1.20", "port": 81}], []),
    ):
        assert [item["id"] for item in things.region.lattice.list_targets(**group, targets=wanted)["items"]] == found


@pytest.mark.parametrize("name", ["ListServiceNetworkServiceAssociations", "ListServiceNetworkVpcAssociations"])
def test_associations_are_listed_by_one_of_their_sides(things: Things, name: str) -> None:
    with things.region.refused("ValidationException", "is required") as error:
        things.call(name)
    assert error["fieldList"][0]["name"] == "serviceNetworkIdentifier"


def test_nothing_is_of_a_resource_of_another_region(things: Things) -> None:
    """Which is an error only where the operation models one."""
    network, service = (things.arns[noun].replace(NAME, "eu-north-8") for noun in ("ServiceNetwork", "Service"))
    assert things.region.lattice.list_service_network_service_associations(serviceNetworkIdentifier=network)["items"] == []
    assert things.region.lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=network)["items"] == []
    with things.region.refused("ResourceNotFoundException"):
        things.region.lattice.list_listeners(serviceIdentifier=service)
