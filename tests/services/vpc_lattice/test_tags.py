"""Tags of VPC Lattice's resources ("Tag restrictions"; TagResource, UntagResource and ListTagsForResource of the API Reference)."""

from __future__ import annotations

from typing import Any

import pytest

from .region import Region
from .things import Things


@pytest.mark.parametrize("name", Things.TAGGABLE)
def test_all_that_has_an_arn_is_tagged_from_its_creation(things: Things, name: str) -> None:
    """Listeners and rules too. What is given again replaces, what is taken away need not be there."""
    lattice, arn = things.region.lattice, things.arns[name]
    assert lattice.list_tags_for_resource(resourceArn=arn)["tags"] == {"made": name}
    lattice.tag_resource(resourceArn=arn, tags={"made": "again", "Größe @ 1.5/2": ""})
    lattice.untag_resource(resourceArn=arn, tagKeys=["absent", "Made"])
    assert lattice.list_tags_for_resource(resourceArn=arn)["tags"] == {"made": "again", "Größe @ 1.5/2": ""}
    lattice.untag_resource(resourceArn=arn, tagKeys=["made", "Größe @ 1.5/2"])
    assert lattice.list_tags_for_resource(resourceArn=arn)["tags"] == {}


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"aws:team": "core"}, "aws:"),
        ({"AWS:team": "core"}, "aws:"),
        ({"team!": "core"}, "Tag key team! contains '!'"),
        ({"team": "a\nb"}, "The value of tag team contains"),
        ({"": "core"}, "greater than or equal to 1"),
        ({"k" * 129: "core"}, "less than or equal to 128"),
        ({"team": "v" * 257}, "less than or equal to 256"),
        ({str(number): "" for number in range(51)}, "at most 50"),
    ],
)
def test_tags_that_cannot_be_are_refused_at_creation_and_later(things: Things, tags: dict[str, str], words: str) -> None:
    calls: list[Any] = [
        lambda: things.region.lattice.create_service(name="another", tags=tags),
        lambda: things.region.lattice.tag_resource(resourceArn=things.arns["Service"], tags=tags),
    ]
    for call in calls:
        with things.region.refused("ValidationException", words) as error:
            call()
        assert error["fieldList"][0]["name"].startswith("tags")


def test_fifty_tags_are_what_a_resource_can_have(region: Region) -> None:
    fifty = {f"k{number}": "v" for number in range(50)}
    made = region.lattice.create_service_network(name="mesh", tags=fifty)
    region.lattice.tag_resource(resourceArn=made["arn"], tags={"k7": "other"})
    with region.refused("ValidationException", "at most 50"):
        region.lattice.tag_resource(resourceArn=made["arn"], tags={"k7": "v", "one-more": "v"})
    region.lattice.untag_resource(resourceArn=made["arn"], tagKeys=["k0"])
    region.lattice.tag_resource(resourceArn=made["arn"], tags={"one-more": "v"})
    assert len(region.lattice.list_tags_for_resource(resourceArn=made["arn"])["tags"]) == 50


def test_tags_go_with_the_resource(region: Region) -> None:
    made = region.lattice.create_service_network(name="mesh", tags={"team": "core"})
    region.lattice.delete_service_network(serviceNetworkIdentifier=made["id"])
    calls: dict[str, Any] = {"list_tags_for_resource": {}, "tag_resource": {"tags": {"a": "b"}}, "untag_resource": {"tagKeys": ["team"]}}
    for method, params in calls.items():
        with region.refused("ResourceNotFoundException", made["arn"]):
            getattr(region.lattice, method)(resourceArn=made["arn"], **params)
    again = region.lattice.create_service_network(name="mesh")
    assert region.lattice.list_tags_for_resource(resourceArn=again["arn"])["tags"] == {}


def test_tags_are_found_by_arn_only(region: Region) -> None:
    network = region.network()
    with region.refused("ValidationException", "resourceArn"):
        region.lattice.list_tags_for_resource(resourceArn=network)
