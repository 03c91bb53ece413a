"""What each VPC's resolver answers and what instance metadata hands out."""

from __future__ import annotations

from dataclasses import dataclass

UNWEIGHTED = -1


@dataclass(frozen=True, order=True)
class Record:
    """One record set. name: absolute, lower case, with the final dot. values: in zone-file form. weight: its share of the answers among the record sets of its
    name and type that have one; UNWEIGHTED of the only one."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    weight: int = UNWEIGHTED


@dataclass(frozen=True)
class Zone:
    """An authoritative zone in one VPC: names below `origin` that are not listed do not exist."""

    origin: str
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Resolver:
    """The resolver of one VPC: sockets on each of `addresses` (port 53, UDP and TCP) in `namespace`; the most specific zone answers."""

    vpc_id: str
    namespace: str
    addresses: tuple[str, ...]
    zones: tuple[Zone, ...]
    enabled: bool = True


@dataclass(frozen=True)
class MetadataInstance:
    """Instance metadata of one instance, found by the source address of the request inside its VPC.

    documents: (path below /latest/, text), complete but for the role credentials. role_name: "" when the instance has no profile.
    """

    instance_id: str
    namespace: str
    addresses: tuple[str, ...]
    documents: tuple[tuple[str, str], ...]
    role_name: str = ""
    role_arn: str = ""
    http_tokens: str = "required"
    http_endpoint: str = "enabled"
    hop_limit: int = 2


@dataclass(frozen=True)
class NamesPlan:
    """All resolvers and all metadata services of the node."""

    resolvers: tuple[Resolver, ...] = ()
    metadata: tuple[MetadataInstance, ...] = ()
