"""Service networks and services: what a new one shows, what is refused, how they end."""

from __future__ import annotations

import re

import pytest

from .region import ACCOUNT, NAME, Region, body


def test_a_service_network_lives_and_ends(region: Region) -> None:
    created = region.lattice.create_service_network(name="mesh", tags={"team": "core"})
    assert region.last_status == 201
    assert re.fullmatch(r"sn-[0-9a-f]{17}", created["id"])
    arn = f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:servicenetwork/{created['id']}"
    assert body(created) == {"id": created["id"], "name": "mesh", "arn": arn, "authType": "NONE"}
    shown = body(region.lattice.get_service_network(serviceNetworkIdentifier=arn))
    assert {key: shown[key] for key in ("numberOfAssociatedVPCs", "numberOfAssociatedServices")} == {
        "numberOfAssociatedVPCs": 0, "numberOfAssociatedServices": 0,
    }  # fmt: skip
    assert "numberOfAssociatedResourceConfigurations" not in shown
    (summary,) = region.lattice.list_service_networks()["items"]
    assert summary["numberOfAssociatedResourceConfigurations"] == 0
    assert "authType" not in summary
    changed = body(region.lattice.update_service_network(serviceNetworkIdentifier=created["id"], authType="AWS_IAM"))
    assert changed == {"id": created["id"], "name": "mesh", "arn": arn, "authType": "AWS_IAM"}
    region.lattice.delete_service_network(serviceNetworkIdentifier=created["id"])
    assert region.last_status == 204
    with region.refused("ResourceNotFoundException", created["id"]) as error:
        region.lattice.get_service_network(serviceNetworkIdentifier=created["id"])
    assert (error["resourceId"], error["resourceType"]) == (created["id"], "servicenetwork")


def test_a_service_settles_and_ends(region: Region) -> None:
    created = body(region.lattice.create_service(name="orders"))
    identifier = created["id"]
    assert created == {
        "id": identifier, "name": "orders", "arn": f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:service/{identifier}", "authType": "NONE",
        "status": "CREATE_IN_PROGRESS",
        "dnsEntry": {
            "domainName": f"orders-{identifier.removeprefix('svc-')}.7d67968.vpc-lattice-svcs.{NAME}.on.aws",
            "hostedZoneId": created["dnsEntry"]["hostedZoneId"],
        },
    }  # fmt: skip
    assert re.fullmatch(r"Z[A-Z0-9]{10,31}", created["dnsEntry"]["hostedZoneId"])
    region.settle()
    assert region.lattice.get_service(serviceIdentifier=identifier)["status"] == "ACTIVE"
    assert "authType" not in region.lattice.list_services()["items"][0]
    changed = body(region.lattice.update_service(serviceIdentifier=identifier, authType="AWS_IAM", idleTimeoutSeconds=120))
    assert sorted(changed) == ["arn", "authType", "id", "idleTimeoutSeconds", "name"]
    assert region.lattice.get_service(serviceIdentifier=identifier)["status"] == "ACTIVE"
    gone = body(region.lattice.delete_service(serviceIdentifier=identifier))
    assert (gone["status"], gone["name"], region.last_status) == ("DELETE_IN_PROGRESS", "orders", 200)
    assert region.lattice.get_service(serviceIdentifier=identifier)["status"] == "DELETE_IN_PROGRESS"
    assert region.lattice.delete_service(serviceIdentifier=identifier)["status"] == "DELETE_IN_PROGRESS"
    region.settle()
    with region.refused("ResourceNotFoundException"):
        region.lattice.get_service(serviceIdentifier=identifier)


def test_a_service_that_the_data_plane_cannot_have_says_why(region: Region) -> None:
    identifier = region.service()
    region.settle({identifier: "no room"})
    shown = region.lattice.get_service(serviceIdentifier=identifier)
    assert (shown["status"], shown["failureMessage"]) == ("CREATE_FAILED", "no room")


def test_a_custom_domain_and_a_timeout_are_kept(region: Region) -> None:
    created = region.lattice.create_service(name="orders", customDomainName="orders.example.net", idleTimeoutSeconds=90, authType="AWS_IAM")
    shown = region.lattice.get_service(serviceIdentifier=created["id"])
    assert (shown["customDomainName"], shown["idleTimeoutSeconds"], shown["authType"]) == ("orders.example.net", 90, "AWS_IAM")


@pytest.mark.parametrize(
    "name", ["*", "*.example.net", "orders", "orders..net", "orders.example.net.", "a b.net", "10.0.1.5", f"x.7d67968.vpc-lattice-svcs.{NAME}.on.aws"]
)
def test_a_custom_domain_that_is_none_is_refused(region: Region, name: str) -> None:
    with region.refused("ValidationException", "customDomainName" if len(name) < 3 else name):
        region.lattice.create_service(name="orders", customDomainName=name)


def test_a_quota_answers_402(region: Region) -> None:
    for number in range(50):
        region.network(f"mesh-{number}")
    with region.refused("ServiceQuotaExceededException", "50") as error:
        region.network("mesh-50")
    assert (region.last_status, error["quotaCode"], error["serviceCode"]) == (402, "L-9CAD07FB", "vpc-lattice")


def test_other_accounts_and_regions_are_out_of_reach(region: Region) -> None:
    created = region.lattice.create_service_network(name="mesh")
    stranger = region.lattice_of("999988887777")
    with region.refused("AccessDeniedException", "is not authorized to perform: vpc-lattice:GetServiceNetwork"):
        stranger.get_service_network(serviceNetworkIdentifier=created["arn"])
    with region.refused("ResourceNotFoundException"):
        stranger.delete_service_network(serviceNetworkIdentifier=created["id"])
    with region.refused("AccessDeniedException"):
        stranger.list_tags_for_resource(resourceArn=created["arn"])
    with region.refused("ResourceNotFoundException"):
        region.lattice.get_service_network(serviceNetworkIdentifier=created["arn"].replace(NAME, "eu-north-8"))
    assert stranger.list_service_networks()["items"] == []


def test_what_cannot_exist_is_not_listed(region: Region) -> None:
    network = region.network()
    assert region.lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=network)["items"] == []
    with region.refused("ResourceNotFoundException", "rea-0123456789abcdef0"):
        region.lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier="rea-0123456789abcdef0")
