"""Certificates of VPC Lattice services: what is accepted, what uses what ("Bring your own certificate for VPC Lattice")."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.auth.certificate_authority import new_key

from .test_acm import detail, private, rsa_key, self_signed

DOMAIN = "Shop.example.com"


@pytest.fixture
def acm(region: Region) -> Any:
    return client("acm")


def imported(acm: Any, *names: str, key: Any = None, common: str = "", **more: Any) -> str:
    key = key or rsa_key()
    return str(acm.import_certificate(Certificate=self_signed(key, *names, common=common), PrivateKey=private(key), **more)["CertificateArn"])


@pytest.mark.parametrize(("names", "common"), [(("shop.example.com",), ""), (("*.example.com", "b.org"), ""), ((), "shop.example.com")], ids=str)
def test_a_certificate_for_the_name_is_taken_and_in_use(region: Region, acm: Any, names: tuple[str, ...], common: str) -> None:
    arn = imported(acm, *names, common=common)
    service = region.lattice.create_service(name="shop", customDomainName=DOMAIN, certificateArn=arn)
    assert service["certificateArn"] == arn
    assert region.lattice.get_service(serviceIdentifier=service["id"])["certificateArn"] == arn
    assert detail(acm, arn)["InUseBy"] == [service["arn"]]
    with region.refused("ResourceInUseException", f"Certificate {arn} in account {ACCOUNT} is in use."):
        acm.delete_certificate(CertificateArn=arn)
    region.lattice.delete_service(serviceIdentifier=service["id"])
    region.settle()
    acm.delete_certificate(CertificateArn=arn)


def test_another_certificate_in_its_place_and_none(region: Region, acm: Any) -> None:
    first, second = imported(acm, "shop.example.com"), imported(acm, "*.example.com", key=rsa_key(1))
    service = region.lattice.create_service(name="shop", customDomainName=DOMAIN, certificateArn=first)["id"]
    assert region.lattice.update_service(serviceIdentifier=service, certificateArn=second)["certificateArn"] == second
    assert (detail(acm, first)["InUseBy"], len(detail(acm, second)["InUseBy"])) == ([], 1)
    assert "certificateArn" not in region.lattice.update_service(serviceIdentifier=service, certificateArn="")
    assert detail(acm, second)["InUseBy"] == []


def test_a_certificate_in_use_stays_of_its_kind(region: Region, acm: Any) -> None:
    arn = imported(acm, "shop.example.com")
    region.lattice.create_service(name="shop", customDomainName=DOMAIN, certificateArn=arn)
    imported(acm, "shop.example.com", key=rsa_key(1), CertificateArn=arn)
    with region.refused("ValidationException", "KeyAlgorithm cannot change"):
        imported(acm, "shop.example.com", key=new_key("EC_prime256v1"), CertificateArn=arn)
    with region.refused("ValidationException", "DomainName cannot change"):
        imported(acm, "other.example.com", CertificateArn=arn)


def _refused(acm: Any) -> dict[str, tuple[str, str]]:
    return {
        "not there": (f"arn:aws:acm:{NAME}:{ACCOUNT}:certificate/nowhere", "does not exist"),
        "of another region": (f"arn:aws:acm:eu-south-9:{ACCOUNT}:certificate/x", "does not exist"),
        "for another name": (imported(acm, "example.com", "a.shop.example.com"), "is not for the custom domain name"),
        "wildcard of another level": (imported(acm, "*.com"), "is not for the custom domain name"),
        "common name beside alternative names": (imported(acm, "b.org", common="shop.example.com"), "is not for the custom domain name"),
        "elliptic": (imported(acm, "shop.example.com", key=new_key("EC_prime256v1")), "only RSA_2048 is supported"),
        "longer": (imported(acm, "shop.example.com", key=rsa_key(9, 3072)), "only RSA_2048 is supported"),
        "not issued": (acm.request_certificate(DomainName="shop.example.com", ValidationMethod="DNS")["CertificateArn"], "PENDING_VALIDATION"),
    }


def test_what_cannot_be_served_is_refused(region: Region, acm: Any) -> None:
    for arn, words in _refused(acm).values():
        with region.refused("ValidationException", words) as error:
            region.lattice.create_service(name="shop", customDomainName=DOMAIN, certificateArn=arn)
        assert error["fieldList"][0]["name"] == "certificateArn"
    plain = imported(acm, "shop.example.com")
    with region.refused("ValidationException", "for a custom domain name"):
        region.lattice.create_service(name="shop", certificateArn=plain)
