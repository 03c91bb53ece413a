"""TLS_PASSTHROUGH listeners as Envoy will carry them: connections chosen by server name, handed on as they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TlsDecision:
    """Whether connections from these addresses pass; no addresses: from all others. layer: Network or Service, who denies ("" when nobody does).

    explicit, statement: the deny by that statement of the layer's policy, or (-1) for want of an allow. A denial that is not enforced (audit mode) is
    one with `allowed`.
    """

    addresses: tuple[str, ...]
    allowed: bool
    layer: str = ""
    explicit: bool = False
    statement: int = -1


@dataclass(frozen=True)
class TlsService:
    """One service as seen through one listener. server_name: its custom domain name, lower case; no other name leads to it.

    clusters: (cluster name, weight), by target group. decisions: () when neither the service network nor the service has authType AWS_IAM, else the
    last one is for all other addresses. idle_timeout: seconds.
    """

    service_arn: str
    service_id: str
    service_network_arn: str
    listener_id: str
    server_name: str
    clusters: tuple[tuple[str, int], ...]
    decisions: tuple[TlsDecision, ...] = ()
    idle_timeout: int = 60


@dataclass(frozen=True)
class TlsListener:
    """One socket in a client VPC's namespace: address:port, all services with a TLS listener on that port in the VPC's service network."""

    name: str
    namespace: str
    address: str
    port: int
    vpc_id: str
    vpc_arn: str
    services: tuple[TlsService, ...]
    vpc_endpoint_id: str = ""
    """The endpoint whose namespace it is in, "" inside the VPC's own."""
