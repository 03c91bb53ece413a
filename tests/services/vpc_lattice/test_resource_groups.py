"""GROUP and CHILD resource configurations, and what becomes of them in service networks."""

from __future__ import annotations

from typing import Any

import pytest

from .region import ACCOUNT, NAME, Region, body


def address(number: int = 7) -> dict[str, Any]:
    return {"ipResource": {"ipAddress": f"10.0.1.{number}"}}


def group(region: Region, name: str = "kafka", **more: Any) -> str:
    vpc = region.vpc()
    gateway = region.gateway(vpc, region.subnet(vpc))
    return str(region.lattice.create_resource_configuration(name=name, type="GROUP", resourceGatewayIdentifier=gateway, **more)["id"])


def child(region: Region, parent: str, name: str = "one", **more: Any) -> dict[str, Any]:
    given = {"resourceConfigurationDefinition": address(), **more}
    return body(region.lattice.create_resource_configuration(name=name, type="CHILD", resourceConfigurationGroupIdentifier=parent, **given))


def associated(region: Region, **where: Any) -> dict[str, dict[str, Any]]:
    """Associations by their resource configuration."""
    return {item["resourceConfigurationId"]: item for item in region.lattice.list_service_network_resource_associations(**where)["items"]}


def get(region: Region, association: str) -> dict[str, Any]:
    return body(region.lattice.get_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=association))


def test_a_child_has_much_from_its_group(region: Region) -> None:
    parent = group(region, portRanges=["9092"], allowAssociationToShareableServiceNetwork=True, groupDomain="kafka.example.net")
    shown = region.lattice.get_resource_configuration(resourceConfigurationIdentifier=parent)
    assert (shown["type"], shown["groupDomain"], "resourceConfigurationDefinition" in shown) == ("GROUP", "kafka.example.net", False)
    made = child(region, parent, customDomainName="b1.kafka.example.net")
    assert {key: value for key, value in made.items() if key not in ("arn", "id", "createdAt")} == {
        "name": "one", "type": "CHILD", "status": "CREATE_IN_PROGRESS", "resourceGatewayId": shown["resourceGatewayId"], "portRanges": ["9092"],
        "protocol": "TCP", "resourceConfigurationGroupId": parent, "resourceConfigurationDefinition": address(),
        "allowAssociationToShareableServiceNetwork": True, "customDomainName": "b1.kafka.example.net",
    }  # fmt: skip
    other = child(region, f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:resourceconfiguration/{parent}", "two", portRanges=["1-100"])
    assert other["portRanges"] == ["1-100"]
    listed = region.lattice.list_resource_configurations(resourceConfigurationGroupIdentifier=parent)["items"]
    assert {item["id"] for item in listed} == {made["id"], other["id"]}
    region.settle()
    region.lattice.update_resource_configuration(resourceConfigurationIdentifier=parent, allowAssociationToShareableServiceNetwork=False)
    where = {"resourceConfigurationIdentifier": made["id"]}
    assert region.lattice.get_resource_configuration(**where)["allowAssociationToShareableServiceNetwork"] is False
    with region.refused("ValidationException", "of its group, false"):
        region.lattice.update_resource_configuration(**where, allowAssociationToShareableServiceNetwork=True)
    region.lattice.update_resource_configuration(**where, allowAssociationToShareableServiceNetwork=False, portRanges=["9"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"groupDomain": "example.net"}, "groupDomain"),
        ({"resourceConfigurationDefinition": None}, "needs an ipResource"),
        ({"allowAssociationToShareableServiceNetwork": True}, "of its group, false"),
        ({"customDomainName": "b1.example.net"}, "not under the group's domain"),
        ({"customDomainName": "kafka.example.net"}, "not under the group's domain"),
        ({"customDomainName": "b1.notkafka.example.net"}, "not under the group's domain"),
        ({"domainVerificationIdentifier": "dv-0123456789abcdef0"}, "domainVerificationIdentifier is not for"),
    ],
)
def test_children_that_cannot_be_are_refused(region: Region, more: dict[str, Any], words: str) -> None:
    parent = group(region, groupDomain="kafka.example.net")
    given = {key: value for key, value in {"resourceConfigurationDefinition": address(), **more}.items() if value is not None}
    with region.refused("ValidationException", words):
        region.lattice.create_resource_configuration(name="one", type="CHILD", resourceConfigurationGroupIdentifier=parent, **given)


def test_only_a_group_has_children_and_never_another_gateway(region: Region) -> None:
    parent = group(region)
    only = child(region, parent)["id"]
    with region.refused("ValidationException", "only a GROUP has children"):
        child(region, only, "two")
    vpc = region.vpc("10.7.0.0/16")
    gateway = region.gateway(vpc, region.subnet(vpc, "10.7.1.0/24"), "other")
    with region.refused("ValidationException", "has the gateway of its group"):
        child(region, parent, "two", resourceGatewayIdentifier=gateway)
    for number in range(2, 61):
        child(region, parent, f"child-{number}")
    with region.refused("ServiceQuotaExceededException", "60") as refusal:
        child(region, parent, "one-too-many")
    assert refusal["quotaCode"] == "L-9BC96FEF"


def test_a_group_brings_its_children_into_a_network(region: Region) -> None:
    parent, network = group(region, groupDomain="kafka.example.net"), region.network()
    first = child(region, parent, customDomainName="b1.kafka.example.net")["id"]
    region.settle()
    with region.refused("ValidationException", parent):
        region.lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=first)
    made = region.lattice.create_service_network_resource_association(
        serviceNetworkIdentifier=network, resourceConfigurationIdentifier=parent, privateDnsEnabled=True
    )
    assert list(associated(region, serviceNetworkIdentifier=network)) == [parent]
    found = associated(region, serviceNetworkIdentifier=network, includeChildren=True)
    assert set(found) == {parent, first}
    assert ("dnsEntry" in found[parent], found[parent]["privateDnsEntry"]) == (False, {"domainName": "kafka.example.net"})
    assert found[first]["dnsEntry"]["domainName"] == f"{found[first]['id']}.{first}.4232ccc.vpc-lattice-rsc.{NAME}.on.aws"
    assert found[first]["privateDnsEntry"] == {"domainName": "b1.kafka.example.net"}
    second = child(region, parent, "two")["id"]
    assert set(associated(region, resourceConfigurationIdentifier=parent, includeChildren=True)) == {parent, first, second}
    assert set(associated(region, resourceConfigurationIdentifier=second, includeChildren=True)) == {second}
    assert associated(region, resourceConfigurationIdentifier=second) == {}
    (summary,) = region.lattice.list_service_networks()["items"]
    assert summary["numberOfAssociatedResourceConfigurations"] == 1
    region.settle()
    for item in associated(region, serviceNetworkIdentifier=network, includeChildren=True).values():
        assert item["status"] == "ACTIVE"
    with region.refused("ConflictException", made["id"]):
        region.lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=found[first]["id"])
    with region.refused("ConflictException", "ResourceConfiguration"):
        region.lattice.delete_resource_configuration(resourceConfigurationIdentifier=parent)
    region.lattice.delete_resource_configuration(resourceConfigurationIdentifier=first)
    region.settle()
    assert set(associated(region, includeChildren=True)) == {parent, second}
    region.lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=made["id"])
    region.settle()
    assert associated(region, includeChildren=True) == {}
    region.lattice.delete_resource_configuration(resourceConfigurationIdentifier=second)
    region.settle()
    region.lattice.delete_resource_configuration(resourceConfigurationIdentifier=parent)


def test_statuses_follow_the_data_plane_and_heal(region: Region) -> None:
    parent, network = group(region), region.network()
    only = child(region, parent)["id"]
    made = region.lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=parent)["id"]
    (of_child,) = [item["id"] for key, item in associated(region, includeChildren=True).items() if key == only]
    configuration = {"resourceConfigurationIdentifier": only}
    region.settle({of_child: "no address", only: "no address"})
    shown = region.lattice.get_resource_configuration(**configuration)
    assert (shown["status"], shown["failureReason"]) == ("CREATE_FAILED", "no address")
    assert (get(region, of_child)["status"], get(region, made)["status"]) == ("CREATE_FAILED", "PARTIAL")
    assert only in get(region, made)["failureReason"]
    region.settle()
    shown = region.lattice.get_resource_configuration(**configuration)
    assert (shown["status"], "failureReason" in shown) == ("ACTIVE", False)
    assert (get(region, of_child)["status"], get(region, made)["status"]) == ("ACTIVE", "ACTIVE")
    region.settle({of_child: "gone", only: "gone"})
    assert region.lattice.get_resource_configuration(**configuration)["status"] == "UPDATE_FAILED"
    assert (get(region, of_child)["status"], get(region, of_child)["failureReason"]) == ("PARTIAL", "gone")
    region.lattice.update_resource_configuration(**configuration, portRanges=["80"])
    assert region.lattice.get_resource_configuration(**configuration)["status"] == "UPDATE_IN_PROGRESS"
    region.settle({of_child: "still gone", only: "still gone"})
    assert region.lattice.get_resource_configuration(**configuration)["status"] == "UPDATE_FAILED"
    region.settle()
    assert region.lattice.get_resource_configuration(**configuration)["status"] == "ACTIVE"
