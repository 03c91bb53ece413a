"""DB instances."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from latticewall.base.secret import Secret


@dataclass(frozen=True)
class Database:
    """id: its DbiResourceId. engine_version: major and minor. verifier: of the master user's password, as PostgreSQL keeps it. initial: the database made with
    it, "" = none. boot: changes when it must start again. running: it is to run; one that is stopped keeps its address and its data."""

    id: str
    arn: str
    vpc_id: str
    subnet_id: str
    interface_id: str
    address: IPv4Address
    name: str
    port: int
    engine_version: str
    master: str
    verifier: Secret
    initial: str
    boot: str
    running: bool
