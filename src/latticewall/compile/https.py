"""Which certificate an HTTPS listener shows to whom ("HTTPS listeners", "Bring your own certificate for VPC Lattice").

Generated names have Lattice's own certificate, one for each region; a service's custom name has the service's, or none: then nothing answers to it. A
certificate is known to the proxy by the service it is for, so that another one in its place changes nothing but itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.base.lattice_names import service_name
from latticewall.compile.entrances import Entrance, listeners_at
from latticewall.compile.index import Index
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.plan.https import Certificate, ServerNames
from latticewall.plan.node import Problem
from latticewall.plan.proxy import HttpListener
from latticewall.plan.tls_passthrough import TlsListener
from latticewall.world.types import Service


class Https:
    """Server names of all HTTPS listeners of a region. passthrough: the TLS listeners; where both are on one socket, a name they have is theirs."""

    def __init__(self, index: Index, gates: ServiceNetworkGates, passthrough: Iterable[TlsListener]) -> None:
        self._gates = gates
        domain = service_name(index.world.region, "*")
        self._own = Certificate(f"lattice-{index.world.region}", domain=domain)
        self._versions = {certificate.arn: certificate.fingerprint for certificate in index.world.certificates}
        self._taken = {(item.namespace, item.address, item.port): {service.server_name for service in item.services} for item in passthrough}
        self.problems: list[Problem] = []

    def server_names(self, entrance: Entrance, port: int) -> tuple[ServerNames, ...]:
        """Of the listeners on one port. Of two services with one custom name the first keeps it; the other is a problem."""
        here = [service for _, service, listener in listeners_at(self._gates, entrance, "HTTPS") if listener.port == port]
        here.sort(key=lambda service: service.id)
        idle = max(service.idle_timeout for service in here)
        found = [ServerNames((self._own.domain,), self._own.name, idle)]
        taken = set(self._taken.get((entrance.namespace, entrance.address, port), ()))
        for service in here:
            name = service.custom_domain_name.lower()
            if not name or service.certificate_arn not in self._versions:
                continue
            if name in taken:
                message = f"{name} already names another service on port {port} of {entrance.key}"
                self.problems.append(Problem("vpc-lattice:Service", service.id, message))
            else:
                found.append(ServerNames((name,), _name(service), service.idle_timeout))
            taken.add(name)
        return tuple(found)

    def certificates(self, listeners: Iterable[HttpListener]) -> tuple[Certificate, ...]:
        """Those that the listeners show."""
        shown = {names.certificate for listener in listeners for names in listener.server_names}
        found = [self._own] if self._own.name in shown else []
        found += [
            Certificate(_name(service), arn=service.certificate_arn, version=self._versions[service.certificate_arn])
            for service in self._gates.services.values()
            if _name(service) in shown
        ]
        return tuple(sorted(found))


def _name(service: Service) -> str:
    return f"certificate-{service.id}"
