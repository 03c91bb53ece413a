"""Which certificate a load balancer shows for which name."""

from __future__ import annotations

import pytest

from latticewall.compile.certificate_choice import certificate_name, choices
from latticewall.plan.load_balancers import CertificateChoice
from latticewall.world.types import LoadBalancerListener, ServerCertificate

DEFAULT = "default"


def certificate(arn: str, *names: str, key: str = "RSA_2048", signature: str = "SHA256WITHRSA", until: str = "2027-01-01") -> ServerCertificate:
    return ServerCertificate(arn, f"print-{arn}", names, key, signature, until)


def listener(*listed: str) -> LoadBalancerListener:
    return LoadBalancerListener("app/web/1/2", "arn", "HTTPS", 443, (), {}, DEFAULT, "", listed)


def chosen(*certificates: ServerCertificate, default: tuple[str, ...] = ("other.example",)) -> dict[str, tuple[str, ...]]:
    """Name -> ARNs of the certificates that are shown for it."""
    known = {one.arn: one for one in (certificate(DEFAULT, *default), *certificates)}
    of = listener(*(one.arn for one in certificates))
    arns = {certificate_name(of): DEFAULT, **{certificate_name(of, one.arn): one.arn for one in certificates}}
    return {name: tuple(arns[one] for one in choice.certificates) for choice in choices(of, known) for name in choice.names}


def test_nothing_is_chosen_from_an_empty_list() -> None:
    assert choices(listener(), {DEFAULT: certificate(DEFAULT, "a.example.com")}) == ()


@pytest.mark.parametrize(
    "better",
    [
        certificate("b", "a.example.com", signature="SHA384WITHRSA"),
        certificate("b", "a.example.com", key="RSA_4096"),
        certificate("b", "a.example.com", until="2028-01-01"),
        certificate("b", "*.example.com", key="RSA_3072"),
    ],
    ids=["hash", "length", "validity", "wildcard"],
)
def test_of_several_that_have_the_name_the_best_is_shown(better: ServerCertificate) -> None:
    assert chosen(certificate("a", "a.example.com"), better)["a.example.com"] == ("b",)


def test_the_hash_counts_more_than_the_length() -> None:
    longer, safer = certificate("a", "x.example", key="RSA_4096", signature="SHA1WITHRSA"), certificate("b", "x.example", until="2020-01-01")
    assert chosen(longer, safer) == {"x.example": ("b",)}


def test_of_each_kind_of_key_there_is_one_so_that_every_client_finds_its_own() -> None:
    elliptic = [certificate(arn, "x.example", key=key) for arn, key in (("e", "EC_prime256v1"), ("f", "EC_secp384r1"))]
    assert chosen(certificate("r", "x.example", key="RSA_4096"), *elliptic) == {"x.example": ("f", "r")}


def test_names_below_a_wildcard_s_own_are_the_default_certificate_s() -> None:
    """The proxy takes a.b.example.com to where *.example.com is, but no certificate there has the name."""
    assert chosen(certificate("w", "*.example.com")) == {"*.example.com": (DEFAULT, "w")}
    for own in ("*.example.com", "a.example.com"):  # what the list has is not the default certificate's
        assert chosen(certificate("w", "*.example.com"), default=(own,)) == {"*.example.com": ("w",)}


def test_names_that_are_none_are_left_out_and_those_with_the_same_certificates_are_together() -> None:
    found = choices(listener("a"), {"a": certificate("a", "b.example", "a.example", "f*o.example", "*", "x y")})
    assert found == (CertificateChoice(("a.example", "b.example"), ("certificate-app/web/1/2-a",), "a"),)
