"""Which certificate an HTTPS listener shows to whom ("HTTPS listeners", "Bring your own certificate for VPC Lattice").

Generated names have Lattice's own certificate, one for each region; a service's custom name has the service's, or none: then nothing answers to it. A
certificate is known to the proxy by the service it is for, so that another one in its place changes nothing but itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from latticewall.base.lattice_names import service_name
from latticewall.compile.entrances import entrances
from latticewall.compile.index import Index
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.plan.https import Certificate, ServerNames
from latticewall.plan.node import Problem
from latticewall.plan.tls_passthrough import TlsListener
from latticewall.world.types import Service


@dataclass(frozen=True)
class HttpsPlan:
    """server_names: of the listeners, by entrance (its key) and port. certificates: those that the listeners show."""

    server_names: Mapping[tuple[str, int], tuple[ServerNames, ...]]
    certificates: tuple[Certificate, ...]
    problems: tuple[Problem, ...]


def compile_https(index: Index, gates: ServiceNetworkGates, passthrough: tuple[TlsListener, ...]) -> HttpsPlan:
    """passthrough: the TLS listeners; where both are on one socket, a name they have is theirs."""
    own = Certificate(f"lattice-{index.world.region}", domain=service_name(index.world.region, "*"))
    versions = {certificate.arn: certificate.fingerprint for certificate in index.world.certificates}
    taken = {(item.namespace, item.address, item.port): frozenset(service.server_name for service in item.services) for item in passthrough}
    services: dict[str, dict[int, list[Service]]] = {}
    for network, by_protocol in gates.listeners_of.items():
        for _, service, listener in by_protocol.get("HTTPS", ()):
            services.setdefault(network, {}).setdefault(listener.port, []).append(service)
    names: dict[tuple[str, int], tuple[ServerNames, ...]] = {}
    problems: list[Problem] = []
    same: dict[tuple[str, int, frozenset[str]], tuple[tuple[ServerNames, ...], tuple[tuple[Service, str], ...]]] = {}
    for entrance in entrances(index, gates) if services else ():
        for port, here in services.get(entrance.network.id, {}).items():
            place = entrance.network.id, port, taken.get((entrance.namespace, entrance.address, port), frozenset())
            if place not in same:
                same[place] = _server_names(own, versions, here, place[2])
            names[entrance.key, port], refused = same[place]
            problems += [
                Problem("vpc-lattice:Service", service.id, f"{name} already names another service on port {port} of {entrance.key}")
                for service, name in refused
            ]
    return HttpsPlan(names, _certificates(own, versions, gates, names), tuple(problems))


def _server_names(
    own: Certificate, versions: Mapping[str, str], services: list[Service], taken: frozenset[str]
) -> tuple[tuple[ServerNames, ...], tuple[tuple[Service, str], ...]]:
    """Of the listeners on one port. Of two services with one custom name the first keeps it; the other is refused."""
    used = set(taken)
    refused: list[tuple[Service, str]] = []
    found = [ServerNames((own.domain,), own.name, max(service.idle_timeout for service in services))]
    own_names = (service for service in services if service.custom_domain_name and service.certificate_arn in versions)
    for service in sorted(own_names, key=lambda service: service.id):
        name = service.custom_domain_name.lower()
        if name in used:
            refused.append((service, name))
        else:
            found.append(ServerNames((name,), _name(service), service.idle_timeout))
        used.add(name)
    return tuple(found), tuple(refused)


def _certificates(
    own: Certificate, versions: Mapping[str, str], gates: ServiceNetworkGates, names: Mapping[tuple[str, int], tuple[ServerNames, ...]]
) -> tuple[Certificate, ...]:
    shown = {item.certificate for found in names.values() for item in found}
    found = [own] if own.name in shown else []
    found += [
        Certificate(_name(service), arn=service.certificate_arn, version=versions[service.certificate_arn])
        for service in (gates.index.world.services if shown else ())
        if service.certificate_arn in versions and _name(service) in shown
    ]
    return tuple(sorted(found))


def _name(service: Service) -> str:
    return f"certificate-{service.id}"
