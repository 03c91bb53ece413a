"""Instances: processes in their own namespaces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InstancePlan:
    """A running instance. namespace: its network namespace. user_data: base64 as given to RunInstances. boot: changes when it must boot again.

    resolver: the address in its resolv.conf. search: the domain to search. The first boot runs user data; a stop and start does not.
    environment: variables of every process that is started in it, so that AWS's tools find the region. hosts: further names that it knows, with addresses.
    """

    instance_id: str
    namespace: str
    hostname: str
    address: str
    resolver: str
    search: str
    user_data: str
    boot: str
    environment: tuple[tuple[str, str], ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
