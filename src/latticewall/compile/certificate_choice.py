"""Which certificate a load balancer shows to whom ("SSL certificates for your Application Load Balancer", certificate list).

A client that asks for a name gets a certificate of the list that has the name; of several the best that it can take: ECDSA before RSA, then the stronger hash,
the longer key, the one that is valid longest. Who asks for nothing, or for what is not there, gets the default certificate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from latticewall.plan.https import Certificate
from latticewall.plan.load_balancers import CertificateChoice
from latticewall.world.types import LoadBalancerListener, ServerCertificate

_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_WILDCARD = "*."


def certificate_name(listener: LoadBalancerListener, arn: str = "") -> str:
    """What a listener shows, by the listener that it is for: so that another certificate in the place of the default one ("") changes nothing but itself."""
    return f"certificate-{listener.id}{arn and '-' + arn.rpartition('/')[2]}"


def certificates_of(listener: LoadBalancerListener, known: Mapping[str, ServerCertificate]) -> list[Certificate]:
    """All that a listener may show. known: by ARN."""
    shown = {certificate_name(listener): listener.certificate_arn} | {certificate_name(listener, arn): arn for arn in listener.certificate_list}
    return [Certificate(name, arn, version=known[arn].fingerprint) for name, arn in shown.items() if arn in known]


def choices(listener: LoadBalancerListener, known: Mapping[str, ServerCertificate]) -> tuple[CertificateChoice, ...]:
    """Of the listener's certificate list; none where it is empty."""
    listed = [known[arn] for arn in listener.certificate_list if arn in known]
    default = known.get(listener.certificate_arn)
    found: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for name in sorted({name for certificate in listed for name in certificate.names if _NAME.fullmatch(name)}):
        best = _best(listed, name)
        # a certificate for *.example.com is none for a.b.example.com, which comes to the same place: there the first that is named here is shown. Not where it
        # would be shown for names of the list, too
        astray = (certificate_name(listener),) if name.startswith(_WILDCARD) and default and not _about(default, name) else ()
        shown = (*astray, *(certificate_name(listener, one.arn) for one in best))
        found.setdefault((shown, best[0].arn), []).append(name)
    return tuple(CertificateChoice(tuple(names), certificates, arn) for (certificates, arn), names in sorted(found.items()))


def _best(listed: Iterable[ServerCertificate], name: str) -> list[ServerCertificate]:
    """Of those that have the name, the best of each kind of key: which of them a client can take is seen when it comes."""
    fit = sorted((one for one in listed if _has(one, name)), key=_strength, reverse=True)
    kinds: tuple[Callable[[ServerCertificate], bool], ...] = (_is_elliptic, lambda one: not _is_elliptic(one))
    return [next(filter(kind, fit)) for kind in kinds if any(map(kind, fit))]


def _has(certificate: ServerCertificate, name: str) -> bool:
    above = _WILDCARD + name.partition(".")[2]
    return name in certificate.names or (not name.startswith(_WILDCARD) and above in certificate.names)


def _about(certificate: ServerCertificate, wildcard: str) -> bool:
    """Whether it has the wildcard, or a name that the wildcard covers."""
    return any(name == wildcard or _WILDCARD + name.partition(".")[2] == wildcard for name in certificate.names)


def _is_elliptic(certificate: ServerCertificate) -> bool:
    return certificate.key_algorithm.startswith("EC_")


def _strength(certificate: ServerCertificate) -> tuple[int, int, str, str]:
    """To sort by; the ARN, so that the order does not change from round to round."""
    digits = re.findall(r"\d+", certificate.signature_algorithm.partition("WITH")[0])
    bits = re.findall(r"\d{3,}", certificate.key_algorithm)
    return int(digits[0]) if digits else 0, int(bits[0]) if bits else 0, certificate.not_after, certificate.arn
